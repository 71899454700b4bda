"""Changes of tables in use: the steps they become, what they leave, and the way back."""

from typing import Any

import pytest

from data_bridge.core.lint import Script, lint
from data_bridge.migrate import Migration, lint_migrations, run_migrations
from data_bridge.migrate.operations.online import without_default
from data_bridge.migrate.runner.plan import record
from data_bridge.query import ColumnDef, ConstraintDef, IndexDef, ddl, sql, types

Folder = Any
TABLES = """
CREATE TABLE parent (id bigint PRIMARY KEY);
INSERT INTO parent VALUES (1);
CREATE TABLE t (id bigint NOT NULL, a int, b int, p bigint);
INSERT INTO t SELECT i, i, i, 1 FROM generate_series(1, 50) i;
"""
SHAPE = """
    SELECT string_agg(line, ', ' ORDER BY line) FROM (
        SELECT attname || ' ' || attnotnull AS line FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT conname || ' ' || contype::text || ' ' || convalidated FROM pg_constraint WHERE conrelid = 't'::regclass AND contype <> 'n'
        UNION ALL SELECT indexrelid::regclass || ' ' || indisvalid FROM pg_index WHERE indrelid = 't'::regclass) x
"""


class Everything(Migration):
    version = "1"

    async def up(self) -> None:
        await self.create_index("t", ["a"])
        await self.add_constraint("t", ConstraintDef("check", "positive", (), check=sql("a > 0")))
        await self.add_foreign_key("t", "p", "parent", name="to_parent")
        await self.add_constraint("t", ConstraintDef("unique", "t_b_key", ("b",)))
        await self.add_constraint("t", ConstraintDef("primary_key", "t_pkey", ("id",)))
        await self.alter_column("t", "a", nullable=False)
        await self.add_column("t", "k", "uuid NOT NULL DEFAULT gen_random_uuid()")
        await self.add_column("t", "n", "int NOT NULL DEFAULT 0")


async def test_every_operation_is_made_of_online_steps(isolated_db: Any, folder: Folder) -> None:
    folder()
    await isolated_db.execute_script(TABLES)
    before = await isolated_db.fetch_val(SHAPE)
    assert await run_migrations([Everything]) == ["1"]
    shape = await isolated_db.fetch_val(SHAPE)
    for part in (
        "a true",
        "k true",
        "n true",
        "positive c true",
        "to_parent f true",
        "t_b_key u true",
        "t_pkey p true",
        "t_a_idx true",
    ):
        assert part in shape, part
    assert "present" not in shape, "the checks that spared a scan are gone"
    assert await isolated_db.fetch_val("SELECT count(DISTINCT k) FROM t") == 50
    await run_migrations([Everything], direction="down")
    after = await isolated_db.fetch_val(SHAPE)
    assert after == before


async def test_the_linter_has_nothing_to_say_about_online_steps(folder: Folder) -> None:
    """I13: what the package makes of an operation passes its own rules."""
    folder()
    steps, _ = await record(Everything, "up")
    before = [(line.strip(), 1) for line in TABLES.split(";") if line.strip()]
    # Each step that is committed for itself is a script of its own.
    scripts = [Script("before", before, report=False)]
    scripts += [Script(f"step {i}", [(s.sql, 1)], False) for i, s in enumerate(steps) if "batch" not in s.sql]
    assert [(f.file, f.rule, f.message) for f in lint(scripts) if f.rule not in ("L37", "L38")] == []


async def test_new_tables_and_atomic_migrations_are_left_alone() -> None:
    class New(Migration):
        version = "1"

        async def up(self) -> None:
            await self.create_table("shop.t", {"id": "bigint"})
            await self.create_index("shop.t", ["id"])
            await self.rename_table("shop.t", "u")
            await self.alter_column("shop.u", "id", nullable=False)
            await self.add_constraint("shop.u", ConstraintDef("primary_key", None, ("id",)))

    class Atomic(New):
        version = "2"
        atomic = True

        async def up(self) -> None:
            await self.create_index("old", ["id"])
            await self.add_foreign_key("old", "p", "parent")
            await self.drop_index("i")

    for migration, number in ((New, 5), (Atomic, 3)):
        steps, _ = await record(migration, "up")
        assert len(steps) == number and all(s.transactional for s in steps)
        assert not any("CONCURRENTLY" in s.sql or "NOT VALID" in s.sql for s in steps)


