"""A network that delays, resets and falls silent; a server that goes away."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from data_bridge.core import ConnectError, ConnectionLost, Database, DataBridgeError, QueryTimeout
from data_bridge.testing.proxy import proxied

from .conftest import whole


async def test_a_reset_at_each_of_many_places(postgres_dsn: str) -> None:
    """The connection is reset after n bytes from the server: an error or the right answer, never a wrong row, never a hang."""
    with proxied(postgres_dsn) as proxy:
        for cut in range(0, 3000, 25):
            proxy.cut_after = cut
            try:
                async with asyncio.timeout(10):
                    db = Database(proxy.dsn, max_connections=1, connect_timeout=3, ssl="disable")
                    try:
                        await db.connect()
                        assert await db.fetch_val("SELECT $1::int", cut) == cut
                        rows = await db.fetch("SELECT g FROM generate_series(1, 50) g", as_=tuple)
                        assert rows == [(g,) for g in range(1, 51)]
                        async with db.transaction() as tx:
                            assert await tx.fetch_val("SELECT 5") == 5
                    finally:
                        await db.close(timeout=1)
            except (DataBridgeError, ConnectionError):
                pass


async def test_connections_that_fell_silent(postgres_dsn: str) -> None:
    with proxied(postgres_dsn) as proxy:
        db = await Database(proxy.dsn, max_connections=2, connect_timeout=1, ssl="disable").connect()
        proxy.silent = True
        started = time.monotonic()
        with pytest.raises(QueryTimeout):
            await db.execute("SELECT 1", timeout=0.3)
        assert time.monotonic() - started < 5
        proxy.silent = False
        proxy.cut()
        async with asyncio.timeout(10):
            for _ in range(20):
                try:
                    assert await db.fetch_val("SELECT 1") == 1
                    break
                except (ConnectionLost, ConnectError):
                    await asyncio.sleep(0.1)
            else:
                raise AssertionError("the pool did not recover")
        await db.close(timeout=1)


async def test_a_slow_network_changes_no_answer(postgres_dsn: str) -> None:
    with proxied(postgres_dsn) as proxy:
        async with Database(proxy.dsn, max_connections=2, ssl="disable") as db:
            proxy.delay = 0.02
            assert await db.fetch("SELECT g FROM generate_series(1, 3000) g", as_=tuple) == [
                (g,) for g in range(1, 3001)
            ]
            task = asyncio.create_task(db.execute("SELECT pg_sleep(20)"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await db.fetch_val("SELECT 6") == 6
            proxy.delay = 0
            await whole(db)


async def test_one_round_trip_for_a_known_statement(postgres_dsn: str) -> None:
    """Counted by what it takes over a line that holds every piece of data up."""
    with proxied(postgres_dsn) as proxy:
        async with Database(proxy.dsn, max_connections=1, ssl="disable") as db:
            for _ in range(2):
                await db.fetch_val("SELECT $1::int", 1)
            proxy.delay = 0.1
            started = time.monotonic()
            await db.fetch_val("SELECT $1::int", 2)
            one = time.monotonic() - started
            assert 0.19 < one < 0.39, f"{one:.2f} s are not one round trip of 0.2 s"
            started = time.monotonic()
            async with db.transaction() as tx:
                await tx.fetch_val("SELECT $1::int", 3)
            assert 0.55 < time.monotonic() - started < 0.79, "BEGIN, statement, COMMIT are three"
            proxy.delay = 0


async def test_restarts_during_work(own_server: Any) -> None:
    db = await Database(own_server.dsn, max_connections=5, connect_timeout=5).connect()
    await db.execute_script("CREATE TABLE done (n int)")
    outcomes: list[str] = []

    async def worker(k: int) -> None:
        for j in range(40):
            try:
                await db.execute("INSERT INTO done VALUES ($1)", k * 1000 + j)
                outcomes.append("ok")
            except (ConnectionLost, ConnectError, DataBridgeError) as e:
                outcomes.append(type(e).__name__)
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.005)

    async def restarts() -> None:
        for mode in ("immediate", "fast"):
            await asyncio.sleep(0.05)
            await asyncio.to_thread(own_server.restart, mode)

    async with asyncio.timeout(60):
        await asyncio.gather(restarts(), *(worker(k) for k in range(5)))
    # Nothing was executed twice: writes are never repeated on their own.
    assert await db.fetch_val("SELECT count(*) - count(DISTINCT n) FROM done") == 0
    assert await db.fetch_val("SELECT count(*) FROM done") >= outcomes.count("ok")
    assert outcomes.count("ok") > 50
    await whole(db)
    await db.close()


async def test_too_many_clients_is_waited_for(own_server: Any) -> None:
    own_server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")  # a superuser would be given a reserved place
    dsn = re.sub("//[^@]*@", "//guest:guest@", own_server.dsn)
    while own_server.run("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") != [("1",)]:
        await asyncio.sleep(0.05)  # those of earlier tests are still going
    with own_server.few_connections(2):
        holders = [await Database(dsn, max_connections=1).connect() for _ in range(2)]
        waiting = Database(dsn, max_connections=1, connect_timeout=5)
        task = asyncio.create_task(waiting.connect())
        await asyncio.sleep(0.3)
        assert not task.done()
        await holders[0].close()
        await task
        assert await waiting.fetch_val("SELECT 1") == 1
        for db in (waiting, *holders):
            await db.close()
