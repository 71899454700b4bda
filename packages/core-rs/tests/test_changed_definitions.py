"""A definition that changes between two uses of a statement: the rows of the new one, or an error, never those of the old."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from data_bridge.core import Database, DatabaseError, DecodeError

TABLE = """
    DROP TABLE IF EXISTS changed CASCADE; DROP TYPE IF EXISTS changed_mood, changed_row CASCADE;
    DROP DOMAIN IF EXISTS changed_number CASCADE;
    CREATE TYPE changed_mood AS ENUM ('a', 'b'); CREATE TYPE changed_row AS (x int, y text);
    CREATE DOMAIN changed_number AS int;
    CREATE TABLE changed (id int, v text, m changed_mood, c changed_row, n changed_number);
    INSERT INTO changed VALUES (1, 'one', 'a', (1, 'y'), 5);
"""
BEFORE: dict[str, Any] = {"id": 1, "v": "one", "m": "a", "c": {"x": 1, "y": "y"}, "n": 5}
GONE = object()
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "a column is added": ("ALTER TABLE changed ADD COLUMN z int DEFAULT 9", {"z": 9}),
    "a column is dropped": ("ALTER TABLE changed DROP COLUMN v", {"v": GONE}),
    "a column is renamed": ("ALTER TABLE changed RENAME COLUMN v TO w", {"v": GONE, "w": "one"}),
    "names are exchanged": (
        "ALTER TABLE changed RENAME id TO t; ALTER TABLE changed RENAME v TO id; ALTER TABLE changed RENAME t TO v",
        {"id": "one", "v": 1},
    ),
    "int becomes text": ("ALTER TABLE changed ALTER COLUMN id TYPE text", {"id": "1"}),
    "int becomes bigint": (
        "ALTER TABLE changed ALTER COLUMN id TYPE bigint; UPDATE changed SET id = 2^40",
        {"id": 2**40},
    ),
    "text becomes int": ("ALTER TABLE changed ALTER COLUMN v TYPE int USING 77", {"v": 77}),
    "an enum member is renamed": ("ALTER TYPE changed_mood RENAME VALUE 'a' TO 'alpha'", {"m": "alpha"}),
    "an enum is made again": (
        "ALTER TABLE changed DROP COLUMN m; DROP TYPE changed_mood; CREATE TYPE changed_mood AS ENUM ('q');"
        " ALTER TABLE changed ADD COLUMN m changed_mood DEFAULT 'q'",
        {"m": "q"},
    ),
    "an enum becomes a row": (
        "ALTER TABLE changed DROP COLUMN m; DROP TYPE changed_mood; CREATE TYPE changed_mood AS (a int, b text);"
        " ALTER TABLE changed ADD COLUMN m changed_mood DEFAULT (3, 'k')",
        {"m": {"a": 3, "b": "k"}},
    ),
    "an attribute is added": ("ALTER TYPE changed_row ADD ATTRIBUTE z int", {"c": {"x": 1, "y": "y", "z": None}}),
    "an attribute is dropped": ("ALTER TYPE changed_row DROP ATTRIBUTE x", {"c": {"y": "y"}}),
    "an attribute is renamed": ("ALTER TYPE changed_row RENAME ATTRIBUTE x TO xx", {"c": {"xx": 1, "y": "y"}}),
    "a domain has another base": (
        "ALTER TABLE changed DROP COLUMN n; DROP DOMAIN changed_number; CREATE DOMAIN changed_number AS text;"
        " ALTER TABLE changed ADD COLUMN n changed_number DEFAULT 'dom'",
        {"n": "dom"},
    ),
}
RENAMES = ["a column is renamed", "names are exchanged", "an attribute is renamed"]
Door = Callable[[Database], Awaitable[list[dict[str, Any]]]]


async def fetch(db: Database) -> list[dict[str, Any]]:
    return await db.fetch("SELECT * FROM changed")


async def fetch_with_a_parameter(db: Database) -> list[dict[str, Any]]:
    return await db.fetch("SELECT * FROM changed WHERE $1::int = 1", 1)


async def stream(db: Database) -> list[dict[str, Any]]:
    async with db.stream("SELECT * FROM changed") as rows:
        return [row async for row in rows]


async def in_a_transaction(db: Database) -> list[dict[str, Any]]:
    async with db.transaction() as tx:
        return await tx.fetch("SELECT * FROM changed")


async def returning(db: Database) -> list[dict[str, Any]]:
    return await db.fetch("UPDATE changed SET m = m RETURNING *")


async def whole_row(db: Database) -> list[dict[str, Any]]:
    return [row["r"] for row in await db.fetch("SELECT changed AS r FROM changed")]


async def array_of_rows(db: Database) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await db.fetch_val("SELECT array_agg(changed) FROM changed")
    return rows


DOORS: list[Door] = [
    fetch, fetch_with_a_parameter, stream, in_a_transaction, returning, whole_row, array_of_rows
]  # fmt: skip
READ_ONCE: list[Door] = [whole_row, array_of_rows]


def after(change: str) -> dict[str, Any]:
    return {k: v for k, v in (BEFORE | CHANGES[change][1]).items() if v is not GONE}


@pytest.mark.parametrize("cache", [500, 0])
@pytest.mark.parametrize("door", DOORS)
async def test_a_change_by_the_same_process(postgres_dsn: str, door: Door, cache: int) -> None:
    """Nothing of the old definition is left at the next statement, the names in rows of rows included."""
    async with Database(postgres_dsn, max_connections=1, statement_cache_size=cache) as db:
        for change, (ddl, _) in CHANGES.items():
            await db.execute_script(TABLE)
            for _ in range(2):
                assert await door(db) == [BEFORE], change
            if len(ddl.split(";")) == 1:
                await db.execute(ddl)
            else:
                await db.execute_script(ddl)
            for _ in range(2):
                assert await door(db) == [after(change)], change
        await db.execute("DROP TABLE changed CASCADE")


@pytest.mark.parametrize("cache", [500, 0])
@pytest.mark.parametrize("door", DOORS)
async def test_a_change_by_another_process(postgres_dsn: str, door: Door, cache: int) -> None:
    """The first use afterwards may be an error that says why; no use returns a value of another type."""
    async with (
        Database(postgres_dsn, max_connections=1, statement_cache_size=cache) as db,
        Database(postgres_dsn, max_connections=1) as other,
    ):
        for change, (ddl, _) in CHANGES.items():
            await other.execute_script(TABLE)
            await db.expire()
            for _ in range(2):
                assert await door(db) == [BEFORE], change
            await other.execute_script(ddl)
            try:
                rows = await door(db)
            except DatabaseError as e:
                assert e.sqlstate in ("0A000", "26000"), change
                assert e.hint, change
            except DecodeError as e:
                assert "malformed" in str(e), change
            else:
                if change not in RENAMES:
                    assert rows == [after(change)], change
            if change in RENAMES:
                # The names of a row are read once by each connection: docs/reference/types.md says so.
                await db.expire()
            assert await door(db) == [after(change)], change
        await other.execute("DROP TABLE changed CASCADE")


async def test_connections_are_replaced_only_where_rows_were_read(postgres_dsn: str) -> None:
    code = """
import asyncio, sys
from data_bridge.core import Database
async def main():
    async with Database(sys.argv[1], max_connections=1) as db:
        await db.execute_script("DROP TABLE IF EXISTS plain; CREATE TABLE plain (id int)")
        for n in range(3):
            await db.execute(f"ALTER TABLE plain ADD COLUMN c{n} int")
            await db.fetch("SELECT * FROM plain")
        print(db.pool_stats().opened)
        await db.execute("INSERT INTO plain VALUES (1)")
        await db.fetch("SELECT plain FROM plain")
        await db.execute("ALTER TABLE plain ADD COLUMN last int")
        assert await db.fetch_val("SELECT plain FROM plain") == {"id": 1, "c0": None, "c1": None, "c2": None, "last": None}
        print(db.pool_stats().opened)
        await db.execute("DROP TABLE plain")
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, postgres_dsn, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert (process.returncode, out.split()) == (0, [b"1", b"2"])
