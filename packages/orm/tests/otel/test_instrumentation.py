"""Spans and metrics of real statements, read by the exporters of the SDK."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler

from data_bridge.core.connection.observer import observers
from data_bridge.postgres import Col, Column, Database, Table, create_all, errors, run_migrations, use_database
from data_bridge.postgres.otel import instrument


class Crate(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    name: Col[str]


class Telemetry:
    def __init__(self, sampler: Sampler | None = None, **options: Any) -> None:
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider(sampler=sampler)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.instrumentation = instrument(
            tracer_provider=self.tracers, meter_provider=MeterProvider([self._reader]), **options
        )
        self.tracer = self.tracers.get_tracer("application")

    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    def span(self, name: str) -> dict[str, Any]:
        (found,) = (span for span in self.spans() if span.name == name)
        return dict(found.attributes or {})

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    made = Telemetry()
    yield made
    made.instrumentation.end()


async def test_attributes_of_a_span(isolated_db: Any, telemetry: Telemetry) -> None:
    async with Database(isolated_db.dsn) as database, use_database(database):
        await create_all(Crate)
        await Crate(name="hidden value").save()
        assert await Crate.find(Crate.name == "hidden value").all()
        host, port = database.address.hosts[0]
        namespace = database.address.database
    spans = [span for span in telemetry.spans() if span.name == "SELECT crate"]
    (span,) = spans
    assert span.kind is trace.SpanKind.CLIENT and span.end_time is not None
    attributes = dict(span.attributes or {})
    text = attributes.pop("db.query.text")
    assert attributes == {
        "db.system.name": "postgresql",
        "db.namespace": namespace,
        "db.collection.name": "crate",
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT crate",
        "db.response.returned_rows": 1,
        "server.address": host,
        "server.port": port,
    }
    assert "$1" in str(text)
    assert "hidden value" not in "".join(span.to_json() for span in telemetry.spans())


async def test_errors(isolated_db: Any, telemetry: Telemetry) -> None:
    async with Database(isolated_db.dsn) as database:
        with pytest.raises(errors.UndefinedTable):
            await database.fetch("SELECT * FROM no_such_table")
        with pytest.raises(errors.QueryTimeout):
            await database.fetch("SELECT pg_sleep(5)", timeout=0.05)
        cancelled = asyncio.create_task(database.fetch("SELECT pg_sleep(6)"))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        await asyncio.wait([cancelled])
    by_text = {str((s.attributes or {})["db.query.text"]): s for s in telemetry.spans()}
    undefined = by_text["SELECT * FROM no_such_table"]
    assert undefined.status.status_code is trace.StatusCode.ERROR and undefined.status.description == "UndefinedTable"
    found = dict(undefined.attributes or {})
    assert (found["error.type"], found["db.response.status_code"]) == ("42P01", "42P01")
    assert {(s.attributes or {}).get("error.type") for s in telemetry.spans()} == {"42P01", "57014", "CancelledError"}
    counted = {p.attributes.get("error.type"): p.count for p in telemetry.points("db.client.operation.duration")}
    assert counted == {"42P01": 1, "57014": 1, "CancelledError": 1}


async def test_the_parent_is_the_span_of_the_caller(isolated_db: Any, telemetry: Telemetry, tmp_path: Path) -> None:
    (tmp_path / "V1__boxes.sql").write_text("CREATE TABLE box (a int);\n")
    async with Database(isolated_db.dsn, max_connections=4) as database:
        with telemetry.tracer.start_as_current_span("route") as route:
            async with database.transaction(), asyncio.TaskGroup() as group:
                group.create_task(database.execute("SELECT 1 AS task"))
                await database.execute("SELECT 2 AS inside")
            async with database.stream("SELECT 3 AS streamed") as rows:
                assert [row async for row in rows]
            await run_migrations(directory=tmp_path, using=database)
            await database.copy_in("box", [(1,), (2,)])
            async with database.copy_out("SELECT a FROM box") as chunks:
                assert [chunk async for chunk in chunks]
        await database.execute("SELECT 4 AS outside")
    inside = [
        s for s in telemetry.spans() if s.parent is not None and s.parent.span_id == route.get_span_context().span_id
    ]
    names = [span.name for span in inside]
    for name in ("BEGIN", "COMMIT", "DECLARE SELECT", "FETCH", "CREATE box", "COPY box", "COPY SELECT box"):
        assert name in names, f"{name} is not in {names}"
    assert {span.context.trace_id for span in inside if span.context} == {route.get_span_context().trace_id}
    (outside,) = [
        s
        for s in telemetry.spans()
        if "outside"
        in str((s.attributes or {})["db.query.text"] if s.attributes and "db.query.text" in s.attributes else "")
    ]
    assert outside.parent is None


async def test_duration_and_pool(isolated_db: Any, telemetry: Telemetry) -> None:
    async with Database(isolated_db.dsn, alias="shop", max_connections=1) as database:
        await asyncio.gather(*(database.execute("SELECT pg_sleep(0.02)") for _ in range(3)))
        busy = asyncio.create_task(database.execute("SELECT pg_sleep(0.2)"))
        waiting = asyncio.create_task(database.execute("SELECT 1"))
        await asyncio.sleep(0.05)
        pool = {"db.client.connection.pool.name": "shop"}
        counts = {
            p.attributes["db.client.connection.state"]: p.value for p in telemetry.points("db.client.connection.count")
        }
        assert counts == {"idle": 0, "used": 1}
        for name, value in (("max", 1), ("pending_requests", 1), ("timeouts", 0)):
            assert [(p.attributes, p.value) for p in telemetry.points(f"db.client.connection.{name}")] == [
                (pool, value)
            ]
        await asyncio.gather(busy, waiting)
        durations = telemetry.points("db.client.operation.duration")
        assert sum(p.count for p in durations) == 5 and all(
            p.attributes["db.system.name"] == "postgresql" for p in durations
        )
        assert durations[0].explicit_bounds[0] == 0.001 and sum(p.sum for p in durations) > 0.26
        (wait,) = telemetry.points("db.client.connection.wait_time")
        assert wait.count == 5 and wait.attributes == pool and wait.sum > 0.1
    assert telemetry.points("db.client.connection.count") == []


async def test_samplers_and_suppression_are_respected(isolated_db: Any) -> None:
    unsampled = Telemetry(ParentBased(ALWAYS_OFF))
    try:
        async with Database(isolated_db.dsn) as database:
            await database.execute("SELECT 1")
            token = context.attach(context.set_value("suppress_instrumentation", True))
            await database.execute("SELECT 2")
            context.detach(token)
        assert unsampled.spans() == []
        assert sum(p.count for p in unsampled.points("db.client.operation.duration")) == 1, "metrics are not sampled"
    finally:
        unsampled.instrumentation.end()


async def test_without_the_text(isolated_db: Any) -> None:
    silent = Telemetry(query_text=False)
    try:
        async with Database(isolated_db.dsn) as database:
            await database.execute("SELECT 1")
        assert "db.query.text" not in silent.span("SELECT")
    finally:
        silent.instrumentation.end()


def test_its_end_leaves_nothing() -> None:
    before = list(observers)
    made = Telemetry()
    assert len(observers) == len(before) + 1
    made.instrumentation.end()
    made.instrumentation.end()
    assert observers == before


def test_nobody_else_imports_it() -> None:
    program = "import sys, data_bridge.postgres; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
