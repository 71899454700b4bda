"""CSV in and out: where it comes from, which columns it has, and what is left of it when something fails."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_bridge.core import (
    ConfigurationError,
    Database,
    DatabaseError,
    UndefinedTable,
    pg_transaction,
    text,
)

CSV = b'id,note\n1,"a ""b"", c"\n2,\n3,""\n4,"two\nlines"\n'
ROWS = [(1, 'a "b", c'), (2, None), (3, ""), (4, "two\nlines")]


@asynccontextmanager
async def table(dsn: str, columns: str = "id int, note text") -> AsyncGenerator[Database]:
    async with Database(dsn, max_connections=2) as db:
        await db.execute_script(f"DROP TABLE IF EXISTS lines; CREATE TABLE lines ({columns})")
        yield db


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(file.name for file in folder.iterdir())


def begun(folder: Path) -> bool:
    """Whether a part of a file was written."""
    return any(file.stat().st_size for file in folder.glob(".*.part"))


async def at_rest(db: Database) -> None:
    """Waits until every connection is back, which may be a moment after the answer."""
    async with asyncio.timeout(5):
        while db.pool_stats().used:
            await asyncio.sleep(0.01)


async def rows(db: Database) -> list[Any]:
    return await db.fetch("SELECT * FROM lines ORDER BY id", as_=tuple)


async def byte_by_byte() -> AsyncIterator[bytes]:
    for byte in CSV:
        yield bytes([byte])


class AsyncFile:
    def __init__(self) -> None:
        self._file = io.BytesIO(CSV)

    async def read(self, size: int) -> bytes:
        return self._file.read(min(size, 7))


def path(folder: Path) -> Path:
    file = folder / "lines.csv"
    file.write_bytes(CSV)
    return file


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": path,
    "path as text": lambda folder: str(path(folder)),
    "bytes": lambda _: CSV,
    "memoryview": lambda _: memoryview(CSV),
    "file": lambda _: io.BytesIO(CSV),
    "text file": lambda _: io.StringIO(CSV.decode(), newline=""),
    "asynchronous file": lambda _: AsyncFile(),
    "asynchronous stream": lambda _: byte_by_byte(),
    "with a byte order mark": lambda _: b"\xef\xbb\xbf" + CSV,
    "with the newlines of Windows": lambda _: CSV.replace(b"\n", b"\r\n").replace(b"two\r\n", b"two\n"),
    "without a newline at the end": lambda _: CSV[:-1],
}


@pytest.mark.parametrize("name", SOURCES)
async def test_where_it_comes_from(postgres_dsn: str, name: str, tmp_path: Path) -> None:
    async with table(postgres_dsn) as db:
        assert await db.copy_in_csv("lines", SOURCES[name](tmp_path)) == 4
        assert await rows(db) == ROWS


async def test_columns_options_and_defaults(postgres_dsn: str) -> None:
    async with table(postgres_dsn, 'id serial, note text, "Odd, name" int DEFAULT 7') as db:
        await db.copy_in_csv("lines", b'"Odd, name",id\n5,1\n')
        await db.copy_in_csv("lines", b"x;y\n-;2\n", delimiter=";", null="-", columns=["note", "id"])
        await db.copy_in_csv("lines", b"3\ta\t\n", header=False, delimiter="\t")
        await db.copy_in_csv("lines", b"b\n", header=False, columns=["note"])
        await db.copy_in_csv("lines", b"id,note\n")
        assert await rows(db) == [(1, None, 5), (1, "b", 7), (2, None, 7), (3, "a", None)]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"id,size\n1,2\n", {}, "no column 'size' that COPY can write; it has id, note"),
        (b"id,id\n1,2\n", {}, "two columns for lines.id"),
        (b"", {}, "empty"),
        (b"\xff\xfe,id\n", {}, "not UTF-8"),
        (b"id,note\n", {"columns": ["id"]}, "columns= names 1 columns, the first line of the CSV has 2"),
        (CSV, {"delimiter": ";;"}, "delimiter="),
        (CSV, {"delimiter": '"'}, "delimiter="),
        (CSV, {"null": "a,b"}, "null="),
        (b'"' + b"x" * 2_000_000, {}, "longer than 1 MiB"),
    ],
)
async def test_what_is_refused_before_it_is_sent(
    postgres_dsn: str, data: bytes, options: dict[str, Any], message: str
) -> None:
    async with table(postgres_dsn) as db:
        with pytest.raises(ConfigurationError, match=message):
            await db.copy_in_csv("lines", data, **options)
        with pytest.raises(TypeError, match="not int"):
            await db.copy_in_csv("lines", 5)  # type: ignore[arg-type]
        with pytest.raises(FileNotFoundError):
            await db.copy_in_csv("lines", "/nowhere/lines.csv")
        assert await rows(db) == []
        await at_rest(db)


async def test_a_line_that_the_server_refuses_is_named(postgres_dsn: str) -> None:
    async with table(postgres_dsn) as db:
        lines = b"id,note\n" + b"1,a\n" * 100_000
        for bad in (b"x,a\n", b"1\n", b"1,a,b\n", b'1,"a\n'):
            with pytest.raises(DatabaseError) as refused:
                await db.copy_in_csv("lines", lines + bad)
            assert refused.value.__notes__[0].startswith("in line 10000"), bad
            assert (refused.value.__notes__[0] == "in line 100002 of the CSV, column id") is (bad == b"x,a\n")
            assert await rows(db) == []
        async with pg_transaction(using=db) as tx:
            await tx.copy_in_csv("lines", b"id\n1\n")
            with pytest.raises(DatabaseError):
                async with tx.transaction() as inner:
                    await inner.copy_in_csv("lines", b"id\nx\n")
        assert await rows(db) == [(1, None)]


async def test_out_of_everything(postgres_dsn: str, tmp_path: Path) -> None:
    async with table(postgres_dsn) as db:
        await db.copy_in("lines", ROWS)
        file = tmp_path / "out.csv"
        for query in ("lines", "public.lines", '"lines"', "SELECT * FROM lines -- all", text("SELECT * FROM lines")):
            assert await db.copy_out_csv(query, file) == len(CSV)
            assert file.read_bytes() == CSV
        await db.copy_out_csv("SELECT note FROM lines WHERE id < $1", file, 3, header=False, delimiter=";", null="NULL")
        assert file.read_bytes() == b'"a ""b"", c"\nNULL\n'
        with pytest.raises(TypeError, match="not int"):
            await db.copy_out_csv(5, file)
        assert names(tmp_path) == ["out.csv"]


async def test_a_file_appears_whole_or_not_at_all(postgres_dsn: str, tmp_path: Path) -> None:
    async with table(postgres_dsn) as db:
        old = tmp_path / "old.csv"
        old.write_text("as it was")
        for file in (old, tmp_path / "new.csv"):
            with pytest.raises(DatabaseError, match="division by zero"):
                await db.copy_out_csv("SELECT 1 / (90000 - n) FROM generate_series(1, 100000) n", file)
            with pytest.raises(UndefinedTable):
                await db.copy_out_csv("nowhere", file)
            endless = "SELECT n, repeat('x', 1000) FROM generate_series(1, 3000000) n"
            writing = asyncio.ensure_future(db.copy_out_csv(endless, file))
            async with asyncio.timeout(10):
                while not begun(tmp_path):
                    await asyncio.sleep(0.01)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert names(tmp_path) == ["old.csv"]
            assert old.read_text() == "as it was"
            assert await asyncio.gather(*(db.fetch_val("SELECT $1::int", n) for n in range(4))) == [0, 1, 2, 3]
        with pytest.raises(FileNotFoundError):
            await db.copy_out_csv("lines", tmp_path / "no folder" / "out.csv")
        await at_rest(db)


async def test_a_cancelled_source_leaves_nothing(postgres_dsn: str) -> None:
    async with table(postgres_dsn) as db:
        is_closed = False

        async def slow() -> AsyncIterator[bytes]:
            nonlocal is_closed
            try:
                yield b"id,note\n" + b"1,a\n" * 1000
                await asyncio.sleep(60)
            finally:
                is_closed = True

        for how in ("cancel", "fail"):
            source = slow() if how == "cancel" else failing()
            copying = asyncio.ensure_future(db.copy_in_csv("lines", source))
            await asyncio.sleep(0.05)
            copying.cancel()
            with pytest.raises(asyncio.CancelledError if how == "cancel" else OSError):
                await copying
            assert await rows(db) == []
        assert is_closed
        await at_rest(db)


async def failing() -> AsyncIterator[bytes]:
    yield b"id,note\n1,a\n"
    raise OSError("the disk is gone")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    notes=st.lists(
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9), max_size=6
    ),
    delimiter=st.sampled_from(",;\t|^"),
)
def test_what_goes_out_comes_in_again(
    postgres_dsn: str, tmp_path: Path, notes: list[str | None], delimiter: str
) -> None:
    async def main() -> None:
        async with table(postgres_dsn) as db:
            given_rows = list(enumerate(notes))
            await db.copy_in("lines", given_rows)
            file = tmp_path / "law.csv"
            await db.copy_out_csv("lines", file, delimiter=delimiter)
            await db.execute("TRUNCATE lines")
            assert await db.copy_in_csv("lines", file, delimiter=delimiter) == len(notes)
            assert await rows(db) == given_rows
            # As Python's own reader sees it.
            with file.open(newline="") as opened:
                read = [*csv.reader(opened, delimiter=delimiter)]
            assert read == [["id", "note"], *([str(n), note or ""] for n, note in given_rows)]

    asyncio.run(main())
