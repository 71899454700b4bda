"""Where the steps of a migration go: into a list, or to the server."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from data_bridge.core import Statement
from data_bridge.migrate.operations.backfill import batch_sql
from data_bridge.migrate.operations.step import Step

_HERE = str(Path(__file__).parents[1])


class Sink(Protocol):
    """Takes steps in their order."""

    async def step(self, step: Step) -> int:
        """One statement; the affected rows."""
        ...

    async def fetch(self, sql: str, params: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Rows."""
        ...

    async def barrier(self) -> None:
        """What was done so far must be committed before the next step."""
        ...

    async def backfill(
        self, table: str, assignments: str, where: str, key: str, batch: int, pause: float, *, is_undone: bool = False
    ) -> int:
        """An UPDATE in batches; `is_undone`: by the inverse of an earlier step."""
        ...


class NeedsDatabase(BaseException):
    """A preview met a step that asks the database. No Exception, so that no `except` of a migration swallows it."""


class Recorder:
    """Keeps the steps and touches nothing.

    Attributes:
        steps: in order, with the line of the migration that asked for each.
        barriers: positions before which everything is committed.
        is_complete: whether these are all steps: a migration that asks the database cannot be known before.
        line: where the operation that is being recorded is declared; None asks the call stack.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.barriers: list[int] = []
        self.is_complete = True
        self.line: int | None = None

    async def step(self, step: Step) -> int:
        """Remembers it."""
        self.steps.append(step if step.line is not None else replace(step, line=self.line or _line()))
        return 0

    async def fetch(self, sql: str, params: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Cannot be answered here."""
        self.is_complete = False
        raise NeedsDatabase(sql)

    async def barrier(self) -> None:
        """Remembers where."""
        self.barriers.append(len(self.steps))

    async def backfill(
        self, table: str, assignments: str, where: str, key: str, batch: int, pause: float, *, is_undone: bool = False
    ) -> int:
        """Remembers the statement of a batch."""
        await self.barrier()
        sql = batch_sql(table, assignments, where, key)
        inverse: tuple[Step, ...] | None = () if is_undone else None
        self.steps.append(Step(Statement(("text", sql), (0, batch)), sql, False, inverse, self.line or _line()))
        return 0


def _line() -> int | None:
    """The line outside of this package that is being executed: that of the migration."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return frame.f_lineno if frame is not None else None
