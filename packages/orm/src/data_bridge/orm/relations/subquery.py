"""Correlated subqueries: the rows of a relation, seen from the row around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.query import ColumnProxy, Source
from data_bridge.query.spi import build, clauses, read
from data_bridge.query.spi.table_names import renamed

if TYPE_CHECKING:
    from data_bridge.orm.mapping.relation import Relation
    from data_bridge.orm.queries.builder import QueryBuilder


def correlated(
    query: QueryBuilder[Any],
    columns: Sequence[Any],
    relation: Relation,
    near: Sequence[ColumnProxy[Any]],
    around: set[str],
) -> tuple[Any, tuple[Any, ...]]:
    """A SELECT over the rows of a relation whose keys equal the `near` columns of the query around it."""
    entity = relation.target
    made: Any = query.columns(*columns)
    made._links = None
    if not columns:
        made = clauses.without_result(made)
    if relation.kind == "many":
        through = relation.through
        made = made.join(through.source, relation.through_conditions())
        far = [through.columns[k].s for k in relation.through_near]
    else:
        far = [entity.columns[k].s for k in relation.far]
    # Among the result columns while tables get other names, so that they follow.
    width = len(clauses.result_of(made).s)
    statement = clauses.statement_inside(clauses.with_more_results(made, far))
    ir = statement.ir
    own: dict[str, Source] = {entity.source.name: entity.source}
    if relation.kind == "many":
        own.setdefault(relation.through.source.name, relation.through.source)
    clashes = {name: (f"{name}.{relation.name}", source) for name, source in own.items() if name in around}
    if clashes:  # a table inside would hide the one of the same name around it
        ir = renamed(ir, clashes)
    result = read.result_of(ir)
    conditions = tuple(build.equal(f, n.s) for f, n in zip(result[width:], near, strict=True))
    return build.with_conditions(build.with_result(ir, result[:width]), conditions), statement.params
