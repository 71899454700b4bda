"""The edges of the protocol, of types and of memory: what fits comes back, what does not is a clear error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from data_bridge.core import Database, DatabaseError, DataBridgeError, DecodeError, EncodeError
from data_bridge.core._native import LoadPlan

MEGABYTE = 1 << 20


@pytest.mark.fault("F1")
async def test_number_of_parameters(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:

        def values(n: int) -> str:
            return (
                "SELECT count(*), sum(v) FROM (VALUES " + ",".join(f"(${i}::int)" for i in range(1, n + 1)) + ") t (v)"
            )

        most = 65_535
        assert await db.fetch_one(values(most), *range(most), as_=tuple) == (most, sum(range(most)))
        with pytest.raises(DataBridgeError, match=r"65,?53[56]|at most|too many") as caught:
            await db.fetch_one(values(most + 1), *range(most + 1))
        assert not isinstance(caught.value, ConnectionError)
        assert await db.fetch_val("SELECT 42") == 42


@pytest.mark.fault("F2")
async def test_number_of_columns(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        most = 1600
        wide = ", ".join(f"c{i} int DEFAULT {i}" for i in range(most))
        await db.execute_script(
            f"DROP TABLE IF EXISTS wide; CREATE TABLE wide ({wide}); INSERT INTO wide DEFAULT VALUES"
        )
        expected = {f"c{i}": i for i in range(most)}
        for _ in range(2):
            assert await db.fetch_one("SELECT * FROM wide") == expected
            assert await db.fetch_one("SELECT * FROM wide", as_=tuple) == tuple(range(most))
        async with db.stream("SELECT * FROM wide") as rows:
            assert [row async for row in rows] == [expected]
        assert await db.copy_in("wide", [tuple(range(most))] * 3) == 3
        with pytest.raises(DatabaseError, match=r"at most 1600 columns|target lists can have at most"):
            await db.execute_script("ALTER TABLE wide ADD one_more int")
        # A result may have a few more than a table.
        assert len(await db.fetch_one("SELECT " + ", ".join(f"1 AS a{i}" for i in range(1664)))) == 1664
        await db.execute_script("DROP TABLE wide; DROP TABLE IF EXISTS narrow; CREATE TABLE narrow ()")
        await db.execute("INSERT INTO narrow DEFAULT VALUES")
        assert await db.fetch("SELECT * FROM narrow") == [{}]
        assert await db.fetch("SELECT * FROM narrow", as_=tuple) == [()]
        assert await db.fetch_val("SELECT FROM narrow") is None
        await db.execute_script("DROP TABLE narrow")
        with pytest.raises(DecodeError, match="two columns named a"):
            await db.fetch("SELECT 1 AS a, 2 AS b, 3 AS a")
        assert await db.fetch("SELECT 1 AS a, 2 AS b, 3 AS a", as_=tuple) == [(1, 2, 3)]


@pytest.mark.fault("F3")
@pytest.mark.parametrize(
    "size", [4 * MEGABYTE + 1, pytest.param(256 * MEGABYTE, marks=pytest.mark.endurance)], ids=["4 MB", "256 MB"]
)
async def test_large_values_there_and_back(postgres_dsn: str, size: int) -> None:
    block = bytes(range(256)) * 4099  # of no round size, so that nothing ends where a buffer does
    value = (block * (size // len(block) + 1))[:size]
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script("DROP TABLE IF EXISTS large; CREATE TABLE large (id int, v bytea)")
        await db.execute("INSERT INTO large VALUES (1, $1)", value)
        assert await db.fetch_val("SELECT md5(v) = md5($1::bytea) FROM large", value) is True
        assert await db.fetch_val("SELECT v FROM large") == value
        text = "ü" * (size // 4)
        assert await db.fetch_val("SELECT $1::text", text) == text
        assert await db.copy_in("large", [(2, value)]) == 1
        assert await db.fetch_val("SELECT count(DISTINCT v) FROM large") == 1
        await db.execute_script("DROP TABLE large")


@pytest.mark.fault("F3")
@pytest.mark.endurance
async def test_values_beyond_the_limits(postgres_dsn: str) -> None:
    """The server takes a message of less than 1 GB, and builds no longer row."""
    async with Database(postgres_dsn, max_connections=1) as db:
        for size in ((1 << 30) - 1, 1 << 30):
            with pytest.raises(DataBridgeError) as caught:
                await db.execute("SELECT length($1::bytea)", bytes(size))
            del caught
            assert await db.fetch_val("SELECT 42") == 42
        with pytest.raises(DatabaseError) as refused:
            await db.fetch("SELECT repeat('x', 600000000) AS a, repeat('y', 600000000) AS b")
        assert refused.value.sqlstate in ("54000", "53200", "XX000")
        assert await db.fetch_val("SELECT 42") == 42


@pytest.mark.fault("F3")
async def test_a_row_that_is_too_long_for_the_server_is_its_error(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        with pytest.raises(DatabaseError) as refused:
            await db.fetch_val("SELECT repeat('x', 1 << 30)")
        assert refused.value.sqlstate in ("54000", "53200", "XX000")
        assert await db.fetch_val("SELECT 42") == 42


NUMBERS: list[tuple[str, Any]] = [
    *[(f"int{n}", v) for n, bits in ((2, 16), (4, 32), (8, 64)) for v in (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, -1)],
    *[("float8", v) for v in (math.inf, -math.inf, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1)],
    *[("float4", v) for v in (math.inf, -math.inf, 1e-45, -1.1754944e-38, 3.4028235e38)],
    *[("numeric", Decimal(v)) for v in ("Infinity", "-Infinity", "0", "1e131071", "-1e131071", "1e-16383")],
    ("numeric", Decimal("9" * 131_072)), ("numeric", Decimal("-" + "9" * 131_072)), ("numeric", Decimal("1." + "3" * 16_383)),
    ("numeric", Decimal("9" * 131_072 + "." + "7" * 16_383)),
]  # fmt: skip


@pytest.mark.fault("F4")
async def test_numbers_at_the_edges(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for kind, value in NUMBERS:
            found, same = await db.fetch_one(
                f"SELECT $1::{kind}, $1::{kind}::text::{kind} = $1::{kind}", value, as_=tuple
            )
            assert (found, type(found), same) == (value, type(value), True), (kind, str(value)[:50])
        for kind in ("float4", "float8"):
            zero = await db.fetch_val(f"SELECT $1::{kind}", -0.0)
            assert (zero, math.copysign(1, zero)) == (0.0, -1.0)
            assert math.isnan(await db.fetch_val(f"SELECT $1::{kind}", math.nan))
        assert (await db.fetch_val("SELECT $1::numeric", Decimal("NaN"))).is_nan()


@pytest.mark.fault("F4")
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[(f"int{n}", v) for n, bits in ((2, 16), (4, 32), (8, 64)) for v in (-(2 ** (bits - 1)) - 1, 2 ** (bits - 1), 10**30)],
        ("float4", 3.5e38), ("float4", -1e300), ("numeric", Decimal("1e131073")), ("numeric", Decimal("1e-16384")),
        ("numeric", Decimal("sNaN")), ("oid", -1), ("oid", 2**32), ("int4", math.nan), ("numeric", math.inf),
    ],
    ids=str,
)  # fmt: skip
async def test_numbers_beyond_the_edges(postgres_dsn: str, kind: str, value: Any) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        with pytest.raises((EncodeError, DatabaseError)):
            print(await db.fetch_val(f"SELECT $1::{kind}", value))
        assert await db.fetch_val("SELECT 42") == 42


@pytest.fixture
def ascii_dsn(postgres_dsn: str, databases: Any) -> Iterator[str]:
    """A database that takes any byte for text."""
    import psycopg

    address, _, name = postgres_dsn.rpartition("/")
    name = f"{name.partition('?')[0]}_ascii"[-60:]
    with psycopg.connect(postgres_dsn, autocommit=True) as session:
        session.execute(
            f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
        )
        yield f"{address}/{name}"
        session.execute(f'DROP DATABASE "{name}" (FORCE)')


@pytest.mark.fault("F5")
async def test_bytes_that_are_no_text(ascii_dsn: str) -> None:
    async with Database(ascii_dsn, max_connections=1) as db:
        await db.execute_script(r"CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, E'caf\xe9'), (2, 'fine')")
        # Asked for UTF-8, the server itself finds none.
        with pytest.raises(DatabaseError) as refused:
            await db.fetch("SELECT v FROM t ORDER BY id")
        assert refused.value.sqlstate == "22021"
        # Asked for bytes as they are, it gives them.
        async with db.transaction() as tx:
            await tx.set_local("client_encoding", "SQL_ASCII")
            for sql in ("SELECT v AS broken FROM t ORDER BY id", "SELECT ARRAY[v] AS broken FROM t"):
                with pytest.raises(DecodeError, match=r"broken.*(utf|UTF)-8"):
                    await tx.fetch(sql)
            assert await tx.fetch_val("SELECT v FROM t WHERE id = 2") == "fine"
        assert await db.fetch_val("SELECT v FROM t WHERE id = 2") == "fine"
        # A name of a column is text too.
        with pytest.raises(DataBridgeError):
            await db.execute_script(r"DO $$ BEGIN EXECUTE E'SELECT 1 AS \xe9'; RAISE EXCEPTION E'caf\xe9'; END $$")
        assert await db.fetch_val("SELECT v::bytea FROM t WHERE id = 1") == b"caf\xe9"


@pytest.mark.fault("F5")
async def test_text_at_the_edges(postgres_dsn: str) -> None:
    planes = "".join(
        chr(p) for p in (0x1, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x1F388, 0x10FFFF)
    )
    async with Database(postgres_dsn, max_connections=1) as db:
        for kind in ("text", "varchar", "jsonb", "json"):
            assert await db.fetch_val(f"SELECT $1::{kind}", planes) == planes
        assert await db.fetch_val("SELECT length($1::text)", planes) == len(planes)
        assert await db.fetch_val("SELECT $1::text[]", [planes, planes]) == [planes, planes]
        for bad, why in (("a\0b", "NUL"), ("\ud800", "surrogate"), ("x\udfffy", "surrogate")):
            for kind, value in (("text", bad), ("text[]", [bad]), ("jsonb", {"k": bad}), ("jsonb", {bad: 1})):
                with pytest.raises((EncodeError, DatabaseError), match=rf"{why}|\\u0000|UTF-8|encod"):
                    await db.fetch_val(f"SELECT $1::{kind}", value)
                assert await db.fetch_val("SELECT 42") == 42


class TestMoments:
    """F6."""

    @pytest.mark.fault("F6")
    @pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
    async def test_what_python_has_no_value_for_names_the_column(self, postgres_dsn: str, kind: str) -> None:
        async with Database(postgres_dsn, max_connections=1) as db:
            for text in ("infinity", "-infinity", "0044-03-15 BC", "0001-01-01 BC", "10000-01-01"):
                with pytest.raises(DecodeError, match="doomed"):
                    await db.fetch(f"SELECT '{text}'::{kind} AS doomed")
                assert await db.fetch_val(f"SELECT '{text}'::{kind}::text") is not None
                with pytest.raises(DecodeError, match="doomed"):
                    await db.fetch(f"SELECT ARRAY['{text}'::{kind}] AS doomed")
            for kind_of_time in ("time", "timetz"):
                with pytest.raises(DecodeError, match="24:00"):
                    await db.fetch(f"SELECT '24:00'::{kind_of_time} AS doomed")
            assert await db.fetch_val("SELECT 42") == 42

    @pytest.mark.fault("F6")
    async def test_edges_of_python(self, postgres_dsn: str) -> None:
        async with Database(postgres_dsn, max_connections=1) as db:
            for kind, value in (
                ("date", date.min), ("date", date.max), ("timestamp", datetime.min), ("timestamp", datetime.max),
                ("timestamptz", datetime.min.replace(tzinfo=UTC)), ("timestamptz", datetime.max.replace(tzinfo=UTC)),
                ("time", time.max), ("timetz", time(1, tzinfo=timezone(timedelta(hours=-15, minutes=-59, seconds=-59)))),
                ("timetz", time(23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=15, minutes=59, seconds=59)))),
                ("interval", timedelta(days=-1, microseconds=1)),
            ):  # fmt: skip
                found = await db.fetch_val(f"SELECT $1::{kind}", value)
                assert (found, getattr(found, "utcoffset", lambda: None)()) == (
                    value,
                    getattr(value, "utcoffset", lambda: None)(),
                )

    @pytest.mark.fault("F6")
    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York", "Africa/Monrovia", "<-03:18>3:18"])
    async def test_a_changed_time_zone_changes_no_moment(self, postgres_dsn: str, zone: str) -> None:
        new_york = ZoneInfo("America/New_York")
        moments = [
            datetime(2024, 3, 10, 2, 30, tzinfo=new_york),  # does not exist there
            datetime(2024, 11, 3, 1, 30, tzinfo=new_york), datetime(2024, 11, 3, 1, 30, fold=1, tzinfo=new_york),  # twice
            datetime(1972, 1, 6, 23, 59, 59, tzinfo=ZoneInfo("Africa/Monrovia")),  # 44 minutes and 30 seconds behind
            datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),  # of local mean time, with seconds
            datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45, seconds=17))),
        ]  # fmt: skip
        async with Database(postgres_dsn, max_connections=1) as db, db.transaction() as tx:
            await tx.set_local("TimeZone", zone)
            for moment in moments:
                found, seconds = await tx.fetch_one(
                    "SELECT $1::timestamptz, extract(epoch FROM $1::timestamptz)", moment, as_=tuple
                )
                assert found == moment.astimezone(UTC) and found.utcoffset() == timedelta(0)
                assert float(seconds) == moment.timestamp()
                naive = moment.replace(tzinfo=None, fold=0)
                assert await tx.fetch_val("SELECT $1::timestamp", naive) == naive


@pytest.mark.fault("F8")
async def test_a_result_that_changed_is_read_anew(postgres_dsn: str) -> None:
    """One text, one plan, and every time another number of columns, other names or other types."""
    shapes: list[tuple[str, Any]] = [
        ("1::int AS a", {"a": 1}), ("1::int8 AS a", {"a": 1}), ("'1'::text AS a", {"a": "1"}), ("1.5::numeric AS a", {"a": Decimal("1.5")}),
        ("1::int AS a, 2::int AS b", {"a": 1, "b": 2}), ("2::int AS b, 1::int AS a", {"b": 2, "a": 1}), ("1::float8 AS a", {"a": 1.0}),
        ("ARRAY[1] AS a", {"a": [1]}), ("'{\"x\": 1}'::jsonb AS a", {"a": {"x": 1}}), ("NULL::int AS a", {"a": None}), ("true AS a", {"a": True}),
        ("'2024-01-01'::date AS a", {"a": date(2024, 1, 1)}), ("0::int4 AS a, 'x'::text AS z", {"a": 0, "z": "x"}),
    ]  # fmt: skip
    dicts, tuples = LoadPlan.rows(dict), LoadPlan.rows(tuple)
    async with Database(postgres_dsn, max_connections=2) as db:
        for _ in range(3):
            for columns, expected in shapes:
                await db.execute_script(
                    f"DROP VIEW IF EXISTS shifting_view; CREATE VIEW shifting_view AS SELECT {columns}"
                )
                for _ in range(3):  # on either connection, prepared there for another shape
                    assert await db.fetch("SELECT * FROM shifting_view") == [expected]
                    assert await db.run(("text", "SELECT * FROM shifting_view"), (), dicts) == [expected]
                    assert await db.run(("text", "SELECT * FROM shifting_view"), (), tuples) == [
                        tuple(expected.values())
                    ]
        await db.execute_script("DROP VIEW shifting_view")
