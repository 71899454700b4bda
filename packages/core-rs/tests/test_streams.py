"""Cursors, COPY and notifications: bounded memory, clean ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from data_bridge import core
from data_bridge.core import (
    ConfigurationError,
    Database,
    EncodeError,
    Gap,
    Notification,
    SyntaxOrAccessError,
    UndefinedTable,
)


async def whole(db: Database, size: int) -> None:
    """Every connection of the pool gives its own answers."""
    for _ in range(20):
        stats = db.pool_stats()
        if stats.used == 0:
            break
        await asyncio.sleep(0.02)
    assert await asyncio.gather(
        *(db.fetch_val("SELECT $1::int FROM pg_sleep(0.002)", i) for i in range(size * 3))
    ) == list(range(size * 3))


async def test_a_stream_gives_all_rows_in_batches(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        async with db.stream("SELECT g FROM generate_series(1, $1) g", 2500, as_=tuple, batch=1000) as rows:
            assert [r[0] async for r in rows] == list(range(1, 2501))
        assert [r["n"] async for r in db.stream("SELECT 5 AS n WHERE false")] == []
        async with db.transaction() as tx:
            a, b = tx.stream("SELECT 1 AS x UNION ALL SELECT 2"), tx.stream("SELECT 'y' AS other")
            assert (await anext(a), await anext(b), await anext(a)) == ({"x": 1}, {"other": "y"}, {"x": 2})
            await a.aclose()
            await b.aclose()
        await whole(db, 2)


async def test_leaving_a_stream_early(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        async with db.stream("SELECT g FROM generate_series(1, 1000000) g", batch=10) as rows:
            async for row in rows:
                if row["g"] == 15:
                    break
        async with asyncio.timeout(10):
            while db.pool_stats().used:
                await asyncio.sleep(0.01)
        dropped = db.stream("SELECT g FROM generate_series(1, 1000000) g", batch=10)
        await anext(dropped)
        del dropped
        gc.collect()
        await whole(db, 2)
        with pytest.raises(SyntaxOrAccessError):
            await anext(db.stream("SELECT * FROM nowhere"))
        await whole(db, 2)


async def test_copy_in(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS copied; DROP TYPE IF EXISTS colour; CREATE TYPE colour AS ENUM ('red'); "
            "CREATE TABLE copied (id int, name text, at timestamptz, tags text[], c colour, twice int GENERATED ALWAYS AS (id * 2) STORED)"
        )
        moment = datetime(2024, 5, 1, tzinfo=UTC)
        rows = [(i, f"n{i}", moment, ["a", None], "red") for i in range(5000)]
        assert await db.copy_in("copied", rows) == 5000
        assert await db.fetch_val("SELECT sum(twice) FROM copied") == 4999 * 5000

        async def source() -> AsyncIterator[dict[str, object]]:
            for i in range(1500):
                yield {"id": i, "name": None}

        assert await db.copy_in("public.copied", source(), columns=["id", "name"]) == 1500
        assert await db.copy_in("copied", []) == 0
        with pytest.raises(EncodeError, match=r"row 700, id \(int4\): expected int, got str"):
            await db.copy_in("copied", ((i if i < 700 else "x",) for i in range(2000)), columns=["id"])

        def broken() -> object:
            yield (1,)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await db.copy_in("copied", broken(), columns=["id"])
        with pytest.raises(ConfigurationError, match="no column 'nope'"):
            await db.copy_in("copied", [], columns=["nope"])
        assert await db.fetch_val("SELECT count(*) FROM copied") == 6500
        with pytest.raises(core.DatabaseError):
            await db.copy_in("copied", [(1, "x", None, None, "blue")])
        await whole(db, 2)
        async with db.transaction() as tx:
            assert await tx.copy_in("copied", [(1, "a")], columns=["id", "name"]) == 1
            await tx.rollback()
        assert await db.fetch_val("SELECT count(*) FROM copied") == 6500
        await db.execute_script("DROP TABLE copied; DROP TYPE colour")


async def test_copy_out(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        text = b"".join(
            [
                c
                async for c in db.copy_out(
                    "SELECT g, $1 FROM generate_series(1, $2) g WHERE 'a$1' <> $3", "o'x", 3, "b"
                )
            ]
        )
        assert text == b"1,o'x\n2,o'x\n3,o'x\n"
        total = sum(
            [
                len(c)
                async for c in db.copy_out("SELECT repeat('x', 1000) FROM generate_series(1, 20000)", format="text")
            ]
        )
        assert total == 20000 * 1001
        binary = b"".join([c async for c in db.copy_out("SELECT 1", format="binary")])
        assert binary.startswith(b"PGCOPY\n\xff\r\n\0")
        for _ in range(3):
            with pytest.raises(UndefinedTable):
                async for _chunk in db.copy_out("SELECT * FROM no_such_table"):
                    pass
        async with db.copy_out("SELECT repeat('x', 1000), generate_series(1, 100000000)") as chunks:
            async for _chunk in chunks:
                break
        dropped = db.copy_out("SELECT repeat('x', 1000), generate_series(1, 100000000)")
        await anext(dropped)
        del dropped
        gc.collect()
        await whole(db, 2)
        with pytest.raises(EncodeError, match="takes 2 parameters, 1 given"):
            await anext(db.copy_out("SELECT $2::int, $1::int", 1))


async def test_notifications_and_gaps(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        async with db.listen("orders", 'Odd "Channel"') as heard:
            await db.notify("orders", "one")
            async with db.transaction() as tx:
                await tx.notify('Odd "Channel"', "two")
            await db.notify("elsewhere", "never")
            async with asyncio.timeout(5):
                first, second = await anext(heard), await anext(heard)
            assert isinstance(first, Notification) and (first.channel, first.payload) == ("orders", "one")
            assert isinstance(second, Notification) and (second.channel, second.payload) == ('Odd "Channel"', "two")
            await db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
            async with asyncio.timeout(10):
                gap = await anext(heard)
                assert isinstance(gap, Gap) and gap.since <= gap.until
                await db.notify("orders", "after")
                third = await anext(heard)
            assert isinstance(third, Notification) and third.payload == "after"
        with pytest.raises(ConfigurationError):
            async with db.listen(""):
                pass
        await whole(db, 2)


@pytest.mark.parametrize(
    "sql", ["INSERT INTO pg_temp.x VALUES (1)", "SHOW work_mem", "EXPLAIN SELECT 1", "DELETE FROM x"]
)
async def test_only_queries_are_streamed(postgres_dsn: str, sql: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db, db.transaction() as tx:
        with pytest.raises(ConfigurationError, match=rf"stream\(\) takes a query, not {sql.split()[0]}"):
            async with db.stream(sql) as rows:
                await anext(rows)
        assert await tx.fetch_val("SELECT 1") == 1, "nothing was sent, so that the transaction goes on"
