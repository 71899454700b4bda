"""Any await may be cancelled at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from data_bridge import core
from data_bridge.core import Database, QueryTimeout
from data_bridge.testing.proxy import proxied

from .conftest import whole

Run = Callable[[Coroutine[Any, Any, Any]], Any]


AIR = 0.5
"""Seconds that a busy machine may add to what is promised."""


@pytest.mark.fault("C2", "H4")
def test_tiny_timeouts_never_hit_the_next_statement(postgres_dsn: str, loop_run: Run) -> None:
    async def test() -> None:
        async with Database(postgres_dsn, max_connections=1) as db:
            for i in range(500):
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


STILL_RUNS = (
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(20)%' "
    "AND datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.fault("C3")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancelled_call_frees_its_place_within_a_second(postgres_dsn: str, kind: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db, Database(postgres_dsn, max_connections=1) as other:
        for delay in (0, 0.001, 0.02, 0.1):
            task = asyncio.ensure_future(KINDS[kind](db))
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            started = time.monotonic()
            assert await db.fetch_val("SELECT 42") == 42
            assert time.monotonic() - started < 1 + AIR
            assert await other.fetch_val(STILL_RUNS) == 0
        await whole(db)


@pytest.mark.fault("C3")
async def test_a_control_connection_that_was_made_with_the_pool(own_server: Any) -> None:
    """A server that lets nobody in any more still cancels; a control connection that was lost is made again."""
    own_server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    dsn = re.sub("//[^@]*@", "//guest:guest@", own_server.dsn)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'guest'"
    async with Database(dsn, max_connections=2, control_connection=True, idle_timeout=0.5) as db:
        assert own_server.run(sessions) == [("2",)]
        for _ in range(2):
            running = asyncio.create_task(db.execute("SELECT pg_sleep(20)"))
            while not own_server.run(
                "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)' AND state = 'active'"
            ):
                await asyncio.sleep(0.01)
            with own_server.few_connections(0):
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
                while db.pool_stats().used:
                    await asyncio.sleep(0.01)
                assert db.pool_stats().closed_broken == 0
            own_server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest' AND query ~ 'cancel'"
            )
            until = time.monotonic() + 5
            while own_server.run(sessions + " AND query !~ 'pg_sleep'") == [("0",)]:
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.6)  # the pool looks after its connections every 0.25 s here


@pytest.mark.fault("C3")
@pytest.mark.parametrize("how", ["refused", "silent"])
async def test_a_place_is_free_although_nothing_can_be_cancelled(own_server: Any, how: str) -> None:
    """The server lets nobody in who could cancel, or does not even say so."""
    own_server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")  # a superuser would be given a reserved place
    dsn = re.sub("//[^@]*@", "//guest:guest@", own_server.dsn)
    places = 5
    async with Database(dsn, max_connections=places) as db:
        running = [asyncio.create_task(db.execute("SELECT pg_sleep(20)")) for _ in range(places)]
        # Its text is shown before it runs, while it is prepared.
        asleep = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)' AND wait_event = 'PgSleep'"
        while len(own_server.run(asleep)) < places:
            await asyncio.sleep(0.01)
        with contextlib.ExitStack() as stack:
            if how == "refused":
                stack.enter_context(own_server.few_connections(0))
            else:
                own_server.stall()
                stack.callback(own_server.resume)
            started = time.monotonic()
            for task in running:
                task.cancel()
            assert {type(end) for end in await asyncio.gather(*running, return_exceptions=True)} == {
                asyncio.CancelledError
            }
            while db.pool_stats().used:
                assert time.monotonic() - started < 1 + AIR
                await asyncio.sleep(0.01)
            assert db.pool_stats().closed_broken == places
        assert await db.fetch_val("SELECT 42") == 42
        own_server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)'")


@pytest.mark.fault("C3")
async def test_many_are_cancelled_by_one_signal(postgres_dsn: str) -> None:
    """Where a round trip takes long, a burst of cancellations costs one, not one for each statement."""
    places = 20
    with proxied(postgres_dsn, delay=0.03) as proxy:
        async with Database(proxy.dsn, max_connections=places, ssl="disable") as db:
            running = [asyncio.create_task(db.execute("SELECT pg_sleep(20)")) for _ in range(places)]
            async with Database(postgres_dsn, max_connections=1) as other:
                while await other.fetch_val(STILL_RUNS) < places:
                    await asyncio.sleep(0.01)
                started = time.monotonic()
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
                while db.pool_stats().used:
                    assert time.monotonic() - started < 1 + AIR
                    await asyncio.sleep(0.01)
                assert await other.fetch_val(STILL_RUNS) == 0
            assert (db.pool_stats().size, db.pool_stats().closed_broken) == (places, 0)
            proxy.delay = 0
            await whole(db)


@pytest.mark.fault("C8")
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
        with anyio.move_on_after(0.05) as scope:
            await db.execute("SELECT pg_sleep(20)")
        assert scope.cancelled_caught
        with anyio.move_on_after(0.05) as scope:  # a scope cancels again and again until it is left
            async with db.transaction() as tx:
                await tx.execute("CREATE TABLE never_made (a int)")
                await tx.execute("SELECT pg_sleep(20)")
        assert scope.cancelled_caught
        assert await db.fetch_val("SELECT to_regclass('never_made')::text") is None
        with anyio.CancelScope() as scope:
            async with db.transaction() as tx:
                await tx.execute("CREATE TABLE made (a int)")
                scope.cancel()  # heard at the next await, which is that of COMMIT: it is done to its end
        assert await db.fetch_val("SELECT to_regclass('made')::text") == "made"
        await db.execute_script("DROP TABLE made")
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(db.execute, "SELECT pg_sleep(20)")
            await asyncio.sleep(0.05)
            tasks.cancel_scope.cancel()
        task = asyncio.create_task(db.fetch_val("SELECT 7 FROM pg_sleep(0.1)"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.02)
        assert await task == 7
        await whole(db)
