"""The operations of an instance with what goes with them: events and write rules. The plain statements are in persist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from data_bridge.core import pg_transaction
from data_bridge.orm._events import Delete, Insert, Replace, Save, Skip, Update, happening, sequence
from data_bridge.orm._state import ABSENT, CLEAN, own, state_of
from data_bridge.orm.models import cascade
from data_bridge.orm.models.cascade import DeleteRules, WriteRules
from data_bridge.orm.persistence import change_tracking, deletion, single_row
from data_bridge.orm.persistence.assignments import assignments

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


async def save(entity: Entity, row: Any, only: Any, force: bool, rule: Any, skip: Skip, tx: Any) -> Any:
    """save() with its events: Save around either Insert or Update; a row in which nothing changed has just Save."""
    if rule is not None and WriteRules(rule) is WriteRules.WRITE:
        return await cascade.save(
            entity,
            row,
            skip,
            tx,
            lambda inner: save(entity, row, only, force, None, skip, inner),  # pyright: ignore[reportUnknownLambdaType]
        )
    hooks = entity.hooks
    if hooks is None or skip is True:
        return await single_row.save(entity, row, only, force, tx)
    event = Insert if state_of(row) is None else Update
    executor = entity.writer(tx)

    async def inside(inner: Any) -> Any:
        state = state_of(row)
        if event is Update and not force and not change_tracking.changed_fields(entity, row, state):
            return row
        return await sequence(
            hooks, [event], [row], skip, inner, lambda e: single_row.save(entity, row, only, force, e)
        )

    if not hooks.are_transactional((Save, event)):
        return await sequence(hooks, [Save], [row], skip, executor, inside)
    async with pg_transaction(using=executor) as tx:
        return await sequence(hooks, [Save], [row], skip, tx, inside)


async def insert(entity: Entity, row: Any, rule: Any, skip: Skip, tx: Any) -> Any:
    """insert() with Insert."""
    if rule is not None and WriteRules(rule) is WriteRules.WRITE:
        return await cascade.save(entity, row, skip, tx, lambda inner: insert(entity, row, None, skip, inner))  # pyright: ignore[reportUnknownLambdaType]
    if entity.hooks is None:
        return await single_row.insert(entity, row, tx)
    return await happening(
        entity.hooks, [Insert], [row], skip, entity.writer(tx), lambda e: single_row.insert(entity, row, e)
    )


async def update(
    entity: Entity, row: Any, values: Any, operators: Any, kw: Mapping[str, Any], skip: Skip, tx: Any
) -> Any:
    """update() with Update. The functions see the values that are to be written, as in save(); what they set is written by the
    same statement, what the caller says wins.
    """
    assert entity.hooks is not None
    executor = entity.writer(tx)
    state = single_row.saved(entity, row, "update()")
    made = assignments(entity, values, operators, kw, defaults=False)
    if not made:
        return row
    said = {f.key for f, _, _ in made}
    before = dict(row.get_changes())
    pending: dict[str, Any] = own(row) if state is CLEAN else state
    tried: dict[str, tuple[Any, Any, bool]] = {}
    data = row.__dict__
    had, recorded = dict(data), set(pending)
    for f, structure, params in made:
        if structure == "$":
            (value,) = params
            convert = None if value is None else f.converter(entity.cls)
            value = value if convert is None else convert(value)
            tried[f.key] = (value, had.get(f.key, ABSENT), f.key in recorded)
            pending.setdefault(f.key, data.get(f.key, ABSENT))
            data[f.key] = value

    async def work(inner: Any) -> Any:
        more = {k: v for k, v in row.get_changes().items() if k not in said and (k not in before or before[k] is not v)}
        tried.update({k: (v, had.get(k, ABSENT), k in recorded) for k, v in more.items()})
        return await single_row.update(entity, row, values, operators, {**more, **kw}, inner)

    try:
        return await happening(entity.hooks, [Update], [row], skip, executor, work)
    except BaseException:
        now = state_of(row)
        for k, (value, before_it, was_pending) in tried.items():
            if row.__dict__.get(k, ABSENT) is not value:
                continue  # assigned meanwhile
            if before_it is ABSENT:
                row.__dict__.pop(k, None)
            else:
                row.__dict__[k] = before_it
            if not was_pending and isinstance(now, dict):
                now.pop(k, None)  # pyright: ignore[reportUnknownMemberType]
        raise


async def replace(entity: Entity, row: Any, skip: Skip, tx: Any) -> Any:
    """replace() with Replace."""
    assert entity.hooks is not None
    return await happening(
        entity.hooks, [Replace], [row], skip, entity.writer(tx), lambda e: single_row.replace(entity, row, e)
    )


async def delete(entity: Entity, row: Any, rule: Any, skip: Skip, tx: Any, hard: bool = False) -> Any:
    """delete() with Delete."""
    if rule is not None and DeleteRules(rule) is DeleteRules.DELETE_LINKS:
        return await cascade.delete(entity, row, skip, tx, lambda inner: delete(entity, row, None, skip, inner, hard))  # pyright: ignore[reportUnknownLambdaType]
    if entity.hooks is None:
        return await deletion.delete(entity, row, tx, hard)
    return await happening(
        entity.hooks, [Delete], [row], skip, entity.writer(tx), lambda e: deletion.delete(entity, row, e, hard)
    )
