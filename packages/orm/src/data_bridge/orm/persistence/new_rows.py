"""Landing: what is known of many new rows after one statement has inserted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING, Any

from data_bridge.orm._state import ABSENT, CLEAN, Slots, state_of
from data_bridge.orm.persistence.in_flight import land
from data_bridge.orm.persistence.one_entry import OneEntry

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


class Landing:
    """Made before the statement is sent; settle() is called when it has come back.

    Nearly always nothing was assigned meanwhile, which a comparison of whole columns tells at little cost for each row.
    """

    __slots__ = ("_before", "_data", "_entity", "_rows", "_sent")

    def __init__(self, entity: Entity, rows: Sequence[Any], given: Sequence[str], filled: Sequence[str]) -> None:
        self._entity = entity
        self._rows = rows
        self._data = [r.__dict__ for r in rows]
        # Of a document the bytes tell.
        # Columns: an object for each row would only be work for the garbage collector.
        self._sent = {k: [d[k] for d in self._data] for k in given if k not in entity.mutable}
        self._before = {k: [d.get(k, ABSENT) for d in self._data] for k in filled}

    def _is_untouched(self) -> bool:
        data = [r.__dict__ for r in self._rows]  # validation of an assignment replaces it
        if not all(map(is_, data, self._data)) or any(v != [d[k] for d in data] for k, v in self._sent.items()):
            return False
        return all(all(map(is_, v, [d.get(k, ABSENT) for d in self._data])) for k, v in self._before.items())

    def settle(self, executor: Any, came: Mapping[str, Sequence[Any]], wires: Sequence[Any]) -> None:
        """Settles the rows.

        Args:
            executor: where the statement ran.
            came: the values that the database made, by field.
            wires: for each row the bytes of the mutable columns, of a table that has some.
        """
        entity, rows = self._entity, self._rows
        if not self._is_untouched():
            settled_by = OneEntry(executor)
            for i, row in enumerate(rows):
                sent = {k: values[i] for k, values in self._sent.items()}
                before = {k: values[i] for k, values in self._before.items()}
                bytes_ = dict(zip(entity.mutable, wires[i], strict=True)) if wires else {}
                land(entity, row, settled_by, sent, {k: v[i] for k, v in came.items()}, bytes_, before)
            return
        states = [*map(state_of, rows)] if executor.is_transaction else []
        for k, values in came.items():
            for row, value in zip(rows, values, strict=True):
                row.__dict__[k] = value
        set_state, set_wire = Slots.set_state, Slots.set_wire
        for row, wire in zip(rows, wires, strict=bool(wires)):
            set_wire(row, wire)
        for row in rows:
            set_state(row, CLEAN)  # the first change makes a record
        if executor.is_transaction:
            executor.on_rollback(lambda: self._take_back(states, came))

    def _take_back(self, states: list[Any], came: Mapping[str, Sequence[Any]]) -> None:
        for i, (row, state) in enumerate(zip(self._rows, states, strict=True)):
            Slots.set_state(row, state)
            Slots.set_wire(row, None)
            data = row.__dict__
            for k, values in came.items():
                if data.get(k, ABSENT) is values[i]:
                    before = self._before[k][i]
                    if before is ABSENT:
                        del data[k]
                    else:
                        data[k] = before
