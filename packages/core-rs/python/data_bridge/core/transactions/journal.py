"""What a transaction must do when it ends: callbacks after COMMIT, and undoing what Python remembers after ROLLBACK."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from data_bridge.core.connection import context

Callback = Callable[[], Any | Awaitable[Any]]


class Journal:
    """Entries in the order of their making; savepoints are marks in it."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[tuple[str, Callback, Sequence[Any]]] = []

    def mark(self) -> int:
        """Where a savepoint stands."""
        return len(self._entries)

    def on_commit(self, callback: Callback) -> None:
        """Called when the outermost transaction has been committed; forgotten when its part is rolled back.

        Its statements have the default database and the settings of this place, such as the tenant, wherever the
        transaction is committed.
        """
        self._entries.append(("commit", callback, context.place()))

    def on_rollback(self, undo: Callable[[], Any]) -> None:
        """Called when its part is rolled back, the youngest first."""
        self._entries.append(("undo", undo, ()))

    def rolled_back(self, mark: int = 0) -> None:
        """Undoes everything younger than `mark`."""
        while len(self._entries) > mark:
            kind, callback, _ = self._entries.pop()
            if kind == "undo":
                callback()

    async def committed(self) -> list[Exception]:
        """Calls all callbacks in the order of their registration; returns the exceptions that they raised."""
        entries, self._entries = self._entries, []
        failures: list[Exception] = []
        interrupted: BaseException | None = None
        before = context.place()
        for kind, callback, place in entries:
            if kind == "commit":
                context.go_to(place)
                try:
                    await run_callback(callback)
                except Exception as e:
                    failures.append(e)
                except BaseException as e:  # the callbacks behind it are called all the same
                    interrupted = interrupted or e
        context.go_to(before)
        if interrupted is not None:
            raise interrupted
        return failures


async def run_callback(callback: Callback) -> None:
    """Calls a function, or a coroutine function."""
    result = callback()
    if inspect.isawaitable(result):
        await result
