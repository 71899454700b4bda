"""Random records over every type come back unchanged, and random types of parameters are never taken for each other."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from data_bridge.core import Database, DatabaseError, EncodeError, PgInterval, Range, SyntaxOrAccessError
from data_bridge.core.types.geometry import Box, Circle, Path, Point

Maker = Callable[[random.Random], Any]


def text(r: random.Random) -> str:
    alphabet = "aZ09 '\"\\,{}()[]\n\t\x01éß漢🎈\u202e%_$"
    return "".join(r.choice(alphabet) for _ in range(r.choice([0, 1, 5, 40, 300])))


def number(r: random.Random) -> float:
    return r.choice([0.0, -0.0, 1.5, -1e300, 5e-324, float("inf"), r.uniform(-1e9, 1e9), r.random()])


def decimal(r: random.Random) -> Decimal:
    digits = "".join(r.choice("0123456789") for _ in range(r.choice([1, 4, 9, 40, 400])))
    return Decimal(("-" if r.random() < 0.5 else "") + digits).scaleb(-r.choice([0, 1, 2, 6, 9]), _WIDE)


_WIDE = __import__("decimal").Context(prec=1000)


def moment(r: random.Random) -> datetime:
    return datetime.min + timedelta(microseconds=r.randrange(3652059 * 86_400 * 10**6))


def json(r: random.Random, depth: int = 3) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: r.random() < 0.5,
        lambda: r.randrange(-(10**20), 10**20),
        lambda: r.uniform(-9, 9),
        lambda: text(r),
    ]
    if depth:
        kinds += [
            lambda: [json(r, depth - 1) for _ in range(r.randrange(4))],
            lambda: {text(r): json(r, depth - 1) for _ in range(r.randrange(4))},
        ]
    return r.choice(kinds)()


def between(low: int, high: int) -> Maker:
    return lambda r: r.choice([low, high, 0, r.randint(low, high)])


def span(of: Maker, step: Any) -> Maker:
    def make(r: random.Random) -> Range[Any]:
        low = of(r)
        return r.choice([Range(low, low + step), Range(low, None), Range(None, low), Range(), Range.empty()])

    return make


MAKERS: dict[str, Maker] = {
    "bool": lambda r: r.random() < 0.5, "int2": between(-(2**15), 2**15 - 1), "int4": between(-(2**31), 2**31 - 1), "int8": between(-(2**63), 2**63 - 1),
    "oid": between(0, 2**32 - 1), "float8": number, "numeric": decimal, "text": text, "varchar": text, "bytea": lambda r: r.randbytes(r.choice([0, 1, 300])),
    "uuid": lambda r: UUID(int=r.getrandbits(128)), "json": json, "jsonb": json, "date": lambda r: moment(r).date(), "time": lambda r: moment(r).time(),
    "timetz": lambda r: moment(r).time().replace(tzinfo=timezone(timedelta(seconds=r.randint(-57_599, 57_599)))), "timestamp": moment,
    "timestamptz": lambda r: moment(r).replace(tzinfo=UTC), "interval": lambda r: r.choice([timedelta(days=r.randint(-9999, 9999), microseconds=r.randrange(10**10)), PgInterval(r.randint(1, 99), r.randint(-9, 9), r.randint(-9, 9))]),
    "inet": lambda r: r.choice([ipaddress.IPv4Address(r.getrandbits(32)), ipaddress.IPv6Address(r.getrandbits(128)), ipaddress.ip_interface((r.getrandbits(32), r.randint(0, 31)))]),
    "cidr": lambda r: ipaddress.ip_network((r.getrandbits(32) & 0xFFFF0000, 16)), "macaddr": lambda r: ":".join(f"{b:02x}" for b in r.randbytes(6)),
    "varbit": lambda r: "".join(r.choice("01") for _ in range(r.randrange(20))), "point": lambda r: Point(r.uniform(-9, 9), r.uniform(-9, 9)),
    "box": lambda r: Box(Point(r.uniform(1, 9), r.uniform(1, 9)), Point(r.uniform(-9, 0), r.uniform(-9, 0))), "circle": lambda r: Circle(Point(1.0, r.random()), r.random()),
    "path": lambda r: Path(tuple(Point(r.random(), r.random()) for _ in range(r.randint(1, 5))), closed=r.random() < 0.5),
    "int4range": span(lambda r: r.randrange(10**6), 5), "int8range": span(lambda r: r.randrange(10**12), 5), "numrange": span(lambda r: Decimal(r.randrange(10**6)) / 8, 1),
    "daterange": span(lambda r: date(2000, 1, 1) + timedelta(days=r.randrange(9999)), timedelta(days=3)), "tsrange": span(lambda r: datetime(2000, 1, 1) + timedelta(seconds=r.randrange(10**9)), timedelta(hours=1)),
    "tstzrange": span(lambda r: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=r.randrange(10**9)), timedelta(hours=1)), "pg_lsn": lambda r: f"{r.getrandbits(32):X}/{r.getrandbits(32):X}",
    "xid8": between(0, 2**64 - 1), "tid": lambda r: (r.getrandbits(32), r.getrandbits(16)),
}  # fmt: skip
NO_ARRAYS = {"json"}


def record(r: random.Random, kinds: list[str]) -> list[Any]:
    """One value, or None, or a list for each type."""
    values = []
    for kind in kinds:
        make = MAKERS[kind.removesuffix("[]")]
        if r.random() < 0.1:
            values.append(None)
        elif kind.endswith("[]"):
            values.append([None if r.random() < 0.2 else make(r) for _ in range(r.choice([0, 1, 3, 20]))])
        else:
            values.append(make(r))
    return values


def differs(sent: Any, found: Any) -> bool:
    """Equality that tells −0.0 from 0.0 and True from 1."""
    return repr(sent) != repr(found) if isinstance(sent, float) else sent != found or type(sent) is not type(found)


@pytest.mark.fault("F7")
@pytest.mark.parametrize("records", [60, pytest.param(3000, marks=pytest.mark.endurance)])
async def test_random_records(postgres_dsn: str, records: int) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    r = random.Random(seed)
    kinds = [*MAKERS, *(f"{k}[]" for k in MAKERS if k not in NO_ARRAYS)]
    columns = [f"c{i}" for i in range(len(kinds))]
    async with Database(postgres_dsn, max_connections=3) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS records; CREATE TABLE records (id int, "
            + ", ".join(f"{c} {k}" for c, k in zip(columns, kinds, strict=True))
            + ")"
        )
        places = ", ".join(f"${i}" for i in range(1, len(kinds) + 2))
        sent = [[i, *record(r, kinds)] for i in range(records)]
        half = records // 2
        for start in range(0, half, 50):
            await asyncio.gather(
                *(db.execute(f"INSERT INTO records VALUES ({places})", *s) for s in sent[start : min(start + 50, half)])
            )
        assert await db.copy_in("records", sent[half:]) == records - half
        found = await db.fetch("SELECT * FROM records ORDER BY id", as_=tuple)
        wrong = [
            (kind, a, b)
            for one, other in zip(sent, found, strict=True)
            for kind, a, b in zip(["int4", *kinds], one, other, strict=True)
            if differs(a, b)
        ]
        assert wrong == [], f"seed {seed}"
        # In a different order, by a cursor and one by one, as the server compares them.
        async with db.stream("SELECT * FROM records ORDER BY id DESC", as_=tuple, batch=7) as rows:
            assert [row async for row in rows] == found[::-1]
        await db.execute_script("DROP TABLE records")


# Types whose values may look alike in bytes or in text, and a value of each.
ALIKE: dict[str, Any] = {
    "int2": 7, "int4": 65_536 * 7 + 1, "int8": 2**40 + 7, "float4": 1.5, "float8": 2.0**-20, "numeric": Decimal("7.25"), "bool": True, "text": "7", "varchar": "true", "bytea": b"\0\0\0\7",
    "date": date(2000, 1, 8), "time": time(0, 0, 7), "timestamp": datetime(2000, 1, 1, 0, 0, 7), "timestamptz": datetime(2000, 1, 1, 0, 0, 7, tzinfo=UTC), "interval": timedelta(seconds=7),
    "uuid": UUID(int=7), "jsonb": {"a": 7}, "oid": 7, "int4[]": [7], "int8[]": [7], "text[]": ["7"],
}  # fmt: skip


@pytest.mark.fault("F9")
async def test_one_text_with_parameters_of_different_types(postgres_dsn: str) -> None:
    """The text is the same, the types behind it are not: another search_path, another overload, other values."""
    seed = random.randrange(10**6)
    r = random.Random(seed)
    # A connection that prepared the text before keeps its types, and the server casts their values to what the column has
    # become, without a word. That loses nothing but in these two: any value is JSON, and an int8 as a float4 is rounded.
    kinds = [kind for kind in ALIKE if kind not in ("jsonb", "float4")]
    async with Database(postgres_dsn, max_connections=3) as db:
        await db.execute_script("DROP TABLE IF EXISTS alike")
        before: str | None = None
        sql = "INSERT INTO alike VALUES ($1) RETURNING v, v::text, pg_typeof(v)::text"
        for _ in range(1000):
            kind, given = r.choice(kinds), r.choice(kinds)
            if before is None or (kind != before and r.random() < 0.3):
                await db.execute_script(f"DROP TABLE IF EXISTS alike; CREATE TABLE alike (v {kind})")
                before = kind
            assert before is not None
            value = ALIKE[given]
            try:
                found, printed, named = await db.fetch_one(sql, value, as_=tuple)
            except EncodeError:
                if given != before:
                    continue
                # Types are not doubted twice in a tenth of a second.
                await asyncio.sleep(0.12)
                found, printed, named = await db.fetch_one(sql, value, as_=tuple)
            except DatabaseError as e:
                if given != before and not isinstance(e, SyntaxOrAccessError):
                    continue  # its value has no place in the other type, as 2**40 in an int2
                raise AssertionError(
                    f"seed {seed}: {given} for {before} was sent, and the server did not understand: {e}"
                ) from e
            assert named.replace("[]", "") in NAMES[before.replace("[]", "")], f"seed {seed}"
            # It was taken: then it is the same value, or what the server makes of it when it assigns it to another type,
            # and never its bytes read as those of another type.
            if found != value:
                assert given != before, f"seed {seed}: {value!r} came back as {found!r} of {before}"
                expected = await db.fetch_one(
                    f"SELECT v, v::text FROM (SELECT $1::{given}::{before} AS v) t", value, as_=tuple
                )
                assert (found, printed) == expected, f"seed {seed}: {value!r} became {found!r} of {before}"
        await db.execute_script("DROP TABLE alike")


NAMES = {
    "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision", "bool": "boolean", "varchar": "character varying",
    "time": "time without time zone", "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
} | {k: k for k in ("numeric", "text", "bytea", "date", "interval", "uuid", "jsonb", "oid")}  # fmt: skip


@pytest.mark.fault("F9")
async def test_pairs_of_explicit_types(postgres_dsn: str) -> None:
    """1,000 random pairs in one statement each, prepared and unprepared, on any connection."""
    seed = random.randrange(10**6)
    r = random.Random(seed)
    async with Database(postgres_dsn, max_connections=3) as db:

        async def pair() -> None:
            first, second = r.choice(list(ALIKE)), r.choice(list(ALIKE))
            row = await db.fetch_one(f"SELECT $1::{first} AS a, $2::{second} AS b", ALIKE[first], ALIKE[second])
            assert row == {"a": ALIKE[first], "b": ALIKE[second]}, f"seed {seed}: {first}, {second}"

        for _ in range(100):
            await asyncio.gather(*(pair() for _ in range(10)))
