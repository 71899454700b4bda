"""A law: what fetch() reads, arrow reads too; what arrow reads, copy_in() writes back; every library sees the same values.

Columns and values are random. `fetch_arrow` runs twice, so that the second one meets the statement as it is prepared.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_bridge.core import Database, Range

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


def same(value: Any) -> Any:
    return value


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda n: Decimal(f"{n}E-{scale}"))


def plain(value: Any) -> Any:
    """A value of pyarrow, with the bytes of UUIDs, which have a class of their own."""
    return [plain(v) for v in value] if isinstance(value, list) else getattr(value, "bytes", value)


def uuid_bytes(value: Any) -> Any:
    return value.bytes


def interval(value: timedelta) -> Any:
    seconds = value - timedelta(days=value.days)
    return pa.MonthDayNano([0, value.days, (seconds.seconds * 1_000_000 + seconds.microseconds) * 1000])


def span(value: Range[Any]) -> Any:
    empty = value.is_empty
    return {
        "lower": value.lower,
        "upper": value.upper,
        "lower_inclusive": not empty and value.bounds[0] == "[",
        "upper_inclusive": not empty and value.bounds[1] == "]",
        "is_empty": empty,
    }


class Kind(NamedTuple):
    """A type of column: its values, and each as pyarrow shows it."""

    sql: str
    values: st.SearchStrategy[Any]
    shown: Callable[[Any], Any] = same
    in_polars: bool = True


def ints(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


SCALARS = [
    Kind("bool", st.booleans()),
    Kind("int2", ints(16)),
    Kind("int4", ints(32)),
    Kind("int8", ints(64)),
    Kind("float8", st.floats(allow_nan=False)),
    Kind(
        "float4",
        st.floats(width=32, allow_nan=False).map(lambda f: float(f"{f:.5g}")),
        lambda f: pytest.approx(f, rel=1e-6),
    ),
    Kind("text", TEXT),
    Kind("varchar(20)", TEXT),
    Kind("bytea", st.binary(max_size=12)),
    Kind("date", st.dates()),
    Kind("time", st.times()),
    Kind("timestamp", st.datetimes()),
    Kind("timestamptz", st.datetimes(timezones=st.just(UTC))),
    Kind("numeric(10, 2)", decimals(10, 2)),
    Kind("numeric(38, 19)", decimals(38, 19)),
    Kind("numeric(50, 3)", decimals(50, 3), in_polars=False),
    Kind("numeric", decimals(40, 9), lambda d: format(d, "f")),
    Kind("law_price", decimals(8, 3)),
    Kind("interval", st.timedeltas(timedelta(days=-9999), timedelta(days=9999)), interval, in_polars=False),
    Kind("uuid", st.uuids(), uuid_bytes, in_polars=False),
    Kind("law_mood", st.sampled_from(["sad", "ok", "so so"])),
]
NESTED = [
    *(
        Kind(
            f"{kind.sql}[]",
            st.lists(st.none() | kind.values, max_size=3),
            lambda v, k=kind: [None if x is None else k.shown(x) for x in v],
            False,
        )
        for kind in SCALARS
        if kind.sql != "float4"
    ),
    Kind(
        "law_item",
        st.fixed_dictionaries({"label": st.none() | TEXT, "count": ints(32), "cost": st.none() | decimals(6, 2)}),
        in_polars=False,
    ),
    Kind(
        "int4range",
        st.tuples(st.integers(-99, 0), st.integers(1, 99)).map(lambda b: Range(b[0], b[1])),
        span,
        in_polars=False,
    ),
]
KINDS = SCALARS + NESTED
numbers = itertools.count()
SETUP = """
    CREATE TYPE law_mood AS ENUM ('sad', 'ok', 'so so');
    CREATE DOMAIN law_price AS numeric(8, 3);
    CREATE TYPE law_item AS (label text, count int, cost numeric(6, 2));
