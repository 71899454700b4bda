"""Whatever a row holds comes back equal: one by one, in bulk, and through filters."""

import asyncio
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from data_bridge.core import Database, use_database
from data_bridge.postgres import Col, Column, Table, pg_transaction


class Tint(Enum):
    RED = "red"
    BLUE = "blue"


class Sub(BaseModel):
    n: int
    text: str | None = None


class Everything(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    small: Col[int] = Column(type="smallint")
    whole: Col[int] = Column(type="integer")
    big: Col[int]
    ratio: Col[float]
    single: Col[float] = Column(type="real")
    exact: Col[Decimal] = Column(type="numeric")
    money: Col[Decimal] = Column(precision=20, scale=4)
    flag: Col[bool]
    text: Col[str]
    short: Col[str] = Column(max_length=12)
    blob: Col[bytes]
    aware: Col[datetime]
    naive: Col[datetime] = Column(type="timestamp")
    day: Col[date]
    clock: Col[time]
    span: Col[timedelta]
    key: Col[UUID]
    doc: Col[dict[str, Any]]
    sub: Col[Sub]
    subs: Col[list[Sub]]
    tint: Col[Tint]
    ints: Col[list[int | None]]
    texts: Col[list[str]]
    days: Col[list[date]]
    nullable: Col[int | None] = Column(default=None)
    maybe_doc: Col[dict[str, int] | None] = Column(default=None)


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=12)
# jsonb keeps numbers as numeric: a float beyond 2**53 comes back as the integer that its text says.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
SUBS = st.builds(Sub, n=st.integers(-(2**31), 2**31), text=st.none() | TEXT)
VALUES = st.fixed_dictionaries(
    {
        "small": st.integers(-(2**15), 2**15 - 1),
        "whole": st.integers(-(2**31), 2**31 - 1),
        "big": st.integers(-(2**63), 2**63 - 1),
        "ratio": st.floats(allow_nan=False),
        # Decoded as the shortest text that is this number in four bytes: 0.02 comes back as 0.02.
        "single": st.integers(-1000, 1000).map(lambda i: i / 4),
        "exact": st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: abs(d.adjusted()) < 500),
        "money": st.decimals(Decimal(-(10**15)), Decimal(10**15), places=4),
        "flag": st.booleans(),
        "text": TEXT,
        "short": TEXT,
        "blob": st.binary(max_size=20),
        "aware": st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES | st.just(UTC)),
        "naive": st.datetimes(),
        "day": st.dates(),
        "clock": st.times(),
        "span": st.timedeltas(timedelta(days=-(10**6)), timedelta(days=10**6)),
        "key": st.uuids(),
        "doc": st.dictionaries(TEXT, JSON, max_size=3),
        "sub": SUBS,
        "subs": st.lists(SUBS, max_size=3),
        "tint": st.sampled_from(Tint),
        "ints": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=4),
        "texts": st.lists(TEXT, max_size=3),
        "days": st.lists(st.dates(), max_size=3),
        "nullable": st.none() | st.integers(-5, 5),
        "maybe_doc": st.none() | st.dictionaries(TEXT, st.integers(-5, 5), max_size=2),
    }
)


@given(rows=st.lists(VALUES, min_size=1, max_size=4))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_rows_round_trip(postgres_dsn: str, rows: list[dict[str, Any]]) -> None:
    async def main() -> None:
        database = Database(postgres_dsn, max_connections=1)
        async with database, use_database(database), pg_transaction() as tx:
            tx.set_rollback_only()
            await Everything.create_table(checkfirst=False)
            singly = [await Everything(**r).save() for r in rows]
            bulk = await Everything.insert_many([Everything(**r) for r in rows])
            loaded = await Everything.find().order_by("id")
            assert loaded == singly + bulk
            for row, values in zip(loaded, rows + rows, strict=True):
                assert {k: v for k, v in row.model_dump().items() if k != "id"} == Everything(**values).model_dump(
                    exclude={"id"}
                )
                assert not row.is_changed
                assert math.copysign(1, row.ratio) == math.copysign(1, values["ratio"])
            one = rows[0]
            for name in ("big", "text", "aware", "exact", "key", "tint", "blob", "day", "flag", "span"):
                found = await Everything.find({name: one[name]}).count()
                assert found >= 2, name
            for row in loaded:
                row.text += "!" if len(row.text) < 5 else ""
                row.ints.append(7)
                row.doc["added"] = {"x": [1]}
            await Everything.bulk_update(loaded)
            assert await Everything.find().order_by("id") == loaded
            for row in loaded:
                row.subs = [Sub(n=1)]
                row.nullable = None
                await row.save()
            assert await Everything.find().order_by("id") == loaded

    asyncio.run(main())
