"""Mass UPDATE and DELETE of a query."""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from data_bridge.core import LoadPlan, resolve
from data_bridge.core.errors import UnfilteredWrite
from data_bridge.orm import _events
from data_bridge.orm.persistence.assignments import assignments
from data_bridge.orm.relations.subquery import mentioned
from data_bridge.query import func
from data_bridge.query.spi import Columns, apart, filters_rows

if TYPE_CHECKING:
    from data_bridge.orm.queries.builder import QueryBuilder

T = TypeVar("T")
COUNT = LoadPlan.affected()
_NEEDS_KEYS = {"distinct", "distinct_on", "group", "having", "locking", "windows", "ties"}


def _conditions(
    query: Any, doing: str
) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...] | None, tuple[Any, ...]]:
    """WHERE and FROM/USING of a mass write: structures and parameters of each."""
    entity = query._entity
    query = query._with_paths()
    extras: dict[str, Any] = query._extras or {}
    joins: Any = extras.get("joins")
    if not query._unfiltered and query._limit is None and not _is_filtered(query, joins):
        what = "with a filter that is TRUE" if query._where not in (entity.present, ()) else "without a filter"
        raise UnfilteredWrite(f"find().{doing}() {what} would {doing} every row: {doing}_all() says so explicitly")
    by_key: bool = (
        query._source.s[0] == "sample"
        or query._limit is not None
        or query._offset is not None
        or bool(extras.keys() & _NEEDS_KEYS)
    )
    if joins is not None and any(j[0] != "inner" or not _is_condition(j[2]) for j in joins[0][1:]):
        by_key = True
    if joins is not None and any(s.p for s in query._sources[1:]):
        by_key = True
    if by_key:
        inner = query._copy()
        qualifier = entity.source.name
        keys = tuple(("col", qualifier, n) for n in entity.pk_names)
        inner._columns = Columns((("cols", qualifier, *entity.pk_names),), (), query._source, ())
        inner._links = None
        statement = inner.__statement__()
        left = keys[0] if len(keys) == 1 else ("row", *keys)
        return (("in", left, ("query", statement.ir)),), statement.params, None, ()
    if joins is None:
        return query._where, query._where_p, None, ()
    # In UPDATE … FROM and DELETE … USING the conditions of the joins stand in WHERE.
    sources = tuple(s.s for s in query._sources[1:])
    on: tuple[Any, ...] = tuple(c for j in joins[0][1:] for c in j[2])
    return (*on, *query._where), (*joins[1], *query._where_p), sources, ()


def _is_filtered(query: Any, joins: Any) -> bool:
    """Whether a query may leave rows of its table out: by a condition, or by a join that not every row has a partner in."""
    present = query._entity.present
    # Whether a row is marked as deleted is no filter of the caller; these conditions have no parameters.
    if filters_rows([c for c in query._where if c not in present], query._where_p):
        return True
    extras: dict[str, Any] = query._extras or {}
    if "having" in extras:
        return True
    if joins is None:
        return False
    return any(
        kind in ("inner", "right") and (not _is_condition(on) or filters_rows(on, ())) for kind, _, on in joins[0][1:]
    )


def _is_condition(on: Any) -> bool:
    return isinstance(on, tuple) and all(isinstance(c, tuple) for c in on)  # pyright: ignore[reportUnknownVariableType]


def update(
    query: Any, values: Mapping[Any, Any] | None, operators: Any, keywords: Mapping[str, Any], returning: Any
) -> tuple[Any, tuple[Any, ...]]:
    """Structure and parameters of an UPDATE."""
    entity = query._entity
    made = assignments(entity, values, operators, keywords)
    if not made:
        raise TypeError("update() sets nothing: give it values")
    through = set[str]()
    for _, s, _ in made if entity.paths else ():
        mentioned(s, entity.paths, through)
    if through:
        raise TypeError(
            f"update() takes values from its own table: to set them from {min(through)!r}, join() that table and name its columns"
        )
    where, where_p, sources, sources_p = _conditions(query, "update")
    sets = tuple((f.name, s) for f, s, _ in made)
    params = tuple(v for _, _, p in made for v in p)
    extras = (("from", *sources),) if sources else None
    ir = ("update", entity.table, sets, where or None, returning, extras)
    return apart(ir, query._sources) if sources else ir, (*params, *where_p, *sources_p)


def delete(query: Any, returning: Any) -> tuple[Any, tuple[Any, ...]]:
    """Structure and parameters of a DELETE; of a table with soft deletion, of the UPDATE that marks the rows."""
    entity = query._entity
    if entity.soft is not None and not query._hard:
        return update(query, {entity.soft.key: func.now()}, (), {}, returning)
    where, where_p, sources, sources_p = _conditions(query, "delete")
    extras = (("using", *sources),) if sources else None
    ir = ("delete", entity.table, where or None, returning, extras)
    return apart(ir, query._sources) if sources else ir, (*where_p, *sources_p)


async def happening_to(query: Any, event: Any, work: Any, executor: Any) -> Any:
    """A mass write with what its class runs before and after it."""
    hooks = query._entity.hooks
    if hooks is None or not hooks.concern(event):
        return await work(executor)
    return await _events.happening(hooks, [event], [query._entity.cls], query._skip, executor, work, query)


class Returning(Generic[T]):
    """A query whose update() and delete() give rows instead of their number."""

    __slots__ = ("_query",)

    def __init__(self, query: QueryBuilder[T]) -> None:
        self._query = query

    async def _run(self, event: Any, statement: Any) -> list[T]:
        q: Any = self._query
        rows: list[T] = await happening_to(
            q, event, lambda e: e.run(*statement, q._plan, timeout=q._timeout), resolve(q._using)
        )
        if q._entity.load_hooked and q._plan in q._entity.load_hooked:
            await _events.loaded_as(q._entity, q._plan, rows)
        return rows

    async def update(self, values: Mapping[Any, Any] | None = None, /, *operators: Any, **kw: Any) -> list[T]:
        """Updates every matching row and gives them, as they are now."""
        q: Any = self._query
        return await self._run(_events.BulkUpdate, update(q, values, operators, kw, q._columns.s))

    async def delete(self) -> list[T]:
        """Deletes every matching row and gives them, as they were."""
        q: Any = self._query
        return await self._run(_events.BulkDelete, delete(q, q._columns.s))
