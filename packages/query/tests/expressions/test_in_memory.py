"""Expressions in memory give PostgreSQL's answer: random expressions over random rows, evaluated on both sides."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from data_bridge import core
from data_bridge.query import (
    Expr,
    and_,
    case,
    column,
    compile,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    table,
    types,
)

t = table(
    "sample",
    column("i", types.Integer),
    column("a", types.Integer),
    column("b", types.Integer),
    column("f", float),
    column("n", Decimal),
    column("s", str),
    column("u", str),
    column("ok", bool),
    column("xs", types.Array(types.Integer)),
)
TEXTS = ["", "a", "A", "ab", "aB%", "a_b", "b\\", "%", "Ab c"]
PATTERNS = ["a%", "%b", "_", "%\\%%", "a\\_b", "", "%", "A_%"]


def rows(rng: random.Random, count: int) -> list[dict[str, Any]]:
    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.2 else value

    return [
        {
            "i": i,
            "a": maybe(rng.randint(-9, 9)),
            "b": maybe(rng.randint(-9, 9)),
            "f": maybe(rng.choice([0.0, 1.5, -2.25, 9.0, float("nan"), float("inf")])),
            "n": maybe(Decimal(rng.choice(["0", "1.50", "-2.25", "9", "NaN"]))),
            "s": maybe(rng.choice(TEXTS)),
            "u": maybe(rng.choice(TEXTS)),
            "ok": maybe(rng.random() < 0.5),
            "xs": maybe([maybe(rng.randint(-3, 3)) for _ in range(rng.randint(0, 3))]),
        }
        for i in range(count)
    ]


def number(rng: random.Random, depth: int) -> Expr[Any]:
    if depth <= 0 or rng.random() < 0.4:
        return rng.choice([t.a, t.b, t.a, t.b, literal(rng.randint(-5, 5)), func.length(t.s), func.abs(t.a)])
    left, right = number(rng, depth - 1), number(rng, depth - 1)
    return rng.choice(
        [
            lambda: left + right,
            lambda: left - rng.randint(1, 5),
            lambda: left * right,
            lambda: -left,
            lambda: left / rng.choice([2, -3]),
            lambda: left % rng.choice([2, -3]),
            lambda: func.coalesce(left, right),
            lambda: case((condition(rng, depth - 1), left), else_=right),
        ]
    )()


def condition(rng: random.Random, depth: int) -> Expr[bool]:
    if depth <= 0 or rng.random() < 0.25:
        x, y = number(rng, 1), number(rng, 1)
        other = rng.choice([t.f, t.n])
        return rng.choice(
            [
                lambda: rng.choice([x == y, x != y, x < y, x <= y, x > y, x >= y]),
                lambda: rng.choice([other == 1, other < 2, other >= t.a, other != t.b, t.f > t.n, t.f == t.n]),
                lambda: x.between(-3, y),
                lambda: x.between(y, -2, symmetric=True),
                lambda: x.in_([1, rng.randint(-5, 5)]),
                lambda: x.not_in([1, rng.randint(-5, 5)]),
                lambda: t.a.in_([1, None]),
                lambda: t.a.not_in([2, None]),
                lambda: t.a.in_([]),
                lambda: t.a.not_in([]),
                lambda: t.a.in_([t.b, 3]),
                lambda: x.is_null(),
                lambda: t.s.is_not_null(),
                lambda: x.is_distinct_from(y),
                lambda: t.s.is_not_distinct_from(t.u),
                lambda: t.s == t.u,
                lambda: t.s != rng.choice(TEXTS),
                lambda: t.s.collate("C") < t.u,
                lambda: t.s.like(rng.choice(PATTERNS)),
                lambda: t.s.ilike(rng.choice(PATTERNS)),
                lambda: t.s.startswith(rng.choice(TEXTS)),
                lambda: t.s.endswith(rng.choice(TEXTS)),
                lambda: t.s.contains(rng.choice(TEXTS)),
                lambda: t.s.contains(t.u),
                lambda: func.lower(t.s) == "ab",
                lambda: t.s + t.u == "aab",
                lambda: t.ok,
                lambda: t.ok.is_("not true"),
                lambda: t.xs.any_(1),
                lambda: t.xs.all_(1),
                lambda: t.xs.contains([1]),
                lambda: t.xs.overlaps([1, 2]),
                lambda: t.xs.contained_by([1, 2, 3]),
                lambda: t.xs.length() > 1,
            ]
        )()
    return rng.choice(
        [
            lambda: condition(rng, depth - 1) & condition(rng, depth - 1),
            lambda: condition(rng, depth - 1) | condition(rng, depth - 1),
            lambda: ~condition(rng, depth - 1),
            lambda: and_(*(condition(rng, depth - 1) for _ in range(rng.randint(0, 3)))),
            lambda: or_(*(condition(rng, depth - 1) for _ in range(rng.randint(0, 3)))),
        ]
    )()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.fault("I4")
async def test_memory_and_server_agree(postgres_dsn: str, seed: int) -> None:
    rng = random.Random(seed)
    data = rows(rng, 60)
    async with core.Database(postgres_dsn) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS sample; CREATE TABLE sample "
            "(i int, a int, b int, f float8, n numeric, s text, u text, ok bool, xs int[])"
        )
        sent = compile(insert(t).values(data))
        await db.execute(sent.sql, *sent.params)
        for _ in range(250):
            expression = condition(rng, 4)
            compiled = compile(select(expression.label("x")).from_(t).order_by(t.i))
            found = [x for (x,) in await db.fetch(compiled.sql, *compiled.params, as_=tuple)]
            assert [expression.evaluate(row) for row in data] == found, compiled.sql
            kept = compile(select(t.i).where(expression).order_by(t.i))
            ids = [i for (i,) in await db.fetch(kept.sql, *kept.params, as_=tuple)]
            assert [row["i"] for row in data if expression.matches(row)] == ids
        await db.execute("DROP TABLE sample")


class Thing:
    a = 5


def test_objects_have_attributes() -> None:
    assert (t.a == 5).matches(Thing())
    assert not (t.a == 6).matches(Thing())


def test_what_only_the_server_knows_is_refused() -> None:
    for expression in (
        t.s < "b",
        func.now() > func.now(),
        exists(select(t.a)),
        t.a.in_(select(t.b)),
        t.s.regex("a"),
        t.n / 3 > 1,
    ):
        with pytest.raises(TypeError, match="server"):
            expression.matches({"a": 1, "s": "a", "n": Decimal(1)})
