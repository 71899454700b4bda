"""What changed in a row since it was loaded, and what it was before: for save(), and for the way back after a rollback."""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import marshal
from typing import Any, cast

from data_bridge.orm.attribute import settle
from data_bridge.orm.entity import Entity
from data_bridge.orm.state import CLEAN, FORCED, Slots, get_fields, set_fields, state_of, wire_of

_NOTHING: dict[str, Any] = {}
_SCALARS = frozenset({int, bool, float, str, type(None)})


def remember(executor: Any, row: Any, keys: tuple[str, ...]) -> None:
    """Inside a transaction: what Python knows of the row comes back when the transaction is rolled back."""
    if not executor.is_transaction:
        return
    state, wire = state_of(row), wire_of(row)
    before: Any = dict(cast(dict[str, Any], state)) if isinstance(state, dict) else state
    fields = set(get_fields(row))
    values = {k: row.__dict__.get(k) for k in keys}

    def undo() -> None:
        Slots.set_state(row, before)
        Slots.set_wire(row, wire)
        if before is not CLEAN:
            set_fields(row, fields)
        row.__dict__.update(values)

    executor.on_rollback(undo)


def known_wire(entity: Entity, row: Any) -> dict[str, bytes | None] | None:
    """The wire bytes of the row's mutable columns by field, or None when nobody knows them."""
    wire = wire_of(row)
    return None if wire is None else dict(zip([k for k in entity.mutable if k in row.__dict__], wire, strict=True))


def keep_wire(entity: Entity, row: Any, before: dict[str, bytes | None] | None, kept: tuple[str, ...]) -> None:
    """Joins the bytes that a statement brought for the `kept` fields with those that were known before.

    Bytes of other fields must stay: what somebody else wrote meanwhile is no edit of this instance.
    """
    if not kept:
        return
    known = [k for k in entity.mutable if k in row.__dict__]
    wire = {**(before or {}), **dict(zip(kept, wire_of(row), strict=True))}
    Slots.set_wire(row, tuple(wire[k] for k in known) if all(k in wire for k in known) else None)


def changed_fields(entity: Entity, row: Any, state: Any) -> tuple[str, ...]:
    """Fields assigned since the row was loaded, and mutable ones that were edited in place."""
    data = row.__dict__
    if entity.links:
        settle(row, entity.links)
    written: dict[str, Any] = state if type(state) is dict else _NOTHING
    by_key = entity.by_key
    changed: list[str] = []
    for k, before in written.items():
        now = data.get(k)
        # What is_other() asks, without a call for each field of each row
        if before is now or (field := by_key.get(k)) is None:
            continue
        if before is FORCED or (not _is_same_document(before, now) if field.is_mutable else before != now):
            changed.append(k)
    wire = wire_of(row) if entity.mutable else None
    if wire is not None:
        at = 0
        for k in entity.mutable:
            if k in data:
                if k not in written and not _is_same_document(entity.original(k, wire[at]), data[k]):
                    changed.append(k)
                at += 1
    return tuple(changed)


def is_other(entity: Entity, key: str, before: Any, now: Any) -> bool:
    """Whether a field that was assigned has another value than before: what is equal needs no UPDATE."""
    if before is now:
        return False
    if before is FORCED:
        return True
    field = entity.by_key.get(key)
    if field is not None and field.is_mutable:
        return not _is_same_document(before, now)
    return bool(before != now)


def _is_same_document(a: Any, b: Any) -> bool:
    """Equality of JSON: 1, 1.0 and true are different there."""
    if a != b:
        return False
    try:
        # Equal bytes have equal types all through, and are told in half the time; version 2 knows no references.
        if marshal.dumps(a, 2) == marshal.dumps(b, 2):
            return True
    except ValueError:  # other objects than those of JSON, or nested deeply
        pass
    return _has_same_types(a, b)


def _has_same_types(a: Any, b: Any) -> bool:
    """Whether two values that are equal in Python are of the same types all through."""
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is dict:
        if list(a) != list(b):  # the same keys in another order
            return all(_has_same_types(v, b[k]) for k, v in a.items())
        a, b = a.values(), b.values()
    elif kind is not list:
        return True
    kinds = [*map(type, a)]
    if kinds != [*map(type, b)]:
        return False
    return _SCALARS.issuperset(kinds) or all(map(_has_same_types, a, b))


def revision_of(entity: Entity, row: Any, state: Any) -> Any:
    """The revision that the row was loaded with."""
    assert entity.revision is not None
    if isinstance(state, dict) and entity.revision in state:
        return cast(dict[str, Any], state)[entity.revision]
    return row.__dict__.get(entity.revision)


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
