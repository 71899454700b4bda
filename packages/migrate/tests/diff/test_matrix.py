"""Every kind of change that a definition can have leads there and back on a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from migrate_schema_laws import operations_lead, two_databases

from data_bridge.query import ColumnDef, ConstraintDef, IndexDef, SQLType, TableDef, sql, types
from data_bridge.testing import EmbeddedServer

ID = ColumnDef("id", types.BigInt, nullable=False)
KEY = ConstraintDef("primary_key", "t_pkey", ("id",))


def table(*parts: Any, name: str = "t", key: ConstraintDef | None = KEY, **options: Any) -> list[TableDef]:
    """A table of columns, constraints and indexes in any order."""
    columns = [p for p in parts if isinstance(p, ColumnDef)]
    constraints = [p for p in parts if isinstance(p, ConstraintDef)]
    if key is not None:
        constraints.insert(0, key.replace(name=f"{name}_pkey"))
    indexes = tuple(p for p in parts if isinstance(p, IndexDef))
    if all(c.name != "id" for c in columns):
        columns.insert(0, ID)
    return [TableDef(name, tuple(columns), constraints=tuple(constraints), indexes=indexes, **options)]


def col(of: SQLType, name: str = "a", **options: Any) -> ColumnDef:
    return ColumnDef(name, of, **options)


def check(text: str, name: str = "t_a_check") -> ConstraintDef:
    return ConstraintDef("check", name, check=sql(text))


def index(*columns: Any, **options: Any) -> IndexDef:
    return IndexDef("i", columns, **options)


def serial(of: str) -> list[TableDef]:
    return table(col(types.Other(of), nullable=False))


A = col(types.BigInt)
B = col(types.BigInt, "b")
TEXT = col(types.Text)
RANGE = col(types.Int4Range)
SELF = ConstraintDef("foreign_key", "t_a_fkey", ("a",), references=(None, "t"), references_columns=("id",))
UNIQUE = ConstraintDef("unique", "t_a_key", ("a",))
NO_OVERLAP = ConstraintDef("exclude", "t_a_excl", elements=(("a", "&&"),), method="gist")
BOTH = ConstraintDef("primary_key", "t_pkey", ("id", "a"))
MADE = col(types.BigInt, "b", generated=sql("a + 1"))
POSITIVE = types.Domain("positive", types.Integer, check="VALUE > 0")
MOOD = types.Enum("mood", "sad", "ok")

STEPS: dict[str, tuple[list[TableDef], list[TableDef]]] = {
    "identity": (table(ID, A), table(ID.replace(identity="by default"), A)),
    "identity mode": (table(ID.replace(identity="always")), table(ID.replace(identity="by default"))),
    "serial": (table(col(types.BigInt, nullable=False)), serial("bigserial")),
    "serial to identity": (serial("bigserial"), table(col(types.BigInt, nullable=False, identity="by default"))),
    "a new serial column": (table(), serial("serial")),
    "generated column": (table(A), table(A, MADE)),
    "expression": (table(A, MADE), table(A, MADE.replace(generated=sql("a + 2")))),
    "stored to virtual": (table(A, MADE), table(A, MADE.replace(stored=False))),
    "stored to plain": (table(A, MADE), table(A, B)),
    "type below a generated column": (table(A, MADE), table(col(types.Integer), MADE)),
    "index of a generated column": (table(A, MADE, index("b")), table(A, MADE.replace(generated=sql("a + 2")), index("b"))),
    "base of a generated column goes": (table(A, B, MADE.replace(name="c")), table(B, MADE.replace(name="c", generated=sql("b + 1")))),
    "collation": (table(TEXT), table(TEXT.replace(collation="C"))),
    "collation of another type": (table(TEXT.replace(collation="C")), table(A)),
    "primary key goes": (table(A, key=None), table(A)),
    "primary key of two": (table(A.replace(nullable=False)), table(A.replace(nullable=False), key=BOTH)),
    "primary key that others point to": (table(A, SELF), table(A, SELF, key=KEY.replace(include=("a",)))),
    "key type that others point to": (table(A, SELF), table(ID.replace(type=types.Integer), A.replace(type=types.Integer), SELF)),
    "key kind that others point to": (table(A, SELF), table(ID.replace(type=types.Text), A.replace(type=types.Text), SELF)),
    "unique": (table(A), table(A, UNIQUE)),
    "unique, deferrable": (table(A, UNIQUE), table(A, UNIQUE.replace(deferrable="initially deferred"))),
    "unique, NULLs not distinct": (table(A, UNIQUE), table(A, UNIQUE.replace(nulls_not_distinct=True))),
    "unique, including": (table(A, B, UNIQUE), table(A, B, UNIQUE.replace(include=("b",)))),
    "unique renamed": (table(A, UNIQUE.replace(comment="x")), table(A, UNIQUE.replace(name="other", comment="x"))),
    "unique to an index": (table(A, UNIQUE), table(A, index("a", unique=True))),
    "check": (table(A, check("a > 0")), table(A, check("a > 1"))),
    "check with its type": (table(TEXT, check("a <> ''")), table(col(types.Integer), check("a <> 0"))),
    "check of a wider type": (table(col(types.Varchar(5)), check("a <> ''")), table(TEXT, check("a <> ''"))),
    "two checks": (table(A, check("a > 0"), check("a < 9", "c2")), table(A, check("a < 9"), check("a > 0", "c2"))),
    "exclusion": (table(RANGE), table(RANGE, NO_OVERLAP)),
    "exclusion where": (table(RANGE, NO_OVERLAP), table(RANGE, NO_OVERLAP.replace(where=sql("id > 5")))),
    "foreign key": (table(A), table(A, SELF)),
    "on update": (table(A, SELF), table(A, SELF.replace(on_update="cascade"))),
    "on delete": (table(A, SELF.replace(on_delete="cascade")), table(A, SELF.replace(on_delete="set null"))),
    "deferrable": (table(A, SELF), table(A, SELF.replace(deferrable="deferrable"))),
    "index": (table(A), table(A, index("a"))),
    "a column goes beside an index of an expression": (
        table(TEXT, B, index(sql("lower(a)"))), table(TEXT, B.replace(name="c", type=types.Integer), index(sql("lower(a)"))),
    ),
    "index order": (table(A, index("a")), table(A, index(sql('"a"').desc().nulls_last()))),
    "index method": (table(A, index("a")), table(A, index("a", method="hash"))),
    "index columns": (table(A, B, index("a")), table(A, B, index("a", "b"))),
    "index expression": (table(TEXT, index("a")), table(TEXT, index(sql("lower(a)")))),
    "index expression operator class": (
        table(TEXT, index(sql("lower(a)"))),
        table(TEXT, index(sql("lower(a)"), opclasses=(("lower(a)", "text_pattern_ops"),))),
    ),
    "index operator class": (table(TEXT, index("a")), table(TEXT, index("a", opclasses=(("a", "text_pattern_ops"),)))),
    "index collation": (table(TEXT, index("a")), table(TEXT, index("a", collations=(("a", "C"),)))),
    "index include": (table(A, B, index("a")), table(A, B, index("a", include=("b",)))),
    "index where": (table(A, index("a")), table(A, index("a", where=sql("a > 5")))),
    "index NULLs": (table(A, index("a", unique=True)), table(A, index("a", unique=True, nulls_not_distinct=True))),
    "index settings": (table(A, index("a")), table(A, index("a", with_=(("fillfactor", 70),)))),
    "index comment": (table(A, index("a")), table(A, index("a", comment="why"))),
    "index of an operator class and another type": (
        table(TEXT, index("a", opclasses=(("a", "text_pattern_ops"),))), table(A, index("a")),
    ),
    "index renamed": (table(A, index("a")), table(A, index("a").replace(name="j"))),
    "table comment": (table(), table(comment="it's")),
    "constraint comment": (table(A, check("a > 0")), table(A, check("a > 0").replace(comment="why"))),
    "domain": (table(A), table(A, col(POSITIVE, "c"))),
    "domain check": (
        table(col(POSITIVE)), table(col(types.Domain("positive", types.Integer, check="VALUE > 1", not_null=True))),
    ),
    "enum order": (table(col(MOOD)), table(col(types.Enum("mood", "ok", "sad")))),
    "enum value first": (table(col(MOOD)), table(col(types.Enum("mood", "new", "sad", "ok")))),
    "enum below everything": (
        table(
            col(MOOD, default=sql("'ok'")), col(types.Array(MOOD), "c"), check("a = 'ok'"), index("a", where=sql("a > 'sad'")),
            UNIQUE,
        ),
        table(
            col(types.Enum("mood", "ok", "sad"), default=sql("'ok'")), col(types.Array(types.Enum("mood", "ok", "sad")), "c"),
            check("a = 'ok'"), index("a", where=sql("a > 'sad'")), UNIQUE,
        ),
    ),
    "enum to text": (table(col(MOOD)), table(TEXT)),
    "enum to an array": (table(col(MOOD)), table(col(types.Array(MOOD)))),
    "a default below a type": (table(col(types.Text, default=sql("'1'"))), table(col(types.Integer, default=sql("1")))),
    "a circle comes": (
        table(),
        [
            *table(A, SELF.replace(references=(None, "u"))),
            *table(A, SELF.replace(name="u_a_fkey"), name="u"),
        ],
    ),
    "a parent goes": (
        [*table(A, SELF.replace(references=(None, "u"))), *table(name="u")], table(A),
    ),
    "serial in another schema": (
        table(name="user", schema="shop"),
        [serial("serial")[0].replace(name="user", schema="shop", constraints=(KEY.replace(name="user_pkey"),))],
    ),
    "another schema": (table(), [*table(), *table(name="user", schema="shop")]),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_change_leads_there_and_back(step: str, lead: Any, server_version: int) -> None:
    if step == "stored to virtual" and server_version < 180_000:
        pytest.skip("virtual columns came with PostgreSQL 18")
    old, new = STEPS[step]
    lead(old, new)
    lead(new, old)


TYPES: list[SQLType] = [
    types.BigInt, types.Integer, types.Text, types.Varchar(5), types.Numeric(10, 2), types.Double, types.Boolean,
    types.Timestamptz, types.Date, types.Jsonb, types.Json, types.Uuid, types.Bytea, types.Interval, types.Bit(8),
    types.Array(types.Text), types.Array(types.BigInt), types.Inet, types.Int4Range, MOOD, types.Array(MOOD),
]  # fmt: skip


@pytest.mark.parametrize("old", TYPES, ids=repr)
def test_every_type_becomes_every_other(old: SQLType, lead: Any) -> None:
    """One column for each new type, so that a run changes them all."""
    before = [col(old, f"c{i}") for i in range(len(TYPES))]
    after = [col(new, f"c{i}") for i, new in enumerate(TYPES)]
    lead(table(*before), table(*after))


RENAMES: dict[str, tuple[list[TableDef], list[TableDef], list[str]]] = {
    "a column below everything": (
        table(A, B, SELF, UNIQUE, check("a > 0"), index("a", sql("(a + b)"), where=sql("a > b")), MADE.replace(name="c")),
        table(
            A.replace(name="x"), B, SELF.replace(columns=("x",)), UNIQUE.replace(columns=("x",)), check("x > 0"),
            index("x", sql("(x + b)"), where=sql("x > b")), MADE.replace(name="c", generated=sql("x + 1")),
        ),
        ["t.a:x"],
    ),
    "a column that is a word": (
        table(A, check("a > 0")), table(A.replace(name="order"), check('"order" > 0')), ["t.a:order"],
    ),
    "a table with a sequence": (serial("bigserial"), [serial("bigserial")[0].replace(name="u", constraints=())], ["t:u"]),
    "a table with a sequence moves": (
        [*serial("bigserial"), *table(name="user", schema="shop")],
        [serial("bigserial")[0].replace(schema="shop"), *table(name="user", schema="shop")],
        ["t:shop.t"],
    ),
    "two columns change places": (
        table(A, col(types.Text, "b")), table(col(types.BigInt, "c"), col(types.Text, "d")), ["t.a:c", "t.b:d"],
    ),
    "a table that points to itself": (
        table(A, SELF), table(A, SELF.replace(name="u_a_fkey", references=(None, "u")), name="u"), ["t:u"],
    ),
    "a value below a default": (
        table(col(MOOD, default=sql("'ok'")), check("a <> 'ok'")),
        table(col(types.Enum("mood", "sad", "fine"), default=sql("'fine'")), check("a <> 'fine'")),
        ["mood.ok:fine"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RENAMES)
def test_a_rename_keeps_what_is_built_on_it(case: str, lead: Any) -> None:
    old, new, renames = RENAMES[case]
    lead(old, new, renames=renames)


@pytest.mark.servers
def test_postgresql_15_does_the_same() -> None:
    """All steps on one server, but for virtual columns, which came with PostgreSQL 18."""
    pairs = [pair for name, pair in STEPS.items() if name != "stored to virtual"]

    async def run(dsn: str) -> None:
        async with two_databases(dsn) as place:
            for old, new in pairs:
                await operations_lead(place, old, new)
                await operations_lead(place, new, old)
            for old, new, renames in RENAMES.values():
                await operations_lead(place, old, new, renames=renames)

    with EmbeddedServer(provider="local") as server:
        asyncio.run(run(server.dsn))
