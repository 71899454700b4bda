"""The linter over files and folders: context, suppressions, what is said where."""

import re
from pathlib import Path
from typing import Any

import pytest

from data_bridge.migrate import lint_migrations
from data_bridge.migrate.lint.suppressions import Suppressions
from data_bridge.postgres import MigrationError
from data_bridge.query import ColumnDef, TableDef, types

Folder = Any
ROOT = Path(__file__).parents[4]


async def found(**options: Any) -> list[tuple[str, int, str]]:
    report = await lint_migrations(**options)
    return [(Path(f.file).name, f.line, f.rule) for f in report.findings]


def test_the_reference_has_every_rule() -> None:
    page = (ROOT / "docs/reference/lint-rules.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (L\d\d) \|", page, re.MULTILINE)
    assert listed == [f"L{n:02}" for n in range(44)]
    sources = [
        *(ROOT / "packages/core-rs/crates/lint/src").rglob("*.rs"),
        *(ROOT / "packages/migrate/src").rglob("*.py"),
    ]
    written = set(re.findall(r'"(L\d\d)"', "\n".join(p.read_text(encoding="utf-8") for p in sources)))
    assert written == set(listed)


async def test_a_file_is_seen_with_its_neighbours(folder: Folder) -> None:
    place = folder(
        **{
            "1_a.sql": "create table t (id bigint primary key, b varchar(10));",
            "2_b.sql": "alter table t alter b type varchar(20);",
            "3_c.sql": "alter table t alter b type varchar(15);",
        }
    )
    assert await found(files=[place / "2_b.sql"]) == []
    assert await found(files=[place / "3_c.sql"]) == [("3_c.sql", 1, "L17"), ("3_c.sql", 1, "L19")]
    lone = place.parent / "lone.sql"
    lone.write_text("alter table t alter b type varchar(20);")
    assert await found(files=[lone]) == [("lone.sql", 1, "L17")], "nobody knows the old type"
    with pytest.raises(MigrationError, match="there is no file"):
        await lint_migrations(files=[place / "9.sql"])


async def test_layouts(folder: Folder) -> None:
    place = folder(
        **{
            "1_a/up.sql": "create table t (id bigint primary key);",
            "1_a/down.sql": "drop table t;",
            "2_b.up.sql": "create index i on t (id);",
            "2_b.down.sql": "\ndrop index i;",
        }
    )
    assert await found(directory=place) == [
        ("2_b.up.sql", 1, "L01"),
        ("2_b.up.sql", 1, "L38"),
        ("2_b.down.sql", 2, "L02"),
    ]
    assert await found(files=[place / "2_b.down.sql"]) == [("2_b.down.sql", 2, "L02")]
    assert await found(files=[place / "1_a"]) == []
    assert await found(files=[place]) == await found(directory=place)


async def test_no_way_back(folder: Folder) -> None:
    place = folder(**{"1_a.sql": "create table a (id bigint);", "2_b.sql": "create table b (id bigint);"})
    assert await found(directory=place) == [], "a project that only goes forwards"
    folder(**{"2_b.sql": "-- up\ncreate table b (id bigint);\n-- down\ndrop table b;"})
    assert await found(directory=place) == [("1_a.sql", 1, "L42")]
    folder(**{"1_a.sql": "-- irreversible: it is the first\ncreate table a (id bigint);"})
    assert await found(directory=place) == []


async def test_models(folder: Folder) -> None:
    place = folder(
        **{"1_a.sql": "create table users (id bigint, name text);", "2_b.sql": "alter table users drop column name;"}
    )
    users = TableDef("users", (ColumnDef("id", types.BigInt), ColumnDef("name", types.Text)))
    assert await found(directory=place, models=[users]) == [("2_b.sql", 1, "L21"), ("2_b.sql", 1, "L43")]


async def test_what_the_runner_refuses_is_a_finding(folder: Folder) -> None:
    place = folder(**{"1_a.sql": "select 'abc;", "2_b.sql": "\\connect other", "3_c.sql": "copy t from stdin;"})
    assert await found(directory=place) == [("1_a.sql", 1, "L00"), ("2_b.sql", 1, "L00"), ("3_c.sql", 1, "L00")]


def test_waivers() -> None:
    text = (
        "-- lint: allow-file L39: old types\n"
        "-- lint: allow L01, L02: nobody writes\n-- more\ncreate index;  \n"
        "drop index; # lint: allow L02: gone\n-- lint: allow L09\nalter;\n"
    )
    suppressions = Suppressions(text)
    assert [suppressions.reason(r, line) for r, line in (("L01", 4), ("L02", 4), ("L09", 4), ("L02", 5), ("L01", 5))] == [
        "nobody writes", "nobody writes", None, "gone", None,
    ]  # fmt: skip
    assert suppressions.reason("L39", 7) == "old types" and suppressions.reason("L09", 7) is None


async def test_each_file_has_its_phase(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text(
        "-- up\nCREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n-- down\nDROP TABLE t;\n"
    )
    (tmp_path / "0002_b.sql").write_text("-- up\nALTER TABLE t RENAME a TO b;\n-- down\nALTER TABLE t RENAME b TO a;\n")
    report = await lint_migrations(directory=tmp_path)
    assert {Path(file).name: phase for file, phase in report.phases.items()} == {
        "0001_a.sql": "expand",
        "0002_b.sql": "contract",
    }
