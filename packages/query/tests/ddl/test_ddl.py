"""DDL operations on a live server, names as PostgreSQL makes them, and definitions that compare by what they are."""

from __future__ import annotations

import random
from typing import Any

import pytest

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
    column,
    ddl,
    default_name,
    func,
    literal,
    select,
    sql,
    table,
    types,
)


async def live(db: Any) -> catalog.Schema:
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for name, statement in catalog.queries(["work"]).items():
        compiled = core.compile(statement)
        rows[name] = await db.fetch(compiled.sql, *compiled.params, as_=tuple)
    return catalog.read(rows)


T = ("work", "t")


async def test_every_operation_runs(postgres_dsn: str) -> None:
    async with core.Database(postgres_dsn) as db:
        await db.execute("DROP SCHEMA IF EXISTS work CASCADE")
        await db.execute(str(ddl.CreateSchema("work")))

        async def run(*operations: ddl.Operation) -> TableDef:
            for operation in operations:
                await db.execute(str(operation))
            found = (await live(db)).tables
            return found.get(T) or found.get(("work", "renamed")) or TableDef("gone", ())

        base = TableDef(
            "t", (ColumnDef("id", types.Integer, nullable=False), ColumnDef("a", types.Text)), schema="work"
        )
        assert await run(ddl.CreateTable(base)) == base
        t = await run(ddl.AddColumn(T, ColumnDef("b", types.Integer, nullable=False, default=literal(-7))))
        assert t.column("b").type == types.Integer
        assert not t.column("b").nullable
        assert str(t.column("b").default) == "<Sql '-7'::integer>"
        t = await run(ddl.AddColumn(T, ddl.RawColumn("raw", "numeric(5,2) DEFAULT 1.5")))
        assert t.column("raw").type == types.Numeric(5, 2)
        t = await run(ddl.RenameColumn(T, "raw", "cooked"), ddl.DropDefault(T, "b"), ddl.DropNotNull(T, "b"))
        assert t.column("b").default is None
        assert t.column("b").nullable
        t = await run(ddl.SetDefault(T, "a", literal("it's")), ddl.SetNotNull(T, "a"))
        assert not t.column("a").nullable
        t = await run(ddl.AlterColumnType(T, "b", types.BigInt, using=sql("b * 2")), ddl.AddIdentity(T, "id"))
        assert t.column("b").type == types.BigInt
        assert t.column("id").identity == "by default"
        t = await run(ddl.DropIdentity(T, "id"), ddl.DropColumn(T, "cooked"))
        assert t.column("id").identity is None
        b = t.source.c.b
        t = await run(
            ddl.AddConstraint(T, ConstraintDef("check", "small", check=(b > -5) & (b < 100)), not_valid=True),
            ddl.CreateIndex(T, IndexDef("t_pk", ("id",), unique=True)),
            ddl.AddConstraintUsingIndex(T, "t_pk", "primary key", "t_pk"),
        )
        assert [c.not_valid for c in t.constraints if c.kind == "check"] == [True]
        assert t.primary_key == ("id",)
        t = await run(ddl.ValidateConstraint(T, "small"), ddl.RenameConstraint(T, "small", "tiny"))
        assert [(c.name, c.not_valid) for c in t.constraints if c.kind == "check"] == [("tiny", False)]
        t = await run(
            ddl.DropConstraint(T, "tiny"), ddl.Comment("table", T, "it's"), ddl.Comment("column", T, "x", "b")
        )
        assert (t.comment, t.column("b").comment) == ("it's", "x")
        t = await run(ddl.CreateIndex(T, IndexDef(None, ("a", func.lower(t.source.c.a))), concurrently=True))
        assert [i.name for i in t.indexes] == ["t_a_expr_idx"]
        t = await run(ddl.RenameIndex(("work", "t_a_expr_idx"), "ix"), ddl.DropIndex(("work", "ix"), concurrently=True))
        assert t.indexes == ()
        await run(ddl.CreateView(("work", "v"), select(t.source.c.id).where(t.source.c.a == "it's"), or_replace=True))
        await run(ddl.CreateView(("work", "m"), select(t.source.c.id), materialized=True))
        await run(ddl.DropView(("work", "v")), ddl.DropView(("work", "m"), materialized=True))
        renamed = await run(ddl.RenameTable(T, "renamed"))
        assert renamed.name == "renamed"

        await run(
            ddl.CreateEnum(("work", "mood"), ("sad", "it's ok")),
            ddl.AddEnumValue(("work", "mood"), "so so", before="it's ok"),
        )
        await run(ddl.RenameEnumValue(("work", "mood"), "sad", "blue"))
        assert (await live(db)).enums["work", "mood"] == EnumDef("mood", ("blue", "so so", "it's ok"), schema="work")
        counter = SequenceDef("counter", schema="work")
        faster = SequenceDef("counter", schema="work", increment=5, maximum=500)
        await run(ddl.CreateSequence(counter), ddl.AlterSequence(counter, faster))
        assert (await live(db)).sequences["work", "counter"] == faster
        await run(ddl.CreateDomain(DomainDef("pos", "integer", schema="work", checks=((None, "VALUE > 0"),))))
        assert ("work", "pos") in (await live(db)).domains
        await run(
            ddl.DropDomain(("work", "pos")), ddl.DropSequence(("work", "counter")), ddl.DropEnum(("work", "mood")),
            ddl.DropTable(("work", "renamed")), ddl.DropTable(("work", "nothing"), if_exists=True),
            ddl.DropSchema("work", cascade=True),
        )  # fmt: skip
        with pytest.raises(ValueError, match="differs"):
            str(ddl.AlterSequence(counter, counter))


