"""on_connect and on_checkout."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from data_bridge.core import (
    CommitUnknown,
    ConnectionLost,
    Database,
    PoolTimeout,
    SyntaxOrAccessError,
    begin_transaction,
    detached,
)


async def test_every_connection_is_greeted_once(postgres_dsn: str) -> None:
    greeted: list[int] = []
    used: list[int] = []

    async def on_connect(connection: Any) -> None:
        await connection.execute("SET statement_timeout = '77s'")
        greeted.append(await connection.fetch_val("SELECT pg_backend_pid()"))

    async def on_checkout(connection: Any) -> None:
        used.append(await connection.fetch_val("SELECT pg_backend_pid()"))

    async with Database(postgres_dsn, max_connections=3, on_connect=on_connect, on_checkout=on_checkout) as db:
        found = await asyncio.gather(*(db.fetch_val("SHOW statement_timeout") for _ in range(20)))
        assert found == ["77s"] * 20
        async with db.transaction() as tx:
            assert await tx.fetch_val("SHOW statement_timeout") == "77s"
        assert [row async for row in db.stream("SELECT current_setting('statement_timeout')", as_=tuple)] == [("77s",)]
        await db.execute_script("SELECT 1; SELECT 2")
        assert 1 <= len(set(greeted)) == len(greeted) <= 3
        assert len(used) == 20 + 3
        assert set(used) == set(greeted)
        # Connections that nobody needs any more may still be in the making.
        async with asyncio.timeout(5):
            while db.pool_stats().used:
                await asyncio.sleep(0.01)


async def test_a_reset_session_is_greeted_again(postgres_dsn: str) -> None:
    async def on_connect(connection: Any) -> None:
        await connection.execute("SET application_name = 'greeted'")

    async with Database(postgres_dsn, max_connections=1, on_connect=on_connect) as db:
        await db.execute("SET application_name = 'changed'")
        assert await db.fetch_val("SHOW application_name") == "greeted"


@pytest.mark.fault("D6")
async def test_a_refused_connection_is_replaced(postgres_dsn: str) -> None:
    refusals = 2

    async def on_connect(connection: Any) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            await connection.execute("SELECT nothing FROM nowhere")

    async with Database(postgres_dsn, max_connections=1, on_connect=on_connect) as db:
        assert await db.fetch_val("SELECT 1") == 1
        stats = db.pool_stats()
        assert (stats.size, stats.used, stats.closed_broken) == (1, 0, 2)
        refusals = 99
        await db.expire()
        with pytest.raises(SyntaxOrAccessError, match="nowhere"):
            await db.fetch_val("SELECT 1")
        async with asyncio.timeout(10):
            while db.pool_stats().used:
                await asyncio.sleep(0.01)
        refusals = 0
        assert await db.fetch_val("SELECT 1") == 1


async def test_a_cancelled_hook_leaves_the_pool_whole(postgres_dsn: str) -> None:
    started = asyncio.Event()

    async def on_checkout(connection: Any) -> None:
        started.set()
        await connection.fetch_val("SELECT pg_sleep(30)")

    async with Database(postgres_dsn, max_connections=1, on_checkout=on_checkout) as db:
        task = asyncio.create_task(db.fetch_val("SELECT 1"))
        await asyncio.wait_for(started.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            while db.pool_stats().used:
                await asyncio.sleep(0.01)


@pytest.mark.fault("D6")
@pytest.mark.parametrize("which", ["on_connect", "on_checkout"])
async def test_who_waits_behind_a_hook_that_raises_is_served(postgres_dsn: str, which: str) -> None:
    seen: list[int] = []
    refused = 0

    async def hook(connection: Any) -> None:
        nonlocal refused
        pid = await connection.fetch_val("SELECT pg_backend_pid()")
        if pid in seen:
            return
        seen.append(pid)
        if len(seen) % 2:
            refused += 1
            raise ZeroDivisionError

    async with Database(postgres_dsn, max_connections=2, acquire_timeout=10, **{which: hook}) as db:  # type: ignore[arg-type]
        for _ in range(3):
            answers = await asyncio.gather(*(db.fetch_val("SELECT $1::int", i) for i in range(20)))
            assert answers == list(range(20))
            await db.expire()  # so that on_connect is called again
        async with asyncio.timeout(5):
            while db.pool_stats().used:
                await asyncio.sleep(0.01)
        # Each refusal has cost its connection, and nothing else has.
        assert db.pool_stats().closed_broken == refused > 1


@pytest.mark.fault("D6", "D9")
async def test_a_connection_that_ended_with_its_user_is_not_given_to_the_next(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db, Database(postgres_dsn, max_connections=1) as admin:
        tx = await begin_transaction(using=db)
        first = await tx.fetch_val("SELECT pg_backend_pid()")
        await tx.execute("SET search_path = pg_catalog")  # what has to be reset
        async with detached():
            waiting = asyncio.create_task(db.fetch_val("SELECT pg_backend_pid()"))
        await asyncio.sleep(0)
        await admin.execute("SELECT pg_terminate_backend($1, 5000)", first)
        with pytest.raises((CommitUnknown, ConnectionLost)):
            await tx.commit()
        assert await waiting != first


async def test_a_busy_pool_is_not_a_refusal(postgres_dsn: str) -> None:
    async def on_checkout(connection: Any) -> None: ...

    async with Database(postgres_dsn, max_connections=1, on_checkout=on_checkout, acquire_timeout=0.4) as db:
        async with db.transaction():
            begun = time.monotonic()
            async with detached():
                with pytest.raises(PoolTimeout):
                    await db.fetch_val("SELECT 1")
            assert time.monotonic() - begun < 1.0, "acquire_timeout is waited for once"
        assert db.pool_stats().timeouts == 1
        assert await db.fetch_val("SELECT 1") == 1
