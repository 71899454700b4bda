"""The runner's own connection: outside the pool, with transactions of its own, closed when it is done."""

from __future__ import annotations

import asyncio
from typing import Any

from data_bridge.core import LoadPlan, observed, observed_script, observers
from data_bridge.core.errors import ConfigurationError, ConnectError, DatabaseError
from data_bridge.migrate._sql_names import quote_literal

_COUNT = LoadPlan.affected()
_DICTS = LoadPlan.rows(dict)
_VALUE = LoadPlan.scalars(many=False)
_PID = "SELECT pg_catalog.pg_backend_pid()"
_ADVICE = (
    "migrations need a session of their own, but a proxy lends every transaction another one (pool_mode = transaction or "
    "statement): the lock of a session would not be held. Connect to the server directly, or to a pool in session mode"
)


class RunnerConnection:
    """One connection for this runner alone."""

    def __init__(self, database: Any, step_lock_timeout: str = "0") -> None:
        self._database = database
        self._lease = database.lease(counted=False)
        self.alias: str = database.alias
        self.in_transaction = False
        self._step_lock_timeout = step_lock_timeout
        self._statement_timeout = "0"
        self._session_lock_timeout = "0"

    async def open(self) -> None:
        """Connects, and makes sure that it is one and the same session all the time.

        Raises:
            ConfigurationError: behind a proxy that gives every transaction another session.
        """
        await self._lease.take()
        try:
            is_own = await self._is_own()
        except DatabaseError as e:
            if e.sqlstate not in ("42P05", "26000"):
                raise
            is_own = False  # the session has the prepared statements of another client, or has lost ours
        if not is_own:
            raise ConfigurationError(_ADVICE)

    async def _is_own(self) -> bool:
        own = await self.value(_PID)
        # A proxy that pools transactions lends a second client the session that looks idle: ours.
        other = self._database.lease(counted=False)
        try:
            async with asyncio.timeout(5):
                await other.take()
        except (ConnectError, DatabaseError, TimeoutError):
            # No second connection for this role: then there is no pool to ask.
            return bool(await self.value(_PID) == own)
        try:
            await other.begin("BEGIN")
            lent = await other.run(("text", _PID), (), _VALUE)
            seen = {await self.value(_PID)}
            await other.rollback(keep=True)
        finally:
            await other.give_back()
        # A proxy that had opened two sessions by then lends them in turn, or lends the one that came back last.
        for _ in range(3):
            seen.add(await self.value(_PID))
        return bool(lent != own and seen == {own})

    async def close(self) -> None:
        """Rolls back what is open and disconnects: the session's lock goes with it."""
        await self._lease.give_back()

    async def begin(self, lock_timeout: str | None = None, statement_timeout: str = "0") -> None:
        """BEGIN, with the timeouts of a step."""
        # Every other session queues behind a request for an exclusive lock: it is better to give up and to try again.
        timeout = quote_literal(lock_timeout or self._step_lock_timeout)
        limit = (
            "" if statement_timeout == "0" else f"; SET LOCAL statement_timeout = {quote_literal(statement_timeout)}"
        )
        await self._lease.begin(f"BEGIN; SET LOCAL lock_timeout = {timeout}{limit}")
        self._statement_timeout = statement_timeout
        self.in_transaction = True

    async def session_lock_timeout(self, timeout: str | None, *, configured: bool = False) -> None:
        """lock_timeout of steps outside of transactions; None is the configured one."""
        wanted = (timeout or self._step_lock_timeout) if configured else "0"
        if wanted != self._session_lock_timeout:
            await self.value("SELECT pg_catalog.set_config('lock_timeout', $1, false)", wanted)
            self._session_lock_timeout = wanted

    async def limit(self, timeout: str) -> None:
        """statement_timeout from here to the end of the transaction."""
        if timeout != self._statement_timeout:
            await self.value("SELECT pg_catalog.set_config('statement_timeout', $1, true)", timeout)
            self._statement_timeout = timeout

    async def commit(self) -> None:
        """COMMIT."""
        self.in_transaction = False
        await self._lease.commit(keep=True)

    async def rollback(self) -> None:
        """ROLLBACK."""
        self.in_transaction = False
        await self._lease.rollback(keep=True)

    async def reset(self) -> None:
        """A session as new: settings, roles and temporary tables of a migration are not those of the next."""
        self._session_lock_timeout = "0"
        await self.script(
            "RESET SESSION AUTHORIZATION; RESET ALL; CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES"
        )

    async def run(self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan = _COUNT) -> Any:
        """One statement of a migration: observers hear of it, unlike those of the runner itself."""
        if observers:
            return await observed(self, self._lease.run, ir, params, plan, None, None)
        return await self._lease.run(ir, params, plan)

    async def execute(self, sql: str, *params: Any) -> int:
        """One statement in SQL."""
        count: int = await self._lease.run(("text", sql), params, _COUNT)
        return count

    async def step(self, sql: str) -> int:
        """Several statements of a migration by the simple protocol; observers hear of them."""
        if observers:
            heard: int = await observed_script(self, lambda: self._lease.script(sql), sql)
            return heard
        return await self.script(sql)

    async def script(self, sql: str) -> int:
        """Several statements by the simple protocol."""
        count: int = await self._lease.script(sql)
        return count

    async def fetch(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Rows as dicts."""
        rows: list[dict[str, Any]] = await self._lease.run(("text", sql), params, _DICTS)
        return rows

    async def value(self, sql: str, *params: Any) -> Any:
        """The first column of the first row."""
        return await self._lease.run(("text", sql), params, _VALUE)
