"""Definitions made of a live schema are the definitions it was made of."""

from __future__ import annotations

from typing import Any

import pytest
from query_live import live

from data_bridge import core
from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    DomainDef,
    EnumDef,
    IndexDef,
    SequenceDef,
    TableDef,
    catalog,
    ddl,
    func,
    literal,
    sql,
    types,
)
from data_bridge.testing import EmbeddedServer

EMPTY = (
    "server",
    "tables",
    "columns",
    "constraints",
    "indexes",
    "enums",
    "domains",
    "sequences",
    "extensions",
    "function_uses",
    "functions",
    "grants",
    "others",
    "policies",
    "triggers",
    "unmodelled",
    "uses",
    "views",
)


AUTHOR = TableDef(
    "author",
    (ColumnDef("id", types.BigInt, nullable=False, identity="by default"), ColumnDef("Odd name", types.Text)),
    constraints=(ConstraintDef("primary_key", "author_pkey", ("id",)),),
    comment="who writes",
)
BOOK = TableDef(
    "book",
    (
        ColumnDef("id", types.Integer, nullable=False, identity="always"),
        ColumnDef("title", types.Varchar(40), nullable=False, collation="C"),
        ColumnDef("price", types.Numeric(12, 2), default=sql("0"), comment="in euros"),
        ColumnDef("tags", types.Array(types.Text)),
        ColumnDef("state", types.Enum("state", "draft", "done")),
        ColumnDef("author_id", types.BigInt),
        ColumnDef("twice", types.Numeric(), generated=sql("(price * (2)::numeric)")),
        ColumnDef("during", types.Int4Range),
        ColumnDef("at", types.Timestamptz, default=func.now()),
    ),
    schema="library",
    constraints=(
        ConstraintDef("primary_key", "book_pkey", ("id",)),
        ConstraintDef("unique", "book_title", ("title", "author_id"), nulls_not_distinct=True, include=("price",)),
        ConstraintDef(
            "foreign_key",
            "book_author",
            ("author_id",),
            references=(None, "author"),
            references_columns=("id",),
            on_delete="cascade",
            deferrable="initially deferred",
        ),
        ConstraintDef("check", "cheap", check=sql("(price < (100)::numeric)")),
        ConstraintDef("exclude", "apart", elements=(("during", "&&"),), method="gist", where=sql("(id > 0)")),
    ),
    indexes=(
        IndexDef("book_lower", (func.lower(sql("(title)::text")),), unique=True, where=sql("(price > (1)::numeric)")),
        IndexDef("book_tags", ("tags",), method="gin", with_=(("fastupdate", "off"),)),
        IndexDef(
            "book_title_price", ("title", "price"), include=("id",), opclasses=(("title", "varchar_pattern_ops"),)
        ),
    ),
)


def plain(definition: TableDef) -> TableDef:
    """Without what the server spells in its own way: the texts of expressions are compared one by one below."""
    return definition.replace(
        columns=tuple(c.replace(default=None, generated=None) for c in definition.columns),
        constraints=tuple(c.replace(check=None, where=None) for c in definition.constraints),
        indexes=tuple(
            i.replace(where=None, columns=tuple(c if isinstance(c, str) else "expr" for c in i.columns))
            for i in definition.indexes
        ),
    )


async def test_a_schema_reads_as_what_made_it(postgres_dsn: str) -> None:
    async with core.Database(postgres_dsn) as db:
        await db.execute_script(
            "DROP SCHEMA IF EXISTS library CASCADE; DROP TABLE IF EXISTS author; DROP TYPE IF EXISTS state"
        )
        operations = [
            ddl.CreateSchema("library"),
            ddl.CreateEnum("state", ("draft", "done")),
            *ddl.create_table_operations(AUTHOR),
            *ddl.create_table_operations(BOOK),
            ddl.CreateIndex(AUTHOR, IndexDef("author_desc", (sql("id").desc(), sql('"Odd name"').asc().nulls_first()))),
            ddl.CreateSequence(
                SequenceDef("counter", schema="library", type="integer", start=5, increment=2, cache=3, cycle=True)
            ),
            ddl.CreateDomain(
                DomainDef(
                    "positive",
                    "integer",
                    schema="library",
                    default="1",
                    not_null=True,
                    checks=(("above", "VALUE > 0"),),
                )
            ),
        ]
        for operation in operations:
            await db.execute(str(operation))
        found = await live(db, "public", "library")
        try:
            author, book = found.tables[None, "author"], found.tables["library", "book"]
            assert plain(author.replace(indexes=())) == plain(AUTHOR)
            for part in ("columns", "constraints", "indexes"):
                assert getattr(plain(book), part) == getattr(plain(BOOK), part)
            assert plain(book) == plain(BOOK)
            assert [str(ddl.CreateIndex(author, i)) for i in author.indexes] == [
                'CREATE INDEX "author_desc" ON "author" ("id" DESC, "Odd name" ASC NULLS FIRST)'
            ]
            assert str(ddl.CreateTable(book)) == str(ddl.CreateTable(BOOK))
            assert found.enums[None, "state"] == EnumDef("state", ("draft", "done"))
            assert found.sequences["library", "counter"] == SequenceDef(
                "counter", schema="library", type="integer", start=5, increment=2, cache=3, cycle=True
            )
            assert found.domains["library", "positive"] == DomainDef(
                "positive", "integer", schema="library", default="1", not_null=True, checks=(("above", "(VALUE > 0)"),)
            )
            assert found.default_schema == "public"
            assert found.server_version >= 150000
            assert "plpgsql" in found.extensions
            # What was read makes the same schema again.
            await db.execute_script("DROP SCHEMA library CASCADE; DROP TABLE author; CREATE SCHEMA library")
            for operation in [*ddl.create_table_operations(author), *ddl.create_table_operations(book)]:
                await db.execute(str(operation))
            again = await live(db, "public", "library")
            assert again.tables == found.tables
        finally:
            await db.execute_script(
                "DROP SCHEMA IF EXISTS library CASCADE; DROP TABLE IF EXISTS author; DROP TYPE IF EXISTS state"
            )


