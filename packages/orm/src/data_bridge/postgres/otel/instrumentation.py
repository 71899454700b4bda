"""An observer that makes spans and metrics by the stable semantic conventions for databases."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import context, metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from data_bridge.core import QueryFinished, QueryStarted, add_observer, remove_observer
from data_bridge.postgres.otel.pool_metrics import PoolMetrics
from data_bridge.postgres.otel.summary import Summary, parameterized, summary_of

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["Instrumentation", "instrument"]

_NAME = "data_bridge"
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""What the conventions advise for db.client.operation.duration."""
_PORT = 5432
_QUERIES = frozenset({"select", "with", "values", "table", "fetch"})


@dataclass(slots=True)
class _Running:
    event: QueryStarted
    summary: Summary
    attributes: dict[str, Any]
    span: Span
    at: float


class Instrumentation:
    """Spans and metrics of every statement of the process, until `end()`.

    A span is a child of the span that is current where the statement starts, inside transactions, streams and COPY, too.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None, *, query_text: bool
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._query_text = query_text
        self._duration = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._wait = meter.create_histogram(
            "db.client.connection.wait_time",
            unit="s",
            description="The time it took to obtain an open connection from the pool.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._pool = PoolMetrics(meter)
        self._is_registered = True
        add_observer(self)

    def end(self) -> None:
        """Makes no more spans and metrics. A second call does nothing."""
        if self._is_registered:
            self._is_registered = False
            self._pool.end()
            remove_observer(self)

    def started(self, event: QueryStarted) -> _Running | None:
        """Starts a span."""
        if context.get_value("suppress_instrumentation"):
            return None
        summary = summary_of(event.sql)
        attributes = _attributes(event, summary)
        span = self._tracer.start_span(summary.text or event.kind.upper(), kind=SpanKind.CLIENT, attributes=attributes)
        if span.is_recording() and self._query_text:
            span.set_attribute("db.query.text", parameterized(event.sql))
        return _Running(event, summary, attributes, span, time.perf_counter())

    def finished(self, token: _Running | None, event: QueryFinished) -> None:
        """Ends the span and records the durations."""
        if token is None:
            return
        attributes, span = token.attributes, token.span
        if event.error is not None:
            attributes["error.type"] = event.sqlstate or type(event.error).__qualname__
            if event.sqlstate:
                attributes["db.response.status_code"] = event.sqlstate
        if span.is_recording():
            if token.event.kind in _QUERIES:
                span.set_attribute("db.response.returned_rows", event.rows)
            if event.error is not None:
                span.set_attributes(attributes)
                # Without the message, which the conventions leave to the application.
                span.set_status(Status(StatusCode.ERROR, type(event.error).__name__))
        within = trace.set_span_in_context(span)
        self._duration.record(time.perf_counter() - token.at, attributes, within)
        if token.event.transaction is None and event.wire and token.event.kind not in ("copy", "listen"):
            self._wait.record(event.queued, {"db.client.connection.pool.name": token.event.database}, within)
        span.end()


def _attributes(event: QueryStarted, summary: Summary) -> dict[str, Any]:
    attributes: dict[str, Any] = {"db.system.name": "postgresql"}
    tables = event.tables or summary.tables
    if len(tables) == 1:
        attributes["db.collection.name"] = tables[0]
    if summary.operation:
        attributes["db.operation.name"] = summary.operation
        attributes["db.query.summary"] = summary.text
    if event.namespace is not None:
        attributes["db.namespace"] = event.namespace
    if event.server is not None:
        attributes["server.address"], port = event.server
        if port != _PORT:
            attributes["server.port"] = port
    return attributes


def instrument(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    query_text: bool = True,
) -> Instrumentation:
    """Makes a span of every statement, and records its duration and the state of the pools.

    Call it once for the process. Samplers of the SDK are respected, and what runs with instrumentation suppressed makes no
    span and no metric.

    Args:
        tracer_provider: where spans go; None for the global provider.
        meter_provider: where metrics go; None for the global provider.
        query_text: whether spans have `db.query.text`. Parameters are never part of it, and constants of statements without
            parameters are replaced with `?`.

    Returns:
        what `end()` ends.

    >>> from data_bridge.postgres.otel import instrument
    >>> instrumentation = instrument(query_text=False)
    >>> instrumentation.end()
    """
    return Instrumentation(tracer_provider, meter_provider, query_text=query_text)