async def test_what_has_no_online_way_is_done_directly() -> None:
    class Direct(Migration):
        version = "1"

        async def up(self) -> None:
            await self.add_constraint("t", ConstraintDef("exclude", "e", elements=(("r", "&&"),)))
            await self.add_constraint("t", ConstraintDef("unique", "u", ("a",), deferrable="deferrable"))
            await self.create_index("parted", ["a"], concurrently=False)

    steps, _ = await record(Direct, "up")
    assert [s.transactional for s in steps] == [True, True, True]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("uuid DEFAULT gen_random_uuid() NOT NULL", ("uuid", True)),
        ("uuid NOT NULL DEFAULT gen_random_uuid()", ("uuid", True)),
        ("text DEFAULT f('not null', (1)) CHECK (length(x) > 0)", ("text CHECK (length(x) > 0)", False)),
        ("int", None),
        ("int NOT NULL", None),
    ],
)
def test_a_column_apart_from_its_default(definition: str, expected: tuple[str, bool] | None) -> None:
    found = without_default(ddl.RawColumn("k", definition))
    assert (None if found is None else (found[0].definition, found[2])) == expected
    plain = without_default(ColumnDef("k", types.Integer, nullable=False, default=sql("random()")))
    assert plain is not None and plain[0].nullable and plain[2]


async def test_lint_of_classes_names_their_lines(folder: Folder) -> None:
    place = folder(
        **{
            "1_a.py": "from data_bridge.migrate import Migration\n\n\nclass A(Migration):\n    version = '1'\n\n    async def up(self):\n"
            "        await self.create_table('t', {'id': 'bigint PRIMARY KEY'})\n",
            "2_b.py": "from data_bridge.migrate import Migration\n\n\nclass B(Migration):\n    version = '2'\n\n    async def up(self):\n"
            "        await self.create_index('t', ['id'], concurrently=False, name='i')\n        # lint: allow L22: nobody has it yet\n"
            "        await self.drop_table('t')\n        if await self.fetch('SELECT 1'):\n            pass\n",
        }
    )  # fmt: skip
    report = await lint_migrations(directory=place)
    assert [(f.file[-6:], f.line, f.rule) for f in report.findings] == [
        ("2_b.py", 4, "L00"), ("2_b.py", 4, "L42"), ("2_b.py", 8, "L01"), ("2_b.py", 8, "L38"),
    ]  # fmt: skip
    assert [(f.rule, reason) for f, reason in report.waived] == [("L22", "nobody has it yet")]
    assert not report.ok


class Declared(Migration):
    version = "1"
    operations = (
        ddl.CreateTable("own", columns=(ddl.RawColumn("id", "int"),)),
        ddl.CreateIndex("own", IndexDef("own_idx", ("id",))),
        ddl.CreateIndex("t", IndexDef("t_a_idx", ("a",))),
        ddl.AddConstraint("t", ConstraintDef("check", "positive", check=sql("c > 0"))),
        ddl.SetNotNull(("public", "t"), "a"),
        ddl.AddColumn("t", ddl.RawColumn("k", "uuid DEFAULT gen_random_uuid() NOT NULL")),
        ddl.AddColumn("t", ddl.RawColumn("n", "int DEFAULT 5")),
        ddl.DropIndex("t_c_idx"),
    )


async def test_declared_operations_are_online_as_methods_are() -> None:
    steps, _ = await record(Declared, "up")
    texts = [s.sql for s in steps]
    assert texts[1] == 'CREATE INDEX "own_idx" ON "own" ("id")', "its table is new"
    assert texts[2] == 'CREATE INDEX CONCURRENTLY "t_a_idx" ON "t" ("a")'
    assert texts[3].endswith("NOT VALID")
    assert texts[4] == 'ALTER TABLE "t" VALIDATE CONSTRAINT "positive"'
    assert any(text == 'ALTER TABLE "public"."t" ALTER COLUMN "a" SET NOT NULL' for text in texts)
    # Filled in batches behind it, as the method does.
    assert 'ALTER TABLE "t" ALTER COLUMN "k" SET DEFAULT gen_random_uuid()' in texts
    assert 'ALTER TABLE "t" ADD COLUMN "n" int DEFAULT 5' in texts
    assert texts[-1] == 'DROP INDEX CONCURRENTLY "t_c_idx"'

    class Direct(Declared):
        version = "2"
        online = False

    steps, _ = await record(Direct, "up")
    assert len(steps) == len(Declared.operations)
    assert all(s.transactional for s in steps)
