"""The Prometheus text is what its own parser reads, and its numbers are those of what ran."""

from __future__ import annotations

import asyncio
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from data_bridge import core
from data_bridge.core import Database, PoolStats, QueryFinished, QueryStarted
from data_bridge.core.telemetry.metrics import DURATIONS, Histogram, Metrics


class Samples:
    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._all = [sample for family in self.families.values() for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        found = [s.value for s in self._all if s.name == name and labels.items() <= s.labels.items()]
        assert found, f"no sample {name} {labels}"
        return sum(found)


async def test_everything_that_is_counted(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, metrics=True, max_connections=2, acquire_timeout=0.2) as db:
        await db.execute_script("DROP TABLE IF EXISTS metered; CREATE TABLE metered (a int PRIMARY KEY)")
        await db.execute("INSERT INTO metered VALUES (1), (2), (3)")
        for _ in range(5):
            await db.fetch("SELECT a FROM metered")
        with pytest.raises(core.UniqueViolation):
            await db.execute("INSERT INTO metered VALUES (1)")
        async with db.transaction():
            await db.execute("DELETE FROM metered")
        holders = [asyncio.create_task(db.fetch("SELECT pg_sleep(0.4)")) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(core.PoolTimeout):
            await db.fetch("SELECT 1")
        busy = Samples(db.metrics())
        await asyncio.gather(*holders)
        found = Samples(db.metrics())
        stats = db.pool_stats()
    duration = "data_bridge_operation_duration_seconds"
    assert found.value(f"{duration}_count", kind="select") == 8
    assert found.value(f"{duration}_bucket", kind="select", le="+Inf") == 8
    assert found.value(f"{duration}_sum", kind="select") > 0.8
    assert found.value("data_bridge_rows_total", kind="select") == 17
    assert found.value("data_bridge_rows_total", kind="insert") == 3
    assert found.value(f"{duration}_count", kind="commit") == 1
    assert found.value("data_bridge_errors_total", sqlstate_class="23", error="UniqueViolation") == 1
    assert found.value("data_bridge_errors_total", sqlstate_class="", error="PoolTimeout") == 1
    assert busy.value("data_bridge_pool_connections", state="used") == 2
    assert found.value("data_bridge_pool_acquires_total") == stats.acquires
    assert found.value("data_bridge_pool_acquire_timeouts_total") == 1
    assert found.value("data_bridge_pool_opened_total") == stats.opened
    assert found.value("data_bridge_connection_wait_seconds_count") >= 9
    assert {family.type for family in found.families.values()} == {"histogram", "counter", "gauge"}


async def test_off_until_asked_for(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        with pytest.raises(core.ConfigurationError, match="metrics=True"):
            db.metrics()
    with pytest.raises(core.ConfigurationError, match="not connected"):
        Database(postgres_dsn, metrics=True).metrics()


def test_names_of_tables_are_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_bridge.core.telemetry.metrics._SERIES", 3)
    empty = dict.fromkeys(PoolStats.__slots__, 0)
    metrics = Metrics(lambda: None, "default", lambda: empty)
    for n in range(6):
        began = QueryStarted("SELECT 1", "select", (f"t{n}",), "default", None, None)
        metrics.finished(metrics.started(began), QueryFinished(2, 0.0, 0.1, 0.0, None, None))
    found = Samples(metrics.text())
    counts = {
        t: found.value("data_bridge_operation_duration_seconds_count", table=t) for t in ("t0", "t1", "t2", "other")
    }
    assert counts == {"t0": 1, "t1": 1, "t2": 1, "other": 3}
    assert found.value("data_bridge_rows_total", table="other") == 6


async def test_labels_are_escaped(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, metrics=True, alias='a "b"\\\n') as db:
        await db.fetch_val("SELECT 1")
        assert Samples(db.metrics()).value("data_bridge_pool_max_connections", database='a "b"\\\n') == 10


def test_buckets() -> None:
    histogram = Histogram()
    for seconds in (0.0, *DURATIONS, 11.0):
        histogram.add(seconds)
    assert histogram.buckets == [2, *[1] * (len(DURATIONS) - 1), 1]


def test_counts_of_several_threads_add_up(postgres_dsn: str) -> None:
    async def main() -> str:
        async with Database(postgres_dsn, metrics=True) as db:

            def work() -> None:
                async def statements() -> None:
                    for _ in range(50):
                        await db.fetch_val("SELECT 1")

                asyncio.run(statements())

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            await asyncio.to_thread(lambda: [thread.join() for thread in threads])
            return db.metrics()

    found = Samples(asyncio.run(main()))
    assert found.value("data_bridge_operation_duration_seconds_count", kind="select") == 200