"""


@pytest.fixture(scope="module")
def runner(request: pytest.FixtureRequest) -> Iterator[tuple[asyncio.Runner, Database]]:
    dsn = request.getfixturevalue("postgres_dsn")
    with asyncio.Runner() as runner:
        db = Database(dsn, max_connections=1)
        runner.run(db.connect())
        runner.run(db.execute_script("DROP SCHEMA IF EXISTS frame_law CASCADE; CREATE SCHEMA frame_law"))
        runner.run(db.close())
        db = Database(dsn, max_connections=1, server_settings={"search_path": "frame_law"})
        runner.run(db.connect())
        runner.run(db.execute_script(SETUP))
        yield runner, db
        runner.run(db.close())


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Kind], list[tuple[Any, ...]]]:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    rows = draw(st.lists(st.tuples(*(st.none() | kind.values for kind in kinds)), max_size=8))
    return kinds, rows


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=tables(), cut=st.integers(0, 8))
def test_every_way_out_and_in_has_the_same_values(
    runner: tuple[asyncio.Runner, Database], data: tuple[list[Kind], list[tuple[Any, ...]]], cut: int
) -> None:
    loop, db = runner
    loop.run(law(db, *data, cut))


async def law(db: Database, kinds: list[Kind], given_rows: list[tuple[Any, ...]], cut: int) -> None:
    columns = ", ".join(f"c{n} {kind.sql}" for n, kind in enumerate(kinds))
    async with db.transaction() as transaction:
        transaction.set_rollback_only()
        # Names of their own: what is prepared for one example must not meet the tables of the next.
        a, b = (f"{name}{next(numbers)}" for name in "ab")
        await transaction.execute_script(f"CREATE TABLE {a} (n serial, {columns}); CREATE TABLE {b} (LIKE {a})")
        names = [f"c{n}" for n in range(len(kinds))]
        await transaction.copy_in(a, given_rows, columns=names)
        query = f"SELECT * FROM {a} ORDER BY n"
        rows = await transaction.fetch(query, as_=tuple)
        assert [row[1:] for row in rows] == given_rows
        tables = [(await transaction.fetch_arrow(query)).to_pyarrow() for _ in range(2)]
        table = tables[0]
        table.validate(full=True)
        assert tables[1].equals(table)
        shown = [
            [row[0], *(None if v is None else k.shown(v) for k, v in zip(kinds, row[1:], strict=True))] for row in rows
        ]
        read = [list(column) for column in zip(*(c.to_pylist() for c in table.columns), strict=True)]
        assert [[plain(v) for v in row] for row in read] == shown
        async with transaction.stream_arrow(query, batch=3) as batches:
            streamed = pa.concat_tables([batch.to_pyarrow() async for batch in batches])
        assert streamed.to_pylist() == table.to_pylist() and streamed.schema == table.schema
        simple = ["n", *(f"c{n}" for n, kind in enumerate(kinds) if kind.in_polars)]
        frame = pl.DataFrame(table.select(simple))
        approximate = {f"c{n}" for n, kind in enumerate(kinds) if kind.sql == "float4"}
        for name in set(simple) - approximate:
            assert frame[name].to_list() == table[name].to_pylist(), name
        # Back again, in pieces with offsets.
        pieces = pa.concat_tables([table.slice(cut), table.slice(0, cut)])
        assert await transaction.copy_in(b, pieces) == len(rows)
        assert await transaction.fetch(f"SELECT * FROM {b} ORDER BY n", as_=tuple) == rows
        await transaction.execute(f"TRUNCATE {b}")
        assert await transaction.copy_in(b, frame, columns=simple) == len(rows)
        wanted = [tuple(row[0 if name == "n" else int(name[1:]) + 1] for name in simple) for row in rows]
        assert await transaction.fetch(f"SELECT {', '.join(simple)} FROM {b} ORDER BY n", as_=tuple) == wanted


def test_the_limits_of_every_calendar(runner: tuple[asyncio.Runner, Database]) -> None:
    loop, db = runner
    kinds = [kind for kind in SCALARS if kind.sql in ("date", "time", "timestamp", "timestamptz")]
    least = (date.min, time.min, datetime.min, datetime.min.replace(tzinfo=UTC))
    most = (date.max, time.max, datetime.max, datetime.max.replace(tzinfo=UTC))
    loop.run(law(db, kinds, [least, most, (None, None, None, None)], 1))
