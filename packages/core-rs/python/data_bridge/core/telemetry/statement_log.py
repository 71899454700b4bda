"""The log of statements: each at DEBUG, slow ones at WARNING."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_bridge.core.call_site import UNKNOWN, call_site
from data_bridge.core.telemetry import SLOW, STATEMENTS
from data_bridge.core.telemetry.shown_sql import one_line
from data_bridge.core.telemetry.shown_values import shown_values
from data_bridge.core.telemetry.slow_plan import SlowPlans

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryFinished, QueryStarted

__all__ = ["StatementLog", "facts"]


def facts(event: QueryStarted, ended: QueryFinished, duration: float, site: tuple[str, int]) -> dict[str, Any]:
    """What a record carries as `record.data_bridge`, for formatters that write JSON."""
    return {
        "sql": one_line(event.sql),
        "database": event.database,
        "kind": event.kind,
        "tables": list(event.tables),
        "shape": event.shape,
        "tag": event.tag,
        "transaction": event.transaction,
        "site": None if site == UNKNOWN else f"{site[0]}:{site[1]}",
        "rows": ended.rows,
        "duration": duration,
        "queued": ended.queued,
        "wire": ended.wire,
        "decode": ended.decode,
        "sqlstate": ended.sqlstate,
        "error": None if ended.error is None else type(ended.error).__name__,
    }


class StatementLog:
    """An observer of one database that writes to `data_bridge.sql` and `data_bridge.slow`.

    Args:
        only: returns the database, or None when it is gone.
        slow: seconds from which a statement is slow; None for never.
        values: whether parameters are shown.
        plans: asks for the plans of slow statements; None for none.
    """

    def __init__(
        self,
        only: Callable[[], Any],
        *,
        slow: float | None = None,
        values: bool = False,
        plans: SlowPlans | None = None,
    ) -> None:
        self.only = only
        self.wants_values = values or plans is not None
        self._slow = slow
        self._values = values
        self._plans = plans

    def started(self, event: QueryStarted) -> tuple[QueryStarted, float]:
        """Keeps the start until the end."""
        return event, time.perf_counter()

    def finished(self, token: tuple[QueryStarted, float], event: QueryFinished) -> None:
        """Writes one line, or two for a slow statement."""
        began, at = token
        split = event.queued + event.wire + event.decode
        # What was cancelled, or failed before it was sent, has no times of its own.
        duration = split or time.perf_counter() - at
        is_slow = (
            self._slow is not None and duration >= self._slow and not isinstance(event.error, asyncio.CancelledError)
        )
        if is_slow:
            self._write(SLOW, logging.WARNING, "slow: ", began, event, duration)
        if STATEMENTS.isEnabledFor(logging.DEBUG):
            self._write(STATEMENTS, logging.DEBUG, "", began, event, duration)
        if is_slow and self._plans is not None and event.error is None:
            self._plans.request(began)

    def close(self) -> None:
        """Gives up the plans that were asked for."""
        if self._plans is not None:
            self._plans.close()

    def _write(
        self,
        logger: logging.Logger,
        level: int,
        prefix: str,
        began: QueryStarted,
        ended: QueryFinished,
        duration: float,
    ) -> None:
        if not logger.isEnabledFor(level):
            return
        outcome = f"{ended.rows} rows" if ended.error is None else type(ended.error).__name__
        if ended.sqlstate:
            outcome += f" {ended.sqlstate}"
        text = (
            f"{prefix}{1000 * duration:.1f} ms (queued {1000 * ended.queued:.1f}, wire {1000 * ended.wire:.1f}, decode "
            f"{1000 * ended.decode:.1f}), {outcome}: {one_line(began.sql)}"
        )
        if began.tag:
            text += f" [{began.tag}]"
        if self._values and began.params:
            text += f" -- {shown_values(began.params)}"
        # The coroutines that wait for the statement are on the stack at its end, too: only a line that is written pays.
        site = call_site()
        if site != UNKNOWN:
            text += f" at {site[0]}:{site[1]}"
        logger.log(level, "%s", text, extra={"data_bridge": facts(began, ended, duration, site)})
