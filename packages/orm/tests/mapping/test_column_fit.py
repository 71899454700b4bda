"""A column of another type than its field: the values are equal to those of the database, or the error names both."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from typing import Any, Literal
from uuid import UUID

import pytest
from orm_loading import WAYS, made
from pydantic import BaseModel, TypeAdapter

from data_bridge.core import LoadPlan, Range
from data_bridge.postgres import (
    Col,
    DecodeError,
    IdMixin,
    Link,
    create_all,
    execute,
    fetch_val,
)
from data_bridge.query.types import Other, SQLType, Timestamp, TimeTz


class Mood(Enum):
    GOOD = "good"


class Level(IntEnum):
    LOW = 1


class Place(BaseModel):
    city: str


FIELDS: dict[str, tuple[Any, SQLType | None]] = {
    "int": (int, None),
    "float": (float, None),
    "bool": (bool, None),
    "str": (str, None),
    "bytes": (bytes, None),
    "Decimal": (Decimal, None),
    "date": (date, None),
    "time": (time, None),
    "timetz": (time, TimeTz),
    "timedelta": (timedelta, None),
    "datetime": (datetime, None),
    "naive": (datetime, Timestamp),
    "UUID": (UUID, None),
    "Mood": (Mood, None),
    "Level": (Level, None),
    "Literal": (Literal["good"], None),
    "IPv4Address": (IPv4Address, None),
    "Place": (Place, None),
    "dict": (dict, None),
    "dict[str, str]": (dict[str, str], None),
    "list": (list, None),
    "list[int]": (list[int], None),
    "list[str]": (list[str], None),
    "list[list[int]]": (list[list[int]], None),
    "set[int]": (set[int], None),
    "list[Mood]": (list[Mood], None),
    "list[Place]": (list[Place], None),
    "Range[int]": (Range[int], None),
    "Range[datetime]": (Range[datetime], None),
    "str of another type": (str, Other("mood_of_fit")),
    "int of another type": (int, Other("mood_of_fit")),
}

COLUMNS = {
    "smallint": "1",
    "integer": "1",
    "bigint": "1",
    "oid": "1",
    "real": "1.5",
    "double precision": "1.5",
    "numeric": "1",
    "boolean": "true",
    "text": "'good'",
    "varchar(9)": "'good'",
    "char(4)": "'good'",
    "name": "'good'",
    "mood_of_fit": "'good'",
    "text_of_fit": "'good'",
    "bit(3)": "'101'",
    "macaddr": "'08:00:2b:01:02:03'",
    "tsvector": "'a'",
    "bytea": "'\\x6162'",
    "date": "'2024-02-29'",
    "time": "'12:30'",
    "timetz": "'12:30+02'",
    "timestamp": "'2024-02-29 12:30'",
    "timestamptz": "'2024-02-29 12:30+00'",
    "interval": "'1 day'",
    "uuid": "'00000000-0000-0000-0000-000000000001'",
    "jsonb": """'{"city": "Bern"}'""",
    "json": """'{"city": "Bern"}'""",
    "inet": "'10.0.0.1'",
    "cidr": "'10.0.0.1/32'",
    "integer[]": "'{1,2}'",
    "bigint[]": "'{{1,2},{3,4}}'",
    "text[]": "'{good}'",
    "jsonb[]": 'ARRAY[\'{"city": "Bern"}\'::jsonb]',
    "int8range": "'[1,5)'",
    "int4range": "'[1,5)'",
    "numrange": "'[1,5)'",
    "tstzrange": "'[2024-01-01,2024-02-01)'",
    "tsrange": "'[2024-01-01,2024-02-01)'",
    "int8multirange": "'{[1,5)}'",
    "point": "'(1,2)'",
    "pair_of_fit": "'(1,good)'",
}

HOLD = {
    "int": {"smallint", "integer", "bigint", "oid"},
    "float": {"real", "double precision"},
    "bool": {"boolean"},
    "str": {"text", "varchar(9)", "char(4)", "name", "mood_of_fit", "text_of_fit", "bit(3)", "macaddr", "tsvector"},
    "bytes": {"bytea"},
    "Decimal": {"numeric"},
    "date": {"date"},
    "time": {"time"},
    "timetz": {"timetz"},
    "timedelta": {"interval"},
    "datetime": {"timestamptz"},
    "naive": {"timestamp"},
    "UUID": {"uuid"},
    "Mood": {"text", "varchar(9)", "char(4)", "name", "mood_of_fit", "text_of_fit"},
    "Level": {"smallint", "integer", "bigint", "oid"},
    "Literal": {"text", "varchar(9)", "char(4)", "name", "mood_of_fit", "text_of_fit"},
    "IPv4Address": {"inet"},
    "Place": {"json", "jsonb"},
    "dict": {"json", "jsonb"},
    "dict[str, str]": {"json", "jsonb"},
    "list[int]": {"integer[]"},
    "list[str]": {"text[]"},
    "list[list[int]]": {"bigint[]"},
    "set[int]": {"integer[]"},
    "list[Mood]": {"text[]"},
    "list[Place]": set[str](),
    "Range[int]": {"int8range", "int4range"},
    "Range[datetime]": {"tstzrange"},
    "str of another type": {"text", "varchar(9)", "char(4)", "name", "mood_of_fit", "text_of_fit", "bit(3)", "macaddr", "tsvector"},
    "int of another type": {"smallint", "integer", "bigint", "oid"},
}  # fmt: skip
"""The columns whose sample each field takes. For a list in JSON the sample is an object, which is not a list."""


async def make_types() -> None:
    await execute("CREATE TYPE mood_of_fit AS ENUM ('good', 'bad')")
    await execute("CREATE DOMAIN text_of_fit AS text")
    await execute("CREATE TYPE pair_of_fit AS (a int, b text)")


@pytest.mark.parametrize("field", FIELDS)
async def test_values_are_equal_or_the_error_names_both(db: Any, field: str) -> None:
    annotation, of = FIELDS[field]
    await make_types()
    held: set[str] = set()
    for number, (column, sample) in enumerate(COLUMNS.items()):
        await execute(f"CREATE TABLE fit_{number} (id bigint PRIMARY KEY, v {column})")
        await execute(f"INSERT INTO fit_{number} VALUES (1, {sample})")
        decoded = await fetch_val(f"SELECT v FROM fit_{number}")
        # A row of JSON cannot be compared: UNION is refused by the server.
        ways = {k: w for k, w in WAYS.items() if (k, column) != ("union", "json")}
        ways = (
            ways if number % 4 == 0 or column in HOLD.get(field, ()) else {k: WAYS[k] for k in ("find", "get", "raw")}
        )
        for way, load in ways.items():
            try:
                row = await load(made(f"fit_{number}", annotation, of))
            except DecodeError as error:
                message = str(error)
                assert re.search(r"\bv\b", message), (column, way, message)
                assert sample.strip("'") not in message or len(sample) < 5, (column, way, message)
                assert column not in HOLD.get(field, ()), (column, way, message)
                continue
            held.add(column)
            v = row.v
            if annotation in (dict, list):
                assert v == decoded, (column, way)
            else:
                adapter: TypeAdapter[Any] = TypeAdapter(annotation)
                assert v == adapter.validate_python(v, strict=not isinstance(v, list)), (column, way)
                assert v == adapter.validate_python(decoded), (column, way)
            if annotation in (int, float, bool, str, bytes, Decimal, date, time, timedelta, datetime, UUID):
                assert type(v) is annotation, (column, way, v)
            if annotation in (datetime, time) and field != "time":
                assert (v.tzinfo is None) is (field == "naive"), (column, way, v)
            assert not row.is_changed
    # `list` is JSON of any kind: an object is not refused, as no class says what is in it.
    assert held == HOLD.get(field, {"json", "jsonb"}), held ^ HOLD.get(field, {"json", "jsonb"})


@pytest.mark.parametrize("way", WAYS)
async def test_the_error_names_column_type_field_and_class(db: Any, way: str) -> None:
    await execute("CREATE TABLE fit_0 (id bigint PRIMARY KEY, v text)")
    await execute("INSERT INTO fit_0 VALUES (1, 'the value')")
    with pytest.raises(
        DecodeError, match=r"Fit\.v: the column 'v' .* is text, and the field is int \(bigint\)"
    ) as error:
        await WAYS[way](made("fit_0", int, None))
    assert "the value" not in str(error.value)


async def test_an_untyped_null_in_a_statement_fits_every_field(db: Any) -> None:
    table = made("fit_0", int | None, None)
    assert [(r.id, r.v) for r in await table.raw("SELECT 1::bigint AS id, NULL AS v")] == [(1, None)]
    with pytest.raises(DecodeError, match=r"Fit\.v: the column 'v' of the result is text"):
        await table.raw("SELECT 1::bigint AS id, v FROM unnest(ARRAY[NULL, 'x']) AS v")


async def test_rows_of_relations_are_looked_at_too(db: Any) -> None:
    class FitOwner(IdMixin):
        size: Col[int]

    class FitOwned(IdMixin):
        owner: Link[FitOwner]

    await create_all(FitOwner, FitOwned)
    owner = await FitOwner(size=5).save()
    await FitOwned(owner=owner).save()
    await execute("ALTER TABLE fit_owner ALTER COLUMN size TYPE numeric")
    with pytest.raises(DecodeError, match=r"FitOwner\.size: the column 'size' .* is numeric, and the field is int"):
        await FitOwned.find(fetch_links=True)
    with pytest.raises(DecodeError, match=r"FitOwner\.size"):
        await (await FitOwned.find().one()).owner
    with pytest.raises(DecodeError, match=r"FitOwner\.size"):
        await FitOwner.insert_many([FitOwner(size=1)], on_conflict="nothing")


async def test_a_column_that_changes_is_looked_at_again(isolated_db: Any) -> None:
    class FitChanged(IdMixin):
        v: Col[int]

    await create_all(FitChanged)
    await FitChanged(v=5).save()
    assert (await FitChanged.find().one()).v == 5
    await execute("ALTER TABLE fit_changed ALTER COLUMN v TYPE text")
    with pytest.raises(DecodeError, match=r"FitChanged\.v: the column 'v' .* is text"):
        await FitChanged.find().one()
    await execute("ALTER TABLE fit_changed ALTER COLUMN v TYPE integer USING v::integer")
    assert (await FitChanged.find().one()).v == 5


async def test_columns_are_asked_once_and_not_for_each_row(db: Any) -> None:
    asked: list[str] = []

    def misfit(name: str, kind: str, type_name: str) -> str | None:
        asked.append(f"{name} {kind} {type_name}")
        return None

    plan = LoadPlan.rows(dict, misfit=misfit)
    for last in (10, 1000):
        rows = await db.run(("text", "SELECT n, n::text AS t FROM generate_series(1, $1::int) AS n"), (last,), plan)
        assert len(rows) == last
    assert asked == ["n int int4", "t text text"]


@pytest.mark.parametrize(
    ("annotation", "column", "fits", "misfits"),
    [
        (list[int], "bigint[]", {"'{1,2}'": [1, 2], "'{}'": []}, ["'{{1,2},{3,4}}'"]),
        (list[list[str]], "text[]", {"'{{a,b}}'": [["a", "b"]], "'{}'": []}, ["'{a}'", "'{{{a}}}'"]),
        (timedelta, "interval", {"'1 day'": timedelta(days=1)}, ["'1 month'", "'1 year 2 days'"]),
    ],
    ids=["list[int]", "list[list[str]]", "timedelta"],
)
async def test_values_that_a_type_has_beside_those_of_the_field(
    db: Any, annotation: Any, column: str, fits: dict[str, Any], misfits: list[str]
) -> None:
    await execute(f"CREATE TABLE fit_0 (id bigint PRIMARY KEY DEFAULT 1, v {column})")
    table = made("fit_0", annotation, None)
    for text, value in fits.items():
        await execute(f"INSERT INTO fit_0 (v) VALUES ({text})")
        for way, load in WAYS.items():
            row = await load(table)
            assert row.v == value and not row.is_changed, way
        await execute("DELETE FROM fit_0")
    for text in misfits:
        await execute(f"INSERT INTO fit_0 (v) VALUES ({text})")
        for load in WAYS.values():
            with pytest.raises(DecodeError, match=r"\bv \("):
                await load(table)
        await execute("DELETE FROM fit_0")


async def test_moments_keep_their_zone(db: Any) -> None:
    await execute("CREATE TABLE fit_0 (id bigint PRIMARY KEY, v timestamptz)")
    await execute("INSERT INTO fit_0 VALUES (1, '2024-02-29 12:30+02')")
    row = await made("fit_0", datetime, None).get(1)
    assert row.v == datetime(2024, 2, 29, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    assert row.v.tzinfo is UTC
