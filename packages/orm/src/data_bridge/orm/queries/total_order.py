"""An order in which no two rows are equal: what pages by number need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from data_bridge.query import TableSource
from data_bridge.query.spi import build, clauses, read

if TYPE_CHECKING:
    from data_bridge.orm.queries.base import RowQuery

Q = TypeVar("Q", bound="RowQuery[Any]")


def in_total_order(query: Q) -> Q:
    """The query with what decides between rows that are equal by its order, behind that order."""
    if query._grouped:
        return _behind_groups(query)
    if clauses.has_clause(query, "distinct_on"):  # one row for each of what the order must begin with
        return query
    if clauses.has_clause(query, "distinct"):
        return _behind(query, _results(query))
    source: Any = query._entity.source
    if not isinstance(source, TableSource):
        # A subquery or a function has no key: all of its columns tell its rows apart.
        own = [c.s for c in source.columns.values()]
        return _behind(query, [*own, *(s for s in _keys(query) if s not in own)])
    return _behind(query, [] if _is_unique(query) else _keys(query))


def _keys(query: RowQuery[Any]) -> list[Any]:
    """The key of every table whose rows are in a row of the query."""
    found: list[Any] = []
    for source in clauses.sources_of(query):
        base = query._entity.source if source is clauses.source_of(query) else source
        if isinstance(base, TableSource):
            found += [base.columns[name].s for name in base.__table_def__.primary_key]
    return found


def _is_unique(query: RowQuery[Any]) -> bool:
    """Whether the columns in the order are those of a unique constraint, so that an index may serve the order as it is."""
    if len(clauses.sources_of(query)) > 1:
        return False
    entity = query._entity
    expressions = [read.sort_key(s).expression for s in clauses.order_of(query)]
    # By structure: a joined table may have a column of the same name.
    ordered = {name for name, column in entity.source.columns.items() if column.s in expressions}
    for constraint in entity.definition.constraints:
        if (
            constraint.kind in ("unique", "primary_key")
            and constraint.columns
            and ordered.issuperset(constraint.columns)
        ):
            nullable = [entity.definition.column(c).nullable for c in constraint.columns]
            if not any(nullable) or constraint.nulls_not_distinct:
                return True
    return False


def _results(query: RowQuery[Any]) -> list[Any]:
    """The positions of the result's columns."""
    return build.ordinals(read.width_of(clauses.result_of(query).s))


def _behind(query: Q, more: list[Any]) -> Q:
    order = clauses.order_of(query)
    known = {read.sort_key(s).expression for s in order}
    is_down = bool(order) and read.sort_key(order[-1]).is_descending
    behind = [build.descending(s) if is_down else s for s in more if s not in known]
    return clauses.with_order(query, (*order, *behind))


def _behind_groups(query: Q) -> Q:
    known = {read.sort_key(s).expression for s in clauses.order_of(query)}
    for key in query._grouped:
        if key.s not in known and not read.is_grouping_set(key.s):
            query = query.order_by(key)
    return query
