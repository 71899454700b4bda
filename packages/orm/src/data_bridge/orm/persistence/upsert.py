"""Rows that may be there already: insert() on the class, upsert(), insert_from()."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.orm._events import Save, Skip, happening
from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.persistence.bulk_insert import BATCH, PARAMETERS, as_rows
from data_bridge.orm.persistence.conflict import Conflict, conflict_clause
from data_bridge.orm.persistence.in_flight import begin, turn
from data_bridge.orm.persistence.upsert_statement import Upsert
from data_bridge.query import insert
from data_bridge.query.spi import clauses

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


class CreateMethod:
    """`create`: on the class it makes an instance of values and inserts it; on an instance, as in Beanie, it is insert()."""

    def __init__(self, method: Any) -> None:
        self._on_class = method.__func__

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self._on_class.__get__(owner) if instance is None else instance.insert


async def upsert_many(
    entity: Entity, rows: Iterable[Any], conflict: Sequence[Any] | Conflict, update: Any, skip: Skip, tx: Any
) -> list[tuple[Any, bool]]:
    """One INSERT … ON CONFLICT DO UPDATE … RETURNING, or several in a transaction."""
    made = as_rows(entity, [*rows])
    if not made:
        return []
    hooks = entity.hooks
    if hooks is not None and skip is not True and hooks.concern(Save):
        found: list[tuple[Any, bool]] = await happening(
            hooks,
            [Save],
            made,
            skip,
            entity.writer(tx),
            lambda e: _upsert_all(entity, made, conflict, update, e),
        )
        return found
    return await _upsert_all(entity, made, conflict, update, tx)


async def _upsert_all(
    entity: Entity, made: list[Any], conflict: Sequence[Any] | Conflict, update: Any, tx: Any
) -> list[tuple[Any, bool]]:
    executor = entity.writer(tx)
    flight = begin(executor, made) or await turn(executor, made)
    try:
        upsert = Upsert(entity, made, conflict, update)
        size = BATCH if upsert.is_flat else min(BATCH, PARAMETERS // len(entity.fields) - 1)
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
        made = clauses.with_conflict(made, *clause[:2])
    statement = made.__statement__()
    count: int = await entity.writer(tx).run(statement.ir, statement.params, _COUNT)
    return count
