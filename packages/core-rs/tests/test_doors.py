"""Every way to the server, in every state that a caller can be in: one gate decides where a statement runs."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import (
    ConfigurationError,
    Database,
    TransactionBusy,
    TransactionClosed,
    detached,
    pg_transaction,
    tenant,
)

SETUP = """
    DROP TABLE IF EXISTS doors;
    CREATE TABLE doors (mark text, who text DEFAULT current_setting('app.tenant', true));
    CREATE OR REPLACE FUNCTION put(m text) RETURNS text LANGUAGE sql VOLATILE AS 'INSERT INTO doors VALUES (m) RETURNING mark';
"""
Door = Callable[[Any, dict[str, Any], str], Awaitable[Any]]
"""Writes one row through the functions of a module or the methods of an object, with its options."""


async def execute(on: Any, options: dict[str, Any], mark: str) -> None:
    assert await on.execute("INSERT INTO doors VALUES ($1)", mark, **options) == 1


async def fetch(on: Any, options: dict[str, Any], mark: str) -> None:
    assert await on.fetch("INSERT INTO doors VALUES ($1) RETURNING mark", mark, **options) == [{"mark": mark}]


async def fetch_one(on: Any, options: dict[str, Any], mark: str) -> None:
    assert await on.fetch_one("SELECT put($1) AS mark", mark, **options) == {"mark": mark}


async def fetch_val(on: Any, options: dict[str, Any], mark: str) -> None:
    assert await on.fetch_val("SELECT put($1)", mark, **options) == mark


async def execute_script(on: Any, options: dict[str, Any], mark: str) -> None:
    await on.execute_script(f"SELECT 1; INSERT INTO doors VALUES ('{mark}')", **options)


async def stream(on: Any, options: dict[str, Any], mark: str) -> None:
    async with on.stream("SELECT put($1)", mark, as_=tuple, **options) as rows:
        assert [row async for row in rows] == [(mark,)]
        if not options and isinstance(on, Database) and core.current_transaction(on) is None:
            return
    # A stream outside a transaction has one of its own, which only reads.


async def fetch_arrow(on: Any, options: dict[str, Any], mark: str) -> None:
    table = await on.fetch_arrow("INSERT INTO doors VALUES ($1) RETURNING mark", mark, **options)
    assert table.to_pyarrow().to_pylist() == [{"mark": mark}]


async def stream_arrow(on: Any, options: dict[str, Any], mark: str) -> None:
    async with on.stream_arrow("SELECT put($1) AS mark", mark, batch=1, **options) as batches:
        assert [batch.to_pyarrow().to_pylist() async for batch in batches] == [[{"mark": mark}]]


async def copy_in(on: Any, options: dict[str, Any], mark: str) -> None:
    assert await on.copy_in("doors", [(mark,)], columns=["mark"], **options) == 1


def contents(folder: str) -> dict[str, str]:
    """The files of a folder."""
    return {file.name: file.read_text() for file in Path(folder).iterdir()}


async def copy_in_csv(on: Any, options: dict[str, Any], mark: str) -> None:
    assert await on.copy_in_csv("doors", f"mark\n{mark}\n".encode(), **options) == 1


async def copy_out_csv(on: Any, options: dict[str, Any], mark: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        statement = "INSERT INTO doors VALUES ($1::text) RETURNING mark"
        try:
            await on.copy_out_csv(statement, f"{folder}/doors.csv", mark, **options)
        except BaseException:
            assert os.listdir(folder) == []
            raise
        assert contents(folder) == {"doors.csv": f"mark\n{mark}\n"}


async def copy_out(on: Any, options: dict[str, Any], mark: str) -> None:
    chunks = on.copy_out("INSERT INTO doors VALUES ($1::text) RETURNING mark", mark, **options)
    assert b"".join([chunk async for chunk in chunks]) == mark.encode() + b"\n"


DOORS: dict[str, Door] = {
    f.__name__: f
    for f in (
        execute,
        fetch,
        fetch_one,
        fetch_val,
        execute_script,
        stream,
        fetch_arrow,
        stream_arrow,
        copy_in,
        copy_in_csv,
        copy_out,
        copy_out_csv,
    )
}
STYLES = ("function", "alias", "database", "method", "transaction")


def through(style: str, db: Database) -> tuple[Any, dict[str, Any]]:
    """The object whose methods are called, and their options."""
    if style == "function":
        return core, {}
    if style == "alias":
        return core, {"using": "default"}
    if style == "database":
        return core, {"using": db}
    if style == "method":
        return db, {}
    tx = core.current_transaction(db)
    return (tx if tx is not None else db), {}


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Database]:
    db = await core.init(dsn, max_connections=3, acquire_timeout=5)
    try:
        await db.execute_script(SETUP)
        yield db
    finally:
        await core.close()


async def marks(db: Database) -> list[str]:
    async with detached():
        return [row[0] for row in await db.fetch("SELECT mark FROM doors ORDER BY 1", as_=tuple)]


def each_style(test: Callable[[Database, Callable[[], Awaitable[Any]], str], Awaitable[None]]) -> Any:
    """Runs a state for a door in every style."""

    @pytest.mark.parametrize("name", DOORS)
    async def run(postgres_dsn: str, name: str) -> None:
        async with opened(postgres_dsn) as db:
            for style in STYLES:

                async def door(style: str = style) -> None:
                    on, options = through(style, db)
                    await DOORS[name](on, options, style)

                async with asyncio.timeout(10):
                    await test(db, door, style)
                await db.execute("TRUNCATE doors")

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@each_style
async def test_outside(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    await door()
    # A cursor lives in a transaction of its own, which ends without a trace.
    assert await marks(db) in ([style], [])


@each_style
async def test_in_a_transaction(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with pg_transaction():
            await door()
            assert await core.fetch_val("SELECT count(*) FROM doors") == 1
            assert await marks(db) == []
            raise ZeroDivisionError
    assert await marks(db) == []
    async with db.transaction():
        await door()
    assert await marks(db) == [style]


@each_style
async def test_in_a_nested_block(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    async with pg_transaction():
        with pytest.raises(ZeroDivisionError):
            async with pg_transaction():
                await door()
                raise ZeroDivisionError
        assert await core.fetch_val("SELECT count(*) FROM doors") == 0
        async with pg_transaction():
            await door()
    assert await marks(db) == [style]


@each_style
async def test_beside_a_block_of_a_sibling(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    """What runs beside a block waits for its end, and does not vanish with it."""
    inside = asyncio.Event()

    async def sibling() -> None:
        with pytest.raises(ZeroDivisionError):
            async with pg_transaction() as tx:
                await tx.execute("INSERT INTO doors VALUES ('sibling')")
                inside.set()
                await asyncio.sleep(0.02)
                raise ZeroDivisionError

    async def beside() -> None:
        await inside.wait()
        await door()

    async with pg_transaction():
        await asyncio.gather(sibling(), beside())
    assert await marks(db) == [style]


@each_style
async def test_in_a_child_task(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with pg_transaction():
            await asyncio.gather(door())
            raise ZeroDivisionError
    assert await marks(db) == []


@each_style
async def test_detached(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with pg_transaction():
            async with detached():
                await door()
            raise ZeroDivisionError
    assert await marks(db) in ([style], [])


async def owners(db: Database) -> list[tuple[str, str | None]]:
    return await db.fetch("SELECT mark, NULLIF(who, '') FROM doors ORDER BY 1, 2", as_=tuple)  # type: ignore[return-value]


@each_style
async def test_for_a_tenant(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    """Outside of a transaction, in one, and in a child task: the setting is there, and nowhere afterwards."""
    async with tenant("o'ne"):
        await door()
        alone = await owners(db)
        assert alone in ([(style, "o'ne")], [])
        async with pg_transaction():
            await door()
            await asyncio.gather(door())
        assert await owners(db) == [(style, "o'ne")] * (2 + len(alone))
    await db.execute("TRUNCATE doors")
    for _ in range(3):
        assert await db.fetch_val("SELECT NULLIF(current_setting('app.tenant', true), '')") is None
    async with pg_transaction():
        await door()
    assert await owners(db) == [(style, None)]


@each_style
async def test_for_a_tenant_inside_a_transaction(db: Database, door: Callable[[], Awaitable[Any]], style: str) -> None:
    """A statement never runs for somebody else: it is refused, unless a block with the settings is begun."""
    async with tenant(1), pg_transaction():
        async with tenant(2):
            with pytest.raises(ConfigurationError, match=r"other settings \(app\.tenant\)"):
                await door()
            async with pg_transaction():
                await door()
            with pytest.raises(ZeroDivisionError):
                async with pg_transaction():
                    await door()
                    raise ZeroDivisionError
        await door()
    assert await owners(db) == [(style, "1"), (style, "2")]
    async with pg_transaction():
        async with tenant(3), pg_transaction():
            await door()
        await door()
    assert await owners(db) == [
        (style, "1"), (style, "2"), (style, "3"), (style, None)
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["commit", "rollback"])
@pytest.mark.parametrize("name", DOORS)
async def test_after_the_end_inside_the_block(postgres_dsn: str, name: str, how: str) -> None:
    """Nothing runs on its own, and nothing joins what is outside, before the block is left."""
    async with opened(postgres_dsn) as db:
        for style in STYLES:
            async with pg_transaction() as outer, asyncio.timeout(10):
                async with pg_transaction() as tx:
                    await tx.execute("INSERT INTO doors VALUES ('before')")
                    await getattr(tx, how)()
                    on, options = (tx, {}) if style == "transaction" else through(style, db)
                    with pytest.raises(TransactionClosed, match=r"before its block is left|has ended"):
                        await DOORS[name](on, options, style)
                    with pytest.raises(TransactionClosed):
                        async with pg_transaction():
                            pass
                    async with detached():
                        await db.execute("INSERT INTO doors VALUES ('detached')")
                await outer.execute("INSERT INTO doors VALUES ('after')")
            expected = ["after", "before", "detached"] if how == "commit" else ["after", "detached"]
            assert await marks(db) == expected
            await db.execute("TRUNCATE doors")


@pytest.mark.parametrize("name", DOORS)
async def test_in_a_task_that_outlives_its_transaction(postgres_dsn: str, name: str) -> None:
    async with opened(postgres_dsn) as db:
        for style in STYLES:
            over = asyncio.Event()

            async def late(style: str = style, over: asyncio.Event = over) -> None:
                # A transaction that has ended is not the current one, so that it is taken along.
                on, options = (tx, {}) if style == "transaction" else through(style, db)
                await over.wait()
                with pytest.raises(TransactionClosed):
                    await DOORS[name](on, options, style)

            async with pg_transaction() as tx:
                task = asyncio.create_task(late())
                await asyncio.sleep(0)
            over.set()
            await task
            assert await marks(db) == []


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("holder", ["block", "copy_in", "copy_out"])
async def test_what_the_caller_holds_itself(postgres_dsn: str, name: str, holder: str) -> None:
    """Waiting for one's own end would never end: it is refused at once, with both places."""
    async with opened(postgres_dsn) as db:

        async def source(tx: Any) -> AsyncIterator[tuple[str]]:
            await DOORS[name](tx, {}, "never")
            yield ("never",)

        with pytest.raises(TransactionBusy, match=r"test_doors\.py:\d+ needs .*test_doors\.py:\d+ has"):
            async with asyncio.timeout(3), pg_transaction() as tx:
                if holder == "block":
                    async with pg_transaction():
                        await DOORS[name](tx, {}, "never")
                elif holder == "copy_in":
                    await tx.copy_in("doors", source(tx))
                else:
                    async for _chunk in tx.copy_out("SELECT generate_series(1, 100000)"):
                        await DOORS[name](tx, {}, "never")
        assert await marks(db) == []
        assert await asyncio.gather(*(db.fetch_val("SELECT $1::int", n) for n in range(9))) == list(range(9))


