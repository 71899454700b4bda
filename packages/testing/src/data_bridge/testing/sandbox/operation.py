"""Operations of a sandbox that look like native ones: to observers, and to owners that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

__all__ = ["Operation", "Shielded", "nothing"]


class Operation:
    """A statement, with what observers ask about it.

    Attributes:
        row_count: of its answer.
        seconds: unknown: it waits for its turn, and its savepoints are of the harness.
    """

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._done = False
        self.row_count = 0
        self.seconds: tuple[float, float, float] | None = None

    def done(self) -> bool:
        """Whether it has ended well."""
        return self._done

    def __await__(self) -> Generator[Any, Any, Any]:
        result: Any = yield from self._work.__await__()
        self._done = True
        if isinstance(result, int):
            self.row_count = result
        elif isinstance(result, list | tuple):
            self.row_count = len(result)  # pyright: ignore[reportUnknownArgumentType]
        return result  # pyright: ignore[reportUnknownVariableType]


class Shielded:
    """An operation that goes on when the task that awaits it is cancelled, as native ones do."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._task = asyncio.ensure_future(work)

    def done(self) -> bool:
        """Whether it has ended."""
        return self._task.done()

    def hurry(self) -> None:
        """Its owner was cancelled; on the connection of a test nothing is long in ending."""

    def result(self) -> Any:
        """What it gave; raises what it raised."""
        return self._task.result()

    def __await__(self) -> Generator[Any, Any, Any]:
        return asyncio.shield(self._task).__await__()


async def nothing() -> None:
    """For a transaction that never began."""
