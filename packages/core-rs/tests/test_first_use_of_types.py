"""The first statement of a connection may have any type: what sqlx asks the server about it disturbs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from data_bridge.core import Database

SCRIPT = """
    DROP TABLE IF EXISTS first_use;
    DROP TYPE IF EXISTS first_row, first_mood CASCADE; DROP DOMAIN IF EXISTS first_code;
    CREATE TYPE first_mood AS ENUM ('sad', 'glad');
    CREATE TYPE first_row AS (mood first_mood, number int);
    CREATE DOMAIN first_code AS varchar(5);
    CREATE TABLE first_use (
        mood first_mood, moods first_mood[], code first_code, record first_row, span int4multirange
    );
    INSERT INTO first_use VALUES ('sad', '{sad,glad}', 'abc', ('glad', 7), '{[1,2)}');
"""
COLUMNS = {
    "mood": "first_mood",
    "moods": "first_mood[]",
    "code": "first_code",
    "record": "first_row",
    "span": "int4multirange",
}
EXPECTED: dict[str, Any] = {
    "mood": "sad",
    "moods": ["sad", "glad"],
    "code": "abc",
    "record": {"mood": "glad", "number": 7},
}

Door = Callable[[Database, str], Awaitable[list[dict[str, Any]]]]


async def fetch(db: Database, column: str) -> list[dict[str, Any]]:
    return await db.fetch(f"SELECT {column} FROM first_use")


async def fetch_with_a_parameter(db: Database, column: str) -> list[dict[str, Any]]:
    return await db.fetch(f"SELECT {column} FROM first_use WHERE $1::int = 1", 1)


async def send_the_type(db: Database, column: str) -> list[dict[str, Any]]:
    """The type is that of a parameter alone."""
    value = {**EXPECTED, "span": []}[column]
    count = await db.fetch_val(f"SELECT count($1::{COLUMNS[column]}) FROM first_use", value)
    assert count == 1
    return await db.fetch(f"SELECT {column} FROM first_use")


async def in_a_transaction(db: Database, column: str) -> list[dict[str, Any]]:
    async with db.transaction() as tx:
        return await tx.fetch(f"SELECT {column} FROM first_use")


async def stream(db: Database, column: str) -> list[dict[str, Any]]:
    async with db.stream(f"SELECT {column} FROM first_use") as rows:
        return [row async for row in rows]


async def stream_with_a_parameter(db: Database, column: str) -> list[dict[str, Any]]:
    async with db.stream(f"SELECT {column} FROM first_use WHERE $1::int = 1", 1) as rows:
        return [row async for row in rows]


async def returning(db: Database, column: str) -> list[dict[str, Any]]:
    return await db.fetch(f"UPDATE first_use SET {column} = {column} RETURNING {column}")


DOORS: list[Door] = [
    fetch,
    fetch_with_a_parameter,
    send_the_type,
    in_a_transaction,
    stream,
    stream_with_a_parameter,
    returning,
]


@pytest.fixture(scope="module")
def types(postgres_dsn: str) -> Iterator[str]:
    async def script(sql: str) -> None:
        async with Database(postgres_dsn) as db:
            await db.execute_script(sql)

    asyncio.run(script(SCRIPT))
    yield postgres_dsn
    asyncio.run(script("DROP TABLE first_use; DROP TYPE first_row, first_mood; DROP DOMAIN first_code"))


@pytest.mark.parametrize("cache", [500, 0])
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("door", DOORS)
async def test_first_and_second_use(types: str, door: Door, column: str, cache: int) -> None:
    async with Database(types, statement_cache_size=cache, max_connections=1) as db:
        for _ in range(2):
            (row,) = await door(db, column)
            if column == "span":
                assert [(span.lower, span.upper) for span in row[column]] == [(1, 2)]
            else:
                assert row == {column: EXPECTED[column]}
        assert db.pool_stats().opened == 1, "the connection was not kept"
