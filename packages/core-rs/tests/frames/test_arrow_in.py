"""copy_in() of data frames: what each column takes, what it refuses, and in whatever pieces the data comes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from data_bridge.core import (
    ConfigurationError,
    Database,
    DatabaseError,
    EncodeError,
    NotNullViolation,
    Range,
    pg_transaction,
)

SETUP = """
    DROP SCHEMA IF EXISTS frames_in CASCADE;
    CREATE SCHEMA frames_in;
    SET search_path = frames_in;
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN price AS numeric(8, 3);
    CREATE TYPE item AS (label text, count int);
    CREATE TYPE cost AS (net numeric(6, 2), tax price, rates numeric(3, 1)[]);
    CREATE DOMAIN costs AS cost;
"""


@asynccontextmanager
async def table(dsn: str, *columns: str) -> AsyncGenerator[Database]:
    """A database in which frames_in.t has these columns."""
    async with Database(dsn, max_connections=2) as db:
        await db.execute_script(f"{SETUP} CREATE TABLE t ({', '.join(columns)})")
        yield db


NAIVE, AWARE = datetime(2024, 2, 29, 12, 30, 0, 5), datetime(2024, 2, 29, 12, 30, 0, 5, tzinfo=UTC)
ID = uuid.UUID("1b671a64-40d5-491e-99b0-da01ff1f3341")
LIST = pa.list_(pa.int32())
ITEM = pa.struct([("count", pa.int32()), ("label", pa.large_string())])
FLAGS = [(name, pa.bool_()) for name in ("lower_inclusive", "upper_inclusive", "is_empty")]
PLACES = pa.decimal128(12, 4)
COST = pa.struct([("net", PLACES), ("tax", PLACES), ("rates", pa.list_(PLACES))])
SPAN = pa.struct([("lower", pa.int32()), ("upper", pa.int32()), *FLAGS])


def span(lower: Any, upper: Any, bounds: str = "[)") -> dict[str, Any]:
    return {
        "lower": lower,
        "upper": upper,
        "lower_inclusive": bounds[0] == "[",
        "upper_inclusive": bounds[1] == "]",
        "is_empty": bounds == "",
    }


TAKEN: list[tuple[str, pa.DataType, Any, Any]] = [
    *(("int2", of, 7, 7) for of in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64())),
    ("int4", pa.int64(), -(2**31), -(2**31)),
    ("int8", pa.uint64(), 2**63 - 1, 2**63 - 1),
    ("oid", pa.int64(), 2**32 - 1, 2**32 - 1),
    ("xid8", pa.uint64(), 2**64 - 1, 2**64 - 1),
    ("float8", pa.int64(), -(2**53), -(2.0**53)),
    ("float4", pa.int32(), 2**24, 2.0**24),
    ("float8", pa.float16(), 0.5, 0.5),
    ("float8", pa.float64(), 0.1, 0.1),
    ("float4", pa.float64(), 1.5, 1.5),
    ("bool", pa.bool_(), False, False),
    ("numeric", pa.int64(), -12345678, Decimal(-12345678)),
    ("numeric", pa.decimal128(38, 10), Decimal("-0.0000000001"), Decimal("-0.0000000001")),
    ("numeric(10, 2)", pa.decimal128(20, 6), Decimal("1.250000"), Decimal("1.25")),
    ("numeric(3, -2)", pa.int32(), 12300, Decimal(12300)),
    ("numeric", pa.decimal256(60, 20), Decimal("9" * 40 + ".5"), Decimal("9" * 40 + ".50000000000000000000")),
    ("numeric", pa.decimal128(5, -3), Decimal(12000), Decimal(12000)),
    ("numeric", pa.decimal32(5, 2), Decimal("1.25"), Decimal("1.25")),
    ("numeric", pa.string(), "12.340", Decimal("12.340")),
    ("frames_in.price", pa.decimal128(8, 3), Decimal("1.250"), Decimal("1.250")),
    *(("text", of, "grüße", "grüße") for of in (pa.string(), pa.large_string(), pa.string_view())),
    ("text", pa.dictionary(pa.int8(), pa.string()), "a", "a"),
    ("varchar(3)", pa.string(), "abc", "abc"),
    *(
        ("bytea", of, b"\x00\xff", b"\x00\xff")
        for of in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2))
    ),
    ("date", pa.date32(), date(1, 1, 1), date(1, 1, 1)),
    ("date", pa.date64(), date(2024, 2, 29), date(2024, 2, 29)),
    *(
        ("time", of, time(12, 30), time(12, 30))
        for of in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    ),
    *(("timestamp", pa.timestamp(unit), NAIVE, NAIVE) for unit in ("us", "ns")),
    *(("timestamp", pa.timestamp(unit), datetime(1, 1, 1), datetime(1, 1, 1)) for unit in ("s", "ms", "us")),
    *(("timestamptz", pa.timestamp(unit, "Europe/Paris"), AWARE, AWARE) for unit in ("us", "ns")),
    *(("interval", pa.duration(unit), timedelta(seconds=5), timedelta(seconds=5)) for unit in ("s", "ms", "us", "ns")),
    ("interval", pa.month_day_nano_interval(), pa.MonthDayNano([0, 2, 3000]), timedelta(days=2, microseconds=3)),
    ("uuid", pa.binary(16), ID.bytes, ID),
    ("uuid", pa.uuid(), ID.bytes, ID),
    ("uuid", pa.string(), str(ID).upper(), ID),
    ("json", pa.string(), '{"a":  1}', {"a": 1}),
    ("jsonb", pa.json_(), '{"a":  1}', {"a": 1}),
    ("frames_in.mood", pa.string(), "ok", "ok"),
    ("frames_in.mood", pa.dictionary(pa.int32(), pa.string()), "sad", "sad"),
    ("varbit", pa.string(), "0110", "0110"),
    ("macaddr", pa.string(), "08:00:2b:01:02:03", "08:00:2b:01:02:03"),
    *(("int8[]", of, [1, None, 3], [1, None, 3]) for of in (LIST, pa.large_list(pa.int8()), pa.list_(pa.int64(), 3))),
    ("int4[]", pa.list_view(pa.int32()), [1, 2], [1, 2]),
    ("int4[]", LIST, [], []),
    ("int4[]", pa.list_(pa.large_list(pa.int32())), [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ("frames_in.mood[]", pa.list_(pa.dictionary(pa.int32(), pa.string())), ["ok", None], ["ok", None]),
    ("frames_in.item", ITEM, {"count": 3, "label": None}, {"label": None, "count": 3}),
    ("frames_in.item[]", pa.list_(ITEM), [{"count": 3, "label": "x"}], [{"label": "x", "count": 3}]),
    (
        "frames_in.costs",
        COST,
        {"net": Decimal("1.2500"), "tax": Decimal("1.1250"), "rates": [Decimal("1.5000")]},
        {"net": Decimal("1.25"), "tax": Decimal("1.125"), "rates": [Decimal("1.5")]},
    ),
    ("int4range", SPAN, span(1, 5), Range(1, 5)),
    ("int4range", SPAN, span(None, 5, "[)"), Range(None, 5)),
    ("int4multirange", pa.list_(SPAN), [span(1, 2), span(5, 6)], [Range(1, 2), Range(5, 6)]),
]


@pytest.mark.parametrize("pieces", ["whole", "sliced"])
async def test_what_columns_take(postgres_dsn: str, pieces: str) -> None:
    """Every value between NULLs, also as a part of a longer array, whose offsets are not zero."""
    columns = [f"c{n} {of}" for n, (of, *_) in enumerate(TAKEN)]
    async with table(postgres_dsn, *columns) as db:
        arrays = [pa.array([None, value, value, None], type=of) for _, of, value, _ in TAKEN]
        data = pa.table(arrays, names=[f"c{n}" for n in range(len(TAKEN))])
        if pieces == "sliced":
            data = pa.concat_tables([data.slice(1, 0), data, data]).slice(2, 5)
        assert await db.copy_in("frames_in.t", data) == len(data)
        rows = await db.fetch("SELECT * FROM frames_in.t", as_=tuple)
        for n, (of, given, value, expected) in enumerate(TAKEN):
            got = [row[n] for row in rows]
            wanted = [None if v is None else expected for v in data.column(n).to_pylist()]
            assert got == wanted, (of, given, value)
        types = {type(row[n]) for row in rows for n, t in enumerate(TAKEN) if t[0].startswith("numeric")}
        assert types == {Decimal, type(None)}


REFUSED: list[tuple[str, pa.DataType]] = [
    ("int4", pa.float64()),
    ("int4", pa.string()),
    ("int4", pa.bool_()),
    ("int4", pa.decimal128(5, 0)),
    ("bool", pa.int8()),
    ("float8", pa.decimal128(5, 0)),
    ("numeric", pa.float64()),
    ("text", pa.int32()),
    ("text", pa.binary()),
    ("bytea", pa.string()),
    ("uuid", pa.binary()),
    ("date", pa.timestamp("us")),
    ("timestamp", pa.date32()),
    ("timestamp", pa.timestamp("us", "UTC")),
    ("timestamptz", pa.timestamp("us")),
    ("interval", pa.time64("us")),
    ("int4[]", pa.int32()),
    ("int4", LIST),
    ("int4[]", pa.list_(pa.string())),
    ("frames_in.item", pa.struct([("label", pa.string())])),
    ("frames_in.item", pa.struct([("label", pa.string()), ("number", pa.int32())])),
    ("int4range", pa.struct([("lower", pa.int32()), ("upper", pa.int32())])),
    ("jsonb", pa.struct([("a", pa.int32())])),
    ("text", pa.map_(pa.string(), pa.string())),
    ("point", pa.string()),
    ("int4", pa.dictionary(pa.int32(), pa.string())),
]


@pytest.mark.parametrize(("column", "of"), [r for r in REFUSED if r != ("uuid", pa.binary())], ids=str)
async def test_types_that_do_not_fit_are_named(postgres_dsn: str, column: str, of: pa.DataType) -> None:
    async with table(postgres_dsn, "good int", f"bad {column}") as db:
        for length in (0, 2):
            data = pa.table({"good": pa.array([1] * length, pa.int32()), "bad": pa.nulls(length, of)})
            with pytest.raises(EncodeError, match=r"^bad: the data has .+, which the column's type .+ does not take"):
                await db.copy_in("frames_in.t", data)
        assert await db.fetch_val("SELECT count(*) FROM frames_in.t") == 0


BEYOND: list[tuple[str, pa.DataType, Any, str]] = [
    ("int2", pa.int32(), 2**15, "outside -32768…32767"),
    ("int4", pa.int64(), 2**31, "outside"),
    ("int8", pa.uint64(), 2**63, "outside"),
    ("oid", pa.int32(), -1, "outside"),
    ("float8", pa.int64(), 2**53 + 1, "no exact float"),
    ("float4", pa.float64(), 1e300, "too large for float4"),
    ("numeric(10, 2)", pa.decimal128(10, 4), Decimal("1.2345"), "2 digits behind the point"),
    ("numeric(3, -2)", pa.int32(), 12345, "-2 digits behind the point"),
    ("frames_in.price", pa.string(), "1.00001", "3 digits behind the point"),
    ("numeric(7, 1)[]", pa.list_(pa.decimal128(10, 4)), [Decimal("1.2345")], "1 digits behind the point"),
    ("numeric", pa.string(), "1,5", "decimal text"),
    ("frames_in.cost", COST, {"net": Decimal("1.005")}, "2 digits behind the point"),
    ("frames_in.cost", COST, {"tax": Decimal("1.0005")}, "3 digits behind the point"),
    ("frames_in.cost", COST, {"rates": [None, Decimal("1.25")]}, "1 digits behind the point"),
    ("frames_in.costs", COST, {"net": Decimal("1.005")}, "2 digits behind the point"),
    ("frames_in.cost[]", pa.list_(COST), [{"net": Decimal("1.005")}], "2 digits behind the point"),
    ("text", pa.string(), "a\0b", "NUL"),
    ("uuid", pa.string(), "1b671a64", "not a UUID"),
    ("varbit", pa.string(), "012", "zeros and ones"),
    ("timestamp", pa.timestamp("ns"), 1_000_000_001, "whole microseconds"),
    ("timestamp", pa.timestamp("s"), 2**62, "beyond"),
    ("timestamp", pa.timestamp("us"), -(2**63) + 946684800000000, "beyond"),
    ("date", pa.date32(), 2**31 - 1, "beyond"),
    ("date", pa.date64(), 1, "whole day"),
    ("time", pa.time64("ns"), 1, "whole microseconds"),
    ("interval", pa.duration("ns"), 1, "whole microseconds"),
    ("int4[]", pa.list_(LIST), [[1], [2, 3]], "different lengths"),
    ("int4[]", pa.list_(LIST), [[1], None], "NULL list"),
]


@pytest.mark.parametrize(
    ("column", "of", "value", "message"), BEYOND, ids=[f"{b[0]} {b[1]} {n}" for n, b in enumerate(BEYOND)]
)
async def test_values_that_do_not_fit_are_named(
    postgres_dsn: str, column: str, of: pa.DataType, value: Any, message: str
) -> None:
    async with table(postgres_dsn, "good int", f"bad {column}") as db:
        # More rows than a chunk before it.
        bad = pa.chunked_array([pa.nulls(99_999, of), pa.array([value], of)])
        data = pa.table({"good": pa.array(range(100_000), pa.int32()), "bad": bad})
        with pytest.raises(EncodeError, match=rf"^row 99999, bad \(.+\): .*{message}"):
            await db.copy_in("frames_in.t", data)
        assert await db.fetch_val("SELECT count(*) FROM frames_in.t") == 0
        with pytest.raises(EncodeError):
            async with pg_transaction(using=db) as tx:
                await tx.copy_in("frames_in.t", data)
        assert await db.copy_in("frames_in.t", data.slice(0, 5)) == 5


def _duckdb(data: pa.Table) -> Any:
    return duckdb.from_arrow(data) if hasattr(duckdb, "from_arrow") else duckdb.sql("SELECT * FROM data")


FORMS: dict[str, Callable[[pa.Table], Any]] = {
    "pyarrow.Table": lambda t: t,
    "one batch": lambda t: t.combine_chunks().to_batches()[0],
    "reader": lambda t: t.to_reader(max_chunksize=7),
    "many slices": lambda t: pa.concat_tables([t.slice(i, 3) for i in range(0, len(t), 3)]),
    "with empty batches": lambda t: pa.concat_tables([t.slice(0, 0), t.slice(0, 10), t.slice(0, 0), t.slice(10)]),
    "polars": lambda t: pl.DataFrame(t),
    "polars slices": lambda t: pl.concat([pl.DataFrame(t)[:11], pl.DataFrame(t)[11:]], rechunk=False),
    "pandas": lambda t: t.to_pandas(types_mapper=pd.ArrowDtype),
    "duckdb": _duckdb,
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_library_and_every_chunking(postgres_dsn: str, form: str) -> None:
    columns = [
        "n bigint",
        "t text",
        "d numeric(10, 2)",
        "at timestamp",
        "kind text",
        "list int8[]",
        "ok bool",
        "day date",
    ]
    async with table(postgres_dsn, *columns) as db:
        size = 50
        kinds = pa.array([None if i % 4 == 0 else f"k{i % 3}" for i in range(size)])
        data = pa.table(
            {
                "n": pa.array(range(size), pa.int64()),
                "t": pa.array([None if i % 3 == 0 else "x" * i for i in range(size)]),
                "d": pa.array([None if i % 5 == 0 else Decimal(i) / 4 for i in range(size)], pa.decimal128(10, 2)),
                "at": pa.array([datetime(2024, 1, 1) + timedelta(hours=i) for i in range(size)], pa.timestamp("us")),
                "kind": kinds if form == "duckdb" else kinds.dictionary_encode(),
                "list": pa.array(
                    [None if i % 7 == 0 else list(range(i % 4)) for i in range(size)], pa.list_(pa.int64())
                ),
                "ok": pa.array([None if i % 6 == 0 else i % 2 == 0 for i in range(size)]),
                "day": pa.array([date(2024, 1, 1) + timedelta(days=i) for i in range(size)], pa.date32()),
            }
        )
        assert await db.copy_in("frames_in.t", FORMS[form](data)) == size
        assert await db.fetch("SELECT * FROM frames_in.t ORDER BY n") == data.to_pylist()


async def test_a_pandas_frame_of_numpy_columns(postgres_dsn: str) -> None:
    async with table(postgres_dsn, "n int", "f float8", "s text", "at timestamp") as db:
        at = pd.to_datetime(["2024-01-01", None])
        frame = pd.DataFrame({"n": [1, 2], "f": [0.5, float("nan")], "s": ["a", None], "at": at})
        assert await db.copy_in("frames_in.t", frame) == 2
        assert await db.fetch("SELECT * FROM frames_in.t ORDER BY n", as_=tuple) == [
            (1, 0.5, "a", datetime(2024, 1, 1)),
            (2, None, None, None),
        ]
        with pytest.raises(EncodeError, match="n: the data has Float64"):
            await db.copy_in("frames_in.t", pd.DataFrame({"n": [1.0, None]}))


async def test_nan_is_a_number_unless_it_is_said_to_be_null(postgres_dsn: str) -> None:
    async with table(postgres_dsn, "f float8", "g float4") as db:
        data = pa.table({"f": [float("nan"), 1.0], "g": pa.array([None, float("nan")], pa.float32())})
        await db.copy_in("frames_in.t", data)
        await db.copy_in("frames_in.t", data, nulls="nan")
        rows = await db.fetch("SELECT f::text, g::text FROM frames_in.t", as_=tuple)
        assert rows == [("NaN", None), ("1", "NaN"), (None, None), ("1", None)]


async def test_columns_are_found_by_name(postgres_dsn: str) -> None:
    async with table(
        postgres_dsn, "id serial", '"Odd name" int', "a int DEFAULT 7", "b int GENERATED ALWAYS AS (a) STORED"
    ) as db:
        data = pa.table({"a": [1, 2], "Odd name": [3, 4]})
        assert await db.copy_in("frames_in.t", data) == 2
        assert await db.copy_in("frames_in.t", data, columns=["Odd name"]) == 2
        rows = [(1, 3, 1, 1), (2, 4, 2, 2), (3, 3, 7, 7), (4, 4, 7, 7)]
        assert await db.fetch("SELECT * FROM frames_in.t", as_=tuple) == rows
        refusals = [
            (pa.table({"c": [1]}), None, "no column 'c' that COPY can write; it has id, Odd name, a"),
            (pa.table({"b": [1]}), None, "no column 'b'"),
            (data, ["id"], "the data has no column 'id'; it has a, Odd name"),
            (data, ["x"], "no column 'x' that COPY can write"),
            (pa.table([[1], [2]], names=["a", "a"]), None, "two columns for t.a"),
            (pa.table({}), None, "no columns"),
        ]
        for given, columns, message in refusals:
            with pytest.raises(ConfigurationError, match=message):
                await db.copy_in("frames_in.t", given, columns=columns)
        assert await db.fetch_val("SELECT count(*) FROM frames_in.t") == 4


async def test_a_result_goes_from_table_to_table(postgres_dsn: str) -> None:
    async with table(postgres_dsn, "n int PRIMARY KEY", "m frames_in.mood", "p frames_in.price") as db:
        copied = await db.fetch_arrow(
            "SELECT n, 'ok'::frames_in.mood AS m, n::numeric AS p FROM generate_series(1, 70000) n"
        )
        assert await db.copy_in("frames_in.t", copied) == 70_000
        assert await db.fetch_val("SELECT sum(p)::bigint FROM frames_in.t WHERE m = 'ok'") == 70_000 * 70_001 // 2
        with pytest.raises(DatabaseError, match="duplicate key"):
            await db.copy_in("frames_in.t", copied)
        with pytest.raises(NotNullViolation):
            await db.copy_in("frames_in.t", pa.table({"m": ["ok"]}))


async def test_a_producer_that_fails(postgres_dsn: str) -> None:
    async with table(postgres_dsn, "n bigint") as db:

        def batches() -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"n": list(range(200_000))})
            raise RuntimeError("the file is damaged")

        reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), batches())
        with pytest.raises(EncodeError, match="could not be read"):
            await db.copy_in("frames_in.t", reader)
        with pytest.raises(EncodeError, match="not a stream of record batches"):
            await db.copy_in("frames_in.t", pa.chunked_array([[1, 2]]))
        assert await db.fetch_val("SELECT count(*) FROM frames_in.t") == 0


async def test_a_cancelled_copy_leaves_nothing(postgres_dsn: str) -> None:
    async with table(postgres_dsn, "n bigint", "t text") as db:
        data = pa.table({"n": list(range(1_000_000)), "t": ["x" * 40] * 1_000_000})
        for _ in range(3):
            copying = asyncio.ensure_future(db.copy_in("frames_in.t", data))
            await asyncio.sleep(0.05)
            copying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await copying
            assert await db.fetch_val("SELECT count(*) FROM frames_in.t") == 0
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        assert await db.copy_in("frames_in.t", data) == 1_000_000
        ticking.cancel()
        assert ticks > 50  # the event loop went on meanwhile


async def test_pandas_without_pyarrow_is_told(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise ImportError("no pyarrow", name="pyarrow")

    async with table(postgres_dsn, "n int") as db:
        with pytest.raises(ConfigurationError, match="pip install pyarrow"):
            await db.copy_in("frames_in.t", Frame())
