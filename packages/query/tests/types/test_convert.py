"""Values are checked against their column when an expression is built."""

from __future__ import annotations

import enum
import ipaddress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from data_bridge import core
from data_bridge.query import ColumnDef, TableDef, TableSource, column, table, types


class Mood(enum.Enum):
    SAD = "sad"
    OK = "ok"


class Level(enum.IntEnum):
    LOW = 1


KEY = "0e6be84c-5b1c-4d8a-9b6e-3f0d6a3f4c11"
GOOD: list[tuple[Any, Any, Any]] = [
    (int, 5, 5),
    (int, "5", 5),
    (int, Level.LOW, 1),
    (types.SmallInt, 32767, 32767),
    (Decimal, 5, Decimal(5)),
    (Decimal, "5.10", Decimal("5.10")),
    (Decimal, Decimal("NaN"), None),
    (float, 5, 5.0),
    (float, 5.5, 5.5),
    (str, "x", "x"),
    (bool, True, True),
    (bytes, b"x", b"x"),
    (bytes, bytearray(b"x"), b"x"),
    (bytes, memoryview(b"x"), b"x"),
    (datetime, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)),
    (datetime, "2024-01-01T00:00:00+00:00", datetime(2024, 1, 1, tzinfo=UTC)),
    (types.Timestamp, datetime(2024, 1, 1), datetime(2024, 1, 1)),
    (types.Timestamp, "2024-01-01", datetime(2024, 1, 1)),
    (date, date(2024, 1, 1), date(2024, 1, 1)),
    (date, "2024-01-01", date(2024, 1, 1)),
    (time, "10:00", time(10)),
    (types.TimeTz, "10:00+00:00", time(10, tzinfo=UTC)),
    (timedelta, timedelta(days=1), timedelta(days=1)),
    (types.Interval, core.PgInterval(months=1), core.PgInterval(months=1)),
    (UUID, KEY, UUID(KEY)),
    (UUID, UUID(KEY), UUID(KEY)),
    (types.Enum(Mood), Mood.OK, "ok"),
    (types.Enum(Mood), "ok", "ok"),
    (Mood, Mood.SAD, "sad"),
    (types.Enum("mood", "a", "b"), "a", "a"),
    (list[int], ["1", 2], [1, 2]),
    (list[int], (1, None), [1, None]),
    (list[int], [[1], ["2"]], [[1], [2]]),
    (dict, {"a": [1, None]}, {"a": [1, None]}),
    (types.Inet, "10.0.0.1", ipaddress.ip_address("10.0.0.1")),
    (types.Cidr, "10.0.0.0/8", ipaddress.ip_network("10.0.0.0/8")),
    (types.Varchar(3), "abc", "abc"),
]
BAD: list[tuple[Any, Any]] = [
    (int, True),
    (int, 1.0),
    (int, "x"),
    (int, b"1"),
    (types.SmallInt, 99999),
    (types.SmallInt, True),
    (Decimal, 1.5),
    (Decimal, True),
    (Decimal, "x"),
    (float, "1.5"),
    (float, True),
    (float, Decimal(1)),
    (str, 5),
    (str, b"x"),
    (bool, 1),
    (bool, "true"),
    (bytes, "x"),
    (datetime, datetime(2024, 1, 1)),
    (datetime, date(2024, 1, 1)),
    (datetime, "yesterday"),
    (datetime, 5),
    (types.Timestamp, datetime(2024, 1, 1, tzinfo=UTC)),
    (date, datetime(2024, 1, 1)),
    (date, "2024-13-01"),
    (time, time(10, tzinfo=UTC)),
    (types.TimeTz, time(10)),
    (timedelta, 5),
    (UUID, "x"),
    (UUID, 5),
    (types.Enum(Mood), "angry"),
    (types.Enum(Mood), Level.LOW),
    (types.Enum(Mood), []),
    (types.Enum("mood", "a"), "b"),
    (list[int], "12"),
    (list[int], 5),
    (list[int], [True]),
    (dict, {"a": float("nan")}),
    (dict, {"a": object()}),
    (types.Inet, "10.0.0.300"),
    (types.Inet, 5),
    (types.Varchar(3), "abcd"),
    (types.Char(2), "abc"),
]


@pytest.mark.parametrize(("of", "value", "sent"), GOOD)
def test_what_fits_is_converted(of: Any, value: Any, sent: Any) -> None:
    x = table("t", column("x", of)).x
    node = x == value
    assert node.p[0] == sent or sent is None
    assert type(node.p[0]) is type(sent) or sent is None
    assert x.bind(value) == sent or sent is None
    assert (x < value).p[0] == sent or sent is None
    if not of == list[int]:
        assert x.in_([value]).p[0] == [sent] or sent is None


@pytest.mark.parametrize(("of", "value"), BAD)
def test_what_does_not_fit_is_refused(of: Any, value: Any) -> None:
    x = table("t", column("x", of)).x
    for build in (lambda: x == value, lambda: x >= value, lambda: x.between(value, value), lambda: x.bind(value)):
        with pytest.raises(core.EncodeError, match=r"^t\.x \(") as caught:
            build()
        assert repr(value) not in str(caught.value) or len(repr(value)) < 3


def test_the_error_names_the_owner() -> None:
    source = TableSource(TableDef("users", (ColumnDef("age", types.Integer),)), owner="User")
    with pytest.raises(core.EncodeError, match=r"^User\.age \(integer\): expected int, got a str"):
        _ = source.c.age > "x"
    with pytest.raises(core.EncodeError, match=r"User\.age"):
        source.c.age.in_([1, "x"])
    named = TableSource(TableDef("users", (ColumnDef("db_age", types.Integer),)), owner="User", keys={"db_age": "age"})
    with pytest.raises(core.EncodeError, match=r"User\.age"):
        _ = named.c.db_age == 1.5
    assert named.c.age is named.c.db_age


def test_none_is_null_or_an_error() -> None:
    x = table("t", column("x", int)).x
    assert repr(x == None) == '<Expr "t"."x" IS NULL>'  # noqa: E711
    assert repr(x != None) == '<Expr "t"."x" IS NOT NULL>'  # noqa: E711
    for compare in (lambda: x < None, lambda: x >= None, lambda: x.between(None, 5)):
        with pytest.raises(TypeError, match="None"):
            compare()
