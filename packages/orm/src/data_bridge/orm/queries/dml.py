"""Mass UPDATE and DELETE of a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from data_bridge.core import LoadPlan, resolve
from data_bridge.core.errors import UnfilteredWrite
from data_bridge.orm import _events
from data_bridge.orm.persistence.assignments import assignments, plain_assignments
from data_bridge.query import func
from data_bridge.query.spi import Columns, apart, build, clauses, filters_rows, refuse_view
from data_bridge.query.spi.table_names import mentioned

if TYPE_CHECKING:
    from data_bridge.orm.queries.builder import QueryBuilder

T = TypeVar("T")
COUNT = LoadPlan.affected()
_NEEDS_KEYS = ("distinct", "distinct_on", "group", "having", "locking", "windows", "ties")


def _conditions(query: Any, doing: str) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
    """WHERE of a mass write, its parameters, and the tables in FROM or USING."""
    entity = query._entity
    is_bare = not entity.paths and clauses.is_bare(query)
    if not is_bare:
        query = query._with_paths()
    where, where_p = clauses.conditions_of(query)
    joins, joins_p = clauses.joins_of(query)
    if not query._unfiltered and clauses.limit_of(query) is None and not _is_filtered(query):
        what = "with a filter that is TRUE" if where not in (entity.present, ()) else "without a filter"
        raise UnfilteredWrite(f"find().{doing}() {what} would {doing} every row: {doing}_all() says so explicitly")
    if is_bare:
        return where, where_p, ()
    others = clauses.sources_of(query)[1:]
    by_key = (
        clauses.is_sampled(query)
        or clauses.is_cut(query)
        or clauses.has_clause(query, *_NEEDS_KEYS)
        or any(j.how != "inner" or not j.has_conditions for j in joins)
        or (bool(joins) and any(s.p for s in others))
    )
    if by_key:
        qualifier = entity.source.name
        keys = Columns((build.columns(qualifier, entity.pk_names),), (), clauses.source_of(query), ())
        inner: Any = clauses.with_result(query, keys)
        inner._links = None
        statement = inner.__statement__()
        left = [build.column(qualifier, n) for n in entity.pk_names]
        return (build.in_query(left, statement.ir),), statement.params, ()
    if not joins:
        return where, where_p, ()
    # In UPDATE … FROM and DELETE … USING the conditions of the joins stand in WHERE.
    on = tuple(c for j in joins for c in j.on)
    return (*on, *where), (*joins_p, *where_p), tuple(s.s for s in others)


def _is_filtered(query: Any) -> bool:
    """Whether a query may leave rows of its table out: by a condition, or by a join that not every row has a partner in."""
    present = query._entity.present
    where, where_p = clauses.conditions_of(query)
    # Whether a row is marked as deleted is not a filter of the caller; these conditions have no parameters.
    conditions = [c for c in where if c not in present] if present else where
    if filters_rows(conditions, where_p) or clauses.has_clause(query, "having"):
        return True
    return any(
        j.how in ("inner", "right") and (not j.has_conditions or filters_rows(j.on, ()))
        for j in clauses.joins_of(query).joins
    )


def update(
    query: Any, values: Mapping[Any, Any] | None, operators: Any, keywords: Mapping[str, Any], returning: Any
) -> tuple[Any, tuple[Any, ...]]:
    """Structure and parameters of an UPDATE."""
    entity = query._entity
    refuse_view(entity.source)
    if keywords and values is None and not operators:
        plain = plain_assignments(entity, keywords)
        if plain is not None:
            sets, params = plain
            where, where_p, sources = _conditions(query, "update")
            if not sources:
                return build.update(entity.table, sets, where, returning=returning), (*params, *where_p)
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
    where, where_p, sources = _conditions(query, "update")
    sets = [(f.name, s) for f, s, _ in made]
    params = tuple(v for _, _, p in made for v in p)
    ir = build.update(entity.table, sets, where, returning=returning, sources=sources)
    return apart(ir, clauses.sources_of(query)) if sources else ir, (*params, *where_p)


def delete(query: Any, returning: Any) -> tuple[Any, tuple[Any, ...]]:
    """Structure and parameters of a DELETE; of a table with soft deletion, of the UPDATE that marks the rows."""
    entity = query._entity
    refuse_view(entity.source)
    if entity.soft is not None and not query._hard:
        return update(query, {entity.soft.key: func.now()}, (), {}, returning)
    where, where_p, sources = _conditions(query, "delete")
    ir = build.delete(entity.table, where, returning=returning, sources=sources)
    return apart(ir, clauses.sources_of(query)) if sources else ir, where_p


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
            q,
            event,
            lambda e: e.run(*statement, q._plan, timeout=q._timeout),  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType]
            resolve(q._using),
        )
        if q._entity.load_hooked and q._plan in q._entity.load_hooked:
            await _events.loaded_as(q._entity, q._plan, rows)
        return rows

    async def update(self, values: Mapping[Any, Any] | None = None, /, *operators: Any, **kw: Any) -> list[T]:
        """Updates every matching row and returns them, as they are now."""
        q: Any = self._query
        return await self._run(_events.BulkUpdate, update(q, values, operators, kw, clauses.result_of(q).s))

    async def delete(self) -> list[T]:
        """Deletes every matching row and returns them, as they were."""
        q: Any = self._query
        return await self._run(_events.BulkDelete, delete(q, clauses.result_of(q).s))
