"""COPY takes no parameters: what is written in their place means the same as a bound value, whatever it holds."""

from __future__ import annotations

import asyncio
import csv
import enum
import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_bridge.core import CompileError, Database, DatabaseError, DataBridgeError, EncodeError, Range


class Colour(str, enum.Enum):  # noqa: UP042 - the older spelling is what applications have
    RED = "red"


VALUES: list[tuple[str, Any]] = [
    ("bool", True),
    ("int2", -32768),
    ("int4", -5),
    ("int8", -(2**63)),
    ("float4", 0.1),
    ("float8", float("-inf")),
    ("float8", 1e-320),
    ("numeric", Decimal("-1.50")),
    ("numeric", Decimal("NaN")),
    ("text", "it's \\ $1 -- /* \n"),
    ("varchar(3)", "ab "),
    ("bpchar", "x  "),
    ("name", "n"),
    ('"char"', "c"),
    ("bytea", b"\x00\\'\xff"),
    ("uuid", UUID(int=5)),
    ("date", date(1, 1, 1)),
    ("time", time(1, 2, 3, 4)),
    ("timestamp", datetime(2024, 2, 29, 23, 59, 59, 999999)),
    ("timestamptz", datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
    ("interval", timedelta(days=-3, microseconds=5)),
    ("json", {"a": [1, "'"]}),
    ("jsonb", {"a": {"b": "\\"}}),
    ("inet", ip_address("10.0.0.1")),
    ("cidr", ip_network("10.0.0.0/8")),
    ("int4[]", [1, None, 3]),
    ("text[]", ["a,b", '"', "NULL", ""]),
    ("int4range", Range(1, 5)),
    ("copy_colour", Colour.RED),
    ('"Copy Schema"."Kind"', "it's"),
    ("bit(3)", "101"),
]
SETUP = """
    DROP SCHEMA IF EXISTS "Copy Schema" CASCADE; CREATE SCHEMA "Copy Schema";
    CREATE TYPE "Copy Schema"."Kind" AS ENUM ('it''s', 'other');
    DROP TYPE IF EXISTS copy_colour; CREATE TYPE copy_colour AS ENUM ('red', 'blue');
"""


async def text_of(chunks: Any) -> str:
    return b"".join([chunk async for chunk in chunks]).decode()


async def test_every_type_means_what_it_means_bound(postgres_dsn: str) -> None:
    """The same row comes by fetch, by stream, by PREPARE and by COPY; typed columns find it by comparison."""
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script(SETUP)
        for kind, value in VALUES:
            shown = f"format('%s', $1::{kind}), pg_typeof($1::{kind})::text, $2::text IS NULL"
            fetched = await db.fetch(f"SELECT {shown}", value, None, as_=tuple)
            async with db.stream(f"SELECT {shown}", value, None, as_=tuple) as rows:
                assert [row async for row in rows] == fetched, kind
            copied = await text_of(db.copy_out(f"SELECT {shown}", value, None))
            ((text, of, is_null),) = fetched
            assert list(csv.reader(io.StringIO(copied, newline=""))) == [[text, of, "t" if is_null else "f"]], kind
        async with db.transaction() as tx:
            for number, (kind, value) in enumerate(VALUES):
                if kind.startswith("json"):
                    continue
                await tx.execute_script(f"CREATE TABLE held_{number} (v {kind})")
                await tx.execute(f"INSERT INTO held_{number} VALUES ($1)", value)
                query = f"SELECT count(*) FROM held_{number} WHERE v = $1"
                assert await tx.fetch_val(query, value) == 1, kind
                assert await text_of(tx.copy_out(query, value)) == "1\n", kind
            tx.set_rollback_only()


HOSTILE = [
    "'", "''", "\\", "\\'", "$1", "$$", "$a$", "--", "/*", "*/", ";", "\n", "\r", ") TO STDOUT --", "\u2019", "é", '"', "E'", "U&'",
    "\t", "NULL", "%s", "{", "}",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(HOSTILE), max_size=6).map("".join),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(),
    st.none() | st.binary(),
)
def test_hostile_values_stay_values(postgres_dsn: str, text: str, number: int, real: float, blob: bytes | None) -> None:
    query = "SELECT 10 -$2::int8, $1::text, length($1), -$3::float8, $4::bytea, 'a$1' /* $1 */, E'it\\'s $1', $a$ $$ $1 $$ $a$ -- $1"

    async def both() -> tuple[Any, str]:
        async with Database(postgres_dsn, max_connections=1) as db:
            wanted = await db.fetch(
                query.replace("SELECT", "SELECT format('%s|%s|%s|%s|%s|%s|%s|%s',").replace(" -- $1", ")"),
                text,
                number,
                real,
                blob,
                as_=tuple,
            )
            copied = await text_of(db.copy_out(query, text, number, real, blob))
            return wanted[0][0], copied

    wanted, copied = asyncio.run(both())
    (row,) = csv.reader(io.StringIO(copied, newline=""))
    assert "|".join(row) == wanted


async def test_what_is_no_single_query(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for sql, what in (
            ("", "holds no query"),
            ("SELECT 1; SELECT 2", "several statements; the second starts in line 1"),
            ("SELECT 1) TO STDOUT; --", "parenthesis in line 1"),
            ("SELECT 'a", "line 1 does not end"),
            ("SELECT \n/* /* */", "line 2 does not end"),
        ):
            with pytest.raises(CompileError, match=what):
                await text_of(db.copy_out(sql))
        assert await text_of(db.copy_out("SELECT 1 ; -- the end")) == "1\n"
        assert await text_of(db.copy_out("VALUES (1), (2)")) == "1\n2\n"
        with pytest.raises(EncodeError):
            await text_of(db.copy_out("SELECT $1::int", "x"))
        assert await db.fetch_val("SELECT 1") == 1


async def test_a_domain_that_refuses_null_takes_rows(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS strict; DROP DOMAIN IF EXISTS filled;"
            "CREATE DOMAIN filled AS text NOT NULL CHECK (VALUE <> ''); CREATE TABLE strict (a filled)"
        )
        assert await db.copy_in("strict", [("x",)]) == 1
        with pytest.raises(DatabaseError):
            await db.copy_in("strict", [(None,)])


@pytest.mark.parametrize(
    "broken", ["SELEC 1", "SELECT no_such_column", "SELECT 1; SELECT 2", "TABLE no_such_table", "SELECT 1/0"]
)
async def test_a_query_that_copy_cannot_run_costs_neither_connection_nor_transaction(
    postgres_dsn: str, broken: str
) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        pid = await db.fetch_val("SELECT pg_backend_pid()")
        async with db.transaction() as tx:
            await tx.execute("CREATE TEMP TABLE kept (i int)")
            await tx.execute("INSERT INTO kept VALUES (1)")
            with pytest.raises(DataBridgeError):
                async for _ in tx.copy_out(broken):
                    pass
            assert await tx.fetch_val("SELECT count(*) FROM kept") == 1
            tx.set_rollback_only()
        with pytest.raises(DataBridgeError):
            async for _ in db.copy_out(broken):
                pass
        assert await db.fetch_val("SELECT pg_backend_pid()") == pid
