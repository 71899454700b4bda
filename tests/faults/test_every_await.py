"""Each operation is cancelled at each of its awaits; afterwards the pool is whole and nothing was done by halves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pyarrow as pa
import pytest

from data_bridge.core import Database
from data_bridge.core.uncancellable import to_the_end

from .conftest import whole

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Operation = Callable[[Database, asyncio.Event, str], Awaitable[None]]
"""Does something on a database, and sets the event where it may be cancelled from."""

ROWS = 300
# A row that is committed waits a little for its deferred trigger, so that a COMMIT has a middle.
SETUP = """
    DROP TABLE IF EXISTS halves; CREATE TABLE halves (mark text, a int);
    CREATE OR REPLACE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.004); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER lingering AFTER INSERT ON halves DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.a = 2) EXECUTE FUNCTION linger();
"""
INSERT = "INSERT INTO halves VALUES ($1, $2)"
FILES = "DO 'BEGIN FOR i IN 1..25 LOOP EXECUTE format(''CREATE TABLE file_%s (a int)'', i); END LOOP; END'"
"""What a ROLLBACK must delete, so that it takes some time."""


async def acquire(db: Database, go: asyncio.Event, mark: str) -> None:
    holders = [asyncio.create_task(db.execute("SELECT pg_sleep(0.006)")) for _ in range(2)]
    try:
        await asyncio.sleep(0)
        go.set()
        await db.fetch_val("SELECT 1")
    finally:
        await asyncio.gather(*holders)


async def connect(db: Database, go: asyncio.Event, mark: str) -> None:
    other = Database(DSN[0], max_connections=1, application_name="every await")
    go.set()
    try:
        assert await (await other.connect()).fetch_val("SELECT 7") == 7
    finally:
        await other.close(timeout=1)


async def close(db: Database, go: asyncio.Event, mark: str) -> None:
    other = await Database(DSN[0], max_connections=2, application_name="every await").connect()
    running = asyncio.create_task(other.fetch_val("SELECT 7 FROM pg_sleep(0.006)"))
    await asyncio.sleep(0)
    go.set()
    try:
        await other.close(timeout=1)
    finally:
        await asyncio.gather(running, return_exceptions=True)
        await other.close(timeout=1)


async def begin(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    async with db.transaction() as tx:
        await tx.execute(INSERT, mark, 1)
        await tx.execute(INSERT, mark, 1)


async def insert(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    await db.execute("INSERT INTO halves SELECT $1, g FROM generate_series(3, 4) g, pg_sleep(0.006)", mark)


async def fetch(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    rows = await db.fetch("SELECT g FROM generate_series(1, 2000) g, pg_sleep(0.004)", as_=tuple)
    assert rows == [(g,) for g in range(1, 2001)]


async def stream(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    async with db.stream("SELECT g FROM generate_series(1, 900) g", as_=tuple, batch=100) as rows:
        assert [row[0] async for row in rows] == list(range(1, 901))


async def commit(db: Database, go: asyncio.Event, mark: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(INSERT, mark, 1)
        await tx.execute(INSERT, mark, 2)
        go.set()


async def rollback(db: Database, go: asyncio.Event, mark: str) -> None:
    with suppress(ZeroDivisionError):
        async with db.transaction() as tx:
            await tx.execute(INSERT, mark, 1)
            await tx.execute(FILES)
            go.set()
            raise ZeroDivisionError


async def savepoint(db: Database, go: asyncio.Event, mark: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(INSERT, mark, 1)
        go.set()
        async with tx.savepoint():
            await tx.execute(INSERT, mark, 1)
        with suppress(ZeroDivisionError):
            async with tx.savepoint():
                await tx.execute(INSERT, mark, 1)
                raise ZeroDivisionError


async def copy_in(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    assert await db.copy_in("halves", ((mark, 1) for _ in range(ROWS))) == ROWS


async def copy_out(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    size = 0
    async with db.copy_out("SELECT repeat('x', 99) FROM generate_series(1, 3000)") as chunks:
        async for chunk in chunks:
            size += len(chunk)
    assert size == 300_000


async def fetch_arrow(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    table = await db.fetch_arrow("SELECT n, n::numeric AS d, $1 AS mark FROM generate_series(1, 3000) n", mark)
    assert len(table) == 3000


async def stream_arrow(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    async with db.stream_arrow("SELECT n, $1 AS mark FROM generate_series(1, 300) n", mark, batch=100) as batches:
        assert [len(batch) async for batch in batches] == [100, 100, 100]


async def copy_frame(db: Database, go: asyncio.Event, mark: str) -> None:
    data = pa.table({"mark": [mark] * ROWS, "a": pa.array([1] * ROWS, pa.int32())})
    go.set()
    assert await db.copy_in("halves", data.to_reader(max_chunksize=7)) == ROWS


async def copy_csv(db: Database, go: asyncio.Event, mark: str) -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b"mark,a\n"
        for _ in range(ROWS):
            yield f"{mark},1\n".encode()

    go.set()
    assert await db.copy_in_csv("halves", lines()) == ROWS


async def listen(db: Database, go: asyncio.Event, mark: str) -> None:
    go.set()
    async with db.listen("every_await") as heard:
        await db.notify("every_await", mark)
        while (await anext(heard)).payload != mark:  # type: ignore[union-attr]
            pass


async def release(db: Database, go: asyncio.Event, mark: str) -> None:
    lease = db.lease()
    await lease.take()
    go.set()
    try:
        await lease.script("SET search_path = pg_catalog")  # nobody else may see this
    finally:
        await to_the_end(lease.give_back())


OPERATIONS: dict[str, Operation] = {
    f.__name__: f
    for f in (
        acquire, connect, close, begin, insert, fetch, stream, commit, rollback, savepoint, copy_in, copy_out, fetch_arrow,
        stream_arrow, copy_frame, copy_csv, listen, release,
    )
}  # fmt: skip
DSN: list[str] = []


@asynccontextmanager
async def prepared(dsn: str) -> AsyncIterator[Database]:
    DSN[:] = [dsn]
    async with Database(dsn, max_connections=2, application_name="every await") as db:
        await db.execute_script(SETUP)
        yield db
        await whole(db)
        # Nothing was done by halves: both rows of a transaction, all rows of a statement, or none.
        counts = await db.fetch("SELECT mark, count(*) FROM halves GROUP BY mark", as_=tuple)
        assert [c for c in counts if c[1] not in (2, ROWS)] == []
        await db.execute_script("DROP TABLE halves; DROP FUNCTION linger")
        other = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'every await' AND datname = current_database()"
        )
        async with asyncio.timeout(5), Database(dsn, max_connections=1, application_name="looks") as admin:
            while await admin.fetch_val(other) > db.pool_stats().size + 1:  # the one that cancels
                await asyncio.sleep(0.01)


async def cancelled(db: Database, operation: Operation, mark: str, wait: Callable[[], Awaitable[object]]) -> bool:
    """Whether the operation was still under way after `wait`, and cancelled."""
    go = asyncio.Event()
    task = asyncio.ensure_future(operation(db, go, mark))
    reached = asyncio.ensure_future(go.wait())
    await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    await wait()
    hit = task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        assert hit
    started = time.monotonic()
    number = hash(mark) % 10_000
    assert await db.fetch_val("SELECT $1::int", number) == number
    assert time.monotonic() - started < 5
    return hit


@pytest.mark.fault("C1")
@pytest.mark.parametrize("name", OPERATIONS)
def test_after_each_step_of_the_loop(postgres_dsn: str, loop_run: Run, name: str) -> None:
    async def test() -> None:
        async with prepared(postgres_dsn) as db:
            hits = 0
            for round_ in range(50):  # on a busy machine an operation may be over before the first step
                unhurt, steps = 0, 0
                # One by one where the calls into the library are, then in strides through the waiting, to the end.
                while steps < 20 or (unhurt < 2 and steps < 5000):

                    async def some_steps(n: int = steps) -> None:
                        for _ in range(n):
                            await asyncio.sleep(0)

                    if await cancelled(db, OPERATIONS[name], f"{name} {round_} {steps}", some_steps):
                        hits, unhurt = hits + 1, 0
                    else:
                        unhurt += 1
                    steps = steps + 1 if steps < 20 else steps * 4 // 3
                if hits > 0:
                    return
            raise AssertionError("nothing was cancelled")

    loop_run(test())


@pytest.mark.fault("C1")
@pytest.mark.parametrize(
    "step", [0.002, pytest.param(0.0001, marks=pytest.mark.endurance)], ids=["2 ms apart", "0.1 ms apart"]
)
@pytest.mark.parametrize("name", OPERATIONS)
def test_after_0_to_20_milliseconds(postgres_dsn: str, loop_run: Run, name: str, step: float) -> None:
    async def test() -> None:
        async with prepared(postgres_dsn) as db:
            for i in range(int(0.02 / step) + 1):

                async def some_time(seconds: float = i * step) -> None:
                    await asyncio.sleep(seconds)

                await cancelled(db, OPERATIONS[name], f"{name} {i}", some_time)

    loop_run(test())
