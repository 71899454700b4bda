"""COMMIT, ROLLBACK and the reset of a session on a line that has fallen silent: nobody waits for good, no place is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import CommitUnknown, Database
from data_bridge.testing import TestServer
from data_bridge.testing.proxy import Proxy, proxied

from .conftest import whole

AIR = 0.5


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[tuple[Database, Proxy]]:
    """A pool behind a proxy; at the end the line is sound again, and so must the pool be."""
    with proxied(dsn) as proxy:
        async with Database(proxy.dsn, min_connections=0, max_connections=1, ssl="disable") as db:
            await db.execute_script("DROP TABLE IF EXISTS endings; CREATE TABLE endings (a int)")
            yield db, proxy
            proxy.silent = False
            proxy.cut()
            await whole(db)


async def is_free(db: Database, started: float, limit: float = 1) -> None:
    while db.pool_stats().used:
        assert time.monotonic() - started < limit + AIR, db.pool_stats()
        await asyncio.sleep(0.01)


async def is_cancelled(task: asyncio.Task[Any], db: Database, ends: type[BaseException], limit: float = 1) -> None:
    """A task ends so, and its place is free, within so many seconds of being cancelled."""
    started = time.monotonic()
    task.cancel()
    with pytest.raises(ends):
        await task
    assert time.monotonic() - started < limit + AIR
    await is_free(db, started, limit)


@pytest.mark.fault("B1", "C4")
@pytest.mark.parametrize(("blocks", "limit"), [(1, 1), (2, 3)])  # within another one the server is asked, in vain
async def test_a_cancelled_task_does_not_wait_for_its_rollback(postgres_dsn: str, blocks: int, limit: int) -> None:
    async with opened(postgres_dsn) as (db, proxy):
        inside = asyncio.Event()

        async def work() -> None:
            async with AsyncExitStack() as stack:
                for _ in range(blocks):
                    tx = await stack.enter_async_context(db.transaction())
                await tx.execute("INSERT INTO endings VALUES (1)")
                inside.set()
                await asyncio.sleep(20)

        task = asyncio.create_task(work())
        await inside.wait()
        proxy.silent = True
        await is_cancelled(task, db, asyncio.CancelledError, limit)
        assert db.pool_stats().closed_broken == 1


@pytest.mark.fault("B1")
async def test_an_error_is_not_replaced_by_that_of_its_rollback(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as (db, proxy):
        started = time.monotonic()
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO endings VALUES (1)")
                proxy.silent = True
                started = time.monotonic()
                raise ZeroDivisionError
        assert time.monotonic() - started < 1 + AIR
        await is_free(db, started)


@pytest.mark.fault("B1", "C5")
@pytest.mark.parametrize("silent", [True, "server"])
async def test_a_cancelled_commit_on_a_silent_line_is_unknown(postgres_dsn: str, silent: bool) -> None:
    async with opened(postgres_dsn) as (db, proxy):
        at_commit = asyncio.Event()

        async def work() -> None:
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO endings VALUES (1)")
                proxy.silent = silent
                at_commit.set()

        task = asyncio.create_task(work())
        await at_commit.wait()
        await asyncio.sleep(0.1)
        # The server is asked in vain, and the answer gets a last chance.
        await is_cancelled(task, db, CommitUnknown, 3)


@pytest.mark.fault("C5")
async def test_a_commit_that_the_server_works_at_is_waited_for(postgres_dsn: str) -> None:
    """Longer than a silence is put up with: the server is asked, and says that it is at work."""
    async with opened(postgres_dsn) as (db, _):
        await db.execute_script("""
            CREATE OR REPLACE FUNCTION work_long() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER working AFTER INSERT ON endings DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION work_long()
        """)
        at_commit = asyncio.Event()

        async def work() -> None:
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO endings VALUES (1)")
                at_commit.set()

        task = asyncio.create_task(work())
        await at_commit.wait()
        await asyncio.sleep(0.1)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started > 2
        assert await db.fetch_val("SELECT count(*) FROM endings") == 1
        assert db.pool_stats().closed_broken == 0


@pytest.mark.fault("B1", "D8")
async def test_a_session_that_cannot_be_reset_is_given_up(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as (db, proxy):
        async with core.pg_transaction(using=db):
            await core.execute("CREATE TEMP TABLE kept (a int)", using=db)
            await core.execute("INSERT INTO endings VALUES (1)", using=db)
            answers = proxy.messages

            def after_commit() -> None:
                proxy.silent = True

            core.on_commit(after_commit, using=db)
        assert proxy.messages > answers
        await is_free(db, time.monotonic())


@pytest.mark.fault("B1")
async def test_a_forgotten_transaction_frees_its_place(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as (db, proxy):
        lease = db.lease()
        await lease.begin("BEGIN")
        proxy.silent = True
        started = time.monotonic()
        del lease
        await is_free(db, started)


@pytest.mark.fault("B1", "C7")
async def test_a_copy_that_was_cancelled(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as (db, proxy):
        begun = asyncio.Event()

        async def rows() -> AsyncIterator[tuple[int]]:
            for n in range(100_000):
                yield (n,)
            proxy.silent = True
            begun.set()
            await asyncio.sleep(20)

        task = asyncio.create_task(db.copy_in("endings", rows()))
        await begun.wait()
        await is_cancelled(task, db, asyncio.CancelledError)


@pytest.mark.fault("C4")
async def test_a_slow_rollback_to_a_savepoint_ends_nothing(own_server: TestServer) -> None:
    """The process of the session stands still for longer than a ROLLBACK would be waited for; its transaction goes on."""
    async with Database(own_server.dsn, max_connections=1) as db, db.transaction() as tx:
        await tx.execute("CREATE TEMP TABLE slow (a int)")
        frozen = own_server.stalled_backends()
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as inner:
                await inner.execute("INSERT INTO slow VALUES (1)")
                assert frozen.__enter__() == 1
                asyncio.get_running_loop().call_later(1.2, frozen.__exit__, None, None, None)
                raise ZeroDivisionError
        assert await tx.fetch_val("SELECT count(*) FROM slow") == 0