def test_no_rows_are_an_empty_schema() -> None:
    assert catalog.read({}) == catalog.Schema()
    assert sorted(catalog.queries()) == sorted(EMPTY)


def test_literals_of_definitions_are_quoted() -> None:
    column = ColumnDef("x", types.Text, default=literal("it's \\ me"))
    assert str(ddl.AddColumn("t", column)) == """ALTER TABLE "t" ADD COLUMN "x" text DEFAULT  E'it''s \\\\ me'"""


@pytest.mark.servers
async def test_postgresql_15_reads_the_same() -> None:
    with EmbeddedServer(provider="local") as server:
        await test_a_schema_reads_as_what_made_it(server.dsn)


UNMODELLED = """
CREATE SCHEMA shop;
CREATE TABLE t (id bigint PRIMARY KEY);
CREATE VIEW v AS SELECT id FROM t;
ALTER VIEW v ALTER id SET DEFAULT 1;
CREATE MATERIALIZED VIEW shop.m WITH (fillfactor = 70) AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE POLICY own ON t USING (id > 0);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE TABLE parted (d int) PARTITION BY RANGE (d);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TYPE pair AS (a int, b text);
CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;
"""


async def test_what_has_no_definition_is_named(db: Any) -> None:
    await db.execute_script(UNMODELLED)
    found = (await live(db, "public", "shop")).unmodelled
    assert [(u.kind, u.schema, u.name) for u in found] == [
        ("composite type", None, "pair"),
        ("default of the view column", None, "v.id"),
        ("partition", None, "part"),
        ("partitioned table", None, "parted"),
        ("rule", None, "t.r"),
        ("storage of the materialized view", "shop", "m"),
    ]
    await db.execute_script("ALTER VIEW v ALTER id SET DEFAULT 2")
    changed = set((await live(db, "public", "shop")).unmodelled) - set(found)
    assert [u.name for u in changed] == ["v.id"]


OTHERS = """
CREATE SCHEMA shop;
CREATE TABLE t (id bigint PRIMARY KEY, a int, b int);
CREATE STATISTICS stat ON a, b FROM t;
CREATE COLLATION shop.own FROM "C";
CREATE OPERATOR shop.<+> (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int);
CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = simple);
CREATE TEXT SEARCH DICTIONARY shop.dict (TEMPLATE = simple);
CREATE TABLE stored (a int) WITH (fillfactor = 70);
CREATE UNLOGGED TABLE quick (a int);
CREATE TABLE child () INHERITS (t);
CREATE ROLE catalog_b;
GRANT USAGE ON SCHEMA shop TO catalog_b;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO catalog_b;
CREATE PUBLICATION pub FOR TABLE t;
CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION ev();
"""


async def test_what_no_definition_has_a_word_for_is_named(db: Any) -> None:
    await db.execute_script(OTHERS)
    assert [(u.kind, u.schema, u.name) for u in (await live(db, "public", "shop")).unmodelled] == [
        ("collation", "shop", "own"),
        ("default privileges", "shop", "r"),
        ("event trigger", None, "et"),
        ("inheritance of the table", None, "child"),
        ("operator", "shop", "<+>"),
        ("privileges on the schema", "shop", "shop"),
        ("publication", None, "pub"),
        ("statistics", None, "stat"),
        ("storage of the table", None, "stored"),
        ("text search configuration", "shop", "words"),
        ("text search dictionary", "shop", "dict"),
        ("unlogged table", None, "quick"),
    ]


async def test_operator_classes_and_collations_of_expressions_survive(db: Any) -> None:
    keys = (sql("lower(name)"), sql('"name"').desc())
    index = IndexDef(
        "i",
        keys,
        opclasses=(("lower(name)", "text_pattern_ops"), ('"name"', "text_pattern_ops")),
        collations=(('"name"', "C"),),
    )
    table = TableDef("t", (ColumnDef("name", types.Text),), indexes=(index,))
    for operation in ddl.create_table_operations(table):
        await db.execute(str(operation))
    read = (await live(db)).tables[None, "t"]
    await db.execute("DROP TABLE t")
    for operation in ddl.create_table_operations(read):
        await db.execute(str(operation))
    assert (await live(db)).tables[None, "t"] == read
    assert dict(read.indexes[0].opclasses) == {"lower(name)": "text_pattern_ops", "name": "text_pattern_ops"}
