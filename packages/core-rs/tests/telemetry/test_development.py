"""Warnings for development: each for what it names, and silent for what only looks like it."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest

from data_bridge.core import (
    ConfigurationError,
    Database,
    DatabaseError,
    DevelopmentLimits,
    DevelopmentWarning,
    HeldConnectionWarning,
    MissingIndexWarning,
    RepeatedStatementWarning,
    UnboundedResultWarning,
)
from data_bridge.core.development import observer as module

SILENT = DevelopmentLimits(None, None, None, None, None)


@contextlib.asynccontextmanager
async def opened(dsn: str, **limits: Any) -> AsyncIterator[Database]:
    chosen = {name: getattr(SILENT, name) for name in SILENT.__slots__} | limits
    module._shown_once.clear()
    async with Database(dsn, dev=DevelopmentLimits(**chosen)) as database:
        yield database


def of(record: list[warnings.WarningMessage]) -> list[type[Warning]]:
    return [w.category for w in record if issubclass(w.category, DevelopmentWarning)]


# ------------------------------------------------------------------------------------------------------- repeated statements
async def test_a_query_in_a_loop(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, repeated=3) as database:
        with pytest.warns(RepeatedStatementWarning, match="the same query ran 4 times here.* SELECT 1") as found:
            for number in range(8):
                await database.fetch_val("SELECT 1 + $1::int", number)
        assert len(of(found.list)) == 1 and found.list[0].filename == __file__


async def test_what_is_no_loop(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, repeated=3) as database:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")

            async def request(number: int) -> None:
                await database.fetch_val("SELECT 1 + $1::int", number)

            # Many tasks at once; other lines; other statements; writes.
            await asyncio.gather(*(asyncio.create_task(request(n)) for n in range(20)))
            await database.fetch_val("SELECT 1")
            await database.fetch_val("SELECT 1")
            await database.fetch_val("SELECT 1")
            await database.fetch_val("SELECT 1")
            for number in range(8):
                await database.fetch_val(f"SELECT {number}")
            await database.execute("CREATE TABLE IF NOT EXISTS repeated (a int)")
            for number in range(8):
                await database.execute("INSERT INTO repeated VALUES ($1)", number)
            await database.execute("DROP TABLE repeated")
        assert of(found) == []


async def test_a_worker_runs_the_same_query_for_each_job(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from data_bridge.core.development import repeated

    monkeypatch.setattr(repeated, "_PAUSE", 0.05)
    async with opened(postgres_dsn, repeated=2) as database:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(6):
                await database.fetch_val("SELECT 1")
                await asyncio.sleep(0.1)
        assert of(found) == []


# ---------------------------------------------------------------------------------------------------------- unbounded results
@pytest.mark.parametrize(
    ("sql", "warned"),
    [
        ("SELECT g FROM generate_series(1, 50) g", True),
        ("WITH s AS (SELECT 1 LIMIT 1) SELECT g FROM s, generate_series(1, 50) g", True),
        ("VALUES " + ", ".join(f"({n})" for n in range(50)), True),
        ("SELECT g FROM generate_series(1, 50) g LIMIT 40", False),
        ("SELECT g FROM generate_series(1, 50) g FETCH FIRST 40 ROWS ONLY", False),
        ("SELECT g FROM generate_series(1, 20) g", False),
    ],
)
async def test_results_without_limit(postgres_dsn: str, sql: str, warned: bool) -> None:
    async with opened(postgres_dsn, rows=30) as database:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            await database.fetch(sql)
            async with database.stream("SELECT g FROM generate_series(1, 100) g", batch=50) as rows:
                assert len([row async for row in rows]) == 100
        assert of(found) == ([UnboundedResultWarning] if warned else [])


# ----------------------------------------------------------------------------------------------------------- missing indexes
@pytest.fixture
async def orders(postgres_dsn: str) -> AsyncIterator[str]:
    async with Database(postgres_dsn) as database:
        await database.execute_script(
            "DROP TABLE IF EXISTS dev_orders, dev_countries;"
            "CREATE TABLE dev_orders (id int PRIMARY KEY, customer int, note text);"
            "INSERT INTO dev_orders SELECT g, g / 10, 'secret' FROM generate_series(1, 5000) g;"
            "CREATE TABLE dev_countries (id int PRIMARY KEY, name text); INSERT INTO dev_countries VALUES (1, 'a'), (2, 'b');"
        )
        await database.execute("ANALYZE dev_orders, dev_countries")
        yield postgres_dsn
        await database.execute("DROP TABLE dev_orders, dev_countries")


UNINDEXED = {
    "filter": ("SELECT id FROM dev_orders WHERE customer = $1", (5,), "the condition .*customer"),
    "order": ("SELECT id FROM dev_orders ORDER BY customer LIMIT 3", (), "the order .*customer"),
    "filter with a constant": ("SELECT id FROM dev_orders WHERE note = 'secret 4111'", (), "the condition"),
    "in a join": (
        "SELECT o.id FROM dev_countries c JOIN dev_orders o ON o.customer = c.id WHERE o.note = $1",
        ("x",),
        "the condition",
    ),
    "by the key": ("SELECT id FROM dev_orders WHERE id = $1", (5,), None),
    "order by the key": ("SELECT id FROM dev_orders ORDER BY id LIMIT 3", (), None),
    "all rows": ("SELECT id FROM dev_orders", (), None),
    "order of all rows": ("SELECT id FROM dev_orders ORDER BY customer", (), None),
    "most rows": ("SELECT id FROM dev_orders WHERE customer > $1", (5,), None),
    "small table": ("SELECT id FROM dev_countries WHERE name = $1", ("a",), None),
}


@pytest.mark.parametrize("case", UNINDEXED)
async def test_queries_that_no_index_serves(orders: str, case: str) -> None:
    sql, params, message = UNINDEXED[case]
    async with opened(orders, scanned_rows=1000) as database:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(2):
                await database.fetch(sql, *params)
                await explained()
        assert of(found) == ([] if message is None else [MissingIndexWarning])
        if message is not None:
            text = str(found[0].message)
            assert "5000 rows of public.dev_orders" in text and "4111" not in text, text
            assert found[0].filename == __file__


async def explained() -> None:
    """Waits until no EXPLAIN runs."""
    from data_bridge.core import observers

    for observer in observers:
        if isinstance(observer, module.DevelopmentObserver) and observer._unindexed is not None:
            running = list(observer._unindexed._running)
            await asyncio.gather(*running, return_exceptions=True)


# ------------------------------------------------------------------------------------------------------------- transactions
async def test_a_transaction_that_waits_for_something_else(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, idle_seconds=0.1) as database:
        with pytest.warns(
            HeldConnectionWarning, match=r"held its connection for 0\.\d\d s without a statement"
        ) as found:
            async with database.transaction() as tx:
                await tx.execute("SELECT 1")
                await asyncio.sleep(0.2)
                await tx.execute("SELECT 1")
                await asyncio.sleep(0.2)  # once for each transaction
        assert len(of(found.list)) == 1 and found.list[0].filename == __file__
        with warnings.catch_warnings(record=True) as silent:
            warnings.simplefilter("always")
            async with database.transaction() as tx:
                await tx.execute("SELECT pg_sleep(0.2)")
                async with tx.savepoint():
                    await tx.execute("SELECT pg_sleep(0.2)")
            await asyncio.sleep(0.2)
            await database.execute("SELECT 1")
        assert of(silent) == []


async def test_a_long_transaction(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, transaction_seconds=0.1) as database:
        with pytest.warns(HeldConnectionWarning, match=r"a transaction was open for 0\.\d\d s"):
            async with database.transaction() as tx:
                await tx.execute("SELECT pg_sleep(0.2)")
        with warnings.catch_warnings(record=True) as silent:
            warnings.simplefilter("always")
            async with database.transaction():
                await database.execute("SELECT 1")
        assert of(silent) == []


# ------------------------------------------------------------------------------------------------------------ as errors
async def test_each_can_be_an_error(orders: str) -> None:
    module._shown_once.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DevelopmentWarning)
        async with opened(orders, repeated=1, rows=5, idle_seconds=0.05, transaction_seconds=0.1) as database:
            with pytest.raises(RepeatedStatementWarning):
                for _ in range(3):
                    await database.fetch_val("SELECT 1")
            with pytest.raises(UnboundedResultWarning):
                await database.fetch("SELECT g FROM generate_series(1, 9) g")
            with pytest.raises(HeldConnectionWarning):
                async with database.transaction() as tx:
                    await tx.execute("SELECT 1")
                    await asyncio.sleep(0.15)
                    await tx.execute("SELECT 2")
            # The pool is whole, and a statement after that says nothing.
            assert database.pool_stats().used == 0 and await database.fetch_val("SELECT 3") == 3
        # What EXPLAIN finds is raised by the next statement, or by close().
        with pytest.raises(MissingIndexWarning):
            async with opened(orders, scanned_rows=1000) as database:
                await database.fetch("SELECT id FROM dev_orders WHERE customer = 5")
                await explained()
                await database.fetch_val("SELECT 1")
        with pytest.raises(MissingIndexWarning):
            async with opened(orders, scanned_rows=1000) as database:
                await database.fetch("SELECT id FROM dev_orders WHERE customer = 6")
                await explained()


async def test_errors_of_the_server_stay(postgres_dsn: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DevelopmentWarning)
        async with opened(postgres_dsn, repeated=1, scanned_rows=0) as database:
            for _ in range(4):
                with pytest.raises(DatabaseError):
                    await database.fetch("SELECT nothing FROM nowhere")


async def test_the_environment_switches_it_on(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from data_bridge.core import observers

    def watching() -> int:
        return sum(isinstance(o, module.DevelopmentObserver) for o in observers)

    for value, expected in [("1", 1), ("true", 1), ("0", 0), ("", 0)]:
        monkeypatch.setenv("DATA_BRIDGE_DEV", value)
        async with Database(postgres_dsn):
            assert watching() == expected
        async with Database(postgres_dsn, dev=False):
            assert watching() == 0
        assert watching() == 0


def test_limits_are_checked() -> None:
    with pytest.raises(ConfigurationError, match=r"DevelopmentLimits\(rows=-1\)"):
        DevelopmentLimits(rows=-1)
