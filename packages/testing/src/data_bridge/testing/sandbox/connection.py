"""The connection of the test as transactions see it: the native one, except that statements may be made to fail."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from data_bridge.core import LoadPlan
from data_bridge.core.call_site import call_site
from data_bridge.core.connection.annotators import bare, replaced
from data_bridge.testing.connections.injected_errors import Faults
from data_bridge.testing.connections.leaks import Watch
from data_bridge.testing.sandbox.statements import may_notify, rewritten

__all__ = ["Connection"]

REMEMBERED = 5000
HARNESS = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "DO $check$")
_quiet: set[tuple[Any, ...]] = set()
"""Structures of built statements that send no notification: their text is not looked at again."""


class Connection:
    """Looks like the native lease that the whole test runs on.

    Attributes:
        frozen: whether NOW() is that of the test.
        hears: whether statements may have sent notifications.
    """

    def __init__(self, native: Any, watch: Watch, faults: Faults, *, hears: bool) -> None:
        self._native = native
        self._watch = watch
        self._faults = faults
        self.frozen = False
        self.hears = hears

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    @property
    def native(self) -> Any:
        """The connection itself."""
        return self._native

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
        """Run a statement, or what fails in its place."""
        statement = bare(ir)
        if statement[0] == "text":
            sql: str = statement[-1]
            if "advisory" in sql:
                self._watch.saw_text(sql, call_site())
            ir = replaced(ir, self._as_sent(statement, sql))
        elif self.frozen or ir not in _quiet:
            sql = plan.describe(ir).sql
            if may_notify(sql) or self.frozen:
                ir = self._as_sent(ir, sql)
            elif len(_quiet) < REMEMBERED:
                _quiet.add(ir)
        if self._faults:
            ir, params, plan, into = self._faults.statement(ir, params, plan, into)
        started: Awaitable[Any] = self._native.run(ir, params, plan, into, timeout, timed=timed)
        return started

    def script(
        self, sql: str, timeout: float | None = None, shielded: bool = False, soils: bool = True
    ) -> Awaitable[int]:
        """Run several statements, or what fails in their place; those of the harness and of the core pass as they are."""
        if not shielded and not sql.startswith(HARNESS):
            if "advisory" in sql:
                self._watch.saw_text(sql, call_site())
            sent = self._faults.in_place_of(sql)
            sql = self._as_sent(("text", sql), sql)[-1] if sent is sql else sent
        started: Awaitable[int] = self._native.script(sql, timeout, shielded, soils)
        return started

    def _as_sent(self, ir: tuple[Any, ...], sql: str) -> tuple[Any, ...]:
        notifies = may_notify(sql)
        if not notifies and not self.frozen:
            return ir
        self.hears = self.hears or notifies
        sent = rewritten(sql, frozen=self.frozen)
        return ir if sent == sql else ("text", sent)
