"""The end of a row: DELETE by key, the mark of a soft deletion, and restoring a row."""

from __future__ import annotations

from typing import Any

from data_bridge.core import LoadPlan
from data_bridge.core.errors import RevisionConflict
from data_bridge.orm._state import state_of
from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.persistence import single_row
from data_bridge.orm.persistence.assignments import update_defaults
from data_bridge.orm.persistence.change_tracking import original_key
from data_bridge.orm.persistence.in_flight import begin, gone, turn
from data_bridge.query.spi import build

_COUNT = LoadPlan.affected()


async def delete(entity: Entity, row: Any, tx: Any, hard: bool = False) -> bool:
    """DELETE by key, or the mark of a soft deletion; False when the row was gone."""
    executor = entity.writer(tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        state = single_row.saved(entity, row, "delete()")
        key = original_key(entity, row, state)
        if entity.soft is not None and not hard:
            return await _mark_deleted(entity, row, key, executor, build.call("now"), entity.present)
        revision = single_row._revision(entity, row, state)
        ir = build.delete(entity.table, single_row.where_of(entity))
        done = bool(await executor.run(ir, key + revision, _COUNT))
        if not done:
            await _refuse_other_revision(entity, key, executor, revision)
        gone(row, executor)
        return done
    finally:
        flight.end()


async def _refuse_other_revision(
    entity: Entity, key: tuple[Any, ...], executor: Any, revision: tuple[Any, ...]
) -> None:
    """A DELETE that found no row is right when there is none.

    Raises:
        RevisionConflict: there is one, of another revision.
    """
    if revision:
        error = await single_row._missed(entity, key, executor, revision[0])
        if isinstance(error, RevisionConflict):
            raise error


async def restore(entity: Entity, row: Any, tx: Any) -> bool:
    """Takes the mark of a soft deletion away; False when there was none."""
    if entity.soft is None:
        raise TypeError(f"{entity.label} has no soft deletion: inherit SoftDeleteMixin")
    executor = entity.writer(tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        key = original_key(entity, row, single_row.saved(entity, row, "restore()"))
        return await _mark_deleted(entity, row, key, executor, build.NULL, entity.deleted)
    finally:
        flight.end()


async def _mark_deleted(entity: Entity, row: Any, key: Any, executor: Any, value: Any, where: Any) -> bool:
    soft = entity.soft
    assert soft is not None
    defaults = update_defaults(entity, (soft.key,))
    sets = [(soft.name, value), *((f.name, s) for f, s, _ in defaults)]
    params = tuple(v for _, _, p in defaults for v in p)
    keys = tuple(entity.source.columns[n].__column__.key for n, _ in sets) + tuple(
        f.key for f in entity.fields if f.spec.computed
    )
    at = ("marked", keys)
    plan = entity.shapes.get(at) or entity.shapes.setdefault(at, entity.merge_plan(keys, ()))
    ir = build.update(
        entity.table, sets, (*single_row.where_of(entity), *where), returning=single_row.returning_of(entity, keys)
    )
    revision = single_row._revision(entity, row, state_of(row))
    try:
        await single_row._bring(entity, row, executor, (ir, (*params, *key, *revision)), plan, keys)
    except single_row._NoRow:
        if value != build.NULL:
            await _refuse_other_revision(entity, key, executor, revision)
        return False
    return True
