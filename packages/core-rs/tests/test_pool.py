"""The pool: fair, bounded, and whole after everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import ConfigurationError, ConnectError, Database, NotInitialized, PoolTimeout


@pytest.mark.fault("D1")
def test_many_tasks_share_few_connections(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        served: list[int] = []

        async def one(i: int) -> None:
            assert await db.fetch_val("SELECT $1::int FROM pg_sleep(0.001)", i) == i
            served.append(i)

        await asyncio.gather(*(one(i) for i in range(200)))
        assert len(served) == 200
        # Served in the order of asking, but for those under way at the same time.
        assert max(abs(place - i) for place, i in enumerate(served)) <= 60
        stats = db.pool_stats()
        assert (stats.size, stats.idle, stats.waiting, stats.opened) == (5, 5, 0, 5)

    run(test, max_connections=5)


def test_exhaustion_is_told_with_figures(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        async with db.transaction():
            started = time.monotonic()
            with pytest.raises(PoolTimeout) as caught:
                async with core.detached():
                    await db._pool.run(("text", "SELECT 1"), (), core.LoadPlan.affected())
            assert 0.18 < time.monotonic() - started < 5
            assert (caught.value.size, caught.value.idle) == (1, 0)
        assert await db.fetch_val("SELECT 1") == 1
        assert db.pool_stats().timeouts == 1

    run(test, max_connections=1, acquire_timeout=0.2)


def test_a_cancelled_waiter_leaves_its_place(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        async with db.transaction():
            async with core.detached():
                waiters = [asyncio.create_task(db.fetch_val("SELECT 1")) for _ in range(5)]
                await asyncio.sleep(0.02)
                for w in waiters[:4]:
                    w.cancel()
                await asyncio.sleep(0.02)
                assert db.pool_stats().waiting == 1
        assert await waiters[4] == 1
        assert db.pool_stats().idle == 1

    run(test, max_connections=1)


def test_expire_and_lifetime(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        first = await db.fetch_val("SELECT pg_backend_pid()")
        assert await db.fetch_val("SELECT pg_backend_pid()") == first
        await db.expire()
        second = await db.fetch_val("SELECT pg_backend_pid()")
        assert second != first
        await asyncio.sleep(0.6)
        assert await db.fetch_val("SELECT pg_backend_pid()") != second

    run(test, max_connections=1, max_lifetime=0.5)


def test_idle_connections_are_closed(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        await asyncio.gather(*(db.execute("SELECT pg_sleep(0.05)") for _ in range(6)))
        assert db.pool_stats().size == 6
        for _ in range(40):
            await asyncio.sleep(0.05)
            if db.pool_stats().size == 2:
                return
        raise AssertionError(db.pool_stats())

    run(test, max_connections=6, min_connections=2, idle_timeout=0.3)


def test_a_killed_connection_is_replaced(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        await db.fetch_val("SELECT 1")
        running = asyncio.create_task(db.execute("SELECT pg_sleep(20) /* victim */"))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* victim */' AND pid <> pg_backend_pid()"
        )
        with pytest.raises(core.ConnectionLost) as caught:
            await running
        assert caught.value.sqlstate == "57P01" and not caught.value.safe_to_retry
        assert time.monotonic() - started < 5
        assert await db.fetch_val("SELECT 1") == 1
        assert db.pool_stats().closed_broken == 1

    run(test, max_connections=2)


@pytest.mark.fault("D8")
async def test_closing_waits_then_cancels(postgres_dsn: str) -> None:
    db = await Database(postgres_dsn, max_connections=2).connect()
    quick = asyncio.create_task(db.fetch_val("SELECT 5 FROM pg_sleep(0.2)"))
    slow = asyncio.create_task(db.fetch_val("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.05)
    while db.pool_stats().waiting:
        await asyncio.sleep(0.01)
    started = time.monotonic()
    await db.close(timeout=0.5)
    assert await quick == 5
    with pytest.raises(core.QueryCancelled):
        await slow
    assert time.monotonic() - started < 2
    with pytest.raises(NotInitialized):
        await db.fetch_val("SELECT 1")
    await db.close()


async def test_connecting(postgres_dsn: str) -> None:
    wrong = (
        postgres_dsn.replace("postgres:", "postgres:wrong", 1)
        if "postgres:" in postgres_dsn.split("//", 1)[1]
        else postgres_dsn
    )
    with pytest.raises(ConnectError) as caught:
        await Database(wrong, password="definitely-wrong").connect()
    assert (caught.value.step, caught.value.sqlstate) == ("authentication", "28P01")
    assert "definitely-wrong" not in str(caught.value)
    with pytest.raises(ConnectError) as caught:
        await Database(postgres_dsn, database="no_such_database").connect()
    assert caught.value.sqlstate == "3D000"
    with pytest.raises(ConnectError) as caught:
        await Database("postgresql://u@127.0.0.1:1/x", connect_timeout=2).connect()
    assert (caught.value.step, caught.value.host, caught.value.port) == ("connect", "127.0.0.1", 1)
    # A host that never answers: the deadline holds.
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        started = time.monotonic()
        with pytest.raises(ConnectError) as caught:
            await Database(
                f"postgresql://u@127.0.0.1:{deaf.getsockname()[1]}/x", connect_timeout=0.3, ssl="disable"
            ).connect()
        assert caught.value.step == "deadline" and time.monotonic() - started < 5
    with pytest.raises(ConfigurationError, match="verify-full"):
        Database(postgres_dsn, ssl="verify-ca")


async def test_several_hosts(postgres_dsn: str) -> None:
    place = postgres_dsn.rpartition("@")[2].partition("/")[0]
    several = postgres_dsn.replace(place, f"127.0.0.1:1,{place}")
    async with Database(several, target_session_attrs="primary") as db:
        assert await db.fetch_val("SELECT pg_is_in_recovery()") is False
    with pytest.raises(ConnectError, match="not a standby") as caught:
        await Database(several, target_session_attrs="standby").connect()
    assert caught.value.step == "target_session_attrs"


async def test_settings_reach_the_session(postgres_dsn: str) -> None:
    async with Database(
        postgres_dsn,
        application_name="me",
        server_settings={"statement_timeout": "12345", "search_path": '"a b", public'},
    ) as db:
        assert await db.fetch_val("SHOW statement_timeout") == "12345ms"
        assert await db.fetch_val("SHOW search_path") == '"a b", public'
        assert await db.fetch_val("SHOW application_name") == "me"
        assert await db.fetch_val("SHOW timezone") == "UTC"
        assert await db.ping() < 1


async def test_small_packets_leave_at_once(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script("DROP TABLE IF EXISTS big_rows; CREATE TABLE big_rows (v text)")
        text = "x" * 20_000
        await db.execute("INSERT INTO big_rows VALUES ($1)", text)
        times = []
        for _ in range(200):
            started = time.perf_counter()
            await db.execute("INSERT INTO big_rows VALUES ($1)", text)
            times.append(time.perf_counter() - started)
        await db.execute_script("DROP TABLE big_rows")
        # A stall of Nagle's algorithm and delayed acknowledgements would be 40 ms each time.
        assert sorted(times)[100] < 0.02


def test_synchronous_code_waits_for_connections_on_their_way_back(postgres_dsn: str) -> None:
    db = Database(postgres_dsn, max_connections=4)

    async def answered() -> None:
        await asyncio.gather(*(db.execute_script("CREATE TEMP TABLE soiled (a int)") for _ in range(4)))

    loop = asyncio.new_event_loop()
    for _ in range(10):
        loop.run_until_complete(answered())
        db.settle()
        assert db.pool_stats().used == 0
    loop.run_until_complete(db.close())
    loop.close()


def test_the_least_number_is_there_when_connect_returns(run: Any) -> None:
    async def test(db: Database) -> None:
        stats = db.pool_stats()
        assert (stats.size, stats.idle, stats.opened) == (5, 5, 5)

    run(test, max_connections=8, min_connections=5)
