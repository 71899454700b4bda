"""Rows that may be there already: insert() on the class, get_or_create(), upsert()."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import persist
from data_bridge.orm.builder import QueryBuilder
from data_bridge.orm.bulk import BATCH, PARAMETERS, as_row
from data_bridge.orm.conflict import conflict_clause
from data_bridge.orm.entity import Entity
from data_bridge.orm.events import Insert, Save, Skip, happening
from data_bridge.orm.flight import begin, turn
from data_bridge.orm.meta import entity_of
from data_bridge.orm.persist import executor_for
from data_bridge.orm.upsert import Upsert
from data_bridge.query import insert

_COUNT = LoadPlan.affected()


class InsertMethod:
    """`insert`: on an instance it inserts it; on the class it takes an instance, or the values of one."""

    def __init__(self, method: Any) -> None:
        self._method = method

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is not None:
            return self._method.__get__(instance, owner)

        async def insert(row: Any = None, /, *, tx: Any = None, **values: Any) -> Any:
            """Inserts an instance, or makes one of these values and inserts it."""
            if row is None:
                row = owner(**values)
            elif values:
                raise TypeError("insert() takes an instance or values, not both")
            return await row.insert(tx=tx)

        return insert


async def get_or_create(
    cls: Any, defaults: Mapping[str, Any], keys: Mapping[str, Any], tx: Any, skip: Skip = ()
) -> tuple[Any, bool]:
    """INSERT … ON CONFLICT DO NOTHING, then SELECT: of several who try, one creates and all find."""
    if not keys:
        raise ConfigurationError("get_or_create() needs the values that find the row")
    entity = entity_of(cls)
    query = QueryBuilder.of(entity).find(**keys)
    if tx is not None:
        query = query.using(tx)
    for _ in range(3):
        row = await query.limit(1).first()
        if row is not None:
            return row, False
        made = cls(**{**keys, **defaults})
        # The bookkeeping of an INSERT whose row nobody wrote stays that of a new row.
        if entity.hooks is None:
            if await _insert_unless_there(entity, made, tx):
                return made, True
            continue
        try:
            await happening(
                entity.hooks,
                [Insert],
                [made],
                skip,
                executor_for(entity, tx),
                partial(_insert_or_stop, entity, made),
            )
        except _SomebodyElse:
            continue
        return made, True
    raise ConfigurationError(
        f"a {entity.label} with these values can neither be found nor inserted: another unique constraint is in the way"
    )


class _SomebodyElse(Exception):
    """The row was inserted meanwhile: what runs after an Insert must not."""


async def _insert_or_stop(entity: Entity, row: Any, executor: Any) -> None:
    if not await _insert_unless_there(entity, row, executor):
        raise _SomebodyElse


async def _insert_unless_there(entity: Entity, row: Any, tx: Any) -> bool:
    given = persist._given(entity, row)
    shape = persist._insert_shape(entity, given, None)
    ir = (*shape.ir[:4], ("conflict", None, "nothing"), shape.ir[5], None)
    executor = executor_for(entity, tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        return await shape.run(entity, row, executor, ir=ir)
    finally:
        flight.end()


async def upsert_many(
    entity: Entity, rows: Iterable[Any], conflict: Sequence[Any], update: Any, skip: Skip, tx: Any
) -> list[tuple[Any, bool]]:
    """One INSERT … ON CONFLICT DO UPDATE … RETURNING, or several in a transaction."""
    made = [as_row(entity, r) for r in rows]
    if not made:
        return []
    hooks = entity.hooks
    if hooks is not None and skip is not True and hooks.concern(Save):
        found: list[tuple[Any, bool]] = await happening(
            hooks,
            [Save],
            made,
            skip,
            executor_for(entity, tx),
            lambda e: _upsert_all(entity, made, conflict, update, e),
        )
        return found
    return await _upsert_all(entity, made, conflict, update, tx)


async def _upsert_all(
    entity: Entity, made: list[Any], conflict: Sequence[Any], update: Any, tx: Any
) -> list[tuple[Any, bool]]:
    executor = executor_for(entity, tx)
    size = min(BATCH, PARAMETERS // len(entity.fields) - 1)
    flight = begin(executor, made) or await turn(executor, made)
    try:
        upsert = Upsert(entity, made, conflict, update)
        if len(made) <= size and not (upsert.is_conditional and len(made) > 1):
            return await upsert.run(made, executor, 0)
        result: list[tuple[Any, bool]] = []
        async with pg_transaction(using=executor) as inner:
            for i in range(0, len(made), size):
                result += await upsert.run(made[i : i + size], inner, i)
        return result
    finally:
        flight.end()


async def insert_from(entity: Entity, query: Any, columns: Sequence[Any] | None, on_conflict: Any, tx: Any) -> int:
    """INSERT … SELECT."""
    names = None if columns is None else [entity.field(c).name for c in columns]
    made = insert(entity.source).from_select(query, names)
    clause = conflict_clause(entity, on_conflict)
    if clause is not None:
        made = made._with(_conflict=clause[0], _conflict_p=clause[1])
    statement = made.__statement__()
    count: int = await executor_for(entity, tx).run(statement.ir, statement.params, _COUNT)
    return count
