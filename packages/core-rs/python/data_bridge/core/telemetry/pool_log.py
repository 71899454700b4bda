"""The log of connections: waits for one, losses, time-outs and cancelled statements."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import ConnectionLost, PoolTimeout, QueryCancelled, QueryTimeout
from data_bridge.core.telemetry import POOL
from data_bridge.core.telemetry.shown_sql import one_line

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryFinished, QueryStarted

__all__ = ["POOL", "PoolLog"]

_WAIT = 0.1
"""Seconds of waiting for a connection from which a line is written."""
_LOOK = 0.1
"""Seconds between two looks at the numbers of the pool."""


class PoolLog:
    """An observer of one database that writes to `data_bridge.pool`.

    Args:
        only: returns the database, or None when it is gone.
        stats: returns the numbers of its pool.
    """

    def __init__(self, only: Callable[[], Any], stats: Callable[[], Mapping[str, Any]]) -> None:
        self.only = only
        self._stats = stats
        self._known = stats()
        self._next = 0.0

    def started(self, event: QueryStarted) -> tuple[QueryStarted, float]:
        """Keeps the start until the end."""
        return event, time.perf_counter()

    def finished(self, token: tuple[QueryStarted, float], event: QueryFinished) -> None:
        """Writes what happened to the connection of the statement."""
        began, at = token
        if event.error is not None:
            self._failed(began, event.error, time.perf_counter() - at)
        elif event.queued >= _WAIT and began.transaction is None:
            POOL.info("waited %.3f s for a connection of %r: %s", event.queued, began.database, one_line(began.sql, 80))
        now = time.monotonic()
        if event.error is not None or now >= self._next:
            self._next = now + _LOOK
            self._compare(began.database)

    def _failed(self, began: QueryStarted, error: BaseException, duration: float) -> None:
        sql = one_line(began.sql, 80)
        if isinstance(error, PoolTimeout):
            POOL.warning("no connection of %r within %.3f s: %s", began.database, duration, sql)
        elif isinstance(error, ConnectionLost):
            POOL.warning("%r lost the connection after %.3f s: %s", began.database, duration, sql)
        elif isinstance(error, QueryTimeout):
            POOL.warning("%r timed out after %.3f s: %s", began.database, duration, sql)
        elif isinstance(error, QueryCancelled | asyncio.CancelledError):
            POOL.info("%r was cancelled after %.3f s: %s", began.database, duration, sql)

    def _compare(self, database: str) -> None:
        known, self._known = self._known, self._stats()
        now = self._known
        broken, opened = now["closed_broken"] - known["closed_broken"], now["opened"] - known["opened"]
        if broken:
            POOL.warning("%r closed %d connections that could not be used again", database, broken)
        if opened:
            POOL.info("%r opened %d connections: %d of %d", database, opened, now["size"], now["max"])
