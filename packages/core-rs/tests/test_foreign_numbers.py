"""Numbers and scalars of other libraries stand for plain Python values where nothing is lost."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from data_bridge.core import ConfigurationError, Database, EncodeError

TAKEN: list[tuple[str, Any, Any]] = [
    *((kind, scalar(7), 7) for kind in ("int2", "int4", "int8", "oid") for scalar in (np.int8, np.int16, np.int32, np.int64, np.uint8)),
    ("int8", np.int64(-(2**63)), -(2**63)),
    *(("float8", scalar(0.5), 0.5) for scalar in (np.float16, np.float32, np.float64, Decimal, Fraction)),
    ("float4", np.float32(0.1), 0.1),
    ("bool", np.bool_(True), True),
    ("bool", np.False_, False),
    ("text", np.str_("x"), "x"),
    ("bytea", np.bytes_(b"x"), b"x"),
    ("numeric", np.int64(3), Decimal(3)),
    ("timestamp", np.datetime64("2024-01-02T03:04:05", "us"), datetime(2024, 1, 2, 3, 4, 5)),
    ("date", np.datetime64("2024-01-02", "D"), date(2024, 1, 2)),
    ("int4[]", [np.int64(1), None, 3], [1, None, 3]),
    ("jsonb", [1, 2], [1, 2]),
]  # fmt: skip
REFUSED: list[tuple[str, Any, str]] = [
    ("int4", np.float64(1.5), "expected int, got numpy.float64"),
    ("int4", 3.0, "expected int, got float"),
    ("int2", np.int64(70000), "outside"),
    ("int4", np.array([1, 2]), "expected int, got numpy.ndarray"),
    ("bool", np.int64(1), "expected bool"),
    ("float8", "1.5", "expected float, got str"),
    ("int4[]", [1.5], "element 0: expected int, got float"),
    ("date", np.datetime64("2024-01-02T03:04:05.123456789", "ns"), "expected date"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), TAKEN)
async def test_what_is_taken(postgres_dsn: str, kind: str, value: Any, expected: Any) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        assert await db.fetch_val(f"SELECT $1::{kind}", value) == expected
        async with db.transaction() as tx:
            await tx.execute_script(f"CREATE TABLE foreign_numbers (a {kind})")
            assert await tx.copy_in("foreign_numbers", [(value,)]) == 1
            assert await tx.fetch_val("SELECT a FROM foreign_numbers") == expected
            tx.set_rollback_only()


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED)
async def test_what_is_refused(postgres_dsn: str, kind: str, value: Any, message: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        with pytest.raises(EncodeError, match=message.replace("(", r"\(")):
            await db.fetch_val(f"SELECT $1::{kind}", value)


class NAType:
    """Like `pandas.NA`, whose comparisons have no truth value."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


MISSING = [
    float("nan"),
    np.float32("nan"),
    np.float64("nan"),
    Decimal("NaN"),
    Decimal("sNaN"),
    np.datetime64("NaT"),
    NAType(),
]


@pytest.mark.parametrize("kind", ["int4", "float8", "numeric", "text", "date", "timestamptz", "jsonb", "int4[]"])
async def test_missing_values_of_data_frames(db: Database, kind: str) -> None:
    await db.execute_script(f"CREATE TABLE frame (n int, v {kind})")
    rows = [(n, value) for n, value in enumerate([*MISSING, None])]
    assert await db.copy_in("frame", rows, nulls="nan") == len(rows)
    assert await db.copy_in("frame", [{"n": n, "v": v} for n, v in rows], nulls="nan") == len(rows)
    assert await db.fetch_val("SELECT count(*) FROM frame WHERE v IS NULL") == 2 * len(rows)


async def test_missing_values_are_asked_for(db: Database) -> None:
    await db.execute_script("CREATE TABLE frame (f float8, a int4[], t text, j jsonb)")
    await db.copy_in("frame", [(float("nan"), [1], "nan", {})])
    # What is there is written: arrays, which compare element by element, text and objects among them.
    await db.copy_in(
        "frame", [(1.5, [1, 2], "nan", [1]), (np.float64(2), np.array([3, 4]).tolist(), "", {})], nulls="nan"
    )
    assert await db.fetch("SELECT f::text, a, t FROM frame ORDER BY f", as_=tuple) == [
        ("1.5", [1, 2], "nan"),
        ("2", [3, 4], ""),
        ("NaN", [1], "nan"),
    ]
    with pytest.raises(EncodeError, match=r"row 0, a \(int4\[\]\): expected list"):
        await db.copy_in("frame", [(1.0, float("nan"), "", {})])
    with pytest.raises(ConfigurationError, match="nulls='NaN' is not none or nan"):
        await db.copy_in("frame", [], nulls="NaN")  # type: ignore[arg-type]
