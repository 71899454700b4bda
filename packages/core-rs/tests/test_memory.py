"""What flows through takes no more memory than what is under way."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from data_bridge.core import Database, Notification

MEGABYTE = 1_000_000
PAGE = os.sysconf("SC_PAGE_SIZE")
FLOW = 200 * MEGABYTE
"""Bytes that go through."""
ROW = 1000
"""Bytes of a row here, about."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads what Linux says of the process")


class Memory:
    """The most that the process had in between."""

    def __init__(self) -> None:
        gc.collect()
        self.before = self.most = self._now()

    def _now(self) -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE

    def look(self) -> None:
        self.most = max(self.most, self._now())


@contextmanager
def constant(most: int = 15) -> Iterator[Memory]:
    """At most `most` MB more than at the beginning."""
    memory = Memory()
    yield memory
    memory.look()
    grown = (memory.most - memory.before) / MEGABYTE
    assert grown < most, f"{grown:.1f} MB more"


async def test_rows_of_a_stream(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        count = FLOW // ROW
        seen = 0
        with constant() as memory:
            async with db.stream(
                "SELECT g, repeat('x', $1::int) FROM generate_series(1, $2::int) g", ROW, count, as_=tuple
            ) as rows:
                async for number, _ in rows:
                    seen += 1
                    assert number == seen
                    if seen % 1000 == 0:
                        memory.look()
        assert seen == count


async def test_copy_in_and_out(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        await db.execute_script("DROP TABLE IF EXISTS flow; CREATE UNLOGGED TABLE flow (a int, b text)")
        count = FLOW // ROW
        text = "x" * ROW

        def rows(memory: Memory) -> Iterator[tuple[int, str]]:
            for n in range(count):
                if n % 1000 == 0:
                    memory.look()
                yield n, text

        with constant() as memory:
            assert await db.copy_in("flow", rows(memory)) == count
        came = 0
        with constant() as memory:
            async for chunk in db.copy_out("SELECT * FROM flow"):
                came += len(chunk)
                memory.look()
                await asyncio.sleep(0)
        assert came > count * ROW
        await db.execute_script("DROP TABLE flow")


async def test_frames_of_a_stream(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        count = FLOW // ROW
        seen = 0
        query = "SELECT g, repeat('x', $1::int) AS text FROM generate_series(1, $2::int) g"
        (await db.fetch_arrow("SELECT 1 AS one")).to_pyarrow()  # what the library takes once
        with constant(40) as memory:  # a batch that is read, and one that comes
            async with db.stream_arrow(query, ROW, count, batch=4096) as batches:
                async for batch in batches:
                    seen += len(batch)
                    memory.look()
        assert seen == count


async def test_a_frame_takes_its_size(postgres_dsn: str) -> None:
    """Every batch is as large as its values, and only one of them grows at a time."""
    async with Database(postgres_dsn) as db:
        query = (
            "SELECT g, g::float8 AS f, 'row ' || g AS t, g % 2 = 0 AS b, now() AS at FROM generate_series(1, $1::int) g"
        )
        await db.fetch_arrow(query, 1000)
        with constant(1000) as memory:
            table = await db.fetch_arrow(query, 2_000_000)
            memory.look()
        # Some of it is memory that earlier tests have given back to the process.
        assert 0.3 * table.nbytes < memory.most - memory.before < 1.3 * table.nbytes


async def test_copy_in_of_a_reader(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        await db.execute_script("DROP TABLE IF EXISTS flow; CREATE UNLOGGED TABLE flow (a int8, b text)")
        count = FLOW // ROW
        batch = pa.record_batch({"a": list(range(1000)), "b": ["x" * ROW] * 1000})

        def batches(memory: Memory) -> Iterator[pa.RecordBatch]:
            for _ in range(count // 1000):
                memory.look()
                yield batch

        with constant() as memory:
            reader = pa.RecordBatchReader.from_batches(batch.schema, batches(memory))
            assert await db.copy_in("flow", reader) == count
        await db.execute_script("DROP TABLE flow")


async def test_csv_files(postgres_dsn: str, tmp_path: Path) -> None:
    async with Database(postgres_dsn) as db:
        await db.execute_script("DROP TABLE IF EXISTS flow; CREATE UNLOGGED TABLE flow (a int8, b text)")
        query = "SELECT g AS a, repeat('x', $1::int) AS b FROM generate_series(1, $2::int) g"
        with constant() as memory:
            await db.copy_out_csv(query, tmp_path / "flow.csv", ROW, FLOW // ROW)
            memory.look()
            assert await db.copy_in_csv("flow", tmp_path / "flow.csv") == FLOW // ROW
        await db.execute_script("DROP TABLE flow")


async def test_notifications(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db, db.listen("flow") as heard:
        payload = "x" * 7900
        count = FLOW // len(payload)

        async def send() -> None:
            for first in range(0, count, 100):
                among = min(100, count - first)
                # The server joins notifications that say the same.
                await db.execute(
                    "SELECT pg_notify('flow', $1::text || g) FROM generate_series($2::int, $3::int) g",
                    payload, first, first + among - 1,
                )  # fmt: skip

        sender = asyncio.create_task(send())
        with constant(80) as memory:  # what nobody has taken yet may be 64 MB
            for n in range(count):
                async with asyncio.timeout(30):
                    one = await anext(heard)
                assert isinstance(one, Notification) and one.payload == f"{payload}{n}"
                if n % 500 == 0:
                    memory.look()
        await sender


@pytest.mark.parametrize("kind", ["parameter", "script", "result"])
async def test_a_large_message_leaves_no_room_behind(postgres_dsn: str, kind: str) -> None:
    """A connection keeps no buffer of the size of the largest message that it has carried."""
    text = "x" * (100 * MEGABYTE)
    script = f"SELECT length('{text}')" if kind == "script" else ""
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.fetch_val("SELECT length($1::text)", "x")
        await db.execute_script("SELECT 1")
        with constant(30):
            match kind:
                case "parameter":
                    assert await db.fetch_val("SELECT length($1::text)", text) == len(text)
                case "script":
                    await db.execute_script(script)
                case _:
                    assert len(await db.fetch_val("SELECT repeat('x', $1::int)", len(text))) == len(text)
                    for _ in range(300):
                        await db.fetch_val("SELECT 1")
            gc.collect()
