"""Counters and histograms of a database's operations."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from data_bridge.core.telemetry.prometheus_text import Family, render

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryFinished, QueryStarted

__all__ = ["DURATIONS", "Histogram", "Metrics"]

DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, in seconds."""
_SERIES = 1000
_REST = "other"
"""The table of what comes after so many pairs of kind and table: raw SQL may name tables without end."""


class Histogram:
    """Numbers of values in the buckets of `DURATIONS`, and their sum."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(DURATIONS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Counts one value."""
        self.buckets[bisect_left(DURATIONS, seconds)] += 1
        self.total += seconds


class Metrics:
    """An observer of one database that counts its operations and writes them as Prometheus text.

    Args:
        only: returns the database, or None when it is gone.
        alias: the label `database` of every sample.
        stats: returns the numbers of its pool.
    """

    def __init__(self, only: Callable[[], Any], alias: str, stats: Callable[[], Mapping[str, Any]]) -> None:
        self.only = only
        self._alias = alias
        self._stats = stats
        # Statements of several threads end at the same time.
        self._lock = threading.Lock()
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._rows: dict[tuple[str, str], int] = {}
        self._errors: dict[tuple[str, str], int] = {}
        self._waits = Histogram()

    def started(self, event: QueryStarted) -> tuple[QueryStarted, float]:
        """Keeps the start until the end."""
        return event, time.perf_counter()

    def finished(self, token: tuple[QueryStarted, float], event: QueryFinished) -> None:
        """Counts the operation, its rows, its time and its error."""
        began, at = token
        duration = event.queued + event.wire + event.decode or time.perf_counter() - at
        series = (began.kind, began.tables[0] if began.tables else "")
        with self._lock:
            histogram = self._durations.get(series)
            if histogram is None:
                if len(self._durations) >= _SERIES:
                    series = (began.kind, _REST)
                histogram = self._durations.setdefault(series, Histogram())
            histogram.add(duration)
            if event.rows:
                self._rows[series] = self._rows.get(series, 0) + event.rows
            if event.error is not None:
                error = ((event.sqlstate or "")[:2], type(event.error).__name__)
                self._errors[error] = self._errors.get(error, 0) + 1
            if began.kind == "begin":
                self._waits.add(duration)
            elif began.transaction is None and event.wire:
                self._waits.add(event.queued)

    def text(self) -> str:
        """Everything in the text format of Prometheus."""
        with self._lock:
            families = [*self._operations(), *self._pool(self._stats())]
            return render(families)

    def _operations(self) -> list[Family]:
        by = [({**self._base(), "kind": kind, "table": table}, kind, table) for kind, table in self._durations]
        duration = Family(
            "data_bridge_operation_duration_seconds", "histogram", "Duration of operations by kind and first table."
        )
        rows = Family("data_bridge_rows_total", "counter", "Rows returned or affected, by kind and first table.")
        for labels, kind, table in by:
            found = self._durations[kind, table]
            duration.histogram(labels, DURATIONS, found.buckets, found.total)
            rows.sample(labels, self._rows.get((kind, table), 0))
        errors = Family("data_bridge_errors_total", "counter", "Errors by SQLSTATE class and exception.")
        for (sqlstate, error), count in self._errors.items():
            errors.sample({**self._base(), "sqlstate_class": sqlstate, "error": error}, count)
        waits = Family(
            "data_bridge_connection_wait_seconds",
            "histogram",
            "Wait of statements and BEGIN for a connection of the pool.",
        )
        waits.histogram(self._base(), DURATIONS, self._waits.buckets, self._waits.total)
        return [duration, rows, errors, waits]

    def _base(self) -> dict[str, str]:
        return {"database": self._alias}

    def _pool(self, stats: Mapping[str, Any]) -> list[Family]:
        connections = Family("data_bridge_pool_connections", "gauge", "Connections by state.")
        for state in ("idle", "used"):
            connections.sample({**self._base(), "state": state}, stats[state])
        families = [connections]
        for name, kind, key, text in _POOL:
            family = Family(f"data_bridge_pool_{name}", kind, text)
            family.sample(self._base(), stats[key])
            families.append(family)
        return families


_POOL = (
    ("max_connections", "gauge", "max", "Limit of connections."),
    ("waiting", "gauge", "waiting", "Callers waiting for a connection."),
    ("opened_total", "counter", "opened", "Connections opened."),
    ("closed_broken_total", "counter", "closed_broken", "Connections closed because they could not be used again."),
    ("acquires_total", "counter", "acquires", "Connections asked for."),
    ("acquire_wait_seconds_total", "counter", "acquire_wait_total", "Seconds waited for connections."),
    ("acquire_timeouts_total", "counter", "timeouts", "Callers that waited in vain."),
)
