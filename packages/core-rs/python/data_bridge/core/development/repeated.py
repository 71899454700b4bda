"""The same statement again and again in one task: N+1."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from data_bridge.core.development.categories import RepeatedStatementWarning, Report
from data_bridge.core.telemetry.shown_sql import one_line

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryStarted

__all__ = ["RepeatedStatements"]

_PAUSE = 1.0
"""Seconds after which a statement is not the continuation of the one before: a worker runs the same one for each job."""


class RepeatedStatements:
    """Counts the queries of each task by their line and shape."""

    def __init__(self, limit: int, report: Report) -> None:
        self._limit = limit
        self._report = report
        self._tasks: WeakKeyDictionary[Any, dict[Any, list[float]]] = WeakKeyDictionary()

    def ended(self, event: QueryStarted) -> None:
        """Counts a query that has ended without an error."""
        if event.kind != "select":
            return
        link = event.link
        task = _task() if link is None else link.task
        if task is None:
            return
        site = event.site if link is None else link.site
        counts = self._tasks.setdefault(task, {})
        key = (site, event.shape if link is None else link.label)
        now = time.monotonic()
        known = counts.get(key)
        if known is None or now - known[1] > _PAUSE:
            counts[key] = [1, now]
            return
        known[0] += 1
        known[1] = now
        if known[0] == self._limit + 1:
            self._report(RepeatedStatementWarning, self._message(event), site)

    def _message(self, event: QueryStarted) -> str:
        times = self._limit + 1
        if event.link is not None:
            label = event.link.label
            return (
                f"{label} was loaded {times} times, by one query for each row: add fetch_links({label}) to the query that "
                "finds the rows"
            )
        return (
            f"the same query ran {times} times here: find the rows by one query, with in_(), get_many() or fetch_links(). "
            f"SQL: {one_line(event.sql, 200)}"
        )


def _task() -> Any:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
