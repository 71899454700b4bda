"""The pool of a `TestDatabase`: the native one, except that it knows who took what, and fails when told to."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from data_bridge.core import LoadPlan
from data_bridge.core.call_site import call_site
from data_bridge.core.connection.annotators import bare
from data_bridge.core.transactions.gate import task_name
from data_bridge.testing._call_sites import taken_for
from data_bridge.testing.connections.injected_errors import Faults
from data_bridge.testing.connections.leaks import Hold, Watch

__all__ = ["TrackedPool"]

Rewrite = Callable[[str], str]
"""The text that is sent in the place of another."""


class _Statements:
    """What runs statements: it knows who took what, and fails when told to."""

    def __init__(self, native: Any, watch: Watch, faults: Faults, rewrite: Rewrite | None = None) -> None:
        self._native = native
        self._watch = watch
        self._faults = faults
        self._rewrite = rewrite

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        timeout: float | None = None,
        timed: bool = False,
    ) -> Awaitable[Any]:
        """Run a statement, or what fails in its place."""
        _look(self._watch, ir)
        if self._rewrite is not None:
            sql = str(ir[-1]) if ir[0] == "text" else plan.describe(ir).sql
            sent = self._rewrite(sql)
            ir = ir if sent == sql else ("text", sent)
        if self._faults:
            ir, params, plan, into = self._faults.statement(ir, params, plan, into)
        started: Awaitable[Any] = self._native.run(ir, params, plan, into, timeout, timed=timed)
        return started

    def _script_as_sent(self, sql: str) -> str:
        sent = self._faults.in_place_of(sql)
        return self._rewrite(sent) if self._rewrite is not None else sent


class TrackedPool(_Statements):
    """Looks like the native pool."""

    def script(self, sql: str, timeout: float | None = None) -> Awaitable[int]:
        """Run several statements, or what fails in their place."""
        _look(self._watch, ("text", sql))
        started: Awaitable[int] = self._native.script(self._script_as_sent(sql), timeout)
        return started

    def lease(self, *, shared: bool = False, counted: bool = True) -> WatchedLease:
        """A connection for one owner, who is remembered."""
        self._watch.saw_task()
        what, site = taken_for()
        hold = Hold(what, site, task_name())
        return WatchedLease(self._native.lease(shared=shared, counted=counted), hold, self)

    def listen(self, channels: list[str]) -> WatchedListener:
        """A listener, which is remembered until it is closed."""
        self._watch.saw_task()
        hold = Hold(f"listener to {', '.join(channels)}", taken_for()[1], task_name())
        self._watch.listeners.add(hold)
        return WatchedListener(self._native.listen(channels), hold)


class WatchedLease(_Statements):
    """Looks like a native lease: a connection for one owner."""

    def __init__(self, native: Any, hold: Hold, pool: TrackedPool) -> None:
        super().__init__(native, pool._watch, pool._faults, pool._rewrite)
        self._hold = hold

    def __del__(self) -> None:
        hold = getattr(self, "_hold", None)
        if hold is not None and hold.open and self._native.status in ("active", "failed", "idle"):
            self._watch.forgotten(hold)

    def take(self, timeout: float | None = None) -> Awaitable[None]:
        """Take the connection."""
        self._watch.connections.add(self._hold)
        taken: Awaitable[None] = self._native.take(timeout)
        return taken

    def begin(self, sql: str, timeout: float | None = None) -> Awaitable[None]:
        """Take the connection and begin a transaction on it."""
        self._watch.connections.add(self._hold)
        begun: Awaitable[None] = self._native.begin(sql, timeout)
        return begun

    def script(
        self, sql: str, timeout: float | None = None, shielded: bool = False, soils: bool = True
    ) -> Awaitable[int]:
        """Run several statements, or what fails in their place; savepoints of the core are let through."""
        if not shielded and not sql.startswith("SAVEPOINT "):
            _look(self._watch, ("text", sql))
            sql = self._script_as_sent(sql)
        started: Awaitable[int] = self._native.script(sql, timeout, shielded, soils)
        return started

    def commit(self, *, keep: bool = False) -> Any:
        """End it."""
        return self._ended(self._native.commit(keep=keep))

    def rollback(self, *, keep: bool = False) -> Any:
        """End it."""
        return self._ended(self._native.rollback(keep=keep))

    def give_back(self) -> Any:
        """End it."""
        return self._ended(self._native.give_back())

    def discard(self) -> Any:
        """End it."""
        return self._ended(self._native.discard())

    def abandon(self) -> None:
        """Its owner was thrown away, or never came to have it."""
        # The second happens when BEGIN fails, and is not a leak; only a finaliser calls it for the first.
        if self._hold.open and sys._getframe(1).f_code.co_name == "__del__":
            self._watch.forgotten(self._hold)
        self._hold.open = False
        self._native.abandon()

    def _ended(self, operation: Any) -> Any:
        self._hold.open = False
        return operation


class WatchedListener:
    """Looks like a native listener."""

    def __init__(self, native: Any, hold: Hold) -> None:
        self._native = native
        self._hold = hold

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def close(self) -> None:
        """End it."""
        self._hold.open = False
        self._native.close()


def _look(watch: Watch, ir: tuple[Any, ...]) -> None:
    watch.saw_task()
    statement = bare(ir)
    if statement[0] == "text" and "advisory" in str(statement[-1]):
        watch.saw_text(str(statement[-1]), call_site())
