"""Running one migration: its steps, its transactions, its row in the history.

The transactional steps of a migration and its history row share one transaction. A step that PostgreSQL lets run only
outside of one is preceded by a commit, and recorded for itself: an interrupted migration is continued behind the last
step that is recorded.
"""

from __future__ import annotations

import asyncio
from typing import Any

from data_bridge.core import Statement
from data_bridge.core.errors import DatabaseError, MigrationConflict, MigrationError
from data_bridge.migrate.backfill import batch_sql, quoted
from data_bridge.migrate.connection import RunnerConnection
from data_bridge.migrate.history import History
from data_bridge.migrate.step import Step

_KEY_TYPE = """
    SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
    WHERE attrelid = pg_catalog.to_regclass($1::text) AND attname = $2
"""
_INVALID = """
    SELECT c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.oid = pg_catalog.to_regclass($1)
"""


class Executing:
    """The sink of a migration that runs."""

    def __init__(
        self,
        connection: RunnerConnection,
        history: History,
        version: str,
        done: tuple[str, ...],
        *,
        atomic: Any,
        record: bool,
    ) -> None:
        self._connection = connection
        self._history = history
        self._version = version
        self._done = done
        self._atomic = atomic
        self._record = record
        self.digests: list[str] = []
        self.current: Step | None = None
        self.is_partial = bool(done)

    async def step(self, step: Step) -> int:
        """Runs a step, or passes over it when an earlier run committed it."""
        self.current = step
        position = len(self.digests)
        if position < len(self._done):
            if self._done[position] != step.digest:
                raise MigrationConflict(
                    f"{self._version} was interrupted after {len(self._done)} steps and has been changed since: "
                    f"step {position + 1} is not the one that ran"
                )
            self.digests.append(step.digest)
            return 0
        if step.transactional and self._atomic is not False:
            if not self._connection.in_transaction:
                await self._connection.begin()
            count = await self._run(step)
            self.digests.append(step.digest)
            return count
        if self._atomic is True:
            raise MigrationError(
                f"{self._version} says atomic = True, but this cannot run inside a transaction: {step.sql}"
            )
        await self.barrier()
        await self._heal(step)
        count = await self._run(step)
        self.digests.append(step.digest)
        await self._committed()
        return count

    async def _run(self, step: Step) -> int:
        ir = step.statement.ir
        if ir[0] == "text" and not step.statement.params:
            return await self._connection.step(ir[1])
        count: int = await self._connection.run(ir, step.statement.params)
        return count

    async def _heal(self, step: Step) -> None:
        """What a failed CREATE INDEX CONCURRENTLY left is dropped: a name that is taken must not pass for an index."""
        ir = step.statement.ir
        if ir[0] != "create_index":
            return
        path = ir[2]
        schema = path[0] if len(path) == 2 else None
        name = ".".join('"' + p.replace('"', '""') + '"' for p in (schema, ir[1]) if p)
        if await self._connection.fetch(_INVALID, name):
            await self._connection.script(f"DROP INDEX CONCURRENTLY {name}")

    async def _committed(self) -> None:
        self.is_partial = True
        if self._record:
            await self._history.progress(self._version, self.digests)

    async def barrier(self) -> None:
        """Commits, with the record of the steps so far."""
        if self._connection.in_transaction:
            if self._record:
                # While steps of an earlier run are passed over, its record stays.
                await self._history.progress(self._version, [*self.digests, *self._done[len(self.digests) :]])
            await self._connection.commit()
            self.is_partial = True

    async def fetch(self, sql: str, params: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Rows, inside the transaction of the steps before."""
        return await self._connection.fetch(sql, *params)

    async def backfill(self, table: str, assignments: str, where: str, key: str, batch: int, pause: float) -> int:
        """Batches, each committed together with the key it came to: no row is updated twice, however often it stops."""
        await self.barrier()
        key_type = await self._connection.value(_KEY_TYPE, quoted(table), key)
        if key_type is None:
            raise MigrationError(f"backfill(): there is no table {table} with a column {key!r}")
        sql = batch_sql(table, assignments, where, key, key_type)
        step = Step(Statement(("text", sql), (batch,)), sql, transactional=False)
        self.current = step
        last, total = None, 0
        position = len(self.digests)
        if position < len(self._done):
            digest, mark, last_key = self._done[position].partition("@")
            if digest != step.digest:
                raise MigrationConflict(
                    f"{self._version} was interrupted after {len(self._done)} steps and has been changed since: "
                    f"step {position + 1} is not the one that ran"
                )
            if not mark:
                self.digests.append(step.digest)
                return 0
            last = last_key
        while True:
            await self._connection.begin()
            row = (await self._connection.fetch(sql, last, batch))[0]
            if row["last"] is None:
                await self._connection.commit()
                self.digests.append(step.digest)
                await self._committed()
                return total
            last, total = row["last"], total + row["rows"]
            if self._record:
                await self._history.progress(self._version, [*self.digests, f"{step.digest}@{last}"])
            await self._connection.commit()
            self.is_partial = True
            if pause:
                await asyncio.sleep(pause)

    def explain(self, error: BaseException) -> str:
        """Which step failed, and what the server said."""
        text = f"step {len(self.digests) + 1} failed"
        if self.current is not None:
            text += f": {self.current.sql}"
        if isinstance(error, DatabaseError):
            text += f"\n{error.message} [{error.sqlstate}]"
            if error.detail:
                text += f"\nDetail: {error.detail}"
            if error.hint:
                text += f"\nHint: {error.hint}"
            if error.position:
                text += f"\nAt character {error.position}"
            return text
        return f"{text}\n{error}"
