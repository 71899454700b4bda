"""Views follow every change of what they read, on a real server, there and back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from migrate_schema_laws import operations_lead, two_databases

from data_bridge.query import ColumnDef, ConstraintDef, IndexDef, SQLType, TableDef, ViewDef, sql, types
from data_bridge.testing import EmbeddedServer

KEY = ConstraintDef("primary_key", "t_pkey", ("id",))
MOOD = types.Enum("mood", "sad", "ok")


def table(*columns: ColumnDef, name: str = "t", schema: str | None = None, key: bool = True) -> TableDef:
    own = (ColumnDef("id", types.BigInt, nullable=False), *columns)
    constraints = (KEY.replace(name=f"{name}_pkey"),) if key else ()
    return TableDef(name, own, schema=schema, constraints=constraints)


def col(name: str, of: SQLType = types.BigInt) -> ColumnDef:
    return ColumnDef(name, of)


def view(query: str, name: str = "v", **options: Any) -> ViewDef:
    return ViewDef(name, query, **options)


def copy(query: str, *indexes: IndexDef, name: str = "m", **options: Any) -> ViewDef:
    return ViewDef(name, query, materialized=True, indexes=indexes, **options)


T = table(col("a"), col("b"))
ALL = view("SELECT id, a FROM t")
INDEX = IndexDef("m_a", ("a",))
STEPS: dict[str, tuple[list[Any], list[Any]]] = {
    "a view comes": ([T], [T, ALL]),
    "the query changes": ([T, ALL], [T, view("SELECT id, a FROM t WHERE a > 0")]),
    "a column comes at the end": ([T, ALL], [T, view("SELECT id, a, b FROM t")]),
    "a column comes in the middle": ([T, ALL], [T, view("SELECT id, b, a FROM t")]),
    "a column has another type": ([T, ALL], [T, view("SELECT id, a::text AS a FROM t")]),
    "a column has another collation": (
        [table(col("a", types.Text)), ALL], [table(col("a", types.Text)), view('SELECT id, a COLLATE "C" AS a FROM t')],
    ),
    "an option": ([T, ALL], [T, ALL.replace(security_barrier=True)]),
    "a check option": ([T, ALL.replace(check_option="local")], [T, ALL.replace(check_option="cascaded")]),
    "a comment": ([T, ALL], [T, ALL.replace(comment="it's")]),
    "a comment of a view that is made again": (
        [T, ALL.replace(comment="x")], [T, view("SELECT a, id FROM t", comment="x")],
    ),
    "a comment of a column": (
        [T, ALL.replace(columns=(col("id").replace(comment="x"),))],
        [T, ALL.replace(columns=(col("id").replace(comment="y"), col("a").replace(comment="z")))],
    ),
    "a comment of a column of a view that is made again": (
        [T, ALL.replace(columns=(col("a").replace(comment="x"),))],
        [T, view("SELECT a, id FROM t", columns=(col("a").replace(comment="x"),))],
    ),
    "a view becomes a copy": ([T, ALL], [T, copy("SELECT id, a FROM t", name="v")]),
    "a view becomes a table": ([T, ALL], [T, table(col("a"), name="v")]),
    "a view moves": ([T, ALL], [T, ALL.replace(schema="shop")]),
    "a view in a schema of its own": ([T], [T, ALL.replace(schema="shop")]),
    "the type of a column below changes": ([T, ALL], [table(col("a", types.Text), col("b")), ALL]),
    "the type of another column below changes": ([T, ALL], [table(col("a"), col("b", types.Text)), ALL]),
    "a column below goes": ([T, view("SELECT id, a, b FROM t")], [table(col("a")), view("SELECT id, a FROM t")]),
    "a column below comes": ([table(col("a")), ALL], [T, view("SELECT id, a, b FROM t")]),
    "all columns of a table": ([table(col("a")), view("SELECT * FROM t")], [T, view("SELECT * FROM t")]),
    "a column below is made again": (
        [table(col("a"), ColumnDef("g", types.BigInt, generated=sql("a + 1"))), view("SELECT g FROM t")],
        [table(col("a"), ColumnDef("g", types.BigInt, generated=sql("a + 2"))), view("SELECT g FROM t")],
    ),
    "the table below goes": ([T, table(name="u"), view("SELECT id FROM u")], [T, view("SELECT id FROM t")]),
    "a column below in a condition": (
        [T, view("SELECT id FROM t WHERE a > 0")],
        [table(col("a", types.Integer), col("b")), view("SELECT id FROM t WHERE a > 0")],
    ),
    "views on views": (
        [T, ALL, view("SELECT a FROM v", "w"), view("SELECT count(*) AS n FROM w", "a")],
        [table(col("a", types.Text), col("b")), ALL, view("SELECT a FROM v", "w"), view("SELECT count(*) AS n FROM w", "a")],
    ),
    "a view below a view is replaced": (
        [T, ALL, view("SELECT a FROM v", "w")], [T, view("SELECT id, a, b FROM t"), view("SELECT a, b FROM v", "w")],
    ),
    "a view below a view is made again": (
        [T, ALL, view("SELECT a FROM v", "w")], [T, view("SELECT a, id FROM t"), view("SELECT a FROM v", "w")],
    ),
    "a view below a view goes": ([T, ALL, view("SELECT a FROM v", "w")], [T, view("SELECT a FROM t", "w")]),
    "a key that a view is grouped by": (
        [T, view("SELECT a, count(*) AS n FROM t GROUP BY id")],
        [table(col("a"), col("b")).replace(constraints=(KEY.replace(include=("b",)),)),
         view("SELECT a, count(*) AS n FROM t GROUP BY id")],
    ),
    "an enum below a view": (
        [table(col("a", MOOD)), view("SELECT id FROM t WHERE a = 'ok'")],
        [table(col("a", types.Enum("mood", "ok", "sad"))), view("SELECT id FROM t WHERE a = 'ok'")],
    ),
    "an enum that a view alone names": (
        [table(col("a", MOOD), col("b", types.Text)), view("SELECT b::mood AS m FROM t")],
        [table(col("a", types.Enum("mood", "ok", "sad")), col("b", types.Text)), view("SELECT b::mood AS m FROM t")],
    ),
    "a copy comes": ([T], [T, copy("SELECT id, a FROM t", INDEX, comment="x")]),
    "a copy changes": (
        [T, copy("SELECT id, a FROM t", INDEX)], [T, copy("SELECT id, a FROM t WHERE a > 0", INDEX)],
    ),
    "an index of a copy": ([T, copy("SELECT id, a FROM t")], [T, copy("SELECT id, a FROM t", INDEX)]),
    "another index of a copy": (
        [T, copy("SELECT id, a FROM t", INDEX)], [T, copy("SELECT id, a FROM t", INDEX.replace(unique=True, comment="x"))],
    ),
    "the comments of a copy": (
        [T, copy("SELECT id, a FROM t", INDEX, comment="x")],
        [T, copy("SELECT id, a FROM t", INDEX.replace(comment="y"))],
    ),
    "a type below a copy": (
        [T, copy("SELECT id, a FROM t", INDEX)],
        [table(col("a", types.Text), col("b")), copy("SELECT id, a FROM t", INDEX)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_change_leads_there_and_back(step: str, lead: Any) -> None:
    old, new = STEPS[step]
    lead(old, new)
    lead(new, old)


RENAMES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "a column below": (
        [T, ALL], [table(col("x"), col("b")), view("SELECT id, x FROM t")], ["t.a:x"],
    ),
    "a column below, under its old name": (
        [T, ALL], [table(col("x"), col("b")), view("SELECT id, x AS a FROM t")], ["t.a:x"],
    ),
    "a table below": ([T, ALL], [table(col("a"), col("b"), name="u"), view("SELECT id, a FROM u")], ["t:u"]),
    "a table below moves": ([T, ALL], [T.replace(schema="shop"), view("SELECT id, a FROM shop.t")], ["t:shop.t"]),
    "a retyped column gets another name": (
        [T, ALL], [table(col("x", types.Text), col("b")), view("SELECT id, x FROM t")], ["t.a:x"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RENAMES)
def test_a_view_follows_a_rename(case: str, lead: Any) -> None:
    old, new, renames = RENAMES[case]
    lead(old, new, renames=renames)


@pytest.mark.servers
def test_postgresql_15_does_the_same() -> None:
    async def run(dsn: str) -> None:
        async with two_databases(dsn) as place:
            for old, new in STEPS.values():
                await operations_lead(place, old, new)
                await operations_lead(place, new, old)
            for old, new, renames in RENAMES.values():
                await operations_lead(place, old, new, renames=renames)

    with EmbeddedServer(provider="local") as server:
        asyncio.run(run(server.dsn))
