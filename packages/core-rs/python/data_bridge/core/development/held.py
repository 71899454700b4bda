"""Transactions that hold a connection for long, or without using it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from data_bridge.core.call_site import UNKNOWN
from data_bridge.core.development.categories import HeldConnectionWarning, Report

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryStarted
    from data_bridge.core.development.limits import DevelopmentLimits

__all__ = ["HeldConnections"]

_KEPT = 10_000


class _Open:
    """A transaction that has begun."""

    __slots__ = ("began", "is_reported", "last", "last_site", "running", "site")

    def __init__(self, now: float, site: tuple[str, int] | None) -> None:
        self.began = self.last = now
        self.site = self.last_site = site
        self.running = 0
        self.is_reported = False


class HeldConnections:
    """Measures transactions from BEGIN to COMMIT, and the time between their statements."""

    def __init__(self, limits: DevelopmentLimits, report: Report) -> None:
        self._limits = limits
        self._report = report
        self._open: dict[int, _Open] = {}

    def started(self, event: QueryStarted) -> None:
        """Looks at the time since the statement before."""
        number, now = event.transaction, time.monotonic()
        if number is None:
            return
        known = self._open.get(number)
        if known is None:  # BEGIN, or the first statement in the sandbox of a test, where BEGIN is not reported
            if len(self._open) >= _KEPT:  # transactions whose end was not reported
                self._open.clear()
            known = self._open[number] = _Open(now, event.site)
        known.running += 1
        idle, limit = now - known.last, self._limits.idle_seconds
        if known.running == 1 and limit is not None and idle > limit and not known.is_reported:
            known.is_reported = True
            self._report(
                HeldConnectionWarning,
                f"the transaction begun at {_shown(known.site)} held its connection for {idle:.2f} s without a statement, "
                f"between {_shown(known.last_site)} and {_shown(event.site)}: do what does not need the database before or "
                "after the block",
                known.last_site,
            )

    def ended(self, event: QueryStarted) -> None:
        """Keeps when the statement ended; at the end of the transaction, looks at how long it was open."""
        known = None if event.transaction is None else self._open.get(event.transaction)
        if known is None or event.transaction is None:
            return
        known.running -= 1
        known.last, known.last_site = time.monotonic(), event.site
        if event.sql not in ("COMMIT", "ROLLBACK"):
            return
        del self._open[event.transaction]
        seconds, limit = known.last - known.began, self._limits.transaction_seconds
        if limit is not None and seconds > limit:
            self._report(
                HeldConnectionWarning,
                f"a transaction was open for {seconds:.2f} s: its locks and its connection are held, and VACUUM waits; make "
                "several short ones",
                known.site,
            )


def _shown(site: tuple[str, int] | None) -> str:
    return "an unknown line" if site is None or site == UNKNOWN else f"{site[0]}:{site[1]}"
