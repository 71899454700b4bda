"""The observers that the options of a database ask for: its log, its echo, its metrics and warnings for development."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from data_bridge.core._native import LoadPlan
from data_bridge.core.connection.observer import add_observer, observers
from data_bridge.core.errors import ConfigurationError, PoolTimeout
from data_bridge.core.settings.session import check_timeout
from data_bridge.core.telemetry import POOL, STATEMENTS
from data_bridge.core.uncancellable import to_the_end

if TYPE_CHECKING:
    from data_bridge.core.connection.database import Database
    from data_bridge.core.development.limits import DevelopmentLimits
    from data_bridge.core.telemetry.metrics import Metrics

__all__ = ["Watching"]

_TEXTS = LoadPlan.scalars()
_EXPLAIN_TIMEOUT = 5.0
_DEV = "DATA_BRIDGE_DEV"


class Watching:
    """Registers the observers of one database when it connects, and ends them when it is closed.

    Nothing is registered, and nothing is paid, when no option asks for it and the loggers are above DEBUG and INFO.
    """

    def __init__(
        self,
        *,
        echo: bool,
        log_values: bool,
        slow_query: float | None,
        slow_query_plan: bool,
        metrics: bool,
        dev: bool | DevelopmentLimits | None,
    ) -> None:
        check_timeout("slow_query", slow_query)
        self._echo = echo
        self._values = log_values
        self._slow = slow_query
        self._plan = slow_query_plan
        self._counts = metrics
        self._dev = os.environ.get(_DEV, "").lower() in ("1", "true", "yes", "on") if dev is None else dev
        self._made: list[Any] = []
        self._metrics: Metrics | None = None

    def start(self, database: Database) -> None:
        """Registers what the options and the levels of the loggers ask for; a second call does nothing."""
        if self._made:
            return
        logs = self._slow is not None or STATEMENTS.isEnabledFor(logging.DEBUG)
        if logs or self._echo or self._counts or self._dev is not False or POOL.isEnabledFor(logging.INFO):
            self._made = self._asked_for(database, logs=logs)
        for observer in self._made:
            add_observer(observer)
        if self._made:
            weakref.finalize(database, _end, self._made).atexit = False

    def _asked_for(self, database: Database, *, logs: bool) -> list[Any]:
        # For start-up time.
        from data_bridge.core.telemetry.echo import Echo
        from data_bridge.core.telemetry.metrics import Metrics
        from data_bridge.core.telemetry.pool_log import PoolLog
        from data_bridge.core.telemetry.slow_plan import SlowPlans
        from data_bridge.core.telemetry.statement_log import StatementLog

        # The list of observers is the process's: it must not keep a database alive.
        only = weakref.ref(database)
        made: list[Any] = []
        if logs:
            plans = SlowPlans(_reader(only), values=self._values) if self._plan else None
            made.append(StatementLog(only, slow=self._slow, values=self._values, plans=plans))
        if self._echo:
            made.append(Echo(only, values=self._values))
        if POOL.isEnabledFor(logging.INFO):
            made.append(PoolLog(only, database._pool.stats))
        if self._counts:
            self._metrics = Metrics(only, database.alias, database._pool.stats)
            made.append(self._metrics)
        if self._dev is not False:
            # For start-up time, too.
            from data_bridge.core.development.limits import DevelopmentLimits
            from data_bridge.core.development.observer import DevelopmentObserver

            limits = DevelopmentLimits() if self._dev is True else self._dev
            made.append(DevelopmentObserver(only, limits, _reader(only)))
        return made

    @property
    def metrics(self) -> Metrics:
        """What was counted.

        Raises:
            ConfigurationError: nothing is counted, because counting is off or the database never connected.
        """
        if self._metrics is None:
            raise ConfigurationError(
                "the database is not connected, so nothing has been counted"
                if self._counts
                else "metrics() needs counting from the start: open the database with init(…, metrics=True)"
            )
        return self._metrics

    def stop(self) -> None:
        """Ends the observers. A second call does nothing."""
        _end(self._made)


def _end(made: list[Any]) -> None:
    raised: Exception | None = None
    while made:
        observer = made.pop()
        with suppress(ValueError):  # taken out by hand
            observers.remove(observer)
        close = getattr(observer, "close", None)
        if close is not None:
            try:
                close()
            except Exception as e:  # the others are ended as well
                raised = e
    if raised is not None:
        raise raised


def _reader(only: Callable[[], Database | None]) -> Callable[[str, tuple[Any, ...]], Any]:
    """Runs a query on an idle connection; returns its first column."""

    async def read(sql: str, params: tuple[Any, ...]) -> list[Any]:
        database = only()
        stats = None if database is None else database.pool_stats()
        if database is None or stats is None or stats.waiting or stats.used >= stats.max:
            raise PoolTimeout("the pool has no connection to spare for a plan")
        lease = await database.taken()
        try:
            values: list[Any] = await lease.run(("text", sql), params, _TEXTS, None, _EXPLAIN_TIMEOUT)
            return values
        finally:
            await to_the_end(lease.give_back())

    return read
