"""The connection of a test for those who ask for one of their own: COPY, and migrations."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from data_bridge.core import LoadPlan
from data_bridge.testing._call_sites import taken_for
from data_bridge.testing.sandbox.operation import Shielded, nothing
from data_bridge.testing.sandbox.protocol import SandboxProtocol
from data_bridge.testing.sandbox.transaction import EmulatedTransaction

__all__ = ["SandboxLease"]


class SandboxLease:
    """Looks like a native lease and is an emulated transaction, which holds the turn until it ends."""

    def __init__(self, sandbox: SandboxProtocol) -> None:
        self._sandbox = sandbox
        self._transaction: EmulatedTransaction | None = None

    @property
    def status(self) -> str:
        """As of a native lease."""
        return "new" if self._transaction is None else str(self._sandbox.lease_handle.status)

    def begin(self, sql: str, timeout: float | None = None) -> Awaitable[None]:
        """Begin the emulated transaction."""
        return self._begin(timeout, *taken_for())

    def take(self, timeout: float | None = None) -> Awaitable[None]:
        """Take the turn."""
        return self._begin(timeout, *taken_for())

    async def _begin(self, timeout: float | None, what: str, site: tuple[str, int]) -> None:
        self._transaction = await self._sandbox.begin(None, False, False, timeout, site, what)

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
        """Run a statement in it."""
        self._open()
        started: Awaitable[Any] = self._sandbox.lease_handle.run(ir, params, plan, into, timeout, timed=timed)
        return started

    def script(
        self, sql: str, timeout: float | None = None, shielded: bool = False, soils: bool = True
    ) -> Awaitable[int]:
        """Run several statements in it."""
        return self._open().script(sql)

    def commit(self, *, keep: bool = False) -> Shielded:
        """End it."""
        return Shielded(self._open().commit())

    def rollback(self, *, keep: bool = False) -> Shielded:
        """End it; harmless when it never began."""
        return Shielded(nothing() if self._transaction is None else self._transaction.rollback())

    def give_back(self) -> Shielded:
        """End it: what COPY wrote outside a transaction stays, unless it failed."""
        transaction = self._transaction
        if transaction is not None and self.status == "closed":
            # There is nothing left to end, and an error about that would hide the one that COPY has met.
            transaction.discard()
            self._sandbox.turn.give(transaction)
            return Shielded(nothing())
        return self.rollback() if self.status == "failed" or self._transaction is None else self.commit()

    def copy_in(self, sql: str, timeout: float | None = None) -> Any:
        """COPY … FROM STDIN on the connection of the test."""
        return self._sandbox.lease_handle.copy_in(sql, timeout)

    def copy_out(self, sql: str, timeout: float | None = None) -> Any:
        """COPY … TO STDOUT on the connection of the test."""
        return self._sandbox.lease_handle.copy_out(sql, timeout)

    def describe(self, sql: str, timeout: float | None = None) -> Any:
        """The types of the parameters of a statement."""
        return self._sandbox.lease_handle.describe(sql, timeout)

    def abandon(self) -> None:
        """Its end is not awaited."""
        if self._transaction is not None:
            self._transaction = None  # its finaliser takes it back

    def _open(self) -> EmulatedTransaction:
        if self._transaction is None:
            raise AssertionError("begin comes first")
        return self._transaction
