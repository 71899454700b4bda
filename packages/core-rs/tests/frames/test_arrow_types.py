"""Every type as a column of Arrow: its Arrow type, its values, NULL, and what Arrow does not have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from data_bridge.core import Database, DecodeError
from data_bridge.core.errors import ConfigurationError

SETUP = """
    DROP SCHEMA IF EXISTS frames CASCADE;
    CREATE SCHEMA frames;
    SET search_path = frames;
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
    CREATE DOMAIN price AS numeric(8, 3);
    CREATE DOMAIN net AS price CHECK (VALUE >= 0);
    CREATE TYPE item AS (label text, cost numeric(6, 2), tax price, count int);
    CREATE TABLE typed (
        whole numeric(5), cents numeric(10, 2), long numeric(60, 20), huge numeric(100, 5), free numeric,
        hundreds numeric(3, -2), tiny numeric(2, 5), costs numeric(7, 1)[], tax price, nets net, item item, items item[],
        moods mood[]
    );
"""
STRUCT_OF_RANGE = ("lower", "upper", "lower_inclusive", "upper_inclusive", "is_empty")
UTC = pa.timestamp("us", "UTC")
us = pa.timestamp("us")


def span(of: pa.DataType) -> pa.DataType:
    flags = [(name, pa.bool_()) for name in STRUCT_OF_RANGE[2:]]
    return pa.struct([("lower", of), ("upper", of), *flags])


TYPES: list[tuple[str, pa.DataType, Any]] = [
    ("true", pa.bool_(), True),
    ("(-32768)::int2", pa.int16(), -32768),
    ("2147483647::int4", pa.int32(), 2**31 - 1),
    ("(-9223372036854775808)::int8", pa.int64(), -(2**63)),
    ("4294967295::oid", pa.uint32(), 2**32 - 1),
    ("'18446744073709551615'::xid8", pa.uint64(), 2**64 - 1),
    ("1.5::float4", pa.float32(), 1.5),
    ("'-Infinity'::float4", pa.float32(), float("-inf")),
    ("0.1::float8", pa.float64(), 0.1),
    ("'grüße'::text", pa.string(), "grüße"),
    ("''::text", pa.string(), ""),
    ("'ab'::varchar(3)", pa.string(), "ab"),
    ("'ab'::bpchar(3)", pa.string(), "ab "),
    ("'n'::name", pa.string(), "n"),
    (r"'\x00ff'::bytea", pa.binary(), b"\x00\xff"),
    ("'2024-02-29'::date", pa.date32(), date(2024, 2, 29)),
    ("'0001-01-01'::date", pa.date32(), date(1, 1, 1)),
    ("'23:59:59.999999'::time", pa.time64("us"), time(23, 59, 59, 999999)),
    ("'1999-12-31 23:59:59.000001'::timestamp", us, datetime(1999, 12, 31, 23, 59, 59, 1)),
    ("'2024-06-01 12:00+02'::timestamptz", UTC, datetime(2024, 6, 1, 10, tzinfo=ZoneInfo("UTC"))),
    ("'1 year -2 days 3 seconds'::interval", pa.month_day_nano_interval(), pa.MonthDayNano([12, -2, 3_000_000_000])),
    ("'1b671a64-40d5-491e-99b0-da01ff1f3341'::uuid", pa.uuid(), bytes.fromhex("1b671a6440d5491e99b0da01ff1f3341")),
    ("""'{"a": [1,  2]}'::json""", pa.json_(), '{"a": [1,  2]}'),
    ("""'{"a": [1,  2]}'::jsonb""", pa.json_(), '{"a": [1, 2]}'),
    ("'$.a'::jsonpath", pa.string(), '$."a"'),
    ("B'10110'::varbit", pa.string(), "10110"),
    ("'08:00:2b:01:02:03'::macaddr", pa.string(), "08:00:2b:01:02:03"),
    ("12.340::numeric", pa.string(), "12.340"),
    ("'NaN'::numeric", pa.string(), "NaN"),
    ("12.340::frames.price", pa.string(), "12.340"),
    ("'{7}'::frames.price[]", pa.list_(pa.decimal128(8, 3)), [Decimal("7.000")]),
    ("'happy'::frames.mood", pa.dictionary(pa.int32(), pa.string()), "happy"),
    ("'{1,NULL,3}'::int4[]", pa.list_(pa.int32()), [1, None, 3]),
    ("'{}'::text[]", pa.list_(pa.string()), []),
    ("'[0:1]={a,b}'::text[]", pa.list_(pa.string()), ["a", "b"]),
    ("'1 2'::int2vector", pa.list_(pa.int16()), [1, 2]),
    ("'{ok,NULL}'::frames.mood[]", pa.list_(pa.dictionary(pa.int32(), pa.string())), ["ok", None]),
    (
        "('x', 1.50, 2, NULL)::frames.item",
        pa.struct(
            [("label", pa.string()), ("cost", pa.decimal128(6, 2)), ("tax", pa.decimal128(8, 3)), ("count", pa.int32())]
        ),
        {"label": "x", "cost": Decimal("1.50"), "tax": Decimal("2.000"), "count": None},
    ),
    ("'[1,5)'::int4range", span(pa.int32()), dict(zip(STRUCT_OF_RANGE, (1, 5, True, False, False), strict=True))),
    ("'empty'::int8range", span(pa.int64()), dict(zip(STRUCT_OF_RANGE, (None, None, False, False, True), strict=True))),
    ("'(,2024-01-01]'::daterange", span(pa.date32()), None),
    ("'{[1,2),[5,6)}'::int4multirange", pa.list_(span(pa.int32())), None),
]
COLUMNS: list[tuple[str, pa.DataType, str, Any]] = [
    ("whole", pa.decimal128(5, 0), "-12345", Decimal(-12345)),
    ("cents", pa.decimal128(10, 2), "99999999.99", Decimal("99999999.99")),
    ("long", pa.decimal256(60, 20), "-0.00000000000000000001", Decimal("-1E-20")),
    ("huge", pa.string(), "1.5", "1.50000"),
    ("free", pa.string(), "1.50", "1.50"),
    ("hundreds", pa.decimal128(5, 0), "12345", Decimal(12300)),
    ("tiny", pa.decimal128(5, 5), "0.00012", Decimal("0.00012")),
    ("costs", pa.list_(pa.decimal128(7, 1)), "{1.5,NULL}", [Decimal("1.5"), None]),
    ("tax", pa.decimal128(8, 3), "1.25", Decimal("1.250")),
    ("nets", pa.decimal128(8, 3), "1.25", Decimal("1.250")),
]
REFUSED_TYPES = ["'12:00+02'::timetz", "'10.0.0.1'::inet", "point(1, 2)", "'a'::tsvector", "'1'::money", "row(1, 2)"]
REFUSED_VALUES = [
    ("'infinity'::date", "infinite date"),
    ("'-infinity'::date", "infinite date"),
    ("'infinity'::timestamp", "infinite timestamp"),
    ("'-infinity'::timestamptz", "infinite timestamp"),
    ("'294276-12-31'::timestamp", "beyond"),
    ("'24:00'::time", "24:00:00"),
    ("'infinity'::interval", "infinite interval"),
    ("'3000000 hours'::interval", "nanoseconds"),
    ("'{{1,2},{3,4}}'::int4[]", "several dimensions"),
    ("'{NaN}'::frames.price[]", "NaN"),
    ("'[2024-01-01,infinity)'::daterange", "infinite date"),
]


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[Database]:
    async with Database(dsn) as db:
        await db.execute_script(SETUP)
        yield db


def _python(value: Any) -> Any:
    return value.bytes if hasattr(value, "bytes") else value


async def test_types_and_values(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        select = ", ".join(f"{expression} AS c{n}" for n, (expression, _, _) in enumerate(TYPES))
        query = f"SELECT s.* FROM generate_series(1, 2) n LEFT JOIN (SELECT {select}) s ON n = 1 ORDER BY n"
        table = (await db.fetch_arrow(query)).to_pyarrow()
        table.validate(full=True)
        for n, (expression, expected, value) in enumerate(TYPES):
            column = table.column(f"c{n}")
            assert column.type == expected, expression
            assert column.is_null().to_pylist() == [False, True], expression
            if value is not None:
                assert _python(column[0].as_py()) == value, expression


async def test_without_rows_the_columns_are_the_same(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        select = ", ".join(f"{expression} AS c{n}" for n, (expression, _, _) in enumerate(TYPES))
        for _ in range(2):  # described by the server, then remembered
            table = (await db.fetch_arrow(f"SELECT {select} LIMIT 0")).to_pyarrow()
            assert len(table) == 0
            assert [field.type for field in table.schema] == [expected for _, expected, _ in TYPES]
            empty = await db.fetch_arrow("SELECT * FROM frames.typed")
            assert [field.type for field in empty.to_pyarrow().schema][:10] == [of for _, of, _, _ in COLUMNS]
        assert (await db.fetch_arrow("UPDATE frames.typed SET free = 1")).column_names == []


async def test_numerics_have_the_precision_of_their_column(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        for name, _, text, _ in COLUMNS:
            await db.execute_script(f"INSERT INTO frames.typed ({name}) VALUES ('{text}')")
        queries = [
            "SELECT * FROM frames.typed",
            "SELECT t.* FROM (SELECT * FROM frames.typed) t JOIN generate_series(1, 1) ON true",
        ]
        for query in queries:
            table = (await db.fetch_arrow(query)).to_pyarrow()
            table.validate(full=True)
            for n, (name, expected, _, value) in enumerate(COLUMNS):
                assert table.column(name).type == expected, name
                assert table.column(name)[n].as_py() == value, name
                assert table.column(name).null_count == len(COLUMNS) - 1


async def test_a_precision_that_changes_is_noticed(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        query = "SELECT cents FROM frames.typed"
        await db.execute("INSERT INTO frames.typed (cents) VALUES (1.25)")
        for _ in range(2):
            assert (await db.fetch_arrow(query)).to_pyarrow().schema[0].type == pa.decimal128(10, 2)
        await db.execute("ALTER TABLE frames.typed ALTER cents TYPE numeric(12, 4)")
        changed = (await db.fetch_arrow(query)).to_pyarrow()
        assert changed.schema[0].type == pa.decimal128(12, 4)
        assert changed.column(0).to_pylist() == [Decimal("1.2500")]
        await db.execute("ALTER TABLE frames.typed ALTER cents TYPE text USING 'x'")
        assert (await db.fetch_arrow(query)).to_pyarrow().to_pylist() == [{"cents": "x"}]


@pytest.mark.parametrize(
    ("numeric", "expected", "value"),
    [
        ("text", pa.string(), "12.340"),
        ("float", pa.float64(), 12.34),
        ((10, 3), pa.decimal128(10, 3), Decimal("12.340")),
        ((50, 10), pa.decimal256(50, 10), Decimal("12.3400000000")),
    ],
)
async def test_numerics_without_a_precision(postgres_dsn: str, numeric: Any, expected: Any, value: Any) -> None:
    async with database(postgres_dsn) as db:
        table = (await db.fetch_arrow("SELECT 12.340 AS n, NULL::numeric AS m", numeric=numeric)).to_pyarrow()
        assert table.column("n").type == expected
        assert table.to_pylist() == [{"n": value, "m": None}]
        with pytest.raises(DecodeError, match=r"^n \(numeric\): .*scale") if numeric == (10, 3) else nullcontext():
            await db.fetch_arrow("SELECT 0.0001 AS n", numeric=numeric)
        for bad in ("int", (0, 0), (77, 1), (5, 6), (5, -1), 3):
            with pytest.raises(ConfigurationError, match="numeric="):
                await db.fetch_arrow("SELECT 1", numeric=bad)


@pytest.mark.parametrize("expression", REFUSED_TYPES)
async def test_a_type_without_an_arrow_type_is_refused_by_name(postgres_dsn: str, expression: str) -> None:
    async with database(postgres_dsn) as db:
        for rows in ("", "LIMIT 0"):
            with pytest.raises(DecodeError, match=r"^odd \(.+\): Arrow has no type .* cast the column in SQL"):
                await db.fetch_arrow(f"SELECT 1 AS even, {expression} AS odd {rows}")
        assert await db.fetch_val("SELECT 1") == 1


@pytest.mark.parametrize(("expression", "message"), REFUSED_VALUES)
async def test_a_value_without_an_arrow_value_is_refused_by_column(
    postgres_dsn: str, expression: str, message: str
) -> None:
    async with database(postgres_dsn) as db:
        with pytest.raises(DecodeError, match=rf"^odd \(.+\): .*{message}"):
            await db.fetch_arrow(f"SELECT n AS even, {expression} AS odd FROM generate_series(1, 1000) n")
        assert await db.fetch_val("SELECT 1") == 1


async def test_two_columns_of_one_name_are_refused(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        with pytest.raises(DecodeError, match="two columns named a"):
            await db.fetch_arrow("SELECT 1 AS a, 2 AS a")
        with pytest.raises(ConfigurationError, match=r"not FETCH.*stream_arrow"):
            await db.fetch_arrow("FETCH 1 FROM c")


async def test_a_label_that_is_added_later_is_read(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        query = "SELECT unnest(enum_range(NULL::frames.mood)) AS mood"
        assert (await db.fetch_arrow(query)).to_pyarrow()["mood"].to_pylist() == ["sad", "ok", "happy"]
        await db.execute("ALTER TYPE frames.mood ADD VALUE 'calm' BEFORE 'ok'")
        assert (await db.fetch_arrow(query)).to_pyarrow()["mood"].to_pylist() == ["sad", "calm", "ok", "happy"]


async def test_many_rows_are_many_batches_that_outlive_the_database(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        table = await db.fetch_arrow(
            "SELECT n, CASE WHEN n % 3 > 0 THEN n::text END AS t, ARRAY[n, n + 1] AS pair FROM generate_series(1, 150000) n"
        )
    assert len(table) == 150_000
    assert table.nbytes > 150_000 * 10
    made = table.to_pyarrow()
    assert [batch.num_rows for batch in made.to_batches()] == [65_536, 65_536, 18_928]
    made.validate(full=True)
    assert made.column("n").to_pylist() == list(range(1, 150_001))
    assert made.column("t").null_count == 50_000
    assert made.column("pair")[149_999].as_py() == [150_000, 150_001]
    # The stream can be taken again.
    assert table.to_pyarrow().equals(made)
    assert pa.schema(table).equals(made.schema)


async def test_to_polars_and_pandas(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        table = await db.fetch_arrow(
            """SELECT n, n::text AS t, now() AS at, '{"a": 1}'::jsonb AS doc, gen_random_uuid() AS id, 'ok'::frames.mood AS mood,
            CASE WHEN n > 1 THEN n END AS maybe, ARRAY[n] AS list FROM generate_series(1, 3) n"""
        )
    polars = table.to_polars()
    assert polars["n"].to_list() == [1, 2, 3]
    assert polars["maybe"].to_list() == [None, 2, 3]
    assert polars["mood"].to_list() == ["ok"] * 3
    assert polars["list"].to_list() == [[1], [2], [3]]
    pandas = table.to_pandas()
    assert pandas["t"].tolist() == ["1", "2", "3"]
    assert pandas["maybe"].isna().tolist() == [True, False, False]
    assert str(pandas["n"].dtype) == "int32[pyarrow]"
    assert pandas["list"].tolist() == [[1], [2], [3]]


@pytest.mark.parametrize("name", ["polars", "pyarrow", "pandas"])
async def test_a_missing_library_is_named(postgres_dsn: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database(postgres_dsn) as db:
        table = await db.fetch_arrow("SELECT 1 AS one")
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ConfigurationError, match=f"pip install {name}"):
        getattr(table, f"to_{name}")()


async def test_an_interval_keeps_its_parts(postgres_dsn: str) -> None:
    async with database(postgres_dsn) as db:
        table = (await db.fetch_arrow("SELECT '1 month 2 days 00:00:03'::interval AS i")).to_pyarrow()
        assert table["i"][0].as_py() == pa.MonthDayNano([1, 2, 3_000_000_000])
        assert timedelta(seconds=3) == timedelta(microseconds=3_000_000)
