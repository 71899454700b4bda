"""A value of many megabytes: it arrives whole on every way to the server, and its memory is not kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from data_bridge.core import Database

SIZES = [10, 3_000_000]
"""Bytes below and above the size from which no copy is kept for a second attempt."""

Attempt = Callable[[Database, Database, str], Awaitable[int]]
"""Sends a text by the first database, changes what is needed by the second, and returns the length that the server saw."""


async def first(db: Database, _other: Database, text: str) -> int:
    return int(await db.fetch_val("SELECT length($1::text)", text))


async def warm(db: Database, _other: Database, text: str) -> int:
    await db.fetch_val("SELECT length($1::text)", "x")
    return int(await db.fetch_val("SELECT length($1::text)", text))


async def with_other_columns(db: Database, other: Database, text: str) -> int:
    """The kept plan returns other columns now: the statement is prepared again and sent a second time."""
    query = "SELECT *, length($1::text) AS length FROM shifting"
    await db.fetch_one(query, "x")
    await other.execute("ALTER TABLE shifting ADD COLUMN b int")
    row = await db.fetch_one(query, text)
    assert row is not None and "b" in row
    return int(row["length"])


async def with_another_type(db: Database, other: Database, text: str) -> int:
    """The parameter has another type now: the value is encoded and sent a second time."""
    insert = "INSERT INTO shifting (a) VALUES ($1) RETURNING length(a #>> '{}')"
    await other.execute("ALTER TABLE shifting ALTER COLUMN a TYPE jsonb USING to_jsonb(a)")
    await db.fetch_val(insert, "x")
    await other.execute("ALTER TABLE shifting ALTER COLUMN a TYPE json USING a::json")
    return int(await db.fetch_val(insert, text))


async def with_an_unknown_type(db: Database, _other: Database, text: str) -> int:
    """sqlx learns multirange types when the first statement with one fails to be described."""
    row = await db.fetch_one("SELECT length($1::text), '{[1,2)}'::int4multirange AS range", text)
    assert row is not None
    return int(row["length"])


@pytest.mark.parametrize("cache", [500, 0])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("attempt", [first, warm, with_other_columns, with_another_type, with_an_unknown_type])
async def test_arrives_whole(postgres_dsn: str, attempt: Attempt, size: int, cache: int) -> None:
    async with (
        Database(postgres_dsn, max_connections=1, statement_cache_size=cache) as db,
        Database(postgres_dsn, max_connections=1) as other,
    ):
        await other.execute_script(
            "DROP TABLE IF EXISTS shifting; CREATE TABLE shifting (a text); INSERT INTO shifting VALUES ('x')"
        )
        assert await attempt(db, other, "y" * size) == size
        assert await db.fetch_val("SELECT 1") == 1
        await other.execute("DROP TABLE shifting")
