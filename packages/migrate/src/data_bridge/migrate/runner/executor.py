"""MigrationRunner one migration: its steps, its transactions, its row in the history.

The transactional steps of a migration and its history row share one transaction. A step that PostgreSQL lets run only
outside of one is preceded by a commit and announced in the record; when it is done, the record says so. An interrupted
migration is continued behind the last step that is recorded, and the catalog tells whether an announced step was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from data_bridge.core import Statement
from data_bridge.core.errors import MigrationConflict, MigrationError
from data_bridge.migrate._sql_lexer import first_word
from data_bridge.migrate.connection.session import RunnerConnection
from data_bridge.migrate.history.table import History
from data_bridge.migrate.operations.backfill import Batches, batch_sql
from data_bridge.migrate.operations.phase import Phases
from data_bridge.migrate.operations.step import STRENGTH, Step
from data_bridge.migrate.runner.recovery import Recovery
from data_bridge.migrate.runner.session_state import Session, touches_session

_WEAK = "SHARE UPDATE EXCLUSIVE"
_QUICK = "30s"
"""Seconds: a change of the catalog alone is short once it has its lock, and sessions wait behind that lock."""
Watch = Callable[[str, dict[str, Any]], None]


class StepExecutor:
    """The sink of a migration that runs, in one direction."""

    def __init__(
        self, connection: RunnerConnection, history: History, migration: Any, checksum: str, done: tuple[str, ...], *,
        atomic: Any, state: str, session: str | None = None, watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._history = history
        self._migration = migration
        self._version: str = migration.version
        self._checksum = checksum
        self._done = done
        self._atomic = atomic
        self._state = state
        self._watch = watch
        self._recovery = Recovery(connection)
        self._session = Session(connection)
        self._left = session
        """The state of the session that the last committed step left, until a step needs it."""
        self._state_now = session
        self.digests: list[str] = []
        self._phases = Phases()
        self.current: Step | None = None
        self.is_partial = bool(done)
        self.touches_session = False
        self.was_transactional = True
        self.lock_timeout: str | None = None

    # ------------------------------------------------------------------------------------------------------------ steps
    async def step(self, step: Step) -> int:
        """Runs a step, or passes over it when an earlier run committed it."""
        self.current = step
        self._phases.read(step.sql)
        self._session.hear(step.sql)
        announced = self._recorded(step)
        if announced == "":
            self.digests.append(step.digest)
            return 0
        await self._as_it_was_left()
        self._tell("step", step=len(self.digests) + 1, sql=step.sql, lock=step.lock if self._watch else None)
        self.touches_session = self.touches_session or touches_session(step.sql)
        if self._atomic is False and step.transactional and not _may_commit(step):
            # A transaction of its own, with its record: exactly once, however often it is interrupted.
            await self.barrier()
            count = await self._inside(step)
            await self.barrier()
            return count
        if step.transactional and self._atomic is not False:
            return await self._inside(step)
        if self._atomic is True:
            raise MigrationError(
                f"{self._version} says atomic = True, but this cannot run inside a transaction: {step.sql}"
            )
        return await self._outside(step, announced)

    def _recorded(self, step: Step) -> str | None:
        """None: not run before. Empty: done. Else what was noted when the step was announced."""
        position = len(self.digests)
        if position >= len(self._done):
            return None
        digest, mark, note = self._done[position].partition("?")
        if digest != step.digest:
            raise MigrationConflict(
                f"{self._version} was interrupted after {len(self._done)} steps and has been changed since: "
                f"step {position + 1} is not the one that ran"
            )
        return note or "?" if mark else ""

    async def _inside(self, step: Step) -> int:
        if self._connection.in_transaction:
            await self._connection.limit(self._limit(step))
        else:
            await self._connection.begin(self.lock_timeout, self._limit(step))
        count = await self._run(step)
        self.digests.append(step.digest)
        return count

    async def _outside(self, step: Step, announced: str | None) -> int:
        await self.barrier()
        digest = step.digest
        if announced is not None and await self._recovery.is_done(step, announced):
            count = 0
        else:
            await self._recovery.clear(step)
            note = await self._recovery.note(step)
            await self._record_alone([*self.digests, f"{digest}?{note}"])
            self.was_transactional = False
            patient = any(STRENGTH.index(lock) > STRENGTH.index(_WEAK) for f in step.facts for _, lock in f.locks)
            try:
                # A concurrent build may wait for old transactions, because no session waits behind it.
                await self._connection.session_lock_timeout(self.lock_timeout if patient else "0", configured=patient)
                count = await self._run(step)
                await self._connection.session_lock_timeout("0")
            except Exception as e:
                if announced is None or not self._recovery.was_done(e):
                    await self._recovery.sweep(step, note)
                    raise
                count = 0
        self.digests.append(digest)
        await self._look_at_session()
        await self._record_alone(self.digests)
        self.is_partial = True
        return count

    def _limit(self, step: Step) -> str:
        """The statement_timeout: short where others wait and only the catalog changes."""
        if self._migration.statement_timeout is not None:
            return str(self._migration.statement_timeout)
        found = step.facts
        strong = [lock for f in found for _, lock in f.locks if STRENGTH.index(lock) > STRENGTH.index("SHARE")]
        catalog = len(found) == 1 and found[0].kind == "alter_table" and not found[0].rewrites and not found[0].scans
        return _QUICK if strong and catalog else "0"

    async def _run(self, step: Step) -> int:
        ir = step.statement.ir
        if ir[0] == "text" and not step.statement.params:
            return await self._connection.step(ir[1])
        count: int = await self._connection.run(ir, step.statement.params)
        return count

    # ----------------------------------------------------------------------------------------------------------- record
    async def _record(self, digests: list[str]) -> None:
        m = self._migration
        # While steps of an earlier run are passed over, its record stays.
        kept = [*digests, *self._done[len(digests) :]]
        await self._history.record(
            m.version, m.title(), self._checksum, self._state, kept,
            session=self._state_now if self.touches_session else None,
        )  # fmt: skip

    async def _record_alone(self, digests: list[str]) -> None:
        """The record outside of a transaction of steps."""
        if not self.touches_session:
            await self._record(digests)
            return
        await self._connection.begin(self.lock_timeout)
        await self._back_to_self()
        await self._record(digests)
        await self._connection.commit()

    async def barrier(self) -> None:
        """Commits, with the record of the steps so far."""
        if self._connection.in_transaction:
            before = await self._look_at_session()
            await self._back_to_self()
            await self._record(self.digests)
            await self._connection.commit()
            self.is_partial = True
            # What was set for the transaction only has ended with it.
            if await self._look_at_session() != before:
                await self._record_alone(self.digests)

    # ---------------------------------------------------------------------------------------------------------- session
    async def _look_at_session(self) -> str | None:
        if self.touches_session:
            self._state_now = await self._session.state()
        return self._state_now

    async def _as_it_was_left(self) -> None:
        """Brings back what the steps before have set, in a session in which they did not run."""
        if self._left is not None:
            self.touches_session = True
            left, self._left = self._left, None
            await self._session.restore(left)

    async def finish(self, *, forget: bool) -> None:
        """The last commit, with the row in the history, or without it when it was taken back."""
        if not self._connection.in_transaction:
            await self._connection.begin(self.lock_timeout)
        await self._back_to_self()
        if forget:
            await self._history.forget(self._version)
        else:
            m = self._migration
            await self._history.record(
                m.version, m.title(), self._checksum, "applied", self.digests, phase=self._phases.all
            )
        await self._connection.commit()

    async def _back_to_self(self) -> None:
        """The history belongs to the role that connected; the role of the migration is back after the commit."""
        if self.touches_session:
            await self._connection.script(
                "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE; SET LOCAL statement_timeout = 0"
            )

    async def fetch(self, sql: str, params: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Rows, inside the transaction of the steps before."""
        self.touches_session = True
        await self._as_it_was_left()
        if not self._connection.in_transaction and self._atomic is not False:
            await self._connection.begin(self.lock_timeout)
        return await self._connection.fetch(sql, *params)

    # --------------------------------------------------------------------------------------------------------- backfill
    async def backfill(
        self, table: str, assignments: str, where: str, key: str, batch: int, pause: float, *, is_undone: bool = False
    ) -> int:
        """Batches, each committed together with the key it came to: no row is updated twice, however often it stops."""
        await self.barrier()
        if len(self.digests) >= len(self._done) - 1:
            await self._as_it_was_left()
        batches = await Batches.of(self._connection, table, key, where)
        sql = batch_sql(table, assignments, where, key, batches.key_type)
        step = Step(Statement(("text", sql), (batch,)), sql, transactional=False)
        self.current = step
        last: str | None = None
        position = len(self.digests)
        if position < len(self._done):
            digest, mark, last_key = self._done[position].partition("@")
            if digest != step.digest:
                self._recorded(step)
            if not mark:
                self.digests.append(step.digest)
                return 0
            last = last_key
        total, slow = 0, pause
        while True:
            await self._connection.begin(self.lock_timeout)
            row = (await self._connection.fetch(sql, last, batch))[0]
            if row["last"] is None:
                await self._connection.commit()
                self.digests.append(step.digest)
                await self._record_alone(self.digests)
                self.is_partial = True
                return total
            last, total = row["last"], total + row["rows"]
            await self._back_to_self()
            await self._record([*self.digests, f"{step.digest}@{last}"])
            await self._connection.commit()
            self.is_partial = True
            self._tell("backfill", table=table, rows=total, of=batches.expected)
            if slow:
                await asyncio.sleep(slow)

    def _tell(self, what: str, **detail: Any) -> None:
        if self._watch is not None:
            self._watch(what, {"version": self._version, **detail})


def _may_commit(step: Step) -> bool:
    """CALL and DO may commit by themselves; REINDEX and CLUSTER of a partitioned table do: not inside of a transaction."""
    return first_word(step.sql) in ("call", "do", "reindex", "cluster")


__all__ = ["StepExecutor", "Watch"]
