"""The part of a sandbox that synchronous code of a test turns to: the clock, and statements of the harness in between."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from data_bridge.core import TransactionBusy
from data_bridge.testing.sandbox.clock import LIVE, freeze_script, live_script, tick_script
from data_bridge.testing.sandbox.lock import Turn

__all__ = ["RENEW", "UNIT", "Timekeeper"]

UNIT = "data_bridge_statement"
RENEW = f"RELEASE SAVEPOINT {UNIT}; SAVEPOINT {UNIT}"
WAIT = 30.0


class Timekeeper:
    """Sets the time that the database tells a test."""

    lease_handle: Any
    schema_changed: bool
    turn: Turn
    _names: itertools.count[int]
    _renew: str

    def begin_if_new(self) -> Any:
        """Open the transaction of the test; the sandbox knows how."""
        raise TypeError(f"{type(self).__name__} must define begin_if_new()")

    def freeze(self, at: datetime) -> None:
        """Make NOW() this instant, in statements and in column defaults, until the test ends or `tick` moves it.

        Covered are now(), transaction_timestamp(), statement_timestamp(), clock_timestamp() and the keywords
        (CURRENT_TIMESTAMP, LOCALTIMESTAMP, CURRENT_DATE, CURRENT_TIME, LOCALTIME), in statements and column defaults.
        Views, and keywords inside of functions, keep the time of the server.

        Raises:
            ValueError: for a datetime without a time zone.
        """
        self._set_clock(freeze_script(at), RENEW)

    def unfreeze(self) -> None:
        """Let NOW() go on as in production: each transaction of the code under test has an instant of its own.

        Without it all statements of a test see the instant at which the test began; also
        `@pytest.mark.db(clock="live")`.
        """
        self._set_clock(live_script(), f"{RENEW}; {LIVE}")

    def _set_clock(self, script: str, renew: str) -> None:
        self.schema_changed = True
        with self.aside(undo=False) as wait:
            wait("script", script)
        self._renew = renew
        self.lease_handle.frozen = True

    def tick(self, by: timedelta) -> None:
        """Move NOW() on; it stands still afterwards."""
        if not self.lease_handle.frozen or self._renew != RENEW:
            self.freeze(datetime.now(UTC))
        with self.aside(undo=False) as wait:
            wait("script", tick_script(by))

    @contextmanager
    def aside(self, *, undo: bool = True) -> Generator[Callable[..., Any]]:
        """Statements of the harness between those of the test, from synchronous code: `wait("script", sql)`.

        They wait behind what runs on the connection. With `undo` nothing of them stays.
        """
        self.begin_if_new()
        handle = self.lease_handle.native
        name = f"data_bridge_aside_{next(self._names)}"

        def wait(step: str, *arguments: Any) -> Any:
            return handle.bridge.wait(getattr(handle, step)(*arguments), WAIT)

        if isinstance(self.turn.holder, str):
            raise TransactionBusy(f"the connection of the test is busy with {self.turn.holder}; await it first")
        wait("script", f"SAVEPOINT {name}")
        failed = True
        try:
            yield wait
            failed = False
        finally:
            if failed or undo:
                wait("rollback_to", f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            else:
                wait("script", f"RELEASE SAVEPOINT {name}")