async def test_siblings_are_served_in_their_order(postgres_dsn: str) -> None:
    """No task keeps the connection by asking again at once."""
    async with opened(postgres_dsn):
        served: list[int] = []
        until = asyncio.get_running_loop().time() + 0.3

        async def sibling(number: int) -> None:
            while asyncio.get_running_loop().time() < until:
                async with pg_transaction() as tx:
                    await tx.execute("SELECT 1")
                    served.append(number)

        async with pg_transaction():
            await asyncio.gather(*(sibling(n) for n in range(3)))
        counts = [served.count(n) for n in range(3)]
        assert min(counts) >= 0.9 * max(counts) > 0, counts


async def test_the_end_of_the_block_around(postgres_dsn: str) -> None:
    """A block inside a transaction that was rolled back is over, and says so."""
    async with opened(postgres_dsn) as db:
        inside, over = asyncio.Event(), asyncio.Event()

        async def sibling() -> None:
            with pytest.raises(TransactionClosed, match="ended before the block did"):
                async with pg_transaction() as tx:
                    inside.set()
                    await over.wait()
                    with pytest.raises(TransactionClosed):
                        await tx.execute("INSERT INTO doors VALUES ('lost')")

        async with pg_transaction():
            async with pg_transaction() as middle:
                task = asyncio.create_task(sibling())
                await inside.wait()
                await middle.rollback()
                over.set()
                await task
        assert await marks(db) == []
