"""Queries that read a large table as a whole because no index serves them: told by their plans."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any

from data_bridge.core.development.categories import MissingIndexWarning, Report
from data_bridge.core.errors import DataBridgeError
from data_bridge.core.telemetry.shown_sql import without_constants
from data_bridge.core.telemetry.slow_plan import is_read_only

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryStarted

__all__ = ["UnindexedQueries"]

_KEPT = 10_000
_FEW = 0.1
"""A condition that keeps more than this part of the rows is not helped by an index."""
_SIZE = """
    SELECT pg_catalog.to_json(reltuples) FROM pg_catalog.pg_class
    WHERE oid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text))
"""

Read = Callable[[str, tuple[Any, ...]], Awaitable[list[Any]]]


class UnindexedQueries:
    """Explains each query once, on another connection, after it has run.

    The plan knows neither temporary tables of the transaction nor what is not committed.
    """

    def __init__(self, limit: int, report: Report, read: Read) -> None:
        self._limit = limit
        self._report = report
        self._read = read
        self._seen: set[int] = set()
        self._running: set[asyncio.Task[None]] = set()

    def ended(self, event: QueryStarted) -> None:
        """Starts EXPLAIN for a query that was not explained before. Does not wait."""
        if event.shape in self._seen or self._running or event.params is None:
            return
        if not event.tables and event.kind == "select" and "FROM" not in event.sql.upper():
            return
        if not is_read_only(event.kind, event.sql):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # blocking code, whose loop does not go on after the statement
            return
        if len(self._seen) >= _KEPT:
            self._seen.clear()
        self._seen.add(event.shape)
        task = loop.create_task(self._explain(event, event.params), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def close(self) -> None:
        """Cancels the EXPLAIN that runs."""
        for task in self._running:
            task.get_loop().call_soon_threadsafe(task.cancel)

    async def _explain(self, event: QueryStarted, params: tuple[Any, ...]) -> None:
        try:
            plans = await self._read(f"EXPLAIN (FORMAT JSON, VERBOSE) {event.sql}", params)
            for scan, why, is_filter in _scans(plans[0][0]["Plan"], is_ordered=False):
                sizes = await self._read(_SIZE, (scan.get("Schema", ""), scan["Relation Name"]))
                size = sizes[0] if sizes else 0
                if size <= self._limit or (is_filter and scan["Plan Rows"] > size * _FEW):
                    continue
                self._report(MissingIndexWarning, _message(scan, why, int(size), is_filter=is_filter), event.site)
        except DataBridgeError:
            # A table that is not committed yet, or a pool without a free connection: another statement may be explained.
            self._seen.discard(event.shape)


def _message(scan: dict[str, Any], why: str, size: int, *, is_filter: bool) -> str:
    table = f"{scan.get('Schema', 'public')}.{scan['Relation Name']}"
    what = "the condition" if is_filter else "the order"
    return (
        f"a query reads all {size} rows of {table} (sequential scan), as no index serves {what} {why}: add an Index for its "
        "columns to Settings.indexes"
    )


def _scans(node: dict[str, Any], *, is_ordered: bool) -> Iterator[tuple[dict[str, Any], str, bool]]:
    """The sequential scans of a plan, each with its condition, or with the order of a query with LIMIT."""
    kind = node["Node Type"]
    below: list[dict[str, Any]] = node.get("Plans", [])
    if kind == "Seq Scan" and "Relation Name" in node and node.get("Filter"):
        yield node, without_constants(node["Filter"]), True
    for child in below:
        if kind == "Sort" and is_ordered and child["Node Type"] == "Seq Scan" and not child.get("Filter"):
            yield child, without_constants(", ".join(node["Sort Key"])), False
        yield from _scans(child, is_ordered=kind == "Limit" or (is_ordered and kind in _PASSING))


_PASSING = frozenset({"Gather", "Gather Merge", "Result", "Subquery Scan"})
