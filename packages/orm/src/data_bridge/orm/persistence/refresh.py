"""refresh() and lock(): SELECT by key into an instance."""

from __future__ import annotations

from typing import Any

from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.mapping.entity_keys import need_key
from data_bridge.orm.persistence import single_row
from data_bridge.orm.persistence.change_tracking import changed_fields, original_key
from data_bridge.orm.persistence.in_flight import begin, turn
from data_bridge.query.spi import build


async def refresh(entity: Entity, row: Any, columns: tuple[Any, ...], keep_changes: bool, locking: Any, tx: Any) -> Any:
    """SELECT by key into the instance."""
    keys = tuple(entity.field(c).key for c in columns) or tuple(f.key for f in entity.loaded)
    need_key(entity, "refresh()")
    executor = entity.executor(tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        state = single_row.saved(entity, row, "refresh()")
        pinned = frozenset[str]() if not keep_changes else frozenset(changed_fields(entity, row, state))
        at = ("refresh", keys)
        mutable = tuple(k for k in entity.mutable if k in keys)
        plan = entity.shapes.get(at) or entity.shapes.setdefault(at, entity.merge_plan(keys, mutable))
        projection = (build.columns(entity.source.name, (entity.by_key[k].name for k in keys + mutable)),)
        extras = (locking,) if locking else ()
        ir = build.select(entity.table, projection, entity.pk_conditions, extras=extras)
        key = original_key(entity, row, state)
        try:
            await single_row._bring(entity, row, executor, (ir, key), plan, keys, mutable, pinned)
        except single_row._NoRow:
            raise single_row.row_not_found(entity, key) from None
    finally:
        flight.end()
    return row
