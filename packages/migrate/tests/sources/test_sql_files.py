"""Migrations in files and folders, their order, and what is wrong with them."""

from typing import Any

import pytest

from data_bridge.migrate import Migration
from data_bridge.migrate._versions import key
from data_bridge.migrate.runner.plan import make, record
from data_bridge.migrate.sources.discovery import checksum, in_directory, ordered
from data_bridge.migrate.sources.sql_files import sections, version_and_name
from data_bridge.postgres import ConfigurationError, IrreversibleMigration, MigrationConflict, MigrationError

Folder = Any


async def steps(migration: type[Migration], direction: str = "up") -> list[str]:
    return [s.sql for s in (await record(migration, direction))[0]]


async def test_every_format(folder: Folder) -> None:
    place = folder(
        **{
            "0001_plain.sql": "select 1;\nselect 'x;y';\n",
            "0002_sections.sql": "-- up\nselect 2;\n-- down\nselect -2;\n",
            "V3__flyway.sql": "select 3",
            "0004_goose.sql": "-- +goose Up\nselect 4;\n-- +goose Down\nselect -4;",
            "0005_dbmate.sql": "-- migrate:up\nselect 5;\n-- migrate:down\nselect -5;",
            "0006_pair.up.sql": "select 6",
            "0006_pair.down.sql": "select -6",
            "0007_folder/up.sql": "select 7",
            "0007_folder/down.sql": "select -7",
            "0008_code.py": "from data_bridge.migrate import Migration\n\nclass Code(Migration):\n    version = '0008'\n    async def up(self):\n        await self.execute('select 8')\n",
            "_helper.py": "raise RuntimeError('not a migration')",
            ".hidden.sql": "nonsense",
            "README.md": "no migration",
            "empty_folder/readme.txt": "",
        }
    )
    found = ordered(in_directory(place))
    assert [m.version for m in found] == ["0001", "0002", "3", "0004", "0005", "0006", "0007", "0008"]
    assert [m.title() for m in found] == ["plain", "sections", "flyway", "goose", "dbmate", "pair", "folder", "Code"]
    by = {m.version: m for m in found}
    assert await steps(by["0001"]) == ["select 1;\nselect 'x;y';"]
    for version, number in [("0002", 2), ("0004", 4), ("0005", 5), ("0006", 6), ("0007", 7)]:
        assert [s.rstrip(";") for s in await steps(by[version])] == [f"select {number}"], version
        assert [s.rstrip(";") for s in await steps(by[version], "down")] == [f"select -{number}"], version
    assert await steps(by["0008"]) == ["select 8"]
    with pytest.raises(IrreversibleMigration, match=r"0001_plain\.sql has no down section"):
        await steps(by["0001"], "down")


async def test_statements_that_run_alone(folder: Folder) -> None:
    place = folder(
        **{
            "1_index.sql": "create table t (a int);\ncreate index concurrently i on t (a);",
            "2_choice.sql": "-- no-transaction\nselect 1; select 2;",
            "4_head.sql": "-- a table\n-- atomic: false\n-- up\nselect 1; select 2;\n-- down\nselect 3; select 4;",
            "3_dbmate.sql": "-- migrate:up transaction:false\nselect 1; select 2;",
        }
    )
    one, two, three, four = ordered(in_directory(place))
    assert [(s.sql, s.transactional) for s in (await record(one, "up"))[0]] == [
        ("create table t (a int)", True),
        ("create index concurrently i on t (a)", False),
    ]
    assert len(await steps(two)) == 2
    assert len(await steps(three)) == 2
    assert await steps(four) == ["select 1", "select 2"] and len(await steps(four, "down")) == 2


async def test_errors_name_file_and_line(folder: Folder) -> None:
    place = folder(
        **{
            "1_quote.sql": "select 1;\nselect 'abc;\n",
            "2_begin.sql": "select 1;\n\nROLLBACK;\nselect 2;\nCOMMIT;",
            "3_copy.sql": "select 1;\nCOPY t (a) FROM stdin;\n1\n\\.\n",
        }
    )
    one, two, three = ordered(in_directory(place))
    with pytest.raises(MigrationError, match=r"1_quote\.sql: the quote of line 2 never ends"):
        await steps(one)
    with pytest.raises(MigrationError, match=r"2_begin\.sql, line 3: transactions belong to the runner.*ROLLBACK"):
        await steps(two)
    with pytest.raises(MigrationError, match=r"3_copy\.sql, line 2: COPY FROM STDIN"):
        await steps(three)


async def test_lines_count_from_the_top_of_the_file(folder: Folder) -> None:
    place = folder(**{"1_a.sql": "-- a comment\n-- up\nselect 1;\nrollback;\n-- down\nselect 1;\nselect 'open;\n"})
    (one,) = in_directory(place)
    with pytest.raises(MigrationError, match=r"1_a\.sql, line 4"):
        await steps(one)
    with pytest.raises(MigrationError, match="line 7"):
        await steps(one, "down")


def test_names() -> None:
    from pathlib import Path

    assert version_and_name("2024.05.01_a_b", Path("x")) == ("2024.05.01", "a_b")
    assert version_and_name("001", Path("x")) == ("001", "001")
    assert version_and_name("0001_2fa", Path("x")) == ("0001", "2fa")
    assert version_and_name("V1_2__x", Path("x")) == ("1_2", "x")
    assert version_and_name("1.10-fix", Path("x")) == ("1.10", "fix")
    with pytest.raises(MigrationError, match=r"bad_name.*begins with its version"):
        version_and_name("bad_name", Path("bad_name.sql"))


def test_sections_are_lines_of_their_own() -> None:
    assert sections("select 1 -- up\n;") == ("select 1 -- up\n;", None)
    assert sections("-- upgrade the table\nselect 1")[0] == "-- upgrade the table\nselect 1"
    assert sections("-- up\na\n-- down\nb") == ("\na\n", "\n\n\nb")


