"""Any await may be cancelled at any moment."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import Database, DataBridgeError, QueryTimeout

from .conftest import whole

Run = Callable[[Coroutine[Any, Any, Any]], Any]
CANCELS = 1_500


async def _operation(db: Database, rnd: random.Random, i: int) -> Any:
    """Something that takes a moment; gives `i` when it was not disturbed."""
    kind = rnd.random()
    if kind < 0.35:
        return await db.fetch_val("SELECT $1::int FROM pg_sleep($2)", i, rnd.random() * 0.008)
    if kind < 0.55:
        return await db.fetch_val("SELECT $1::int", i)
    if kind < 0.75:
        async with db.transaction() as tx:
            return await tx.fetch_val("SELECT $1::int FROM pg_sleep($2)", i, rnd.random() * 0.005)
    if kind < 0.85:
        async with db.stream("SELECT g FROM generate_series(1, 2000) g", as_=tuple, batch=500) as rows:
            seen = [r[0] async for r in rows]
        return i if seen == list(range(1, 2001)) else seen
    if kind < 0.92:
        count = await db.copy_in("chaos", ((i, n) for n in range(2000)))
        return i if count == 2000 else count
    if kind < 0.96:
        total = sum([len(c) async for c in db.copy_out("SELECT repeat('x', 99) FROM generate_series(1, 3000)")])
        return i if total == 300_000 else total
    rows = await db.fetch("SELECT $1::int, g FROM generate_series(1, 3000) g", i, as_=tuple)
    return i if rows == [(i, g) for g in range(1, 3001)] else rows[:3]


async def chaos(dsn: str, seed: int, operations: int, *, kills: bool) -> str:
    """Random operations, half of them cancelled at random moments; returns a summary."""
    rnd = random.Random(seed)
    wrong: list[Any] = []
    figures = {"done": 0, "cancelled": 0, "lost": 0}
    async with Database(dsn, max_connections=8, application_name=f"chaos {seed}") as db:
        await db.execute_script("CREATE TABLE IF NOT EXISTS chaos (a int, b int)")

        async def worker(k: int) -> None:
            for j in range(operations // 12):
                i = k * 100_000 + j
                task = asyncio.create_task(_operation(db, rnd, i))
                if rnd.random() < 0.5:
                    await asyncio.sleep(rnd.random() * 0.006)
                    task.cancel()
                try:
                    got = await task
                except asyncio.CancelledError:
                    figures["cancelled"] += 1
                except DataBridgeError:
                    if not kills:
                        raise
                    figures["lost"] += 1
                else:
                    figures["done"] += 1
                    if got != i:
                        wrong.append((i, got))

        async def killer() -> None:
            async with Database(dsn, max_connections=1) as admin:
                while True:
                    await asyncio.sleep(0.05)
                    await admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE application_name = $1 "
                        "ORDER BY random() LIMIT 1) victims",
                        f"chaos {seed}",
                    )

        killing = asyncio.create_task(killer()) if kills else None
        await asyncio.gather(*(worker(k) for k in range(12)))
        if killing is not None:
            killing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await killing
            await asyncio.sleep(1)  # a server process dies a moment after it was told to
        assert wrong == []
        await whole(db)
        stats = db.pool_stats()
        assert stats.size <= 8
        if not kills:
            # Only a COPY TO that was cancelled at its very start costs its connection: sqlx loses step there.
            assert stats.closed_broken <= figures["cancelled"] // 10, stats
        return f"seed {seed}: {figures}, {stats}"


@pytest.mark.parametrize("kills", [False, True], ids=["cancels", "cancels and kills"])
def test_random_cancels_give_no_wrong_row(postgres_dsn: str, loop_run: Run, kills: bool) -> None:
    seed = random.randrange(10**6)
    print(loop_run(chaos(postgres_dsn, seed, CANCELS, kills=kills)))


def test_tiny_timeouts_never_hit_the_next_statement(postgres_dsn: str, loop_run: Run) -> None:
    async def test() -> None:
        async with Database(postgres_dsn, max_connections=1) as db:
            for i in range(300):
                with pytest.raises(QueryTimeout):
                    await db.execute("SELECT pg_sleep(5)", timeout=1e-10)
                assert await db.fetch_val("SELECT $1::int", i) == i
            await whole(db)

    loop_run(test())


KINDS: dict[str, Callable[[Database], Coroutine[Any, Any, Any]]] = {
    "fetch": lambda db: db.fetch("SELECT pg_sleep(20)"),
    "execute": lambda db: db.execute("SELECT pg_sleep(20)"),
    "fetch_val": lambda db: db.fetch_val("SELECT 1 FROM pg_sleep(20)"),
    "script": lambda db: db.execute_script("SELECT pg_sleep(20); SELECT 1"),
    "transaction": lambda db: _in_transaction(db),
    "stream": lambda db: anext(db.stream("SELECT pg_sleep(20)")),  # type: ignore[arg-type, return-value]
    "copy out": lambda db: anext(db.copy_out("SELECT pg_sleep(20)")),  # type: ignore[arg-type, return-value]
    "first parse": lambda db: db.fetch("SELECT $1::int FROM pg_sleep(20)", 1),
}


async def _in_transaction(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("SELECT pg_sleep(20)")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancelled_call_frees_its_place_within_a_second(postgres_dsn: str, kind: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for delay in (0, 0.001, 0.02, 0.1):
            task = asyncio.ensure_future(KINDS[kind](db))
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            started = time.monotonic()
            assert await db.fetch_val("SELECT 42") == 42
            assert time.monotonic() - started < 5
        await whole(db)


async def test_cancelled_at_every_step(postgres_dsn: str) -> None:
    """After 0, 1, 2 … steps of the loop: taking a connection, BEGIN, a statement, COMMIT."""
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script("DROP TABLE IF EXISTS steps; CREATE TABLE steps (a int)")
        for n in range(60):

            async def work() -> None:
                async with db.transaction() as tx:
                    await tx.execute("INSERT INTO steps VALUES (1)")
                    async with tx.savepoint():
                        await tx.execute("INSERT INTO steps VALUES (2)")

            task = asyncio.create_task(work())
            for _ in range(n):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await db.fetch_val("SELECT count(*) % 2 FROM steps") == 0, "a transaction was committed by halves"
        await db.execute_script("DROP TABLE steps")
        await whole(db)


async def test_structured_concurrency(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=3) as db:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await db.execute("SELECT pg_sleep(20)")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(db.execute("SELECT pg_sleep(20)"), 0.05)
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                for sql in [*["SELECT pg_sleep(20)"] * 2, "SELECT 1/0", *["SELECT pg_sleep(20)"] * 4]:
                    group.create_task(db.execute(sql))  # the last ones still wait for a connection
        assert isinstance(caught.value.exceptions[0], core.DatabaseError)
        task = asyncio.create_task(db.fetch_val("SELECT 7 FROM pg_sleep(0.1)"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.02)
        assert await task == 7
        await whole(db)
