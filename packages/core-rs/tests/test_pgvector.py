"""The types of pgvector, by the extension itself: the embedded server brings it, a machine's own often does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from data_bridge.core import Database, EncodeError


@pytest.fixture
def dsn(postgres_dsn: str, extension: Callable[[str], None]) -> str:
    extension("vector")
    return postgres_dsn


VALUES: list[tuple[str, str, Any]] = [
    ("vector", "[1,-2.5,0.1]", [1.0, -2.5, 0.1]),
    ("vector(2)", "[3e38,1e-38]", [3e38, 1e-38]),
    ("halfvec", "[1,-2.5,65504]", [1.0, -2.5, 65504.0]),
    ("vector[]", '{"[1,2]","[3,4]"}', [[1.0, 2.0], [3.0, 4.0]]),
    ("sparsevec", "{}/3", "{}/3"),
    ("sparsevec", "{4:2,1:.5,2:0}/5", "{1:0.5,4:2}/5"),
    (
        "sparsevec",
        "{1:0.1,2:-1e20,3:1e-05,4:123456,5:1234567,6:0.0001}/1000000000",
        "{1:0.1,2:-1e+20,3:1e-05,4:123456,5:1.234567e+06,6:0.0001}/1000000000",
    ),
    ("sparsevec[]", '{"{1:1}/2",NULL}', ["{1:1}/2", None]),
]


@pytest.mark.parametrize(("kind", "text", "value"), VALUES, ids=[f"{k}-{t}" for k, t, _ in VALUES])
async def test_there_and_back(dsn: str, kind: str, text: str, value: Any) -> None:
    async with Database(dsn, max_connections=1) as database:
        assert await database.fetch_val(f"SELECT '{text}'::{kind}") == value
        assert await database.fetch_val(f"SELECT $1::{kind} = '{text}'::{kind}", value) is True
        assert await database.fetch_val(f"SELECT $1::{kind}", value) == value
        if kind == "sparsevec":
            assert await database.fetch_val(f"SELECT '{text}'::{kind}::text") == value


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("vector", [], "1 to 16000 dimensions"),
        ("vector", [float("nan")], "not a number"),
        ("vector", "[1,2]", "list of float"),
        ("halfvec", [70_000.0], "too large"),
        ("sparsevec", "{1:1}", r"\{index:value,...\}/dimensions"),
        ("sparsevec", "{1:1,1:2}/3", r"\{index:value,...\}/dimensions"),
        ("sparsevec", [1.0], "str"),
    ],
)
async def test_what_does_not_fit_is_refused_before_it_is_sent(dsn: str, kind: str, value: Any, message: str) -> None:
    async with Database(dsn, max_connections=1) as database:
        with pytest.raises(EncodeError, match=message):
            await database.fetch_val(f"SELECT $1::{kind}", value)
        assert database.pool_stats().closed_broken == 0


async def test_nearest_and_copied(dsn: str) -> None:
    async with Database(dsn, max_connections=1) as database:
        await database.execute_script(
            "DROP TABLE IF EXISTS points; CREATE TABLE points (id int, at vector(2), half halfvec(2), sparse sparsevec(9))"
        )
        rows = [(n, [float(n), 0.5], [float(n), 0.25], f"{{{n}:1.5}}/9") for n in range(1, 6)]
        assert await database.copy_in("points", rows) == 5
        await database.execute_script("CREATE INDEX ON points USING hnsw (at vector_l2_ops)")
        assert await database.fetch("SELECT * FROM points ORDER BY id", as_=tuple) == rows
        nearest = "SELECT id FROM points ORDER BY at <-> $1, half <=> $2, sparse <#> $3 LIMIT 2"
        found = await database.fetch(nearest, [4.4, 0.5], [1.0, 1.0], "{4:1}/9", as_=tuple)
        assert found == [(4,), (5,)]
        await database.execute_script("DROP TABLE points")
