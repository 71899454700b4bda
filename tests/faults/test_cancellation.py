"""Any await may be cancelled at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import Database, QueryTimeout

from .conftest import whole

Run = Callable[[Coroutine[Any, Any, Any]], Any]


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
