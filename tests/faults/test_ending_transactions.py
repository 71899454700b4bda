"""A transaction ends wholly, and says how, whatever becomes of the task in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from data_bridge import core
from data_bridge.core import CommitUnknown, Database, TransactionBusy, pg_transaction
from data_bridge.testing.proxy import proxied

from .conftest import whole

# A row that is committed makes COMMIT last as long as it says.
SETUP = """
    DROP TABLE IF EXISTS ends; CREATE TABLE ends (a int, seconds float);
    CREATE OR REPLACE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(NEW.seconds); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER lingering AFTER INSERT ON ends DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION linger();
"""
INSERT = "INSERT INTO ends VALUES ($1, $2)"


@contextlib.asynccontextmanager
async def opened(dsn: str, **options: object) -> AsyncIterator[Database]:
    async with Database(dsn, application_name="ends", **options) as db:  # type: ignore[arg-type]
        await db.execute_script(SETUP)
        yield db
        await whole(db)
        await db.execute_script("DROP TABLE ends; DROP FUNCTION linger")


async def rows(db: Database) -> list[int]:
    return [r[0] for r in await db.fetch("SELECT a FROM ends ORDER BY a", as_=tuple)]


@pytest.mark.fault("C4")
async def test_cancelled_inside(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=1) as db:
        seen: list[BaseException] = []

        async def work(handles: bool) -> None:
            try:
                async with db.transaction() as tx:
                    await tx.execute(INSERT, 1, 0.0)
                    try:
                        await tx.execute("SELECT pg_sleep(20)")
                    except asyncio.CancelledError as e:
                        seen.append(e)
                        if not handles:
                            raise
            except asyncio.CancelledError as e:
                seen.append(e)
                raise

        task = asyncio.create_task(work(handles=False))
        await asyncio.sleep(0.05)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert seen[0] is seen[1] and seen[0].args == ("enough",), "the original CancelledError goes on"
        assert await rows(db) == []
        # Swallowed inside the block: what is left cannot be committed as if nothing had happened.
        task = asyncio.create_task(work(handles=True))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(core.TransactionAborted):
            await task
        assert await rows(db) == []


@pytest.mark.fault("C5")
async def test_cancelled_during_commit(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=1) as db:
        told: list[str] = []
        rolled_back: list[int] = []
        for n, delay in enumerate((0.0, 0.02, 0.05)):
            at_commit = asyncio.Event()

            async def work(n: int = n, at_commit: asyncio.Event = at_commit) -> None:
                try:
                    async with db.transaction() as tx:
                        await tx.execute(INSERT, n, 0.1)
                        tx.on_commit(lambda: told.append(f"{n} committed"))
                        tx.on_rollback(lambda: rolled_back.append(n))
                        at_commit.set()
                except asyncio.CancelledError as e:
                    told.extend(e.__notes__)
                    raise

            task = asyncio.create_task(work())
            await at_commit.wait()
            await asyncio.sleep(delay)
            task.cancel()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # The answer of COMMIT was waited for, and the next user comes after it.
            assert await rows(db) == list(range(n + 1))
            assert told == [f"{n} committed", "the transaction was committed before the task was cancelled"]
            told.clear()
        assert rolled_back == []


@pytest.mark.fault("C5")
async def test_a_commit_that_fails_is_heard_by_a_cancelled_task(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=1) as db:
        await db.execute_script(
            "CREATE OR REPLACE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN PERFORM pg_sleep(0.1); RAISE EXCEPTION ''refused at the end'' USING ERRCODE = ''23514''; END'"
        )
        at_commit = asyncio.Event()

        async def work() -> None:
            async with db.transaction() as tx:
                await tx.execute(INSERT, 1, 0.0)
                at_commit.set()

        task = asyncio.create_task(work())
        await at_commit.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(core.CheckViolation, match="refused at the end"):
            await task
        assert await rows(db) == []


@pytest.mark.fault("C5")
async def test_a_cancelled_commit_whose_answer_never_came_is_unknown(postgres_dsn: str) -> None:
    with proxied(postgres_dsn) as proxy:
        async with opened(proxy.dsn, max_connections=1, ssl="disable") as db:
            at_commit = asyncio.Event()

            async def work() -> None:
                async with db.transaction() as tx:
                    await tx.execute(INSERT, 1, 0.2)
                    at_commit.set()

            task = asyncio.create_task(work())
            await at_commit.wait()
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0)
            proxy.cut()
            with pytest.raises(CommitUnknown):
                await task
            assert db.pool_stats().closed_broken == 1
            assert await rows(db) in ([], [1])


@pytest.mark.fault("C9")
async def test_two_tasks_on_one_transaction_take_turns(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=1) as db, db.transaction() as tx:
        wrong: list[object] = []
        finished: list[int] = []

        async def user(k: int) -> None:
            for j in range(50):
                i = k * 1000 + j
                got = await tx.fetch("SELECT $1::int AS i, g FROM generate_series(1, 20) g", i, as_=tuple)
                if got != [(i, g) for g in range(1, 21)]:
                    wrong.append(got)
                finished.append(k)

        await asyncio.gather(user(1), user(2))
        assert wrong == []
        # In turn: a task whose answers are there at once goes on for a while, and not to its end.
        assert max(abs(finished[:n].count(1) - finished[:n].count(2)) for n in range(100)) <= 45


@pytest.mark.fault("C9")
async def test_overlapping_scopes_of_one_transaction_queue(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=1, acquire_timeout=5) as db:
        order: list[str] = []

        async def scope(n: int) -> None:
            async with pg_transaction(using=tx):
                order.append(f"{n} in")
                await tx_run(n)
                await asyncio.sleep(0.005)
                order.append(f"{n} out")
                if n % 2:
                    raise ZeroDivisionError

        async def tx_run(n: int) -> None:
            current = core.current_transaction(db)
            assert current is not None
            await current.execute(INSERT, n, 0.0)

        async with db.transaction() as tx:
            outcomes = await asyncio.gather(*(scope(n) for n in range(6)), return_exceptions=True)
        assert [type(o) for o in outcomes] == [type(None), ZeroDivisionError] * 3
        assert order == [f"{o.split()[0]} {w}" for o in order[::2] for w in ("in", "out")], "whole scopes, one by one"
        assert await rows(db) == [0, 2, 4]


@pytest.mark.fault("C9")
async def test_a_scope_that_waits_for_too_long_is_told_for_whom(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=1, acquire_timeout=0.1) as db, db.transaction() as tx:

        async def long_scope() -> None:
            async with pg_transaction(using=tx):
                await asyncio.sleep(0.4)

        holder = asyncio.create_task(long_scope(), name="the long one")
        await asyncio.sleep(0.02)
        with pytest.raises(TransactionBusy, match="the long one"):
            async with pg_transaction(using=tx):
                pass
        await holder
        assert await tx.fetch_val("SELECT 1") == 1
