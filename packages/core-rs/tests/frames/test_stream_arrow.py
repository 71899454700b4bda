"""stream_arrow(): batches of bounded size that keep the columns of the query, and leave the pool whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa
import pytest

from data_bridge.core import (
    ConfigurationError,
    Database,
    DecodeError,
    QueryCancelled,
    QueryTimeout,
    add_observer,
    remove_observer,
)

Run = Callable[..., Any]
QUERY = "SELECT n, (n % 7)::text AS t, n::numeric AS d FROM generate_series(1, $1::int) n"


def test_batches_hold_every_row_in_order(run: Run) -> None:
    async def main(db: Database) -> None:
        for size, batch, expected in [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 100, [3]), (0, 4, [0])]:
            tables = [t.to_pyarrow() async for t in db.stream_arrow(QUERY, size, batch=batch)]
            assert [len(t) for t in tables] == expected
            assert pa.concat_tables(tables)["n"].to_pylist() == list(range(1, size + 1))
            assert {str(t.schema) for t in tables} == {str(tables[0].schema)}
        stats = db.pool_stats()
        assert (stats.used, stats.size) == (0, 1)

    run(main)


def test_columns_are_those_of_the_table(run: Run) -> None:
    async def main(db: Database) -> None:
        async with db.transaction() as tx:
            await tx.execute_script(
                "CREATE TABLE priced (price numeric(10, 2), free numeric); INSERT INTO priced VALUES (1, 2)"
            )
            whole = (await tx.fetch_arrow("SELECT * FROM priced", numeric="float")).to_pyarrow()
            for condition, rows in [("true", 1), ("false", 0)]:
                query = f"SELECT * FROM priced WHERE {condition}"
                async with tx.stream_arrow(query, numeric="float") as batches:
                    tables = [t.to_pyarrow() async for t in batches]
                assert [(len(t), t.schema) for t in tables] == [(rows, whole.schema)]
            assert whole.schema.types == [pa.decimal128(10, 2), pa.float64()]
            tx.set_rollback_only()

    run(main)


def test_what_is_no_query_is_refused(run: Run) -> None:
    async def main(db: Database) -> None:
        with pytest.raises(ConfigurationError, match=r"stream_arrow\(\) takes a query, not INSERT"):
            await anext(aiter(db.stream_arrow("INSERT INTO nowhere VALUES (1)")))
        with pytest.raises(ConfigurationError, match="batch=0"):
            db.stream_arrow("SELECT 1", batch=0)
        with pytest.raises(DecodeError, match=r"p \(point\): Arrow has no type"):
            await anext(aiter(db.stream_arrow("SELECT point(1, 2) AS p")))
        assert db.pool_stats().used == 0

    run(main)


async def cancelled(db: Database) -> None:
    stream = db.stream_arrow(
        "SELECT n, pg_sleep(CASE WHEN n > 3 THEN 10 ELSE 0 END) IS NULL AS s FROM generate_series(1, 9) n", batch=3
    )
    assert len(await anext(stream)) == 3
    step = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    with pytest.raises(QueryCancelled):
        await anext(stream)


async def left(db: Database) -> None:
    async with db.stream_arrow(QUERY, 1_000, batch=10) as batches:
        async for _ in batches:
            break


async def failed(db: Database) -> None:
    stream = db.stream_arrow("SELECT 1 / (500 - n) AS q FROM generate_series(1, 1000) n", batch=100)
    with pytest.raises(Exception, match="division by zero"):
        async for _ in stream:
            pass


async def misfit(db: Database) -> None:
    query = (
        "SELECT CASE WHEN n = 500 THEN 'infinity' ELSE '2024-01-01' END::date AS day FROM generate_series(1, 1000) n"
    )
    with pytest.raises(DecodeError, match=r"^day \(date\): an infinite date"):
        async for _ in db.stream_arrow(query, batch=100):
            pass
    with pytest.raises(DecodeError, match=r"^day \(date\): an infinite date"):
        await db.fetch_arrow(query)


async def late(db: Database) -> None:
    with pytest.raises(QueryTimeout):
        await db.fetch_arrow("SELECT n, pg_sleep(0.01) IS NULL AS s FROM generate_series(1, 1000) n", timeout=0.05)


async def cancelled_fetch(db: Database) -> None:
    fetch = asyncio.ensure_future(db.fetch_arrow("SELECT n, n::text AS t FROM generate_series(1, 3000000) n"))
    await asyncio.sleep(0.05)
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch


@pytest.mark.parametrize("how", [cancelled, left, failed, misfit, late, cancelled_fetch], ids=lambda f: f.__name__)
def test_the_pool_stays_whole(run: Run, how: Callable[[Database], Awaitable[None]]) -> None:
    async def main(db: Database) -> None:
        for _ in range(3):
            async with asyncio.timeout(10):
                await how(db)
            assert await asyncio.gather(*(db.fetch_val("SELECT $1::int", n) for n in range(4))) == [0, 1, 2, 3]
        deadline = asyncio.get_running_loop().time() + 5
        while db.pool_stats().used and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        assert db.pool_stats().used == 0
        assert await db.fetch_val("SELECT count(*) FROM pg_cursors WHERE name LIKE 'data_bridge%'") == 0

    run(main, max_connections=2)


def test_observers_hear_of_it(run: Run) -> None:
    async def main(db: Database) -> None:
        heard: list[tuple[str, int]] = []

        class Ear:
            def started(self, event: Any) -> Any:
                return event

            def finished(self, token: Any, event: Any) -> None:
                heard.append((token.kind, event.rows))

        ear = Ear()
        add_observer(ear)
        try:
            await db.fetch_arrow(QUERY, 600)
            async with db.stream_arrow(QUERY, 5, batch=3) as batches:
                assert [len(b) async for b in batches] == [3, 2]
        finally:
            remove_observer(ear)
        assert heard == [("select", 600), ("begin", 0), ("declare", 0), ("fetch", 3), ("fetch", 2), ("rollback", 0)]

    run(main)
