"""One migration at a time: with patience for locks, and with a word about what went wrong."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Literal

from data_bridge.core.errors import (
    DatabaseError,
    DataBridgeError,
    DeadlockDetected,
    LockNotAvailable,
    MigrationConflict,
    MigrationError,
)
from data_bridge.migrate.connection.session import RunnerConnection
from data_bridge.migrate.history.table import AppliedMigration, History
from data_bridge.migrate.runner.errors import explain
from data_bridge.migrate.runner.executor import StepExecutor, Watch
from data_bridge.migrate.runner.lock_holders import lock_holders
from data_bridge.migrate.sources.discovery import checksum
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.sources.section_marks import is_atomic

Direction = Literal["up", "down"]
Progress = Callable[[str, type[Migration]], Any]


class StepFailed(MigrationError):
    """A step failed.

    Attributes:
        locks: the relations that the step locks.
        is_partial: whether earlier steps are committed.
    """

    def __init__(self, text: str, sink: StepExecutor) -> None:
        super().__init__(text)
        self.locks = [name for f in sink.current.facts for name, _ in f.locks] if sink.current else []
        self.is_partial = sink.is_partial


class MigrationRunner:
    """Runs migrations on a connection that has the lock."""

    def __init__(
        self, connection: RunnerConnection, history: History, patience: float, progress: Progress | None, watch: Watch | None
    ) -> None:  # fmt: skip
        self._connection = connection
        self._history = history
        self._patience = patience
        self._progress = progress
        self._watch = watch

    def _say(self, what: str, m: type[Migration]) -> None:
        if self._progress is not None:
            self._progress(what, m)

    async def run(self, m: type[Migration], row: AppliedMigration | None, direction: Direction, *, fake: bool) -> None:
        """Applies a migration or takes it back.

        Runs the plan again when another session held a lock for too long. Committed steps are skipped.

        Raises:
            MigrationError: it failed.
        """
        self._say("start", m)
        if fake:
            await self._fake(m, direction)
        else:
            await self._patiently(m, row, direction)
        self._say("done", m)

    async def _fake(self, m: type[Migration], direction: Direction) -> None:
        if direction == "up":
            await self._history.record(m.version, m.title(), checksum(m), "applied", [])
        else:
            await self._history.forget(m.version)

    async def _patiently(self, m: type[Migration], row: AppliedMigration | None, direction: Direction) -> None:
        until, pause = time.monotonic() + self._patience, 0.1
        while True:
            try:
                await self._once(m, row, direction)
                return
            except StepFailed as e:
                if not isinstance(e.__cause__, (LockNotAvailable, DeadlockDetected)):
                    raise
                if time.monotonic() >= until:
                    e.args = (await self._give_up(e),)
                    raise
                if self._watch is not None:
                    self._watch("retry", {"version": m.version, "error": str(e.__cause__), "pause": pause})
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.5, 1.0)
            row = {r.version: r for r in await self._history.read()}.get(m.version)

    async def _give_up(self, error: StepFailed) -> str:
        text = f"{error}\nIt was tried for {self._patience:g} s."
        try:
            holders = await lock_holders(self._connection, error.locks)
        except DataBridgeError:
            return text
        return "\n".join([text, *holders]) if holders else text

    async def _once(self, m: type[Migration], row: AppliedMigration | None, direction: Direction) -> None:
        state = "running" if direction == "up" else "undoing"
        done: tuple[str, ...] = ()
        session: str | None = None
        if row is not None and row.state != "applied":
            if (row.state == "undoing") != (direction == "down") and row.steps:
                raise MigrationConflict(
                    f"{m.version} {m.title()} was interrupted while it was {'taken back' if row.state == 'undoing' else 'applied'}: "
                    f"finish that first ({'down' if row.state == 'undoing' else 'up'}), or say how it stands with resolve"
                )
            done, session = row.steps, row.session
        up, down = m.sections or ("", None)
        text = up if direction == "up" else down or ""
        atomic = m.atomic if is_atomic(text) else False
        sink = StepExecutor(
            self._connection, self._history, m, checksum(m), done, atomic=atomic, state=state, session=session,
            watch=self._watch,
        )  # fmt: skip
        sink.lock_timeout = m.lock_timeout
        try:
            migration = m(sink)
            await (migration.up() if direction == "up" else migration.down())
            await sink.finish(forget=direction == "down")
        except Exception as e:
            await self._failed(m, sink, e, state)
            if isinstance(e, MigrationError):
                raise
            raise StepFailed(_message(m, sink, e, direction), sink) from e
        if sink.touches_session:
            await self._connection.reset()

    async def _failed(self, m: type[Migration], sink: StepExecutor, e: BaseException, state: str) -> None:
        try:
            if self._connection.in_transaction:
                await self._connection.rollback()
            if sink.touches_session:  # first, because the history belongs to the role that connected
                await self._connection.reset()
            if sink.is_partial or not sink.was_transactional:
                left = "failed" if state == "running" else state
                await self._history.fail(m.version, explain(m, sink, e)[:4000], state=left)
        except DataBridgeError:
            pass  # the connection is gone: the first error says more


def _message(m: type[Migration], sink: StepExecutor, e: BaseException, direction: Direction) -> str:
    file = m._file(direction)
    where = f" ({file})" if file else ""
    text = f"{m.version} {m.title()}{where}: {explain(m, sink, e)}"
    if sink.digests and sink.is_partial:
        text += f"\n{len(sink.digests)} steps before it are committed; the next run continues behind them."
    elif not isinstance(e, DatabaseError) or not sink.is_partial:
        left = "Nothing of this migration is left in the database."
        text += f"\n{left if direction == 'up' else 'Nothing was taken back: the migration is applied as before.'}"
    return text
