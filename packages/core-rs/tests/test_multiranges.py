"""Multiranges, which the driver tells sqlx about when a connection first meets one."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_bridge.core import Database, EncodeError, Range
from data_bridge.testing.proxy import proxied

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
VALUES: list[tuple[str, Any]] = [
    ("int4multirange", [Range(1, 3), Range(5, 9)]),
    ("int4multirange", []),
    ("int8multirange", [Range(None, 3), Range(2**40, None)]),
    ("nummultirange", [Range(Decimal("1.5"), Decimal(2), "(]")]),
    ("datemultirange", [Range(date(2024, 1, 1), date(2024, 2, 1))]),
    ("tsmultirange", [Range(NOON.replace(tzinfo=None), None)]),
    ("tstzmultirange", [Range(None, NOON, "()"), Range(NOON, None, "()")]),
    ("int4multirange[]", [[Range(1, 3)], [], None, [Range(4, 5), Range(7, 8)]]),
]


@pytest.mark.parametrize(("kind", "value"), VALUES)
async def test_there_and_back(postgres_dsn: str, kind: str, value: Any) -> None:
    async with Database(postgres_dsn, max_connections=1) as database:
        for _ in range(3):
            assert await database.fetch_val(f"SELECT $1::{kind}", value) == value
        stats = database.pool_stats()
        assert (stats.opened, stats.closed_broken) == (1, 0), "the connection was not kept"


async def test_nothing_of_the_lesson_stays_on_the_server(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as database:
        sql = "SELECT $1::int4multirange, 'it''s', E'\\\\', $$x$$"
        for _ in range(2):
            assert await database.fetch_one(sql, [Range(1, 2)], as_=tuple) == ([Range(1, 2)], "it's", "\\", "x")
        left = await database.fetch("SELECT statement FROM pg_prepared_statements", as_=tuple)
        assert [text for (text,) in left].count(sql) == 1


async def test_ranges_are_put_in_order_and_joined_by_the_server(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as database:
        spans = (Range(5, 9), Range.empty(), Range(1, 3), (2, 4))
        assert await database.fetch_val("SELECT $1::int4multirange", spans) == [Range(1, 4), Range(5, 9)]


async def test_own_multiranges_wherever_a_type_may_stand(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as database:
        await database.execute_script("""
            DROP TYPE IF EXISTS float_spans_in_a_row; DROP DOMAIN IF EXISTS holidays; DROP TYPE IF EXISTS floatspan;
            CREATE TYPE floatspan AS RANGE (subtype = float8, multirange_type_name = "Float spans");
            CREATE TYPE float_spans_in_a_row AS (a int, spans "Float spans");
            CREATE DOMAIN holidays AS datemultirange;
            DROP TABLE IF EXISTS spans; CREATE TABLE spans (n int, own "Float spans", days holidays, many holidays[]);
        """)
        spans = [Range(1.5, 2.5), Range(3.0, 4.0)]
        assert await database.fetch_val('SELECT $1::"Float spans"', spans) == spans
        assert await database.fetch_val('SELECT $1::"Float spans"[]', [spans, []]) == [spans, []]
        assert await database.fetch_val("SELECT $1::float_spans_in_a_row", (1, spans)) == {"a": 1, "spans": spans}
        days = [Range(date(2024, 1, 1), date(2024, 1, 7))]
        row = (1, spans, days, [days, []])
        assert await database.copy_in("spans", [row]) == 1
        assert await database.fetch("SELECT * FROM spans", as_=tuple) == [row]
        async with database.stream("SELECT days FROM spans", as_=tuple) as rows:
            assert [r async for r in rows] == [(days,)]
        # Ranges that are made of ranges are no multiranges.
        await database.execute_script("DROP TYPE IF EXISTS deep; CREATE TYPE deep AS RANGE (subtype = int4range)")
        deep = Range(Range(1, 2), None)
        assert await database.fetch_val("SELECT $1::deep", deep) == deep


async def test_a_type_made_after_the_first_multirange(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as database:
        assert await database.fetch_val("SELECT '{}'::int4multirange") == []
        await database.execute("DROP TYPE IF EXISTS latespan")
        await database.execute("CREATE TYPE latespan AS RANGE (subtype = float8)")
        assert await database.fetch_val("SELECT '{[1,2)}'::latespan_multirange") == [Range(1.0, 2.0)]
        assert database.pool_stats().closed_broken == 0


@pytest.mark.parametrize("cache", [100, 0], ids=["prepared", "as behind a pooler"])
async def test_inside_a_transaction_and_without_prepared_statements(postgres_dsn: str, cache: int) -> None:
    async with Database(postgres_dsn, max_connections=2, statement_cache_size=cache) as database:
        async with database.transaction() as tx:
            await tx.execute("CREATE TEMP TABLE busy (at int4multirange) ON COMMIT DROP")
            await tx.execute("INSERT INTO busy VALUES ($1)", [Range(1, 5)])
            assert await tx.fetch_val("SELECT at FROM busy") == [Range(1, 5)]
        assert await database.fetch_val("SELECT '{[3,4)}'::int4multirange") == [Range(3, 4)]
        many = await asyncio.gather(
            *(database.fetch_val("SELECT $1::int8multirange", [Range(i, i + 1)]) for i in range(9))
        )
        assert many == [[Range(i, i + 1)] for i in range(9)]


async def test_a_known_multirange_costs_nothing(postgres_dsn: str) -> None:
    with proxied(postgres_dsn) as proxy:
        async with Database(proxy.dsn, max_connections=1, ssl="disable") as database:
            for _ in range(2):
                await database.fetch_val("SELECT $1::int4multirange", [])
            loop = asyncio.get_running_loop()
            proxy.delay = 0.1
            started = loop.time()
            await database.fetch_val("SELECT $1::int4multirange", [Range(1, 2)])
            assert 0.19 < loop.time() - started < 0.39
            proxy.delay = 0


@pytest.mark.parametrize(
    ("value", "why"),
    [(Range(1, 2), "expected a list of Range"), ([5], "expected Range"), ([Range("a", "b")], "expected int"), ("{}", "expected a list of Range")],
)  # fmt: skip
async def test_what_does_not_fit_is_refused(postgres_dsn: str, value: Any, why: str) -> None:
    async with Database(postgres_dsn) as database:
        with pytest.raises(EncodeError, match=why):
            await database.fetch_val("SELECT $1::int4multirange", value)


def test_any_multirange(rows: Any) -> None:
    spans = (
        st.lists(st.integers(-99, 99), unique=True, max_size=20)
        .map(sorted)
        .map(lambda n: [Range(low, high) for low, high in zip(n[::2], n[1::2], strict=False)])
    )

    @given(spans)
    @settings(max_examples=60, deadline=None)
    def law(value: list[Range[int]]) -> None:
        found, text = rows("SELECT m, m::text FROM (SELECT $1::int4multirange AS m) s", value)
        assert "{" + ",".join(f"[{r.lower},{r.upper})" for r in found) + "}" == text
        assert all(any(n in r for r in found) for r in value for n in (r.lower, r.upper - 1))

    law()
