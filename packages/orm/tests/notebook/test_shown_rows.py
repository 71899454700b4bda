"""Rows as tables: what is shown, what is cut, and what is escaped."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from data_bridge.postgres import Col, Column, IdMixin, create_all, fetch, func
from data_bridge.postgres.notebook.html_table import html_table
from data_bridge.postgres.notebook.shown_rows import LIMIT, shown_rows
from data_bridge.postgres.notebook.text_table import text_table


class ShownPlanet(IdMixin):
    name: Col[str]
    moons: Col[int | None]
    mass: Col[Decimal] = Column(default=Decimal("1.50"))
    secret: Col[SecretStr] = Column(default=SecretStr("hunter2"))
    hidden: Col[str] = Column(default="hidden", repr=False)
    facts: Col[dict[str, Any]] = Column(default_factory=dict)


HOSTILE = "<script>alert(1)</script>&\"'"


async def test_rows_of_a_query(db: Any) -> None:
    await create_all(ShownPlanet)
    await ShownPlanet(name=HOSTILE, moons=None, facts={"found": "<b>"}).save()
    await ShownPlanet(name="Mars", moons=2).save()
    found = await ShownPlanet.find().order_by(ShownPlanet.id)
    assert type(found) is list
    rows = shown_rows(found)
    assert rows is not None
    assert rows.names == ["id", "name", "moons", "mass", "secret", "facts"]
    assert rows.cells == [
        ["1", HOSTILE, None, "1.50", "**********", '{"found": "<b>"}'],
        ["2", "Mars", "2", "1.50", "**********", "{}"],
    ]
    assert rows.numbers == {0, 2, 3}
    page = html_table(rows)
    assert "<script" not in page and "<b>" not in page and "hunter2" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in page
    assert "<p>2 rows</p>" in page and ">NULL<" in page
    lines = text_table(rows, width=200).splitlines()
    assert [line.split(" | ")[2].strip() for line in (lines[0], *lines[2:4])] == ["moons", "NULL", "2"]
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[-1] == "(2 rows)"


async def test_other_shapes_of_a_query(db: Any) -> None:
    await create_all(ShownPlanet)
    await ShownPlanet.insert_many([ShownPlanet(name=n, moons=m) for n, m in (("a", 1), ("b", 1), ("c", 5))])
    partial = shown_rows(await ShownPlanet.find().select(ShownPlanet.name).order_by(ShownPlanet.name))
    assert partial is not None and partial.names == ["id", "name"] and [c[1] for c in partial.cells] == ["a", "b", "c"]
    groups = shown_rows(
        await ShownPlanet.find().group_by(ShownPlanet.moons).aggregate(n=func.count()).order_by(ShownPlanet.moons)
    )
    assert groups is not None and groups.names == ["moons", "n"] and groups.cells == [["1", "2"], ["5", "1"]]
    raw = shown_rows(await fetch("SELECT date '2026-01-02' AS day, '\\x0102'::bytea AS bytes, ARRAY[1, NULL] AS list"))
    assert raw is not None and raw.cells == [["2026-01-02", "<2 bytes>", "[1, NULL]"]]


class Small(BaseModel):
    n: int


class Other(BaseModel):
    n: int


@pytest.mark.parametrize(
    "value",
    [
        [],
        [1, 2],
        ["a"],
        [{}],
        [{1: 2}],
        [{"a": 1}, {"b": 1}],
        [{"a": 1, "b": 1}, {"b": 1, "a": 1}],
        [{"a": 1}, 1],
        [Small(n=1), Other(n=1)],
        [Small(n=1), None],
        [(1, 2)],
        [date(2026, 1, 1)],
    ],
)
def test_other_lists_are_not_rows(value: list[Any]) -> None:
    assert shown_rows(value) is None


@pytest.mark.parametrize(
    ("total", "said"), [(1, "1 row"), (LIMIT, f"{LIMIT} rows"), (1234, "1,234 rows, the first 50 are shown")]
)
def test_long_lists_are_cut_with_their_count(total: int, said: str) -> None:
    rows = shown_rows([Small(n=n) for n in range(total)])
    assert rows is not None
    assert len(rows.cells) == min(total, LIMIT)
    assert html_table(rows).count("<tr>") == 1 + min(total, LIMIT)
    assert f"<p>{said}</p>" in html_table(rows)
    assert text_table(rows, width=80).endswith(f"({said})")


def test_long_values_are_cut() -> None:
    rows = shown_rows([{"text": "x" * 10_000, "list": list(range(10_000))}])
    assert rows is not None
    assert [len(cell or "") for cell in rows.cells[0]] == [200, 200]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_every_line_of_a_terminal_table_fits(width: int) -> None:
    values = [{"a": "x" * 60, "b": n, "wide": "東京" * 20, "control": "a\x1b[31mb\nc\td"} for n in range(5)]
    rows = shown_rows(values)
    assert rows is not None
    *lines, _ = text_table(rows, width=width).splitlines()
    assert len(lines) == 7
    assert "\x1b" not in "".join(lines)
    for line in lines:
        assert sum(2 if c in "東京" else 1 for c in line) <= width
