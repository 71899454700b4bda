"""Values there and back, against what the server itself makes of them."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_bridge.core import Database, DecodeError, EncodeError, PgInterval, Range


class Mood(Enum):
    OK = "ok"


ROUND = [
    ("bool", True), ("bool", False), ("int2", -(2**15)), ("int2", 2**15 - 1), ("int4", -(2**31)), ("int4", 2**31 - 1), ("int8", -(2**63)),
    ("int8", 2**63 - 1), ("float8", 0.1), ("float8", -0.0), ("float8", math.inf), ("float8", 5e-324), ("float4", 0.1), ("float4", 1.5),
    ("numeric", Decimal(0)), ("numeric", Decimal("-123.4500")), ("numeric", Decimal("1E+20")), ("numeric", Decimal("0.000000000000000000000001")),
    ("numeric", Decimal("9" * 131072)), ("numeric", Decimal("Infinity")), ("numeric", Decimal("-Infinity")), ("text", ""), ("text", "héllo 🎈"),
    ("text", "x" * 100_000), ("varchar(5)", "abc"), ("char(3)", "ab "), ("name", "n"), ("bytea", b"\0\xff"), ("bytea", b""), ("date", date(1, 1, 1)),
    ("date", date(9999, 12, 31)), ("date", date(2000, 2, 29)), ("time", time(0)), ("time", time(23, 59, 59, 999999)),
    ("timestamp", datetime(1, 1, 1)), ("timestamp", datetime(9999, 12, 31, 23, 59, 59, 999999)), ("timestamptz", datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ("timestamptz", datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)), ("interval", timedelta(days=-1, microseconds=1)), ("interval", timedelta(0)),
    ("interval", PgInterval(14, -3, 5)), ("uuid", uuid.UUID(int=0)), ("uuid", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    ("json", {"a": [1, 2.5, None, True, "x\n\"\\"]}), ("jsonb", []), ("jsonb", {"ü": {"n": 10**30}}), ("jsonb", "text"), ("jsonb", 0), ("oid", 2**32 - 1),
    ("int4[]", [1, None, 3]), ("int4[]", []), ("text[]", ["a", "", 'q"uote', "NULL"]), ("int4[]", [[1, 2], [3, 4]]), ("uuid[]", [uuid.UUID(int=1)]),
    ("numeric[]", [Decimal("1.5"), None]), ("jsonb[]", [{"a": 1}, [2]]), ("bool[]", [True, None]), ("timestamptz[]", [datetime(2024, 1, 1, tzinfo=UTC)]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), ROUND, ids=[f"{k}-{i}" for i, (k, _) in enumerate(ROUND)])
async def test_round_trip(postgres_dsn: str, kind: str, value: Any) -> None:
    async with Database(postgres_dsn) as db:
        back = await db.fetch_val(f"SELECT $1::{kind}", value)
    assert back == value
    assert type(back) is type(value)


async def test_null_of_every_type(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        for kind in sorted({k for k, _ in ROUND}):
            assert await db.fetch_val(f"SELECT $1::{kind}", None) is None


async def test_special_values(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        assert math.isnan(await db.fetch_val("SELECT $1::float8", math.nan))
        assert (await db.fetch_val("SELECT $1::numeric", Decimal("NaN"))).is_nan()
        assert await db.fetch_val("SELECT $1::text", Mood.OK) == "ok"
        assert await db.fetch_val("SELECT $1::numeric", 5) == Decimal(5)
        assert await db.fetch_val("SELECT $1::float8", 5) == 5.0
        east = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
        assert await db.fetch_val("SELECT $1::timestamptz", east) == east
        assert await db.fetch_val("SELECT '[5:6]={7,8}'::int[]") == [7, 8]
        assert await db.fetch_val("SELECT 1::int2 + 0.5::float4") == 1.5


async def test_enums_domains_and_extensions(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db, db.transaction() as tx:
        await tx.execute_script(
            "CREATE TYPE mood AS ENUM ('sad', 'so-so'); CREATE DOMAIN posint AS int CHECK (value > 0)"
        )
        assert await tx.fetch_val("SELECT $1::mood", "so-so") == "so-so"
        assert await tx.fetch_val("SELECT ARRAY['sad', NULL]::mood[]") == ["sad", None]
        assert await tx.fetch_val("SELECT $1::posint", 5) == 5
        assert await tx.fetch_val("SELECT ARRAY[1, 2]::posint[]") == [1, 2]


REFUSED = [
    ("int4", "5", "expected int, got str"), ("int4", True, "expected int, got bool"), ("int4", 1.0, "expected int, got float"), ("int4", 2**31, "outside"),
    ("int2", 2**15, "outside"), ("text", 5, "expected str"), ("text", "a\0b", "NUL"), ("text", "\ud800", "surrogate"), ("bool", 1, "expected bool"),
    ("timestamptz", datetime(2024, 1, 1), "aware"), ("timestamp", datetime(2024, 1, 1, tzinfo=UTC), "naive"), ("date", datetime(2024, 1, 1), "expected date"),
    ("uuid", "12345678-1234-5678-1234-567812345678", "expected UUID"), ("jsonb", math.nan, "NaN"), ("jsonb", object(), "not JSON serialisable"),
    ("jsonb", {1: 2}, "must be str"), ("int4[]", 5, "expected list"), ("int4[]", [[1], [2, 3]], "same length"), ("bytea", "x", "expected bytes"),
    ("numeric", 1.5, "expected Decimal"), ("numeric", Decimal("1e-20000"), "more digits"), ("float4", 1e300, "too large"), ("money", 5, "no encoder for money"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "why"), REFUSED, ids=[f"{k}-{i}" for i, (k, *_) in enumerate(REFUSED)])
async def test_what_does_not_fit_is_refused_before_it_is_sent(
    postgres_dsn: str, kind: str, value: Any, why: str
) -> None:
    async with Database(postgres_dsn) as db:
        with pytest.raises(EncodeError, match=why) as caught:
            await db.fetch_val(f"SELECT $1::{kind}", value)
        assert "$1" in str(caught.value)
        assert await db.fetch_val("SELECT 1") == 1


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("'infinity'::date", "infinite"), ("'-infinity'::timestamptz", "infinite"), ("'0044-03-15 BC'::date", "before the year 1"),
        ("'294276-01-01'::timestamp", "after the year 9999"), ("'24:00'::time", "24:00"), ("5::money", "no decoder for money"),
        ("interval 'infinity'", "infinite"),
    ],
)  # fmt: skip
async def test_what_python_cannot_hold_is_an_error_that_names_the_column(postgres_dsn: str, sql: str, why: str) -> None:
    async with Database(postgres_dsn) as db:
        if "interval 'inf" in sql and await db.fetch_val("SELECT current_setting('server_version_num')::int") < 170_000:
            pytest.skip("intervals are infinite since PostgreSQL 17")
        with pytest.raises(DecodeError, match=why) as caught:
            await db.fetch(f"SELECT {sql} AS doomed")
        assert "doomed" in str(caught.value)
        assert await db.fetch_val("SELECT 1") == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner),
    max_leaves=10,
)  # fmt: skip
LAWS = {
    "int8": st.integers(-(2**63), 2**63 - 1),
    "float8": st.floats(allow_nan=False),
    "numeric": st.decimals(allow_nan=False, places=None).filter(lambda d: d.is_infinite() or (abs(d.adjusted()) < 10_000 and -16_000 < d.as_tuple().exponent < 130_000)),
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "bytea": st.binary(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
    "interval": st.timedeltas(min_value=timedelta(days=-(10**6)), max_value=timedelta(days=10**6)),
    "uuid": st.uuids(),
    "json": _JSON,
    "text[]": st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    "int4[]": st.lists(st.none() | st.integers(-(2**31), 2**31 - 1)),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAWS)
def test_encoding_then_decoding_gives_the_value(postgres_dsn: str, kind: str) -> None:
    import asyncio

    with asyncio.Runner() as runner:
        db = Database(postgres_dsn)
        runner.run(db.connect())

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(LAWS[kind])
        def law(value: Any) -> None:
            assert runner.run(db.fetch_val(f"SELECT $1::{kind}", value)) == value

        law()
        runner.run(db.close())


async def test_json_that_python_cannot_hold(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for text in (r'"\ud800"', r'["\udc00x"]', "1e400", '{"a": -1e999}'):
            with pytest.raises(DecodeError):
                await db.fetch_val("SELECT $1::text::json", text)
        assert await db.fetch_val("SELECT $1::text::json", r'"\ud83c\udf88"') == "\U0001f388"


async def test_a_range_in_the_order_of_a_collation(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script(
            'DROP TYPE IF EXISTS words; CREATE TYPE words AS RANGE (subtype = text, collation = "C")'
        )
        assert await db.fetch_val("SELECT words('a', 'b')") == Range("a", "b")
        # Other collations sort B between a and c; Python does not.
        assert Range("a", "B").upper == "B"
        with pytest.raises(ValueError, match="above"):
            Range(2, 1)
