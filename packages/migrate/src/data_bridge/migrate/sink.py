"""Where the steps of a migration go: into a list, or to the server."""

from __future__ import annotations

from typing import Any, Protocol

from data_bridge.migrate.step import Step


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

    async def backfill(self, table: str, assignments: str, where: str, key: str, batch: int, pause: float) -> int:
        """An UPDATE in batches."""
        ...


class NeedsDatabase(BaseException):
    """A preview met a step that asks the database. No Exception, so that no `except` of a migration swallows it."""


class Recorder:
    """Keeps the steps and touches nothing."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.is_complete = True

    async def step(self, step: Step) -> int:
        """Remembers it."""
        self.steps.append(step)
        return 0

    async def fetch(self, sql: str, params: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Cannot be answered here."""
        self.is_complete = False
        raise NeedsDatabase(sql)

    async def barrier(self) -> None:
        """Nothing to commit."""

    async def backfill(self, table: str, assignments: str, where: str, key: str, batch: int, pause: float) -> int:
        """Remembers the statement of a batch."""
        from data_bridge.core import Statement
        from data_bridge.migrate.backfill import batch_sql

        sql = batch_sql(table, assignments, where, key)
        self.steps.append(Step(Statement(("text", sql), (0, batch)), sql, transactional=False, lock="ROW EXCLUSIVE"))
        return 0
