"""The connection of a test for those who ask for a session outside of the pool: the runner of migrations."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Any

from data_bridge.core import LoadPlan, TransactionBusy
from data_bridge.core.transactions.gate import task_name
from data_bridge.testing._call_sites import place, taken_for
from data_bridge.testing.sandbox.operation import Shielded
from data_bridge.testing.sandbox.protocol import SandboxProtocol
from data_bridge.testing.sandbox.transaction import EmulatedTransaction

__all__ = ["SandboxSession"]

LOCAL = re.compile(r"\s*SET LOCAL (\w+) = '((?:[^']|'')*)'\s*", re.IGNORECASE)
ROWS = LoadPlan.rows(tuple)
COUNT = LoadPlan.affected()
HELD = (
    "SELECT classid::bigint, objid::bigint, objsubid::int FROM pg_catalog.pg_locks"
    " WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()"
)
SETTINGS = "SELECT name, setting, reset_val FROM pg_catalog.pg_settings WHERE source = 'session'"
SET = "SELECT pg_catalog.set_config($1, $2, false)"
UNLOCK = {
    1: "SELECT pg_catalog.pg_advisory_unlock(($1::bigint << 32) | $2::bigint)",
    2: "SELECT pg_catalog.pg_advisory_unlock($1::bigint::bit(32)::int, $2::bigint::bit(32)::int)",
}


class SandboxSession:
    """Looks like a native lease. Between its transactions it holds nothing, so that other code may use the database.

    What ends with a session in production ends with it here: its advisory locks and settings.
    """

    def __init__(self, sandbox: SandboxProtocol, opened: set[SandboxSession]) -> None:
        self._sandbox = sandbox
        self._opened = opened
        self._transaction: EmulatedTransaction | None = None
        self._site: tuple[str, int] | None = None
        self._locks: list[Any] = []
        self._settings: dict[str, str] = {}

    @property
    def status(self) -> str:
        """As of a native lease."""
        if self._transaction is not None:
            return str(self._sandbox.lease_handle.status)
        return "idle" if self in self._opened else "new"

    async def take(self, timeout: float | None = None) -> None:
        """Begin the session.

        Raises:
            TransactionBusy: there is one already.
        """
        for other in self._opened:
            raise TransactionBusy(
                f"{task_name()} needs a second session beside the one opened at {place(other._site)}; a test has one"
                "\nhint: use `isolated_db` or `committed` for code that works on several connections at once"
            )
        self._site = taken_for()[1]
        self._locks = await self._rows(HELD)
        self._settings = {name: setting for name, setting, _ in await self._rows(SETTINGS)}
        self._opened.add(self)

    async def begin(self, sql: str, timeout: float | None = None) -> None:
        """Begin an emulated transaction, with the settings that come with BEGIN."""
        first, *settings = sql.split(";")
        assert first.strip().upper() == "BEGIN"
        what, site = taken_for()
        transaction = await self._sandbox.begin(None, False, False, timeout, site, what)
        self._transaction = transaction
        for setting in settings:
            found = LOCAL.fullmatch(setting)
            assert found is not None
            await transaction.set_local(found[1], found[2].replace("''", "'"))

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        timeout: float | None = None,
        *,
        timed: bool = False,
    ) -> Awaitable[Any]:
        """Run a statement, in the transaction or alone."""
        if self._transaction is None:
            return self._sandbox.operation(ir, params, plan, into, timeout)
        started: Awaitable[Any] = self._sandbox.lease_handle.run(ir, params, plan, into, timeout, timed=timed)
        return started

    def script(self, sql: str, timeout: float | None = None, shielded: bool = False) -> Awaitable[int]:
        """Run several statements, in the transaction or alone."""
        if sql.startswith("RESET SESSION AUTHORIZATION;"):
            # The runner resets its session. Cursors and the clock of the session of the test are not the runner's.
            sql = "RESET SESSION AUTHORIZATION; DISCARD TEMP"
        return (self._transaction or self._sandbox).script(sql)

    def commit(self, *, keep: bool = False) -> Shielded:
        """End the transaction."""
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        return Shielded(transaction.commit())

    def rollback(self, *, keep: bool = False) -> Shielded:
        """End the transaction."""
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        return Shielded(transaction.rollback())

    def give_back(self) -> Shielded:
        """End the session."""
        return Shielded(self._end())

    async def _end(self) -> None:
        if self not in self._opened:
            return
        self._opened.remove(self)
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            await transaction.rollback()
        for classid, objid, kind in [lock for lock in await self._rows(HELD) if lock not in self._locks]:
            await self._alone(UNLOCK[kind], classid, objid)
        for name, setting, default in await self._rows(SETTINGS):
            if setting != self._settings.get(name):
                await self._alone(SET, name, self._settings.get(name, default))

    async def _rows(self, sql: str) -> list[Any]:
        rows: list[Any] = await self._sandbox.operation(("text", sql), (), ROWS, None, None)
        return rows

    async def _alone(self, sql: str, *params: Any) -> None:
        await self._sandbox.operation(("text", sql), params, COUNT, None, None)
