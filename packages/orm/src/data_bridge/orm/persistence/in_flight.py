"""Flight: a statement on its way that reads or writes an instance, and what is known of the instance when it lands.

Between the two moments other tasks run, which may assign and edit what they like. So nothing of an instance changes while a
statement is on its way: what it brings goes into another object, and when it has come, just what the statement wrote or read
is settled. What was assigned meanwhile differs from that, and stays a change.
"""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import copy
import marshal
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from data_bridge.orm._state import ABSENT, FORCED, GONE, Slots, get_fields, known_wire, point, state_of, wire_of
from data_bridge.orm.mapping.documents import is_same

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

_EMPTY: Mapping[str, Any] = {}
_open: dict[int, Flight] = {}
"""By the identity of their instances."""


class Flight:
    """While it is open, other statements with the same instances wait: two saves of one instance are one after the other.

    A transaction does not wait for a statement outside it, which may itself wait for a lock of the transaction.
    """

    __slots__ = ("_executor", "_rows", "_waiting")
    _waiting: list[asyncio.Future[None]] | None

    def __init__(self, executor: Any, rows: Sequence[Any]) -> None:
        self._executor = executor
        self._rows = rows
        self._waiting = None
        for row in rows:
            _open[id(row)] = self

    def _holds_up(self, executor: Any) -> bool:
        return self._executor is executor or not executor.is_transaction

    async def _ended(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(future)
        await future

    def end(self) -> None:
        """The instances are free again."""
        for row in self._rows:
            if _open.get(id(row)) is self:
                del _open[id(row)]
        for future in self._waiting or ():  # of this loop, or of one in another thread
            future.get_loop().call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def begin(executor: Any, rows: Sequence[Any]) -> Flight | None:
    """Opens a flight; None when another one has to end first: see turn()."""
    if _open:
        for row in rows:
            other = _open.get(id(row))
            if other is not None and other._holds_up(executor):
                return None
    return Flight(executor, rows)


async def turn(executor: Any, rows: Sequence[Any]) -> Flight:
    """Opens a flight when those with the same instances have ended."""
    while (flight := begin(executor, rows)) is None:
        await next(f for r in rows if (f := _open.get(id(r))) is not None and f._holds_up(executor))._ended()
    return flight


def blank(entity: Entity) -> Any:
    """An object that takes what a statement brings, instead of the instance."""
    return entity.cls.__new__(entity.cls)


def bytes_of(brought: Any, kept: tuple[str, ...]) -> Mapping[str, Any]:
    """The bytes of these mutable columns in an object that blank() made."""
    return dict(zip(kept, wire_of(brought), strict=True)) if kept else _EMPTY


def seen(entity: Entity, row: Any, keys: Iterable[str]) -> dict[str, Any]:
    """What an instance has in fields that a statement is going to bring, so that a change meanwhile is told."""
    data, mutable = row.__dict__, entity.mutable
    if not mutable:
        return {k: data.get(k, ABSENT) for k in keys}
    return {k: snapshot(data[k]) if k in mutable and k in data else data.get(k, ABSENT) for k in keys}


class _Packed(NamedTuple):
    """A value of dicts, lists and scalars as bytes, which are made and compared in a tenth of the time of a copy."""

    data: bytes

    def is_same(self, now: Any) -> bool:
        try:
            if marshal.dumps(now, 2) == self.data:
                return True
        except ValueError:  # other objects than those of JSON
            pass
        return is_same(marshal.loads(self.data), now)


def snapshot(value: Any) -> Any:
    """What a mutable value is now, whatever is edited in place later."""
    if type(value) is dict or type(value) is list:
        try:
            return _Packed(marshal.dumps(value, 2))
        except ValueError:
            pass
    return copy.deepcopy(value)


@contextmanager
def taken_off(
    rows: Sequence[Any], keys: Iterable[str], pinned: Collection[str] = ()
) -> Generator[list[dict[str, Any]]]:
    """Takes off the record what a statement decides: what is assigned while it is on its way stands there again. When it
    fails, all of it stands there again.
    """
    states = [state_of(row) for row in rows]
    taken: list[dict[str, Any]] = [
        {k: state.pop(k) for k in keys if k in state and k not in pinned} if type(state) is dict else {}
        for state in states
    ]
    try:
        yield taken
    except BaseException:
        for row, off in zip(rows, taken, strict=True):
            if off and type(now := state_of(row)) is dict:
                now.update(off)
        raise


def land(
    entity: Entity,
    row: Any,
    executor: Any,
    sent: Mapping[str, Any],
    came: Mapping[str, Any],
    bytes_: Mapping[str, Any],
    before: Mapping[str, Any],
    taken: Mapping[str, Any] = _EMPTY,
    pinned: Collection[str] = (),
    settled: tuple[str, ...] = (),
) -> None:
    """Settles what a statement wrote and brought.

    Args:
        entity: of the instance.
        row: the instance.
        executor: where the statement ran; a rollback there takes everything back.
        sent: the values of the instance that were written.
        came: the values that the statement brought, on which the database decided.
        bytes_: the bytes of mutable columns that it brought.
        before: what seen() gave for the fields that came.
        taken: what was on record of the fields that the statement decides, and was taken off it for so long.
        pinned: fields whose value in the instance stays what it is, a change.
        settled: fields that were written outside a transaction, which, as the caller knows, were not assigned meanwhile.
    """
    state, data, mutable = state_of(row), row.__dict__, entity.mutable
    is_new = type(state) is not dict
    known: dict[Any, Any] = {} if is_new else state
    wire: dict[str, Any] = {} if is_new or not mutable else known_wire(row)
    back = _Back(row, state) if executor.is_transaction else None
    replaced: dict[str, Any] = {}
    for k, value in sent.items():
        if back is not None and not is_new:
            if k in came:  # what was sent comes back, perhaps rounded
                replaced[k] = known.get(k, _NOTHING)
            else:
                back.written.append((k, wire.get(k, ABSENT) if k in mutable else known.get(k, value)))
        if k in mutable or k not in data or data[k] is value:
            known.pop(k, None)
        else:
            known[k] = value
    if known:
        for k in settled:
            known.pop(k, None)
        if FORCED in known:
            done = {*sent, *settled, *came}.difference(pinned)
            known[FORCED] = known[FORCED] - done
    for k, value in came.items():
        was_known, was_wire = known.get(k, _NOTHING), wire.get(k, ABSENT)
        on_record = taken.get(k, replaced.get(k, was_known))
        if k in mutable:
            known.pop(k, None)
            stays = was_known is not _NOTHING or k in pinned or (k in data and not is_seen(before[k], data[k]))
        else:
            stays = k != entity.revision and (k in known or data.get(k, ABSENT) is not before[k])
            if stays:
                known[k] = value
        if stays:
            if back is not None and not is_new:
                had = before[k] if on_record is _NOTHING else on_record
                back.written.append((k, was_wire if k in mutable else had))
            continue
        if back is not None:
            back.came.append((k, value, data.get(k, ABSENT), on_record, was_wire))
        known.pop(k, None)
        if k not in data:
            get_fields(row).add(k)
        data[k] = value
        if k in entity.near:
            point(row, entity.near[k])
    if mutable:
        wire.update(bytes_)
        Slots.set_wire(row, wire)
    if is_new:
        Slots.set_state(row, known)
    if back is not None:
        executor.on_rollback(back)


def land_written(
    entity: Entity,
    rows: Sequence[Any],
    fields: Sequence[Iterable[str]],
    sent: Mapping[str, Sequence[Any]],
    executor: Any,
) -> None:
    """land() for many instances of which a statement just wrote some fields each, of which none is mutable.

    A transaction has one entry in its journal for all of them: what every record had before.
    """
    before: list[list[tuple[str, Any]]] = []
    for i, (row, keys) in enumerate(zip(rows, fields, strict=True)):
        state, data = state_of(row), row.__dict__
        if FORCED in state:
            state[FORCED] = state[FORCED].difference(keys)
        had: list[tuple[str, Any]] = []
        for k in keys:
            value = sent[k][i]
            had.append((k, state.pop(k, value)))
            if k in data and data[k] is not value:
                state[k] = value
        before.append(had)
    if executor.is_transaction:

        def undo() -> None:
            for row, had in zip(rows, before, strict=True):
                back = _Back(row, {})
                back.written = had
                back()

        executor.on_rollback(undo)


_NOTHING: Any = object()


def is_seen(before: Any, now: Any) -> bool:
    """Whether a mutable value is still what snapshot() saw."""
    if type(before) is _Packed:
        return before.is_same(now)
    return before is not ABSENT and is_same(before, now)


class _Back:
    """The way back of one statement, when its transaction is rolled back: what the database has is again what it had."""

    __slots__ = ("_row", "_state", "came", "written")

    def __init__(self, row: Any, state: Any) -> None:
        self._row = row
        self._state = state
        self.written: list[tuple[str, Any]] = []
        self.came: list[tuple[str, Any, Any, Any, Any]] = []

    def __call__(self) -> None:
        row = self._row
        state, data = state_of(row), row.__dict__
        if type(self._state) is not dict:  # it was new, or deleted
            Slots.set_state(row, self._state)
            Slots.set_wire(row, None)
            for k, value, before, _, _ in self.came:
                if data.get(k, ABSENT) is value:
                    _restore(row, k, before)
            return
        if type(state) is not dict:
            return
        wire, mutable = known_wire(row), type(row).__db__.mutable
        for k, before in self.written:
            if k not in mutable:
                if k in state or data.get(k, ABSENT) is not before:
                    state[k] = before
            elif before is not ABSENT:
                wire[k] = before
            else:
                wire.pop(k, None)
                state[k] = ABSENT
        for k, value, before, was_known, bytes_ in self.came:
            if k in mutable:
                entity = type(row).__db__
                is_untouched = k not in state and k in data and k in wire and entity.is_stored(k, wire[k], data[k])
                if bytes_ is ABSENT:
                    wire.pop(k, None)
                    state[k] = ABSENT
                else:
                    wire[k] = bytes_
                if is_untouched:
                    _restore(row, k, before)
                    if before is ABSENT:
                        state.pop(k, None)
                continue
            if k not in state and data.get(k, ABSENT) is value:
                _restore(row, k, before)
                if was_known is not _NOTHING:
                    state[k] = was_known
            else:
                state[k] = before if was_known is _NOTHING else was_known
        Slots.set_wire(row, wire)


def _restore(row: Any, key: str, before: Any) -> None:
    if before is ABSENT:
        row.__dict__.pop(key, None)
        get_fields(row).discard(key)
    else:
        row.__dict__[key] = before
    near = type(row).__db__.near
    if key in near:
        point(row, near[key])


def gone(row: Any, executor: Any) -> None:
    """The row was deleted. After a rollback it is there again, and what was assigned meanwhile is a change."""
    state = state_of(row)
    if executor.is_transaction:
        had = dict(row.__dict__)

        def undo() -> None:
            Slots.set_state(row, state)
            if type(state) is dict:
                by_key, mutable = type(row).__db__.by_key, type(row).__db__.mutable
                for k, value in row.__dict__.items():
                    if k in by_key and k not in mutable and k not in state and had.get(k, ABSENT) is not value:
                        state[k] = had.get(k, ABSENT)

        executor.on_rollback(undo)
    Slots.set_state(row, GONE)
