"""A stream outside a transaction: a cursor of the test's own transaction, so that other statements may run in between."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Any

from data_bridge.core import LoadPlan
from data_bridge.core.connection import context
from data_bridge.core.connection.annotators import bare
from data_bridge.core.transactions.gate import task_name
from data_bridge.testing._call_sites import taken_for
from data_bridge.testing.connections.leaks import Hold
from data_bridge.testing.sandbox.operation import Operation, Shielded, nothing
from data_bridge.testing.sandbox.protocol import SandboxProtocol

__all__ = ["SandboxCursor"]

DECLARED = re.compile(r'DECLARE "((?:[^"]|"")+)"')


class SandboxCursor:
    """Looks like a native lease in a transaction, as streams take one: in production a second connection.

    The cursor lives in the transaction of the test. Each FETCH is a statement of its own and holds the turn no longer, so
    a loop over a stream may well change rows, begin transactions and wait for other tasks, as it may in production.
    """

    def __init__(self, sandbox: SandboxProtocol) -> None:
        self._sandbox = sandbox
        what, site = taken_for()
        self._hold = Hold(what, site, task_name())
        self._cursor: str | None = None
        self._settings = context.local_settings()

    def __del__(self) -> None:
        if getattr(self, "_cursor", None) is not None and self._hold.open:
            self._sandbox.watch.forgotten(self._hold)

    @property
    def status(self) -> str:
        """As of a native lease."""
        return "new" if self._cursor is None else "active"

    def begin(self, sql: str, timeout: float | None = None) -> Awaitable[None]:
        """There is a transaction already."""
        self._sandbox.watch.connections.add(self._hold)
        return nothing()

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
        """DECLARE and FETCH, one statement after another."""
        if declared := DECLARED.match(str(bare(ir)[-1])):
            self._cursor = declared[1]
        if self._settings is not None:
            return Operation(self._run_with_settings(ir, params, plan, into, timeout))
        return self._sandbox.operation(ir, params, plan, into, timeout)

    async def _run_with_settings(
        self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan, into: object, timeout: float | None
    ) -> Any:
        """Run a statement with the settings that the stream was opened with, whatever those of its reader are."""
        before = context.local_settings()
        context.set_local_settings(self._settings)
        try:
            async with await self._sandbox.begin_alone(timeout):
                return await self._sandbox.lease_handle.run(ir, params, plan, into, timeout)
        finally:
            context.set_local_settings(before)

    def rollback(self, *, keep: bool = False) -> Shielded:
        """Close the cursor."""
        self._hold.open = False
        cursor, self._cursor = self._cursor, None
        return Shielded(nothing() if cursor is None else self._sandbox.close_cursor(cursor))
