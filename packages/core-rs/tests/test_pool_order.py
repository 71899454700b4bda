"""Who is served when, who is told that nobody will be, and what keeps the pool at its sizes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import ConnectError, Database, PoolTimeout, QueryCancelled, detached
from data_bridge.testing.proxy import proxied

AIR = 0.5
"""Seconds that a busy machine may add to what is promised."""


@pytest.mark.fault("D1")
def test_first_come_first_served(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        await asyncio.gather(*(db.execute("SELECT pg_sleep(0.05)") for _ in range(5)))  # all five are open
        served: list[int] = []
        waits: list[float] = []

        async def one(i: int) -> None:
            asked = time.monotonic()
            async with db.transaction() as tx:
                served.append(i)
                waits.append(time.monotonic() - asked)
                await tx.execute("SELECT pg_sleep(0.004)")

        started = time.monotonic()
        await asyncio.gather(*(one(i) for i in range(200)))
        whole = time.monotonic() - started
        # Five are under way at once, so neighbours overtake each other, by more where the server lets one of them wait.
        assert max(abs(place - i) for place, i in enumerate(served)) <= 30
        assert max(waits) <= whole * 1.05
        assert db.pool_stats().opened == 5

    run(test, max_connections=5)


@pytest.mark.fault("D2")
def test_exhaustion_is_told_on_time_and_with_figures(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        async with db.transaction() as tx:
            pid = await tx.fetch_val("SELECT pg_backend_pid()")
            await asyncio.sleep(0.3)
            async with detached(), db.transaction() as younger:
                await younger.execute("SELECT 1")
                async with detached():
                    waiters = [asyncio.create_task(db.fetch_val("SELECT 1")) for _ in range(2)]
                    started = time.monotonic()
                    with pytest.raises(PoolTimeout) as caught:
                        await db.fetch_val("SELECT 1")
                    assert 0.25 <= time.monotonic() - started <= 0.3 + 0.05 + AIR
                    told = caught.value
                    assert (told.size, told.idle) == (2, 0) and told.waiting <= 2
                    # Although it runs no statement, and the other was busy later.
                    assert told.oldest_holder is not None and f"server process {pid}, for 0." in told.oldest_holder
                    assert str(told).startswith("no connection became free in 0.3 s: 2 open, 0 idle, ")
                    assert told.oldest_holder in str(told)
                    for waiter in waiters:
                        with pytest.raises(PoolTimeout):
                            await waiter
        assert db.pool_stats().timeouts == 3

    run(test, max_connections=2, acquire_timeout=0.3)


@pytest.mark.fault("D3")
def test_asking_for_another_while_holding_the_only_one(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        async with asyncio.timeout(5):
            async with db.transaction() as tx:
                pid = await tx.fetch_val("SELECT pg_backend_pid()")
                with pytest.raises(PoolTimeout, match=f"1 open, 0 idle.*held longest: server process {pid}"):
                    async with core.pg_transaction(nested="independent", using=db):
                        pass
                with pytest.raises(PoolTimeout, match=f"held longest: server process {pid}"):
                    async with detached():
                        await db.fetch_val("SELECT 1")
                with pytest.raises(PoolTimeout, match=f"held longest: server process {pid}"):
                    async with detached():
                        await anext(db.stream("SELECT 1"))
                assert await tx.fetch_val("SELECT 2") == 2
            assert await db.fetch_val("SELECT 3") == 3

    run(test, max_connections=1, acquire_timeout=0.2)


@pytest.mark.fault("D4")
def test_the_minimum_is_kept(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        await asyncio.gather(*(db.execute("SELECT pg_sleep(0.05)") for _ in range(6)))
        assert db.pool_stats().size == 6
        sizes: set[int] = set()
        until = time.monotonic() + 1.6
        while time.monotonic() < until:
            await asyncio.sleep(0.05)
            if db.pool_stats().size <= 3:
                sizes.add(db.pool_stats().size)
        # Lifetimes of half a second ended more than once meanwhile, and others took the place.
        assert db.pool_stats().opened > 9
        async with asyncio.timeout(5):
            while db.pool_stats().size != 3:
                await asyncio.sleep(0.02)
        assert 3 in sizes

    run(test, max_connections=6, min_connections=3, idle_timeout=0.5, max_lifetime=0.5)


@pytest.mark.fault("D4")
async def test_the_minimum_comes_back_after_the_server_ended_some(postgres_dsn: str) -> None:
    async with Database(
        postgres_dsn, min_connections=3, max_connections=4, idle_timeout=0.5, application_name="least"
    ) as db:
        async with Database(postgres_dsn, max_connections=1) as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'least'"
            )
            async with asyncio.timeout(10):
                while await admin.fetch_val("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'least'"):
                    await asyncio.sleep(0.01)
                await asyncio.gather(*(db.fetch_val("SELECT 1") for _ in range(4)))
                while (db.pool_stats().size, db.pool_stats().used) != (3, 0):
                    await asyncio.sleep(0.02)


@pytest.mark.fault("D4")
@pytest.mark.parametrize(
    ("lifetime", "connections"), [(4, 10), pytest.param(60, 20, marks=pytest.mark.endurance)], ids=["4 s", "60 s"]
)
async def test_lifetimes_do_not_all_end_at_once(postgres_dsn: str, lifetime: int, connections: int) -> None:
    """They are spread over a tenth of the lifetime, whose twentieth parts stand for seconds here."""
    async with Database(
        postgres_dsn, max_connections=connections, max_lifetime=lifetime, application_name="spread"
    ) as db:
        await asyncio.gather(*(db.execute("SELECT pg_sleep(0.2)") for _ in range(connections)))
        pids = await processes(db)
        assert len(pids) == connections
        gone: Counter[int] = Counter()
        begun = time.monotonic()
        part = lifetime / 200
        while pids and time.monotonic() - begun < lifetime * 1.2:
            left = await processes(db)
            gone[int((time.monotonic() - begun) / part)] += len(pids - left)
            pids &= left
        assert not pids
        # No crowds: a fifth of them in one part, and another fifth when the machine looked late.
        assert max(gone.values()) <= connections * 2 // 5, gone
        assert sum(n > 0 for n in gone.values()) >= 5, gone


async def processes(db: Database) -> set[int]:
    """Those of the pool that are open and whose time is not over: an old one goes when it is asked for."""
    ask = "SELECT pg_backend_pid() FROM pg_sleep(0.004)"
    found = await asyncio.gather(*(db.fetch_val(ask) for _ in range(db.pool_stats().max)))
    return set(found)


@pytest.mark.fault("D5")
def test_expiring_during_work_fails_no_call(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        done = 0

        async def worker(k: int) -> None:
            nonlocal done
            for j in range(60):
                i = k * 100 + j
                if j % 5 == 0:
                    async with db.transaction() as tx:
                        assert await tx.fetch_val("SELECT $1::int", i) == i
                else:
                    assert await db.fetch_val("SELECT $1::int FROM pg_sleep(0.001)", i) == i
                done += 1

        async def expirer() -> None:
            while True:
                await db.expire()
                await asyncio.sleep(0.01)

        expiring = asyncio.create_task(expirer())
        await asyncio.gather(*(worker(k) for k in range(8)))
        expiring.cancel()
        stats = db.pool_stats()
        assert done == 480 and stats.size <= 4
        assert stats.opened > 8 and stats.closed_broken == 0

    run(test, max_connections=4)


@pytest.mark.fault("D7")
async def test_a_connection_in_the_making_serves_the_next(postgres_dsn: str) -> None:
    with proxied(postgres_dsn, delay=0.1) as proxy:  # connecting takes about a second
        async with asyncio.timeout(30):
            db = Database(proxy.dsn, max_connections=2, acquire_timeout=0.2, ssl="disable")
            outcomes = await asyncio.gather(*(db.fetch_val("SELECT 1") for _ in range(30)), return_exceptions=True)
            assert {type(o) for o in outcomes} == {PoolTimeout}
            # The impatient ones left two connections in the making, and no more were begun for those after them.
            for _ in range(5):
                await asyncio.gather(*(db.fetch_val("SELECT 1") for _ in range(5)), return_exceptions=True)
            while db.pool_stats().idle < 1:
                await asyncio.sleep(0.01)
            assert proxy.accepted <= 2, "a storm of connections"
            proxy.delay = 0
            assert await db.fetch_val("SELECT 2") == 2
            assert proxy.accepted <= 2 and db.pool_stats().opened <= 2
            await db.close()


@pytest.mark.fault("D7")
async def test_connections_that_fail_are_not_begun_in_a_storm() -> None:
    """Each attempt that fails serves one caller with its error; nobody begins more than the pool may have."""
    attempts = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]
    db = Database(f"postgresql://u@127.0.0.1:{port}/x", max_connections=3, ssl="disable", acquire_timeout=5)
    try:
        outcomes = await asyncio.gather(*(db.fetch_val("SELECT 1") for _ in range(20)), return_exceptions=True)
        assert {type(o) for o in outcomes} == {ConnectError}
        assert attempts <= 20 + 3
        async with asyncio.timeout(5):
            while db.pool_stats().size:
                await asyncio.sleep(0.01)
    finally:
        await db.close()
        server.close()


@pytest.mark.fault("D8")
async def test_closing_ends_what_does_not_end(postgres_dsn: str) -> None:
    """A statement is cancelled; a transaction in which nothing runs is ended too, and both are told."""
    db = await Database(postgres_dsn, max_connections=3, application_name="to be closed").connect()
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def lingerer() -> None:
        async with db.transaction() as tx:
            await tx.execute("SELECT 1")
            inside.set()
            await go_on.wait()
            await tx.execute("SELECT 2")

    slow = asyncio.create_task(db.execute("SELECT pg_sleep(30)"))
    lingering = asyncio.create_task(lingerer())
    await inside.wait()
    while db.pool_stats().waiting:
        await asyncio.sleep(0.01)
    started = time.monotonic()
    await db.close(timeout=0.2)
    assert 0.19 < time.monotonic() - started < 0.2 + 0.5 + 1 + AIR
    with pytest.raises(QueryCancelled):
        await slow
    async with Database(postgres_dsn, max_connections=1) as admin, asyncio.timeout(5):
        while await admin.fetch_val("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'to be closed'"):
            await asyncio.sleep(0.01)
    go_on.set()
    with pytest.raises((core.ConnectionLost, core.TransactionClosed)):
        await lingering
    await db.close()
    await db.close(timeout=0)
    for call in (db.fetch_val("SELECT 1"), db.ping(), db.copy_in("t", [])):
        with pytest.raises(core.NotInitialized):
            await call
    assert db.pool_stats().size == 0
