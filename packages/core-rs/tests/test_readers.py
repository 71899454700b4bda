"""Readers of streams, COPY and LISTEN: several at once, and cancelled at any step; nothing is lost without an error."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

import pytest

from data_bridge.core import Database, DatabaseError, Gap, Notification, QueryCancelled


async def test_several_tasks_share_a_stream(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        async with db.stream("SELECT g FROM generate_series(1, 5000) g", as_=tuple, batch=50) as rows:
            got: list[int] = []

            async def read() -> None:
                async for row in rows:
                    got.append(row[0])
                    await asyncio.sleep(0)

            await asyncio.gather(*(read() for _ in range(5)))
        assert sorted(got) == list(range(1, 5001))
        async with db.copy_out("SELECT g FROM generate_series(1, 200000) g") as chunks:
            seen: list[bytes] = []

            async def copy() -> None:
                async for chunk in chunks:
                    seen.append(chunk)
                    await asyncio.sleep(0)

            await asyncio.gather(*(copy() for _ in range(3)))
        numbers = sorted(int(n) for n in b"".join(seen).split())
        assert numbers == list(range(1, 200001))


@pytest.mark.parametrize("kind", ["stream", "copy_out"])
async def test_a_cancelled_step_is_not_the_end(postgres_dsn: str, kind: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        slow = "SELECT g FROM generate_series(1, 100) g WHERE pg_sleep(0.01)::text IS NOT NULL"
        reader = db.stream(slow, batch=10) if kind == "stream" else db.copy_out(slow)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(reader)
        for _ in range(2):
            with pytest.raises(QueryCancelled, match="may be missing"):
                await anext(reader)
        await reader.aclose()
        assert await db.fetch_val("SELECT 1") == 1


async def test_names_of_cursors_are_used_again(postgres_dsn: str) -> None:
    """Otherwise each stream would fill the cache of statements."""
    async with Database(postgres_dsn, max_connections=1) as db:
        for _ in range(30):
            async with db.stream("SELECT 1 AS x", batch=1) as rows:
                assert [row async for row in rows] == [{"x": 1}]
        count = await db.fetch_val(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement ~ 'DECLARE|FETCH|CLOSE'"
        )
        assert count <= 2


@pytest.mark.parametrize("leave", ["abandoned", "closed in an aborted savepoint", "cancelled"])
async def test_a_cursor_that_is_still_open_keeps_its_name(postgres_dsn: str, leave: str) -> None:
    """The next stream of the transaction has another cursor, and later transactions use few names again."""
    numbers = "SELECT g FROM generate_series(1, 9) g"
    async with Database(postgres_dsn, max_connections=1) as db:
        for _ in range(20):
            async with db.transaction() as tx:
                left = tx.stream(numbers, batch=1)
                assert (await anext(left))["g"] == 1
                if leave == "closed in an aborted savepoint":
                    with pytest.raises(DatabaseError):
                        async with db.transaction() as inner:
                            try:
                                await inner.execute("SELECT 1 / 0")
                            finally:
                                await left.aclose()
                elif leave == "cancelled":
                    task = asyncio.ensure_future(anext(left))
                    await asyncio.sleep(0)
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                del left
                gc.collect()
                if not tx.is_active or tx.is_aborted:
                    continue
                async with tx.stream(numbers, batch=2) as rows:
                    assert [row["g"] async for row in rows] == list(range(1, 10))
            del tx
        gc.collect()
        async with db.stream(numbers) as rows:
            assert (await anext(rows))["g"] == 1
            used = rows._cursor
        assert int(used.rpartition("_")[2]) < 10


async def test_a_reader_that_is_cancelled_takes_nothing_away(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db, db.listen("news") as heard:
        got: list[str] = []
        sending = True

        async def send() -> None:
            nonlocal sending
            for i in range(400):
                await db.notify("news", str(i))
                await asyncio.sleep(0.002)
            sending = False

        async def read() -> None:
            while sending or len(got) < 400:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.003):
                        item = await anext(heard)
                        assert isinstance(item, Notification)
                        got.append(item.payload)

        async with asyncio.timeout(20):
            await asyncio.gather(send(), read(), read())
        assert sorted(got, key=int) == [str(i) for i in range(400)]


async def test_closing_the_database_ends_its_listeners(postgres_dsn: str) -> None:
    db = await Database(postgres_dsn, max_connections=1).connect()

    async def follow() -> int:
        async with db.listen("news") as heard:
            return len([item async for item in heard if not isinstance(item, Gap)])

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.1)
    await db.notify("news", "one")
    await asyncio.sleep(0.1)
    await db.close()
    async with asyncio.timeout(3):
        assert await task == 1
