"""An order in which no two rows are equal: what pages by number need."""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from data_bridge.query import TableSource

if TYPE_CHECKING:
    from data_bridge.orm.queries.base import RowQuery

Q = TypeVar("Q", bound="RowQuery[Any]")

_SETS = frozenset({"rollup", "cube", "sets"})


def in_total_order(query: Q) -> Q:
    """The query with what decides between rows that are equal by its order, behind that order."""
    extras = query._extras or {}
    if query._grouped:
        return _behind_groups(query)
    if "distinct_on" in extras:  # one row for each of what the order must begin with
        return query
    if "distinct" in extras:
        return _behind(query, _results(query))
    return _behind(query, [] if _is_unique(query) else _keys(query))


def _keys(query: RowQuery[Any]) -> list[Any]:
    """The key of every table whose rows are in a row of the query."""
    found: list[Any] = []
    for source in query._sources:
        base = query._entity.source if source is query._source else source
        if isinstance(base, TableSource):
            found += [base.columns[name].s for name in base.__table_def__.primary_key]
    return found


def _is_unique(query: RowQuery[Any]) -> bool:
    """Whether the columns in the order are those of a unique constraint, so that an index may serve the order as it is."""
    if len(query._sources) > 1:
        return False
    entity = query._entity
    ordered = {s[2] for s in map(_bare, query._order or ()) if type(s) is tuple and s[0] == "col"}
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
    width = sum(len(s) - 2 if s[0] == "cols" else 1 for s in query._columns.s)
    return [("ordinal", i) for i in range(1, width + 1)]


def _behind(query: Q, more: list[Any]) -> Q:
    order = query._order or ()
    known = set(map(_bare, order))
    is_down = bool(order) and type(order[-1]) is tuple and order[-1][0] == "desc"
    made = query._copy()
    made._order = (*order, *(("desc", s) if is_down else s for s in more if s not in known)) or None
    return made


def _behind_groups(query: Q) -> Q:
    known = set(map(_bare, query._order or ()))
    for key in query._grouped:
        if key.s not in known and key.s[0] not in _SETS:
            query = query.order_by(key)
    return query


def _bare(s: Any) -> Any:
    return s[1] if type(s) is tuple and s and s[0] in ("asc", "desc") else s
