"""The schema changes between two calls: statements are planned again, or the caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from data_bridge.core import Database, DatabaseError, DecodeError

from .conftest import whole


@asynccontextmanager
async def opened(dsn: str, script: str, **options: int) -> AsyncGenerator[tuple[Database, Database]]:
    """A pool whose places all know the statements that run, and somebody else who changes the schema."""
    async with Database(dsn) as other, Database(dsn, max_connections=3, **options) as db:  # type: ignore[arg-type]
        await other.execute_script("DROP SCHEMA IF EXISTS g CASCADE; CREATE SCHEMA g;" + script)
        yield db, other
        await whole(db)
        await other.execute_script("DROP SCHEMA g CASCADE")


async def everywhere(db: Database, sql: str, *params: object) -> list[object]:
    """The statement on every place of the pool at once; all must agree."""

    async def one() -> object:
        async with db.transaction() as tx:  # holds its place, so that the others take the others
            await tx.execute("SELECT pg_sleep(0.01)")
        return await db.fetch(sql, *params, as_=tuple)

    found = await asyncio.gather(*(one() for _ in range(6)))
    assert all(f == found[0] for f in found)
    rows: list[object] = list(found[0])  # type: ignore[call-overload]
    return rows


async def noticed(db: Database, sql: str, *params: object) -> None:
    """What a composite consists of is known once per connection: who reads another is told, and all are recreated."""
    with pytest.raises(DecodeError, match=r"p \(g\.pair\)"):
        await db.fetch(sql, *params)


CHANGES = [
    ("ADD COLUMN c text DEFAULT 'new'", [(1, "x", "new")]),
    ("DROP COLUMN b", [(1,)]),
    ("ALTER COLUMN a TYPE text", [("1", "x")]),
    ("ALTER COLUMN a TYPE numeric USING a + 0.5, ALTER COLUMN b TYPE bytea USING b::bytea", None),
    ("RENAME COLUMN b TO d", [(1, "x")]),
]


@pytest.mark.fault("G1", "F8")
@pytest.mark.parametrize(("change", "after"), CHANGES, ids=[c[0] for c in CHANGES])
async def test_a_changed_table(postgres_dsn: str, change: str, after: list[object] | None) -> None:
    """Outside a transaction nobody notices; inside it fails once, as 0A000, and the next one works."""
    sql = "SELECT * FROM g.t WHERE 1 = $1::int"
    async with opened(postgres_dsn, "CREATE TABLE g.t (a int, b text); INSERT INTO g.t VALUES (1, 'x')") as (db, other):
        assert await everywhere(db, sql, 1) == [(1, "x")]
        await other.execute(f"ALTER TABLE g.t {change}")
        found = await everywhere(db, sql, 1)
        assert found == (after if after is not None else [(Decimal("1.5"), b"x")])
        opened_before = db.pool_stats().opened
        await other.execute_script("ALTER TABLE g.t ADD COLUMN z int DEFAULT 9")
        failures = 0
        for _ in range(6):
            try:
                async with db.transaction() as tx:
                    rows = await tx.fetch(sql, 1, as_=tuple)
                    assert rows[0][-1] == 9
            except DatabaseError as e:
                assert e.sqlstate == "0A000" and "cached plan" in e.message
                failures += 1
        assert 1 <= failures <= 3, "each place of the pool may fail once"
        async with db.transaction() as tx:
            assert (await tx.fetch(sql, 1, as_=tuple))[0][-1] == 9
        assert db.pool_stats().opened == opened_before


@pytest.mark.fault("G1")
async def test_a_write_is_not_done_twice(postgres_dsn: str) -> None:
    """The invisible retry is only for what the server refused before it did anything."""
    sql = "INSERT INTO g.t (a) VALUES ($1) RETURNING *"
    async with opened(postgres_dsn, "CREATE TABLE g.t (a int)") as (db, other):
        for n in range(4):
            await asyncio.gather(*(db.fetch(sql, n * 10 + k, as_=tuple) for k in range(5)))
            await other.execute(f"ALTER TABLE g.t ADD COLUMN c{n} int DEFAULT {n}")
        assert await db.fetch("SELECT count(*), count(DISTINCT a) FROM g.t", as_=tuple) == [(20, 20)]


@pytest.mark.fault("G2")
async def test_enums_and_composites_that_grow(postgres_dsn: str) -> None:
    script = """
        CREATE TYPE g.mood AS ENUM ('sad', 'ok'); CREATE TYPE g.pair AS (x int, y text);
        CREATE TABLE g.t (m g.mood, p g.pair, ms g.mood[]); INSERT INTO g.t VALUES ('ok', (1, 'a'), '{sad}')
    """
    async with opened(postgres_dsn, script) as (db, other):
        sql = "SELECT m, p, ms FROM g.t WHERE m = $1"
        assert await everywhere(db, sql, "ok") == [("ok", {"x": 1, "y": "a"}, ["sad"])]
        await other.execute("ALTER TYPE g.mood ADD VALUE 'glad'")
        await db.execute("UPDATE g.t SET m = $1, ms = $2", "glad", ["glad", "sad"])
        assert await everywhere(db, sql, "glad") == [("glad", {"x": 1, "y": "a"}, ["glad", "sad"])]
        await other.execute("ALTER TYPE g.pair ADD ATTRIBUTE z int")
        await noticed(db, sql, "glad")
        assert await everywhere(db, sql, "glad") == [("glad", {"x": 1, "y": "a", "z": None}, ["glad", "sad"])]
        await db.execute("UPDATE g.t SET p = $1", {"x": 2, "y": "b", "z": 3})
        assert await everywhere(db, sql, "glad") == [("glad", {"x": 2, "y": "b", "z": 3}, ["glad", "sad"])]
        await other.execute("ALTER TYPE g.pair DROP ATTRIBUTE y")
        await noticed(db, sql, "glad")
        assert await everywhere(db, sql, "glad") == [("glad", {"x": 2, "z": 3}, ["glad", "sad"])]
        await other.execute("ALTER TYPE g.mood RENAME VALUE 'glad' TO 'happy'")
        assert await everywhere(db, sql, "happy") == [("happy", {"x": 2, "z": 3}, ["happy", "sad"])]


@pytest.mark.fault("G2")
async def test_types_made_anew(postgres_dsn: str) -> None:
    """Another OID behind the same name: parameters and columns follow."""
    make = "CREATE TYPE g.mood AS ENUM ({}); CREATE TABLE g.t (m g.mood); INSERT INTO g.t VALUES ('ok')"
    async with opened(postgres_dsn, make.format("'sad', 'ok'")) as (db, other):
        sql = "SELECT m FROM g.t WHERE m = $1"
        assert await everywhere(db, sql, "ok") == [("ok",)]
        for n in range(3):
            await other.execute_script("DROP TABLE g.t; DROP TYPE g.mood;" + make.format(f"'ok', 'v{n}'"))
            await db.execute("INSERT INTO g.t VALUES ($1)", f"v{n}")
            assert await everywhere(db, sql, "ok") == [("ok",)]
            assert await everywhere(db, sql, f"v{n}") == [(f"v{n}",)]
        await other.execute_script("DROP TABLE g.t; DROP TYPE g.mood;" + make.format("'ok'"))
        failures = 0
        for _ in range(8):
            try:
                async with db.transaction() as tx:
                    assert await tx.fetch(sql, "ok", as_=tuple) == [("ok",)]
            except DatabaseError:
                failures += 1
        assert failures <= 3, "in a transaction each place of the pool may fail once"


@pytest.mark.fault("G2", "D9")
async def test_a_search_path_that_changes(postgres_dsn: str) -> None:
    script = """
        CREATE TABLE g.t (a int); INSERT INTO g.t VALUES (1); DROP SCHEMA IF EXISTS g2 CASCADE; CREATE SCHEMA g2;
        CREATE TABLE g2.t (a text, b int); INSERT INTO g2.t VALUES ('two', 2)
    """
    async with opened(postgres_dsn, script) as (db, other):
        for _ in range(3):
            for path, rows in (("g", [(1,)]), ("g2", [("two", 2)])):
                try:
                    async with db.transaction() as tx:
                        await tx.set_local("search_path", path)
                        assert await tx.fetch("SELECT * FROM t", as_=tuple) == rows
                except DatabaseError as e:
                    assert e.sqlstate == "0A000"
        with pytest.raises(DatabaseError):
            await db.fetch("SELECT * FROM t")
        await other.execute("DROP SCHEMA g2 CASCADE")


@pytest.mark.fault("G2")
@pytest.mark.parametrize("forget", ["DISCARD ALL", "DEALLOCATE ALL", "DISCARD PLANS"])
async def test_statements_that_the_user_has_forgotten(postgres_dsn: str, forget: str) -> None:
    async with opened(postgres_dsn, "CREATE TABLE g.t AS SELECT 1 AS a") as (db, _):
        sql = "SELECT a FROM g.t WHERE a = $1"
        for _ in range(3):
            assert await everywhere(db, sql, 1) == [(1,)]
            await asyncio.gather(*(db.execute_script(forget) for _ in range(3)))
            assert await everywhere(db, sql, 1) == [(1,)]
            await db.execute(forget)
            assert await db.fetch_val(sql, 1) == 1
            async with db.stream(sql, 1, as_=tuple) as rows:
                assert [r async for r in rows] == [(1,)]
        if forget == "DEALLOCATE ALL":
            failures = 0
            for _ in range(3):
                try:
                    async with db.transaction() as tx:
                        await tx.fetch_val(sql, 1)
                        await tx.execute(forget)
                        await tx.fetch_val(sql, 1)
                except DatabaseError as e:
                    assert e.sqlstate == "26000"
                    failures += 1
            async with db.transaction() as tx:
                assert await tx.fetch_val(sql, 1) == 1
            assert failures <= 3


@pytest.mark.fault("G3", "D11")
@pytest.mark.parametrize("texts", [1_500, pytest.param(10_000, marks=pytest.mark.endurance)])
async def test_many_texts_keep_few_statements(postgres_dsn: str, texts: int) -> None:
    async with Database(postgres_dsn, max_connections=1, statement_cache_size=100) as db:
        count = "SELECT count(*) FROM pg_prepared_statements"
        for n in range(texts):
            assert await db.fetch_val(f"SELECT $1::int + {n}", 1) == n + 1
            if n % 250 == 0:
                assert await db.fetch_val(count) <= 100
        assert 50 < await db.fetch_val(count) <= 100
        assert db.pool_stats().opened == 1
