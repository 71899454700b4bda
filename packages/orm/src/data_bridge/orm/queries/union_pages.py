"""Pages by key of set operations: the rows stand in a subquery, whose columns tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_bridge.core import resolve
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import _events
from data_bridge.orm.queries.derived import DerivedQuery
from data_bridge.orm.queries.keyset import Key, Keyset, Params, check_page, key_of, page_by_key, sorted_by
from data_bridge.query.spi import clauses, read

if TYPE_CHECKING:
    from data_bridge.orm._page import Page
    from data_bridge.orm.queries.union import UnionQuery


async def union_page(query: UnionQuery[Any], size: int, after: str | None, before: str | None) -> Page[Any]:
    """A page of a set operation by its sort keys, and then by the key of its instances or by all of its columns.

    Raises:
        InvalidCursor: for a text that is not a cursor of this query.
        ConfigurationError: for rows that no values tell apart, and sort keys that a cursor cannot carry.
    """
    check_page(size, after, before)
    first = query._first
    keyset = _keyset(query, first)
    plan = query._plan(first)

    async def fetch(made: Any) -> tuple[list[Any], list[list[Any]]]:
        statement = made.__statement__()
        rows: list[Any] = await resolve(query._using).run(statement.ir, statement.params, plan, timeout=query._timeout)
        keys = _values(query, first, keyset.keys, rows)
        entity = first._entity
        if entity.load_hooked and plan in entity.load_hooked:
            await _events.loaded_as(entity, plan, rows)
        return rows if first._model is None else [first._model.model_validate(r) for r in rows], keys

    return await page_by_key(keyset, fetch, size, after, before)


def _keyset(query: Any, first: Any) -> Keyset:
    operation = clauses.operation_of(query)
    remedy = "page(number, size) pages it"
    if "all" in operation.lower():
        raise ConfigurationError(
            f"paginate(): rows of a {operation} may be equal in every column, so that no cursor tells them apart: {remedy}, and "
            "union(), intersect() or except_() without all has each row once"
        )
    if clauses.is_cut(query):
        raise ConfigurationError("paginate() sets the limit itself: the query has a limit or an offset of its own")
    chosen = first._chosen
    if chosen is not None and chosen.by == "tuples" and any(hasattr(c, "__db__") for c in chosen.columns):
        raise ConfigurationError(f"paginate(): tuples of whole tables have no columns to go by: {remedy}")
    said = clauses.names_of(query)
    if len({*said}) < read.width_of(clauses.result_of(first).s):
        raise ConfigurationError(
            f'paginate() of a {operation} goes by the names of its columns: give each a name of its own, .label("…"), or {remedy}'
        )
    derived: Any = DerivedQuery.over(query.order_by(None).subquery(f"page of the {operation}"))
    columns = derived._entity.source.columns
    names = list(columns)

    def found(s: Any, _: Params) -> Key:
        place = read.ordinal_of(s)
        if place is None or place > len(names):
            raise ConfigurationError(f"paginate() of a {operation} sorts by columns of its result: {', '.join(names)}")
        return key_of(columns[names[place - 1]])._replace(nullable=True)

    keys = sorted_by(query, found)
    last_down = keys[-1].down if keys else False
    own = first._entity.pk_names if first._plan in first._entity.instance_plans else ()
    own = own if set(own) <= set(names) else ()  # select() leaves it out
    known = {k.field for k in keys}
    for name in own or names:
        key = key_of(columns[name], down=last_down)._replace(nullable=True)
        if key.field not in known:
            keys.append(key)
    for key in keys:
        if key.column.t is not None and key.column.t.family == "json":
            raise ConfigurationError(
                f"paginate() of a {operation} goes by all of its columns, and a cursor cannot carry the document {key.field!r}: "
                f"{remedy}"
            )
    return Keyset(derived, keys)


def _values(query: Any, first: Any, keys: list[Key], rows: list[Any]) -> list[list[Any]]:
    """The sort keys of each row."""
    names = clauses.names_of(query)
    if first._plan in first._entity.instance_plans:
        fields = {name: first._entity.source.columns[name].__column__.key for name in names}
        return [[row.__dict__[fields[k.field or ""]] for k in keys] for row in rows]
    kind = first._chosen.by
    if kind == "scalars":
        return [[row] * len(keys) for row in rows]
    at: list[Any] = [k.field if kind in {"values", "project"} else names.index(k.field or "") for k in keys]
    return [[row[i] for i in at] for row in rows]
