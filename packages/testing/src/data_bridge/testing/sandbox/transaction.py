"""A transaction of the code under test, as a savepoint of the transaction that the test itself is."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from data_bridge.core import Transaction
from data_bridge.core._native import quote_literal
from data_bridge.core.connection.transaction_settings import with_settings
from data_bridge.core.uncancellable import to_the_end
from data_bridge.testing.connections.leaks import Hold
from data_bridge.testing.sandbox.journal import ShownJournal
from data_bridge.testing.sandbox.protocol import SandboxProtocol

__all__ = ["CHECK_CONSTRAINTS", "EmulatedTransaction"]

# RELEASE succeeds although a deferred constraint is violated; COMMIT would not. SET CONSTRAINTS ALL IMMEDIATE checks,
# but stays in force: what is deferred by definition is set back, or the next child before its parent would fail.
CHECK_CONSTRAINTS = (
    "DO $check$ DECLARE deferred text; BEGIN SET CONSTRAINTS ALL IMMEDIATE;"
    " SELECT string_agg(DISTINCT format('%I.%I', n.nspname, c.conname), ', ') INTO deferred"
    " FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace"
    " WHERE c.condeferred AND c.conparentid = 0;"
    " IF deferred IS NOT NULL THEN EXECUTE 'SET CONSTRAINTS ' || deferred || ' DEFERRED'; END IF; END $check$"
)


class EmulatedTransaction(Transaction):
    """BEGIN is a savepoint, COMMIT a check and a release, ROLLBACK a return to the savepoint.

    It holds the turn on the test's connection from beginning to end: two transactions that overlap on one connection
    destroy each other's savepoints.
    """

    def __init__(self, sandbox: SandboxProtocol, lease: Any, site: tuple[str, int], what: str) -> None:
        super().__init__(sandbox, lease, None, site)
        self.hold = Hold(what, site, self._task)
        sandbox.watch.connections.add(self.hold)
        self._sandbox = sandbox
        self._journal = ShownJournal(sandbox.on_commit_calls)
        self._settings: dict[str, str | None] = {}
        self._released = False

    def __str__(self) -> str:
        return str(self.hold)

    def __del__(self) -> None:
        if not getattr(self, "_ended", True) and not self._released:
            self._sandbox.forgotten(self, self._savepoint or "")

    def open_as(self, savepoint: str) -> None:
        """Say which savepoint stands for BEGIN."""
        self._savepoint = savepoint

    def expires_in(self, seconds: float) -> None:
        """Set the deadline of the block."""
        self._deadline = time.monotonic() + seconds

    def discard(self) -> None:
        """It never began, or the test is over: nothing to roll back any more."""
        self._ended = self._released = True
        self.hold.open = False

    async def set_local(self, name: str, value: str) -> None:
        """SET LOCAL until the emulated commit; a released savepoint would keep it for the rest of the test."""
        if name not in self._settings:
            self._settings[name] = await self.fetch_val("SELECT pg_catalog.current_setting($1, true)", name)
        await super().set_local(name, value)

    async def set_own(self) -> None:
        """Set what tenant() and transaction_settings() have a transaction begin with."""
        settings = self._begun_with
        if settings is not None:
            for name, value in settings.values.items():
                await with_settings(settings, self.set_local(name, value))

    async def _end(self, how: str) -> None:
        name = self._savepoint
        back = f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
        if how == "rollback":
            await to_the_end(self._lease.rollback_to(back))
            return
        if self._lease.status == "failed":
            failure = await _failure_of(to_the_end(self._lease.script("SELECT 1")))
            await self._undo(back)
            raise failure
        settings = "".join(
            f"SELECT pg_catalog.set_config({quote_literal(name)}, {quote_literal(old or '')}, true); "
            for name, old in self._settings.items()
        )
        check = f"{CHECK_CONSTRAINTS}; " if self._sandbox.defers else ""
        cancelled: asyncio.CancelledError | None = None
        try:
            await to_the_end(self._lease.script(f"{check}{settings}RELEASE SAVEPOINT {name}", None, True))
        except asyncio.CancelledError as error:
            # The task was cancelled, and the commit is done: there is no savepoint to go back to.
            cancelled = error
        except BaseException:
            await self._undo(back)
            raise
        if self._sandbox.lease_handle.hears:
            await self._sandbox.hear()
        if cancelled is not None:
            raise cancelled

    async def _undo(self, back: str) -> None:
        """Goes back to the savepoint behind an error, which a cancelled task must hear as well."""
        with suppress(asyncio.CancelledError):
            await to_the_end(self._lease.rollback_to(back))

    def _leave(self) -> None:
        super()._leave()
        self._released = True
        self.hold.open = False
        self._sandbox.turn.give(self)


async def _failure_of(operation: Any) -> BaseException:
    """What a statement in a failed transaction raises: the error with its cause."""
    try:
        await operation
    except Exception as error:
        return error
    return AssertionError("the transaction was not failed after all")
