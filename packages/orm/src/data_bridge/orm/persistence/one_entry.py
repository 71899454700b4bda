"""OneEntry: what a rollback takes back of all instances of one statement, as one entry in the journal of the transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class OneEntry:
    """Stands for an executor while the instances of one statement are settled.

    Nothing else of the transaction may run between the first instance and the last.
    """

    __slots__ = ("_entries", "_executor", "is_transaction")

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self.is_transaction: bool = executor.is_transaction
        self._entries: list[Callable[[], Any]] = []

    def on_rollback(self, undo: Callable[[], Any]) -> None:
        """Calls `undo` when the part of the transaction is rolled back in which the statement ran."""
        if not self._entries:
            self._executor.on_rollback(self._undo)
        self._entries.append(undo)

    def _undo(self) -> None:
        for undo in reversed(self._entries):
            undo()
