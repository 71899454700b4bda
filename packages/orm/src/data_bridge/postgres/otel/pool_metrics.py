"""The connection metrics of the semantic conventions, read from the pools of registered databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation

from data_bridge.core import PoolStats, registered

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

__all__ = ["PoolMetrics"]

_POOL = "db.client.connection.pool.name"
_STATE = "db.client.connection.state"


class PoolMetrics:
    """Instruments that ask the pools when the metrics are collected.

    Databases are those that `init()` or `alias=` registered; their alias is the name of the pool.
    """

    def __init__(self, meter: Meter) -> None:
        self._is_over = False
        prefix = "db.client.connection"
        meter.create_observable_up_down_counter(
            f"{prefix}.count", [self._count], "{connection}", "Connections by state."
        )
        for name, attribute, unit, text in (
            ("max", "max", "{connection}", "The limit of connections."),
            ("pending_requests", "waiting", "{request}", "Callers waiting for a connection."),
        ):
            meter.create_observable_up_down_counter(f"{prefix}.{name}", [self._reading(attribute)], unit, text)
        meter.create_observable_counter(
            f"{prefix}.timeouts", [self._reading("timeouts")], "{timeout}", "Callers that waited in vain."
        )

    def end(self) -> None:
        """Reports nothing more."""
        self._is_over = True

    def _stats(self) -> Iterator[tuple[str, PoolStats]]:
        if not self._is_over:
            for alias, database in registered().items():
                yield alias, database.pool_stats()

    def _count(self, options: CallbackOptions) -> Iterable[Observation]:
        for alias, stats in self._stats():
            yield Observation(stats.idle, {_POOL: alias, _STATE: "idle"})
            yield Observation(stats.used, {_POOL: alias, _STATE: "used"})

    def _reading(self, attribute: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def read(options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(getattr(stats, attribute), {_POOL: alias}) for alias, stats in self._stats()]

        return read
