"""What is different in a row from what the database has, and what the database has."""

from __future__ import annotations

from typing import Any, cast

from data_bridge.orm._state import ABSENT, FORCED, known_wire, settle
from data_bridge.orm.mapping.entity import Entity

_NOTHING: dict[Any, Any] = {}


def changed_fields(entity: Entity, row: Any, state: Any) -> tuple[str, ...]:
    """Fields whose value is another than the one that the database has, however that came about."""
    if entity.links:
        settle(row, entity.links)
    data = row.__dict__
    wire = known_wire(row) if entity.mutable else _NOTHING
    changed: list[str] = []
    forced: Any = ()
    if type(state) is dict and state:
        by_key, revision = entity.by_key, entity.revision
        forced = state.get(FORCED, ())  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        for k, before in state.items():  # pyright: ignore[reportUnknownVariableType]
            if k in wire or k not in by_key or k == revision or k not in data:
                continue
            now = data[k]
            # An immutable value that is the same object is the same value.
            if before is ABSENT or (before is not now and before != now):
                changed.append(k)  # pyright: ignore[reportUnknownArgumentType]
        changed += [k for k in forced if k not in changed and k in data]  # pyright: ignore[reportUnknownVariableType]
    for k in entity.mutable if wire else ():
        if k in wire and k in data and k not in forced and not entity.is_stored(k, wire[k], data[k]):
            changed.append(k)
    return tuple(changed)


def value_before(entity: Entity, row: Any, state: Any, key: str) -> Any:
    """What the database has in a field, as far as it is known; ABSENT when it is not."""
    wire = known_wire(row) if entity.mutable else _NOTHING
    if key in wire:
        return entity.original(key, wire[key])
    if type(state) is dict and key in state:
        return state[key]  # pyright: ignore[reportUnknownVariableType]
    return row.__dict__.get(key, ABSENT)


def revision_of(entity: Entity, row: Any, state: Any) -> Any:
    """The revision that the row was loaded with."""
    assert entity.revision is not None
    if isinstance(state, dict) and entity.revision in state:
        return cast(dict[str, Any], state)[entity.revision]
    return getattr(row, entity.revision)  # of a partial instance the error says that it was not loaded


def original_key(entity: Entity, row: Any, state: Any) -> tuple[Any, ...]:
    """The key under which the row is in the database, whatever was assigned since."""
    data = row.__dict__
    only = entity.pk_key
    if isinstance(state, dict) and state:
        before = cast(dict[str, Any], state)
        if only is not None:
            return (before[only] if only in before else data[only],)
        return tuple(before.get(k, data.get(k)) for k in entity.pk_keys)
    if only is not None:
        return (data[only],)
    return tuple(data[k] for k in entity.pk_keys)
