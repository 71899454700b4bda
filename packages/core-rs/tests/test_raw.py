"""Raw SQL: shapes of rows, errors with every field, statements that belong elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from data_bridge.core import (
    CheckViolation,
    ConfigurationError,
    Database,
    DatabaseError,
    DecodeError,
    EncodeError,
    ForeignKeyViolation,
    NotNullViolation,
    QueryCancelled,
    QueryTimeout,
    SyntaxOrAccessError,
    UndefinedColumn,
    UndefinedTable,
    UniqueViolation,
)


class Point(BaseModel):
    x: int
    y: int


@dataclass
class Pair:
    x: int
    y: int


async def test_shapes_of_rows(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        sql = "SELECT g AS x, g * 2 AS y FROM generate_series(1, $1) g"
        assert await db.fetch(sql, 2) == [{"x": 1, "y": 2}, {"x": 2, "y": 4}]
        assert await db.fetch(sql, 2, as_=tuple) == [(1, 2), (2, 4)]
        assert await db.fetch(sql, 1, as_=Point) == [Point(x=1, y=2)]
        assert await db.fetch(sql, 1, as_=Pair) == [Pair(1, 2)]
        assert await db.fetch(sql, 0) == []
        assert await db.fetch_one(sql, 1) == {"x": 1, "y": 2}
        assert await db.fetch_one(sql, 0) is None
        assert await db.fetch_one(sql, 3, as_=tuple) == (1, 2)
        assert await db.fetch_val(sql, 3) == 1
        assert await db.fetch_val(sql, 0) is None
        assert await db.fetch("SELECT") == [{}]
        assert await db.execute("CREATE TEMP TABLE t AS SELECT generate_series(1, 5) AS a") == 5
        wide = ", ".join(f"{i} AS c{i}" for i in range(1600))
        assert len(await db.fetch_one(f"SELECT {wide}")) == 1600


async def test_ten_thousand_rows_keep_their_order(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        rows = await db.fetch("SELECT g, repeat('x', g % 100) FROM generate_series(1, 10000) g", as_=tuple)
        assert rows == [(g, "x" * (g % 100)) for g in range(1, 10001)]


@pytest.mark.fault("F2")
async def test_two_columns_of_one_name_have_no_place_in_a_dict(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        with pytest.raises(DecodeError, match="two columns named a"):
            await db.fetch("SELECT 1 AS a, 2 AS a")
        assert await db.fetch("SELECT 1 AS a, 2 AS a", as_=tuple) == [(1, 2)]


async def test_number_of_parameters(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        for params in ((), (1, 2)):
            with pytest.raises(EncodeError, match=f"takes 1 parameters, {len(params)} given"):
                await db.fetch("SELECT $1::int", *params)
        many = 65_535
        sql = "SELECT " + " + ".join(f"${i}::int" for i in range(1, many + 1))
        with pytest.raises(DatabaseError, match=r"stack depth|limit|memory"):
            await db.fetch_val(sql, *([1] * many))
        assert (
            await db.fetch_val(
                "SELECT cardinality(ARRAY[" + ",".join(f"${i}::int" for i in range(1, 30_001)) + "])", *([1] * 30_000)
            )
            == 30_000
        )


@pytest.mark.fault("H1")
async def test_every_field_of_an_error(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db, db.transaction() as tx:
        await tx.execute_script(
            "CREATE SCHEMA er; CREATE TABLE er.p (id int PRIMARY KEY); CREATE TABLE er.c (id int UNIQUE NOT NULL REFERENCES er.p CHECK (id < 9))"
        )
        await tx.execute("INSERT INTO er.p VALUES (1), (10)")
        await tx.execute("INSERT INTO er.c VALUES (1)")
        cases: list[tuple[str, type[DatabaseError], dict[str, Any]]] = [
            (
                "INSERT INTO er.c VALUES (1)",
                UniqueViolation,
                {"sqlstate": "23505", "constraint": "c_id_key", "table": "c", "schema": "er"},
            ),
            ("INSERT INTO er.c VALUES (2)", ForeignKeyViolation, {"sqlstate": "23503", "constraint": "c_id_fkey"}),
            ("INSERT INTO er.c VALUES (NULL)", NotNullViolation, {"sqlstate": "23502", "column": "id"}),
            ("INSERT INTO er.c VALUES (10)", CheckViolation, {"sqlstate": "23514", "constraint": "c_id_check"}),
            ("SELECT * FROM er.nothing", UndefinedTable, {"sqlstate": "42P01", "position": 15}),
            ("SELECT nothing FROM er.c", UndefinedColumn, {"sqlstate": "42703", "position": 8}),
            ("SELEC 1", SyntaxOrAccessError, {"sqlstate": "42601", "position": 1}),
        ]
        for sql, kind, fields in cases:
            with pytest.raises(kind) as caught:
                async with tx.savepoint():
                    await tx.execute(sql)
            for name, value in fields.items():
                assert getattr(caught.value, name) == value, (sql, name)
            assert caught.value.sql == sql
            assert sql in str(caught.value)


@pytest.mark.fault("I2")
async def test_values_never_appear_in_messages(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        await db.execute_script(
            "CREATE TABLE secret_keeper (v text UNIQUE); INSERT INTO secret_keeper VALUES ('hunter2')"
        )
        with pytest.raises(UniqueViolation) as caught:
            await db.execute("INSERT INTO secret_keeper VALUES ($1)", "hunter2")
        assert "hunter2" not in str(caught.value) and "hunter2" not in repr(caught.value)
        with pytest.raises(EncodeError) as refused:
            await db.fetch("SELECT $1::int", "hunter2")
        assert "hunter2" not in str(refused.value)
        await db.execute_script("DROP TABLE secret_keeper")


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("BEGIN", "pg_transaction"), ("/* x */ commit", "pg_transaction"), ("-- y\nROLLBACK", "pg_transaction"), ("savepoint a", "pg_transaction"),
        ("COPY t TO STDOUT", "copy_out"), ("LISTEN x", "listen"),
    ],
)  # fmt: skip
async def test_statements_with_methods_of_their_own(postgres_dsn: str, sql: str, why: str) -> None:
    async with Database(postgres_dsn) as db:
        with pytest.raises(ConfigurationError, match=why):
            await db.execute(sql)


async def test_timeout_cancels_on_the_server(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        with pytest.raises(QueryTimeout, match=r"0\.1 s"):
            await db.execute("SELECT pg_sleep(30) /* timed out */", timeout=0.1)
        async with asyncio.timeout(2):  # a second is promised
            while await db.fetch_val(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%/* timed out */' AND pid <> pg_backend_pid()"
            ):
                await asyncio.sleep(0.01)
        with pytest.raises(QueryCancelled):
            async with db.transaction() as tx:
                await tx.set_local("statement_timeout", "50ms")
                await tx.execute("SELECT pg_sleep(30)")


async def test_session_state_never_reaches_the_next_user(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute("SET statement_timeout = '7s'")
        assert await db.fetch_val("SHOW statement_timeout") == "0"
        await db.execute("SELECT pg_advisory_lock(4711)")
        locks = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory'"
        assert await db.fetch_val(f"{locks} AND d.datname = current_database()") == 0
        await db.execute_script("CREATE TEMP TABLE mine (a int); SET search_path = pg_catalog")
        assert await db.fetch_val("SELECT to_regclass('pg_temp.mine')::text") is None
        await db.execute_script("BEGIN; SELECT 1")
        pid = await db.fetch_val("SELECT pg_backend_pid()")
        async with Database(postgres_dsn) as other:
            assert await other.fetch_val("SELECT state FROM pg_stat_activity WHERE pid = $1", pid) == "idle"
        async with db.transaction():
            pass


async def test_a_changed_table_needs_no_new_connection(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS shifting; CREATE TABLE shifting (a int); INSERT INTO shifting VALUES (1)"
        )
        for _ in range(4):
            assert await db.fetch("SELECT * FROM shifting") == [{"a": 1}]
        await db.execute_script("ALTER TABLE shifting ADD COLUMN b text DEFAULT 'x'")
        for _ in range(4):
            assert await db.fetch("SELECT * FROM shifting") == [{"a": 1, "b": "x"}]
        await db.execute_script("ALTER TABLE shifting ALTER COLUMN a TYPE text")
        for _ in range(4):
            assert await db.fetch("SELECT * FROM shifting") == [{"a": "1", "b": "x"}]
        await db.execute_script("DROP TABLE shifting")
