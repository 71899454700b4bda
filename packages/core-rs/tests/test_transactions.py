"""Transactions: joined by the context, whole under concurrency, honest at their end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from data_bridge import core
from data_bridge.core import (
    ConfigurationError,
    Database,
    QueryTimeout,
    SerializationFailure,
    TransactionAborted,
    TransactionBusy,
    TransactionClosed,
    UniqueViolation,
    begin_transaction,
    current_transaction,
    detached,
    on_commit,
    pg_transaction,
)
from data_bridge.core.connection import context


@asynccontextmanager
async def opened(dsn: str, **options: object) -> AsyncIterator[Database]:
    db = await core.init(dsn, **options)  # type: ignore[arg-type]
    try:
        await db.execute_script("DROP TABLE IF EXISTS tx; CREATE TABLE tx (id int PRIMARY KEY, v text)")
        yield db
        await db.execute_script("DROP TABLE tx")
    finally:
        await core.close()


async def ids() -> list[int]:
    return [r[0] for r in await core.fetch("SELECT id FROM tx ORDER BY id", as_=tuple)]


async def add(n: int) -> None:
    await core.execute("INSERT INTO tx VALUES ($1)", n)


async def test_commit_and_rollback(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        async with pg_transaction() as tx:
            await add(1)
            assert tx.is_active and current_transaction() is tx
        assert current_transaction() is None and await ids() == [1]
        with pytest.raises(ZeroDivisionError):
            async with pg_transaction():
                await add(2)
                raise ZeroDivisionError
        assert await ids() == [1]
        async with pg_transaction() as tx:
            await add(3)
            tx.set_rollback_only()
        async with pg_transaction() as tx:
            await add(4)
            await tx.rollback()
            with pytest.raises(TransactionClosed):
                await tx.execute("SELECT 1")
        assert await ids() == [1]


async def test_tasks_inside_join_and_those_that_outlive_are_refused(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=3):
        started, go = asyncio.Event(), asyncio.Event()

        async def late() -> None:
            started.set()
            await go.wait()
            await add(99)

        async with pg_transaction() as tx:
            await asyncio.gather(*(add(n) for n in range(10)))
            async with asyncio.TaskGroup() as group:
                for n in range(10, 20):
                    group.create_task(add(n))
            task = asyncio.create_task(late())
            await started.wait()
            assert await tx.fetch_val("SELECT count(*) FROM tx") == 20
        go.set()
        with pytest.raises(TransactionClosed):
            await task
        assert await ids() == list(range(20))


async def test_nesting(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        async with pg_transaction() as outer:
            await add(1)
            with pytest.raises(UniqueViolation):
                async with pg_transaction() as inner:
                    assert inner is not outer and current_transaction() is inner
                    await add(2)
                    await add(1)
            assert current_transaction() is outer and not outer.is_aborted
            async with pg_transaction(nested="join") as same:
                assert same is outer
            with pytest.raises(ConfigurationError, match="open already"):
                async with pg_transaction(nested="error"):
                    pass
            async with pg_transaction(nested="independent") as other:
                assert other is not outer
                await add(3)
            with pytest.raises(ConfigurationError, match="SERIALIZABLE"):
                async with pg_transaction("SERIALIZABLE"):
                    pass
            async with detached():
                await add(4)
            await outer.rollback()
        assert await ids() == [3, 4]


async def test_blocks_of_sibling_tasks_run_as_wholes(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        order: list[str] = []

        async def block(name: str, *, fails: bool) -> None:
            try:
                async with pg_transaction():
                    order.append(f"{name} in")
                    await add(len(order) * 10)
                    await asyncio.sleep(0.01)
                    order.append(f"{name} out")
                    if fails:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass

        async with pg_transaction():
            await asyncio.gather(block("a", fails=True), block("b", fails=False), block("c", fails=True))
        assert [o.split()[0] for o in order[::2]] == [o.split()[0] for o in order[1::2]]
        assert len(await ids()) == 1


async def test_waiting_for_a_block_for_too_long_names_both(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, acquire_timeout=0.2):

        async def holder() -> None:
            async with pg_transaction():
                await asyncio.sleep(1)

        async with pg_transaction() as tx:
            task = asyncio.create_task(holder(), name="the holder")
            await asyncio.sleep(0.05)
            with pytest.raises(TransactionBusy, match="the holder"):
                await tx.execute("SELECT 1")
            await task


async def test_savepoints(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        async with pg_transaction() as tx:
            await add(1)
            sp = await tx.savepoint('odd "name"')
            with pytest.raises(UniqueViolation):
                await add(1)
            assert tx.is_aborted
            with pytest.raises(TransactionAborted) as caught:
                await add(5)
            assert isinstance(caught.value.__cause__, UniqueViolation)
            await tx.rollback_to(sp)
            await add(2)
            await sp.rollback()
            await add(3)
            await sp.release()
            async with tx.savepoint():
                await add(4)
            with pytest.raises(ZeroDivisionError):
                async with tx.savepoint():
                    await add(6)
                    raise ZeroDivisionError
        assert await ids() == [1, 3, 4]


@pytest.mark.fault("H3")
async def test_a_commit_that_the_server_turned_into_a_rollback_raises(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        with pytest.raises(TransactionAborted, match="rolled back instead of committed"):
            async with pg_transaction():
                await add(1)
                with pytest.raises(UniqueViolation):
                    await add(1)
        assert await ids() == []
        with pytest.raises(core.ForeignKeyViolation):
            async with pg_transaction() as tx:
                await tx.execute_script("CREATE TABLE dc (id int REFERENCES tx DEFERRABLE INITIALLY DEFERRED)")
                await tx.execute("INSERT INTO dc VALUES (1)")
        assert await core.fetch_val("SELECT to_regclass('dc')::text") is None


async def test_callbacks_after_commit(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        heard: list[str] = []

        async def later() -> None:
            assert await ids() == [1]
            heard.append("async")

        async with pg_transaction() as tx:
            await add(1)
            tx.on_commit(later)
            on_commit(lambda: heard.append("sync"))
            with pytest.raises(ZeroDivisionError):
                async with pg_transaction() as inner:
                    inner.on_commit(lambda: heard.append("never"))
                    raise ZeroDivisionError
            assert heard == []
        assert heard == ["async", "sync"]
        on_commit(lambda: heard.append("at once"))
        await asyncio.sleep(0)
        assert heard[-1] == "at once"


async def test_begin_transaction(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=2) as db:
        tx = await begin_transaction("serializable", read_only=True, deferrable=True)
        assert await core.fetch_val("SHOW transaction_isolation") == "serializable"
        assert await core.fetch_val("SHOW transaction_read_only") == "on"
        with pytest.raises(core.ReadOnlyError):
            await add(1)
        await tx.rollback()
        await tx.rollback()
        async with await begin_transaction() as tx:
            await add(1)
        with pytest.raises(TransactionClosed):
            await tx.commit()
        # A handle that is dropped is rolled back, and says where it came from.
        tx = await begin_transaction()
        await add(2)
        context.set_transaction(db, None)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del tx
            gc.collect()
        assert any(
            "neither committed nor rolled back" in str(w.message) and "test_transactions" in str(w.message)
            for w in caught
        )
        assert await ids() == [1]


async def test_deadline_of_a_block(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        with pytest.raises(QueryTimeout):
            async with pg_transaction(timeout=0.2):
                await add(1)
                await core.execute("SELECT pg_sleep(20)")
        with pytest.raises(QueryTimeout):
            async with pg_transaction(timeout=0.05):
                await add(1)
                await asyncio.sleep(0.1)
        assert await ids() == []


async def test_retries(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        await add(1)
        tries = 0

        @pg_transaction("SERIALIZABLE", retries=3)
        async def contended(n: int) -> int:
            nonlocal tries
            tries += 1
            count = await core.fetch_val("SELECT count(*) FROM tx")
            if tries == 1:
                async with pg_transaction("SERIALIZABLE", nested="independent") as other:
                    assert await other.fetch_val("SELECT count(*) FROM tx") == 1
                    await other.execute("INSERT INTO tx VALUES (50)")
            await add(n + count)
            return n

        assert await contended(100) == 100
        assert tries == 2 and await ids() == [1, 50, 102]

        attempts = 0
        async for attempt in core.transaction_attempts(3):
            async with attempt:
                attempts += 1
                if attempts < 3:
                    raise SerializationFailure("again", sqlstate="40001")
        assert attempts == 3
        with pytest.raises(TypeError, match="parentheses"):
            pg_transaction(contended)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="coroutine"):
            pg_transaction()(len)  # type: ignore[arg-type]


async def test_what_a_function_has_committed_is_not_done_twice(postgres_dsn: str) -> None:
    calls: list[int] = []

    @pg_transaction(retries=3)
    async def committing() -> None:
        calls.append(1)
        await add(len(calls))
        tx = core.current_transaction()
        assert tx is not None and not tx.is_committed
        await tx.commit()
        assert tx.is_committed
        raise SerializationFailure("again", sqlstate="40001")

    async with opened(postgres_dsn):
        with pytest.raises(SerializationFailure):
            await committing()
        assert len(calls) == 1
        with pytest.raises(SerializationFailure):
            async for attempt in core.transaction_attempts(3):
                async with attempt as tx:
                    await add(2)
                    await tx.commit()
                    raise SerializationFailure("again", sqlstate="40001")
        async with pg_transaction() as tx:
            async with pg_transaction() as inner:
                await add(3)
            assert not inner.is_committed, "its savepoint is released; the transaction can still be rolled back"
            await tx.rollback()
        assert not tx.is_committed
        assert await ids() == [1, 2]


async def test_a_dissolved_transaction_lets_other_tasks_go_on(postgres_dsn: str) -> None:
    async with opened(postgres_dsn):
        ended = asyncio.Event()

        async def later() -> None:
            await ended.wait()
            await add(2)

        tx = await core.begin_transaction()
        inside = contextvars.copy_context()
        with pytest.raises(core.ConfigurationError, match="committed or rolled back"):
            tx.dissolve()
        await add(1)
        await tx.commit()
        ended.set()
        with pytest.raises(core.TransactionClosed):
            await asyncio.create_task(later(), context=inside)
        tx.dissolve()
        assert inside.run(core.current_transaction) is None
        await asyncio.create_task(later(), context=inside)
        assert await ids() == [1, 2]


async def test_a_cancelled_statement_rolls_the_block_back(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, max_connections=1):

        async def work() -> None:
            async with pg_transaction():
                await add(1)
                await core.execute("SELECT pg_sleep(30)")

        task = asyncio.create_task(work())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(1):
            assert await ids() == []


async def test_advisory_locks_and_settings(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as db:
        async with pg_transaction() as tx:
            await tx.advisory_lock("import")
            await tx.advisory_lock(7)
            await tx.set_local("application_name", "inside")
            assert await tx.fetch_val("SHOW application_name") == "inside"
            async with core.detached():
                assert await db.fetch_val("SELECT pg_try_advisory_xact_lock(7)") is False
                async with db.transaction() as other:
                    assert [await other.try_advisory_lock(key) for key in ("import", 7)] == [False, False]
                    assert [await other.try_advisory_lock(key) for key in ("export", 8)] == [True, True]
        assert await db.fetch_val("SELECT pg_try_advisory_xact_lock(7)") is True


async def test_a_copy_that_the_client_stopped_has_failed_its_transaction(postgres_dsn: str) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield 2, "two"
        raise ZeroDivisionError

    async with opened(postgres_dsn):
        with pytest.raises(TransactionAborted, match="rolled back instead of committed"):
            async with pg_transaction() as tx:
                await add(1)
                with pytest.raises(ZeroDivisionError):
                    await tx.copy_in("tx", rows())
        assert await ids() == []
        async with pg_transaction() as tx:
            await add(1)
            point = await tx.savepoint()
            with pytest.raises(ZeroDivisionError):
                await tx.copy_in("tx", rows())
            await tx.rollback_to(point)
        assert await ids() == [1]
