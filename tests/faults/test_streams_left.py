"""Streams and COPY that are left in the middle: closed or drained, and the next query has its own rows."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from data_bridge.core import Database, DataBridgeError, UndefinedTable

from .conftest import whole

Run = Callable[[Coroutine[Any, Any, Any]], Any]
MANY = "SELECT g FROM generate_series(1, 1000000) g"
LONG = "SELECT repeat('x', 1000), generate_series(1, 100000000)"


class Bored(Exception):
    pass


async def raised_inside(db: Database) -> None:
    with pytest.raises(Bored):
        async for row in db.stream(MANY, batch=50):
            if row["g"] == 75:
                raise Bored


async def raised_inside_a_block(db: Database) -> None:
    with pytest.raises(Bored):
        async with db.stream(MANY, batch=50) as rows:
            async for _ in rows:
                raise Bored


async def never_iterated(db: Database) -> None:
    db.stream(MANY)
    async with db.stream(MANY):
        pass


async def dropped(db: Database) -> None:
    rows = db.stream(MANY, batch=50)
    await anext(rows)
    del rows


async def collected_in_a_cycle(db: Database) -> None:
    rows = db.stream(MANY, batch=50)
    await anext(rows)
    cycle: list[Any] = [rows]
    cycle.append(cycle)
    del rows, cycle
    gc.collect()


async def collected_in_a_thread(db: Database) -> None:
    """E5: the last reference is dropped where there is no loop."""
    kept: list[Any] = [db.stream(MANY, batch=50), db.stream(MANY, batch=50)]
    for rows in kept:
        await anext(rows)
    del rows

    def drop() -> None:
        kept.clear()
        gc.collect()

    thread = threading.Thread(target=drop)
    thread.start()
    await asyncio.to_thread(thread.join)


async def cancelled(db: Database) -> None:
    async def read() -> None:
        async for _ in db.stream("SELECT g, pg_sleep(0.001) FROM generate_series(1, 100000) g", batch=50):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def failed_late(db: Database) -> None:
    seen = 0
    with pytest.raises(DataBridgeError, match="division by zero"):
        async for _ in db.stream("SELECT 1 / (120 - g) FROM generate_series(1, 1000) g", batch=50):
            seen += 1
    assert seen == 100


async def in_a_transaction(db: Database) -> None:
    async with db.transaction() as tx:
        first, second = tx.stream(MANY, batch=50), tx.stream(MANY, batch=50)
        await anext(first)
        await anext(second)
        del first
        gc.collect()
        assert await tx.fetch_val("SELECT 5") == 5
        with pytest.raises(Bored):
            async for _ in second:
                raise Bored


STREAMS = [
    raised_inside, raised_inside_a_block, never_iterated, dropped, collected_in_a_cycle, collected_in_a_thread, cancelled, failed_late,
    in_a_transaction,
]  # fmt: skip


async def copy_out_dropped(db: Database) -> None:
    chunks = db.copy_out(LONG)
    await anext(chunks)
    del chunks


async def copy_out_in_a_thread(db: Database) -> None:
    kept: list[Any] = [db.copy_out(LONG)]
    await anext(kept[0])
    thread = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
    thread.start()
    await asyncio.to_thread(thread.join)


async def copy_out_left(db: Database) -> None:
    with pytest.raises(Bored):
        async with db.copy_out(LONG) as chunks:  # type: ignore[attr-defined]
            async for _ in chunks:
                raise Bored


async def copy_out_refused(db: Database) -> None:
    for _ in range(2):
        with pytest.raises(UndefinedTable):
            await anext(db.copy_out("SELECT * FROM no_such_table"))


async def copy_out_failed_late(db: Database) -> None:
    with pytest.raises(DataBridgeError, match="division by zero"):
        async for _ in db.copy_out("SELECT 1 / (9999 - g) FROM generate_series(1, 20000) g"):
            pass


async def copy_out_cancelled(db: Database) -> None:
    for delay in (0, 0.001, 0.01):
        task = asyncio.ensure_future(anext(db.copy_out("SELECT pg_sleep(20)")))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def copy_in_aborted(db: Database) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        for i in range(5000):
            yield i, "x"
        raise Bored

    with pytest.raises(Bored):
        await db.copy_in("copied_left", rows())


async def copy_in_cancelled(db: Database) -> None:
    async def rows() -> Any:
        for i in range(100_000):
            yield i, "x"
            if i % 1000 == 0:
                await asyncio.sleep(0.001)

    task = asyncio.create_task(db.copy_in("copied_left", rows()))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def copy_in_refused(db: Database) -> None:
    with pytest.raises(DataBridgeError):
        await db.copy_in("copied_left", ((i, None) for i in range(5000)))
    with pytest.raises(UndefinedTable):
        await db.copy_in("no_such_table", [(1,)])


COPIES = [
    copy_out_dropped, copy_out_in_a_thread, copy_out_left, copy_out_refused, copy_out_failed_late, copy_out_cancelled,
    copy_in_aborted, copy_in_cancelled, copy_in_refused,
]  # fmt: skip


async def own_rows(db: Database) -> None:
    """On any place, again and again: a place that is out of step gives nothing first, then each answer one too late."""
    for i in range(3):
        asked = range(i * 100, i * 100 + 9)
        assert await asyncio.gather(*(db.fetch_val("SELECT $1::int", n) for n in asked)) == list(asked)


async def tried(dsn: str, what: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    async with Database(dsn, max_connections=3, application_name=what.__name__) as db:
        await db.execute_script("CREATE TABLE IF NOT EXISTS copied_left (a int, b text NOT NULL)")
        for _ in range(2):
            async with asyncio.timeout(20):
                await what(db)
                gc.collect()
                await own_rows(db)
        await whole(db)
        assert await db.fetch_val("SELECT count(*) FROM copied_left") == 0, "a COPY was done by halves"
        await db.execute_script("DROP TABLE copied_left")


@pytest.mark.fault("C6", "E5")
@pytest.mark.parametrize("what", STREAMS, ids=lambda f: f.__name__)
def test_a_stream_that_is_left(postgres_dsn: str, loop_run: Run, what: Any) -> None:
    loop_run(tried(postgres_dsn, what))


@pytest.mark.fault("C7")
@pytest.mark.parametrize("what", COPIES, ids=lambda f: f.__name__)
def test_a_copy_that_is_left(postgres_dsn: str, loop_run: Run, what: Any) -> None:
    loop_run(tried(postgres_dsn, what))


@pytest.mark.fault("E5")
def test_everything_may_be_collected_in_a_foreign_thread(postgres_dsn: str, loop_run: Run) -> None:
    """Databases, leases, started operations, listeners and transactions: dropped where no loop and no reactor is."""

    async def main() -> None:
        db = await Database(postgres_dsn, max_connections=6, application_name="foreign").connect()
        other = await Database(postgres_dsn, max_connections=2, application_name="foreign").connect()
        lease = db.lease()
        await lease.take()
        begun = db.lease()
        await begun.begin("BEGIN")
        kept: list[Any] = [
            other,
            lease,
            begun,
            db.fetch_val("SELECT pg_sleep(20)"),
            db._pool.script("SELECT pg_sleep(20)"),
            begun.script("SELECT pg_sleep(20)"),
            db._pool.listen(["a"]),
        ]
        kept[3].close()  # a coroutine that never began
        del other, lease, begun
        await asyncio.sleep(0.02)
        thread = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
        thread.start()
        await asyncio.to_thread(thread.join)
        await own_rows(db)
        await whole(db)
        await db.close()

    loop_run(main())
