"""Rows that may be there already: insert() on the class, get_or_create(), upsert()."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import changes, persist
from data_bridge.orm.builder import QueryBuilder
from data_bridge.orm.bulk import BATCH, PARAMETERS, as_row
from data_bridge.orm.conflict import conflict_clause
from data_bridge.orm.entity import Entity
from data_bridge.orm.events import Insert, Save, Skip, happening
from data_bridge.orm.failing_row import named
from data_bridge.orm.meta import entity_of
from data_bridge.orm.persist import executor_for
from data_bridge.orm.state import Slots, wire_of
from data_bridge.orm.values import stored
from data_bridge.query import insert
from data_bridge.query.nodes import Node

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
    ir = (*shape.ir[:4], ("conflict", None, "nothing"), shape.ir[5] or _key(entity), None)
    plan = shape.plan if shape.ir[5] else entity.merge_plan(entity.pk_keys, ())
    executor = executor_for(entity, tx)
    changes.remember(executor, row, shape.filled)
    written: bool = await executor.run(ir, shape.params(entity, row.__dict__), plan, row)
    return written


def _key(entity: Entity) -> tuple[Any, ...]:
    return (("cols", None, *entity.pk_names),)


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
    size = min(BATCH, PARAMETERS // len(entity.fields) - 1)
    if len(made) <= size:
        return await _upsert(entity, made, conflict, update, executor_for(entity, tx))
    result: list[tuple[Any, bool]] = []
    async with pg_transaction(using=executor_for(entity, tx)) as inner:
        for i in range(0, len(made), size):
            result += await _upsert(entity, made[i : i + size], conflict, update, inner, i)
    return result


async def _upsert(
    entity: Entity, made: list[Any], conflict: Sequence[Any], update: Any, executor: Any, before: int = 0
) -> list[tuple[Any, bool]]:
    target_fields = [entity.field(c) for c in conflict]
    given = persist._given(entity, made[0])
    if any(persist._given(entity, r) != given for r in made):
        raise ConfigurationError("upsert_many() needs rows that set the same fields")
    sets: list[tuple[str, Any]] = []
    set_params: tuple[Any, ...] = ()
    if isinstance(update, Mapping):
        for k, v in dict[Any, Any](update).items():  # pyright: ignore[reportUnknownArgumentType]
            f = entity.field(k)
            s, p = (v.s, v.p) if isinstance(v, Node) else ("$", (stored(entity, f, v),))
            sets.append((f.name, s))
            set_params += p
    else:
        chosen = (
            [entity.field(c) for c in update]
            if update is not None
            else [entity.by_key[k] for k in given if entity.by_key[k] not in target_fields]
        )
        # DO NOTHING would not bring the row back: setting the target to itself does.
        sets = [(f.name, ("col", "excluded", f.name)) for f in chosen] or [
            (f.name, ("col", "excluded", f.name)) for f in target_fields
        ]
    target = ("columns", tuple(("col", None, f.name) for f in target_fields), None)
    names = tuple(entity.by_key[k].name for k in given)
    keys = tuple(f.key for f in entity.loaded)
    # xmax is 0 in a row version that no transaction has replaced: it was inserted just now.
    created = ("=", ("raw", "xmax"), ("raw", "0"))
    returning = (("cols", None, *(f.name for f in entity.loaded)), created)
    clause = ("conflict", target, ("update", tuple(sets), None))
    plan = entity.mixed([(entity, len(keys), False), (None, 1, False)])

    async def run(low: int, high: int, on: Any) -> Any:
        ir = ("insert", entity.table, names, ("rows", high - low), clause, returning, None)
        params = [stored(entity, entity.by_key[k], r.__dict__[k]) for r in made[low:high] for k in given]
        return await on.run(ir, (*params, *set_params), plan)

    result: list[tuple[Any, bool]] = []
    # upsert() is this with one row: like save(), one round trip in a transaction, too.
    found = await named(run, len(made), executor, "upsert_many()", lambda i: before + i, saves=len(made) > 1)
    for row, (loaded, is_new) in zip(made, found, strict=True):
        changes.remember(executor, row, keys)
        row.__dict__.update(loaded.__dict__)
        Slots.set_state(row, {})
        Slots.set_wire(row, wire_of(loaded))
        result.append((row, bool(is_new)))
    return result


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
