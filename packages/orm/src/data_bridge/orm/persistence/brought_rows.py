"""Brought: instances whose whole rows come back from the statement that writes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from operator import is_
from typing import TYPE_CHECKING, Any

from data_bridge.orm._state import ABSENT, CLEAN, GONE, Slots, known_wire, links_of, own, point, state_of, wire_of
from data_bridge.orm.persistence.assignments import getter
from data_bridge.orm.persistence.in_flight import is_seen, land, seen, snapshot, taken_off
from data_bridge.orm.persistence.one_entry import OneEntry

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

_NO_BYTES: dict[str, Any] = {}


class Brought:
    """Made before the statement is sent; settle() is called when it has come back.

    New instances that were not assigned or edited meanwhile, nearly always all of them, take the values of their rows at once.
    """

    __slots__ = ("_before", "_entity", "_get", "_keys", "_rows", "_seen", "_snapshots", "_taken")
    _seen: list[dict[str, Any]] | None
    _taken: list[dict[str, Any]] | None

    def __init__(self, entity: Entity, rows: Sequence[Any]) -> None:
        self._entity = entity
        self._rows = rows
        self._keys = tuple(f.key for f in entity.loaded)
        self._get: Callable[[dict[str, Any]], tuple[Any, ...]] = getter(self._keys)
        self._seen = self._taken = None
        for row in rows:
            if state_of(row) is CLEAN:
                own(row)
        data = [r.__dict__ for r in rows]
        are_new = all(s is None or s is GONE for s in map(state_of, rows))
        if not are_new or any(k not in d for k in self._keys for d in data):
            self._seen = [seen(entity, row, self._keys) for row in rows]
            return
        self._before = [*map(self._get, data)]
        self._snapshots = {k: [snapshot(d[k]) for d in data] for k in entity.mutable if k in self._keys}

    @contextmanager
    def taken_off(self) -> Generator[None]:
        """While the statement is on its way; see taken_off() of in_flight."""
        if self._seen is None:  # a new instance has no record
            yield
            return
        with taken_off(self._rows, self._keys) as self._taken:
            yield

    def settle(self, found: Iterable[tuple[int, Any]], executor: Any, given: Collection[str]) -> None:
        """Settles the instances.

        Args:
            found: the place of each instance that was written, and its row as another instance.
            executor: where the statement ran.
            given: the fields that it wrote. The database's value of a field that is not loaded is not known.
        """
        unknown = [k for k in given if k not in self._keys]
        entry = OneEntry(executor)
        way_back: list[tuple[Any, Any, tuple[Any, ...], tuple[Any, ...]]] = []
        mutable, near, keys = self._entity.mutable, self._entity.near, self._keys
        for place, loaded in found:
            row = self._rows[place]
            came = self._get(loaded.__dict__)
            if not self._is_untouched(place):
                bytes_, before = known_wire(loaded), self._seen_of(place)
                taken = self._taken[place] if self._taken is not None else _NO_BYTES
                land(self._entity, row, entry, {}, dict(zip(keys, came, strict=True)), bytes_, before, taken)
            else:
                if executor.is_transaction:
                    way_back.append((row, state_of(row), self._before[place], came))
                row.__dict__.update(zip(keys, came, strict=True))
                if mutable:
                    Slots.set_wire(row, wire_of(loaded))
                Slots.set_state(row, CLEAN)  # the first change makes a record
                if near and links_of(row):
                    for names in near.values():
                        point(row, names)
            for k in unknown:
                state = state_of(row)
                (own(row) if state is CLEAN else state)[k] = ABSENT
        if way_back:
            executor.on_rollback(lambda: self._take_back(way_back))

    def _is_untouched(self, place: int) -> bool:
        if self._seen is not None:
            return False
        data: dict[str, Any] = self._rows[place].__dict__
        if not all(map(is_, self._before[place], map(data.get, self._keys))):
            return False
        return all(is_seen(values[place], data[k]) for k, values in self._snapshots.items())

    def _seen_of(self, place: int) -> dict[str, Any]:
        if self._seen is not None:
            return self._seen[place]
        before = dict(zip(self._keys, self._before[place], strict=True))
        return {**before, **{k: values[place] for k, values in self._snapshots.items()}}

    def _take_back(self, way_back: list[tuple[Any, Any, tuple[Any, ...], tuple[Any, ...]]]) -> None:
        near = self._entity.near
        for row, state, before, came in way_back:
            Slots.set_state(row, state)
            Slots.set_wire(row, None)
            data = row.__dict__
            for k, had, value in zip(self._keys, before, came, strict=True):
                if data.get(k, ABSENT) is value:
                    data[k] = had
                    if k in near:
                        point(row, near[k])