async def test_names_are_those_postgresql_would_make(postgres_dsn: str) -> None:
    rng = random.Random(7)

    def word() -> str:
        return "".join(rng.choice("abcdeéß漢_") for _ in range(rng.choice([3, 10, 25, 40])))[:20] + rng.choice(
            "xyz"
        ) * rng.choice([1, 20])

    async with core.Database(postgres_dsn) as db:
        await db.execute_script("DROP SCHEMA IF EXISTS work CASCADE; CREATE SCHEMA work")
        for _ in range(40):
            name, a, b = word(), "a" + word(), "b" + word()
            quoted = [f'"{part}"' for part in (name, a, b)]
            await db.execute_script(
                f"CREATE TABLE work.{quoted[0]} ({quoted[1]} int PRIMARY KEY, {quoted[2]} int REFERENCES work.{quoted[0]}, "
                f"UNIQUE ({quoted[1]}, {quoted[2]})); CREATE INDEX ON work.{quoted[0]} ({quoted[2]})"
            )
            found = (await live(db)).tables["work", name]
            names = {c.kind: c.name for c in found.constraints}
            made = {
                names["primary_key"]: (default_name(name, [a], "pkey"), len(name.encode()) + 5),
                names["foreign_key"]: (default_name(name, [b], "fkey"), len(name.encode()) + len(b.encode()) + 6),
                names["unique"]: (default_name(name, [a, b], "key"), len(f"{name}{a}{b}".encode()) + 6),
                found.indexes[0].name: (default_name(name, [b], "idx"), len(name.encode()) + len(b.encode()) + 5),
            }
            for theirs, (ours, length) in made.items():
                # What PostgreSQL cuts has a hash of the whole here.
                assert theirs is not None and len(ours.encode()) <= 63
                assert (theirs == ours) is (length <= 63)
            await db.execute(f"DROP TABLE work.{quoted[0]}")
        await db.execute("DROP SCHEMA work")


def test_definitions_compare_by_what_they_are() -> None:
    def make(limit: int) -> TableDef:
        t = table("t", column("a", int), column("b", str))
        return TableDef(
            "t",
            t.__table_def__.columns,
            constraints=(ConstraintDef("check", "c", check=t.a > limit),),
            indexes=(IndexDef("i", (-t.a, func.lower(t.b)), where=t.a > limit),),
            owner=f"Class{limit}",
        )

    assert make(1) == make(1)
    assert hash(make(1)) == hash(make(1))
    assert make(1) != make(2)
    assert make(1) != "t"


def test_values_in_ddl_become_literals() -> None:
    import datetime as dt
    import uuid
    from decimal import Decimal

    t = table("t", column("x", int))

    def text(value: Any, of: Any = None) -> str:
        return str(ddl.SetDefault("t", "x", literal(value, of))).removeprefix(
            'ALTER TABLE "t" ALTER COLUMN "x" SET DEFAULT '
        )

    assert text(5) == "5"
    assert text(-5) == "-5"
    assert text(2**70) == f"'{2**70}'::numeric"
    assert text(True) == "TRUE"
    assert text(None) == "NULL"
    assert text(Decimal("1.50")) == "'1.50'::numeric"
    assert text(1.5) == "'1.5'::double precision"
    assert text("it's") == "'it''s'"
    assert text(dt.date(2024, 1, 2)) == "'2024-01-02'::date"
    assert text(dt.timedelta(days=1, seconds=5)) == "'1 days 5 seconds 0 microseconds'::interval"
    assert text(b"\x00\xff") == " E'\\\\x00ff'::bytea"
    assert text(uuid.UUID(int=1)) == "'00000000-0000-0000-0000-000000000001'::uuid"
    assert text({"a": "it's"}) == """'{"a": "it''s"}'::jsonb"""
    assert text([1, None, 2], types.Array(types.Integer)) == "ARRAY[1, NULL, 2]::integer[]"
    check = ddl.AddConstraint("t", ConstraintDef("check", "c", check=t.x.in_([1, 2]) & t.x.between(-1, 5)))
    assert str(check) == 'ALTER TABLE "t" ADD CONSTRAINT "c" CHECK ("x" = ANY(ARRAY[1, 2]) AND "x" BETWEEN -1 AND 5)'


def test_incomplete_definitions_are_refused() -> None:
    for constraint in (ConstraintDef("check", "c"), ConstraintDef("foreign_key", "f", ("a",))):
        with pytest.raises(ValueError, match=r"no condition|references nothing"):
            str(ddl.AddConstraint("t", constraint))
    with pytest.raises(TypeError, match="expected a name"):
        str(ddl.DropTable(5))  # type: ignore[arg-type]
