"""Expressions over jsonb in memory give PostgreSQL's answer."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from data_bridge import core
from data_bridge.query import Expr, column, compile, func, select, table, types
from data_bridge.query.expressions.evaluation import NotEvaluable

docs = table("docs", column("i", types.Integer), column("d", types.Jsonb), column("s", str))
d: Any = docs.d
DOCUMENTS: list[Any] = [
    None, {}, [], {"a": 1}, {"a": 1.0}, {"a": True}, {"a": None}, {"a": "1"}, {"a": {"b": [1, "x", None]}}, [1, 2, 2], ["x", "a"],
    [{"a": 1}, {"a": 2, "b": 3}], {"a": [1, 2], "b": "x"}, {"a": "true"}, {"a": 12345678901234567890}, {"a": 1.5}, [[1], 2], "a", 5,
]  # fmt: skip
EXPRESSIONS: list[Expr[Any]] = [
    d == {"a": 1}, d != {"a": 1}, d == [1, 2, 2], d["a"] == 1, d["a"] != 1, d["a"] == "1", d["a"] == True, d["a"]["b"][1] == "x",  # noqa: E712
    d[0] == 1, d[-1] == 2, d["a"].in_([1, "1", True]), d["a"].not_in([1]), d["a"] == None, d["a"] != None, d["a"].is_null(),  # noqa: E711
    d["a"]["b"] == [1, "x", None], d.has_key("a"), d.has_key("x"), d["a"].has_key("b"), d.has_any(["x", "b"]), d.has_all(["a", "b"]),
    d.has_any([]), d.has_all([]), d.contains({"a": 1}), d.contains([1]), d.contains("x"), d.contains([{"a": 1}]), d.contains({}),
    d.contains([[1]]), d["a"].contains([1]), d.contains({"a": {"b": ["x"]}}), d.contained_by({"a": 1, "b": 2}),
    d.contained_by([1, 2, 3]), d["b"].cast(str) == "x", d["b"].cast(str).startswith("x"), (d["a"] == 1) | d.has_key("b"),
    ~d.has_key("a"), d["zz"]["y"] == 1,
]  # fmt: skip


async def test_the_answers_are_those_of_the_server(postgres_dsn: str) -> None:
    async with core.Database(postgres_dsn) as db:
        rows = [{"i": i, "d": value} for i, value in enumerate(DOCUMENTS)]
        listed = [(r["i"], None if r["d"] is None else json.dumps(r["d"])) for r in rows]
        source = "(SELECT i, d::jsonb AS d FROM unnest($1::int[], $2::text[]) AS x (i, d)) AS docs"
        for e in EXPRESSIONS:
            made = compile(select(e.label("e")))
            text = made.sql.replace(' FROM "docs"', "")
            for n in range(len(made.params), 0, -1):
                text = text.replace(f"${n}", f"${n + 2}")
            found = await db.fetch(
                f'{text}, "docs"."i" AS i FROM {source} ORDER BY i',
                [i for i, _ in listed],
                [t for _, t in listed],
                *made.params,
            )
            assert [e.evaluate(r) for r in rows] == [r["e"] for r in found], made.sql


CASTS = [
    (d["a"].cast(int) > 1, {"a": 2}, True), (d["a"].cast(int) > 1, {"a": None}, None), (d["a"].cast(str), {"a": 1.5}, "1.5"),
    (d["a"].cast(str), {"a": True}, "true"), (d["a"].cast(bool), {"a": True}, True), (d["a"].length(), {"a": [1, 2]}, 2),
    (d["a"], {"a": [1]}, [1]), (d, {"a": 1}, {"a": 1}), (d["a"], {"a": None}, None),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "document", "wanted"), CASTS)
def test_casts_and_values(expression: Any, document: Any, wanted: Any) -> None:
    assert expression.evaluate({"d": document}) == wanted


REFUSED: list[tuple[Any, Any, str]] = [
    (d["a"].cast(str) == "x", {"a": [1]}, "spelled by the server"),
    (d["a"].cast(int) == 1, {"a": "x"}, "an error of the server"),
    (d < {"a": 1}, {"a": 1}, "'<' of jsonb"),
    (d.path("$.x"), {}, "jsonpath|'@\\?'"),
    (d["a"].length() == 1, {"a": 1}, "is not a list"),
]


@pytest.mark.parametrize(("expression", "document", "message"), REFUSED)
def test_what_only_the_server_decides(expression: Any, document: Any, message: str) -> None:
    with pytest.raises(NotEvaluable, match=message):
        expression.matches({"d": document})


# -------------------------------------------------------------------------------------------------------- letters beyond ASCII
CASED = [
    func.lower(docs.s) == "x",
    func.upper(docs.s) == "X",
    docs.s.ilike("x%"),
    docs.s.istartswith("x"),
    docs.s.icontains("x"),
]


@pytest.mark.parametrize(("expression", "text"), [*itertools.product(CASED, ["É", "ß", "İ", "xé"])])
def test_the_case_of_letters_beyond_ascii_is_refused(expression: Any, text: str) -> None:
    with pytest.raises(NotEvaluable, match=r'beyond ASCII depends on the collation of the server.*collate\("C"\)'):
        expression.matches({"s": text})
    assert expression.matches({"s": "X"}) is True
    assert expression.matches({"s": "y"}) is False


async def test_under_c_letters_beyond_ascii_stay(postgres_dsn: str) -> None:
    async with core.Database(postgres_dsn) as db:
        for text in ("ÉaZ", "ßA", "İi"):
            for name in ("lower", "upper"):
                wanted = await db.fetch_val(f'SELECT {name}($1 COLLATE "C")', text)
                assert getattr(func, name)(docs.s.collate("C")).evaluate({"s": text}) == wanted