def test_comments_that_begin_with_up_or_down_are_comments() -> None:
    text = "-- up to now this was text\nselect 1;"
    assert sections(text) == (text, None)


def test_numbers_sort_as_numbers() -> None:
    assert sorted(["10", "9", "2", "1.10", "1.9", "a", "2024_01_01"], key=key) == [
        "1.9",
        "1.10",
        "2",
        "9",
        "10",
        "2024_01_01",
        "a",
    ]


def made(version: str, *depends_on: str) -> type[Migration]:
    return type(f"M{version}", (Migration,), {"version": version, "depends_on": depends_on})


def test_dependencies() -> None:
    assert [m.version for m in ordered([made("3"), made("1", "2"), made("2")])] == ["2", "1", "3"]
    with pytest.raises(MigrationConflict, match="M1 depends on 9, which is unknown"):
        ordered([made("1", "9")])
    with pytest.raises(MigrationConflict, match="circle: 1, 2"):
        ordered([made("1", "2"), made("2", "1"), made("0")])
    with pytest.raises(MigrationConflict, match="M1 and M1 both have version 1"):
        ordered([made("1"), made("1")])
    with pytest.raises(MigrationConflict, match="no version"):
        ordered([made("")])


def test_a_folder_that_is_not_there(folder: Folder) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        in_directory(folder() / "nope")


def test_checksums_ignore_line_ends(folder: Folder) -> None:
    place = folder(**{"1_a.sql": "select 1;\nselect 2;"})
    before = checksum(in_directory(place)[0])
    (place / "1_a.sql").write_bytes(b"select 1; \r\nselect 2;\r\n")
    assert checksum(in_directory(place)[0]) == before
    (place / "1_a.sql").write_text("select 1;\nselect 3;")
    assert checksum(in_directory(place)[0]) != before


async def test_the_down_script_of_a_folder_counts_as_well(folder: Folder) -> None:
    place = folder(**{"1_a/up.sql": "select 1", "1_a/down.sql": "select 2"})
    (one,) = in_directory(place)
    assert await make([one], "up") == ["1"]
    assert checksum(one)


async def test_an_empty_file_is_a_way_back(folder: Folder) -> None:
    place = folder(
        **{
            "1_a/up.sql": "select 1",
            "1_a/down.sql": "",
            "2_b.up.sql": "select 1",
            "2_b.down.sql": "\n",
            "3_c.up.sql": "select 1",
        }
    )
    one, two, three = ordered(in_directory(place))
    assert await steps(one, "down") == await steps(two, "down") == []
    with pytest.raises(IrreversibleMigration):
        await steps(three, "down")


class Operations(Migration):
    version = "77"

    async def up(self) -> None:
        await self.create_table("shop.item", {"id": "bigint PRIMARY KEY", "name": "text NOT NULL"})
        await self.add_column("shop.item", "age", "int")
        await self.add_column("shop.item", "size int NOT NULL DEFAULT 0")
        await self.add_column("shop.item", {"w": "text"})
        await self.create_index("shop.item", ["name"], True, where="age > 1")
        await self.rename_column("shop.item", "w", "v")
        await self.rename_table("shop.item", "thing")
        await self.create_enum("mood", ["a", "b'c"])
        await self.alter_column("shop.thing", "v", nullable=False)
        await self.add_foreign_key("shop.thing", "size", "other", on_delete="CASCADE", name="fk")


async def test_every_operation_with_a_known_inverse_undoes_itself() -> None:
    up = await steps(Operations)
    assert up[0].startswith('CREATE TABLE "shop"."item"') and len(up) == 10
    assert up[4] == 'CREATE UNIQUE INDEX "item_name_idx" ON "shop"."item" ("name") WHERE age > 1'
    down = await steps(Operations, "down")
    assert down == [
        'ALTER TABLE "shop"."thing" DROP CONSTRAINT "fk"',
        'ALTER TABLE "shop"."thing" ALTER COLUMN "v" DROP NOT NULL',
        'DROP TYPE "mood"',
        'ALTER TABLE "shop"."thing" RENAME TO "item"',
        'ALTER TABLE "shop"."item" RENAME COLUMN "v" TO "w"',
        'DROP INDEX "shop"."item_name_idx"',
        'ALTER TABLE "shop"."item" DROP COLUMN "w"',
        'ALTER TABLE "shop"."item" DROP COLUMN "size"',
        'ALTER TABLE "shop"."item" DROP COLUMN "age"',
        'DROP TABLE "shop"."item"',
    ]


class OneWay(Migration):
    version = "78"

    async def up(self) -> None:
        await self.drop_table("x", if_exists=True, cascade=True)


async def test_a_step_without_an_inverse_is_named() -> None:
    with pytest.raises(IrreversibleMigration, match=r'78 OneWay: write down\(\).*DROP TABLE IF EXISTS "x" CASCADE'):
        await steps(OneWay, "down")


def test_the_checksum_is_of_the_text_that_was_read(folder: Folder) -> None:
    """A file that is written while a runner works is not what ran."""
    place = folder(
        **{"1_a.sql": "-- up\nselect 1;\n-- down\nselect 2;", "2_b/up.sql": "select 1", "3_c.up.sql": "select 3"}
    )
    before = ordered(in_directory(place))
    digests = [checksum(m) for m in before]
    for name in ("1_a.sql", "2_b/up.sql", "3_c.up.sql"):
        (place / name).write_text("select 'changed'")
    assert [checksum(m) for m in before] == digests
    after = ordered(in_directory(place))
    assert all(checksum(new) != old for new, old in zip(after, digests, strict=True))
