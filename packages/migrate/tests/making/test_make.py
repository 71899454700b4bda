"""`data-bridge migrate make` on a project: what is written, what is asked, and that rows survive it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from data_bridge.migrate.lint import lint_migrations
from data_bridge.migrate.making import new_migration

Project = Any
_HEAD = "from enum import Enum\nfrom data_bridge.orm import *\nfrom data_bridge.query import sql, types\n"


def _item(*lines: str, settings: str = "", before: str = "") -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return (
        f"{_HEAD}{before}\nclass Item(Table):\n    class Settings:\n        name = 'item'\n"
        + "".join(f"        {line}\n" for line in settings.splitlines())
        + f"    id: int = Column(primary_key=True, auto_increment=True)\n{body}"
    )


_MOOD = "class Mood(Enum):\n    SAD = 'sad'\n    OK = 'ok'\n"
_MOODS = "class Mood(Enum):\n    SAD = 'sad'\n    FINE = 'fine'\n    OK = 'ok'\n"
_GLAD = "class Mood(Enum):\n    GLAD = 'glad'\n    OK = 'ok'\n"
_TYPE = "mood: Mood = Column(type=types.Enum(Mood, name='mood'))"


@dataclass(frozen=True)
class Change:
    """A change of a class.

    Attributes:
        old, new: the models.
        insert: rows that are there before.
        options: of make.
        expected: what a row is afterwards.
        back: what it is after the way back, where that differs from before.
        words: what the file says.
    """

    old: str
    new: str
    insert: str
    expected: dict[str, Any]
    options: tuple[str, ...] = ()
    back: dict[str, Any] = field(default_factory=dict[str, Any])
    words: tuple[str, ...] = ()


CHANGES = {
    "a nullable column": Change(
        _item("name: str"), _item("name: str", "note: str | None = None"),
        "INSERT INTO item (name) VALUES ('a')", {"name": "a", "note": None}, words=("ddl.AddColumn",),
    ),
    "a column with a default": Change(
        _item("name: str"), _item("name: str", "price: int = Column(server_default='5')"),
        "INSERT INTO item (name) VALUES ('a')", {"price": 5},
    ),
    "a column that gets a value": Change(
        _item("name: str"), _item("name: str", "price: int"),
        "INSERT INTO item (name) VALUES ('a')", {"price": 7}, ("--fill", "item.price:7"), words=("ddl.DropDefault",),
    ),
    "a column whose default is volatile": Change(
        _item("name: str"), _item("name: str", "key: str = Column(server_default=\"gen_random_uuid()::text || '!'\")"),
        "INSERT INTO item (name) VALUES ('a')", {"name": "a"}, words=("Backfill(", "ddl.SetNotNull"),
    ),
    "a column becomes NOT NULL": Change(
        _item("name: str | None = None"), _item("name: str"),
        "INSERT INTO item (name) VALUES (NULL)", {"name": "-"}, ("--fill", "item.name:'-'"), {"name": "-"},
    ),
    "a wider type": Change(
        _item("name: str = Column(max_length=5)"), _item("name: str"),
        "INSERT INTO item (name) VALUES ('abcde')", {"name": "abcde"}, words=("ddl.AlterColumnType",),
    ),
    "another kind of type": Change(
        _item("price: str"), _item("price: int"),
        "INSERT INTO item (price) VALUES ('12')", {"price": 12}, words=('using=sql(\'"price"::bigint\')',),
    ),
    "another type by an expression": Change(
        _item("price: str"), _item("price: int"),
        "INSERT INTO item (price) VALUES ('12 EUR')", {"price": 12},
        ("--using", "item.price:split_part(price, ' ', 1)::bigint"), {"price": "12"},
    ),
    "a renamed column": Change(
        _item("name: str = Column(unique=True, check=\"name <> ''\")"),
        _item("title: str = Column(unique=True, check=\"title <> ''\")"),
        "INSERT INTO item (name) VALUES ('a')", {"title": "a"}, ("--rename", "item.name:title"),
        words=("ddl.RenameColumn", "ddl.RenameConstraint", "# Look here"),
    ),
    "a column that says what it was called": Change(
        _item("name: str = Column(unique=True)"), _item("title: str = Column(unique=True, renamed_from='name')"),
        "INSERT INTO item (name) VALUES ('a')", {"title": "a"}, words=("ddl.RenameColumn", "ddl.RenameConstraint"),
    ),
    "a table that says what it was called": Change(
        _item("name: str"), _item("name: str", settings="renamed_from = 'item'").replace("'item'", "'thing'", 1),
        "INSERT INTO item (name) VALUES ('a')", {"name": "a"}, words=("ddl.RenameTable",),
    ),
    "a dropped column": Change(
        _item("name: str", "note: str | None = None"), _item("name: str"),
        "INSERT INTO item (name, note) VALUES ('a', 'b')", {"name": "a"}, ("--allow-drop", "item.note"),
        {"note": None}, words=("ddl.DropColumn",),
    ),
    "a renamed table": Change(
        _item("name: str"), _item("name: str").replace("'item'", "'thing'"),
        "INSERT INTO item (name) VALUES ('a')", {"name": "a"}, ("--rename", "item:thing"), words=("ddl.RenameTable",),
    ),
    "a new value of an enum": Change(
        _item(_TYPE, before=_MOOD), _item(_TYPE, before=_MOODS),
        "INSERT INTO item (mood) VALUES ('ok')", {"mood": "ok"}, words=('ddl.AddEnumValue("mood", "fine", after="sad")',),
    ),
    "a renamed value of an enum": Change(
        _item(_TYPE, before=_MOOD), _item(_TYPE, before=_GLAD),
        "INSERT INTO item (mood) VALUES ('sad')", {"mood": "glad"}, ("--rename", "mood.sad:glad"),
        words=("ddl.RenameEnumValue",),
    ),
    "a value of an enum goes": Change(
        _item(_TYPE, before=_MOODS), _item(_TYPE, before=_MOOD),
        "INSERT INTO item (mood) VALUES ('fine')", {"mood": "ok"}, ("--replace", "mood.fine:ok"), {"mood": "ok"},
        words=("ddl.DropEnum",),
    ),
    "an index, a check and a key": Change(
        _item("name: str", "price: int"),
        _item(
            "name: str = Column(index=True)", "price: int = Column(check='price > 0', unique=True)",
            settings="indexes = [Index('price', where='price > 5', name='dear')]",
        ),
        "INSERT INTO item (name, price) VALUES ('a', 1)", {"price": 1},
        words=("ddl.CreateIndex", "ddl.AddConstraint"),
    ),
    "comments": Change(
        _item("name: str"), _item("name: str = Column(comment='its name')", settings="comment = 'things'"),
        "INSERT INTO item (name) VALUES ('a')", {"name": "a"}, words=("its name", "things"),
    ),
    "an identity": Change(
        _item("name: str").replace(", auto_increment=True", ""), _item("name: str"),
        "INSERT INTO item (id, name) VALUES (41, 'a')", {"id": 41}, words=("setval",),
    ),
    "a generated column": Change(
        _item("name: str"), _item("name: str", "lower: str | None = Column(computed='lower(name)')"),
        "INSERT INTO item (name) VALUES ('A')", {"lower": "a"}, words=("generated=",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_rows_survive_a_change_and_its_way_back(change: Change, project: Project) -> None:
    project.models(change.old)
    project.make()
    assert project.run("up")[0] == 0
    project.query(change.insert)
    before = _row(project, change.old)
    project.models(change.new)
    text = project.make("-m", "the change", *change.options)
    for word in change.words:
        assert word in text, text
    status, out, err = project.run("up")
    assert status == 0, out + err
    after = _row(project, change.new)
    assert {key: after[key] for key in change.expected} == change.expected
    assert project.run("make")[1].startswith("nothing changed"), "a second make"
    assert project.run("drift")[0] == 0
    status, out, err = project.run("lint")
    assert status == 0, out + err
    status, out, err = project.run("down")
    assert status == 0, out + err
    assert _row(project, change.old) == {**before, **change.back}
    assert project.run("verify")[0] == 0


def _row(project: Project, models: str) -> dict[str, Any]:
    table = "thing" if "'thing'" in models else "item"
    (row,) = project.query(f"SELECT * FROM {table}")
    return row


def test_what_the_linter_says_names_the_file(project: Project) -> None:
    project.models(_item("name: str", "parent: Link['Item'] = Column(nullable=True, index=False)"))
    status, out, _ = project.run("make", "-m", "the first")
    (path,) = project.files()
    assert status == 0 and f"migrations/{path.name}:" in out and "L37 warning" in out


def test_a_circle_of_foreign_keys_is_no_special_case(project: Project) -> None:
    project.models(
        _HEAD
        + "class A(Table):\n    id: int = Column(primary_key=True)\n    b: Link['B'] = Column(nullable=True)\n\n"
        + "class B(Table):\n    id: int = Column(primary_key=True)\n    a: Link['A'] = Column(nullable=True, deferrable=True)\n"
    )
    text = project.make()
    assert text.count("ddl.CreateTable") == 2 and text.count("ddl.AddConstraint") == 1
    assert project.run("up")[0] == 0
    assert project.run("down")[0] == 0


def test_what_cannot_be_known_is_not_guessed(project: Project) -> None:
    project.models(_item("name: str", "note: str", _TYPE, before=_MOODS))
    project.make()
    before = project.files()
    project.models(_item("title: str", "price: int", _TYPE, before=_MOOD))
    status, out, err = project.run("make")
    assert (status, out) == (3, "")
    assert "add --rename item.name:title, or --allow-drop item.name" in err
    assert "add --allow-drop item.note" in err
    assert "add --fill item.price:SQL" in err
    assert "add --replace mood.fine:VALUE" in err
    assert project.files() == before
    status, out, _ = project.run("make", "--json")
    assert status == 3 and json.loads(out)["status"] == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--rename", "item.nam:title"), "--rename item.nam: no change has this name"),
        (("--rename", "item.name"), "--rename is NAME:VALUE"),
        (("--rename", "item.name:titel"), "there is no new column titel in item"),
        (("--fill", "item.title:1"), "--fill item.title: no change has this name"),
    ],
)
def test_a_mistyped_instruction_is_an_error(options: tuple[str, ...], text: str, project: Project) -> None:
    project.models(_item("name: str"))
    project.make()
    project.models(_item("title: str"))
    extra = () if "item.name" in options[1] else ("--rename", "item.name:title")
    status, _, err = project.run("make", *options, *extra)
    assert status == 2 and text in err


def test_an_instruction_without_a_change_is_an_error(project: Project) -> None:
    project.models(_item("name: str"))
    project.make()
    status, _, err = project.run("make", "--rename", "item.name:title")
    assert status == 2 and "--rename item.name: no change has this name" in err


def test_the_history_may_be_in_a_schema_of_the_application(project: Project) -> None:
    project.models(_item("name: str", settings="schema = 'shop'"))
    settings = project.place / "pyproject.toml"
    settings.write_text(settings.read_text() + 'schema = "ops"\n')
    project.query("CREATE SCHEMA ops")
    project.make()
    assert project.run("up")[0] == project.run("drift")[0] == project.run("verify")[0] == project.run("down")[0] == 0


def test_questions_are_asked_on_a_terminal(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.models(_item("name: str"))
    project.make()
    project.models(_item("title: str", "price: int"))
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "y" if "renamed" in question else "0"

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    text = project.make()
    assert len(asked) == 2 and "Is the new column title the renamed item.name?" in asked[0]
    assert "ddl.RenameColumn" in text and "ddl.DropColumn" not in text.partition("down_operations")[0]


def test_what_does_not_prove_itself_is_not_written(project: Project) -> None:
    project.models(_item("price: str"))
    project.make()
    before = project.files(), (project.directory / "schema.lock").read_text()
    project.models(_item("price: int"))
    status, out, err = project.run("make", "--using", "item.price:nonsense(price)")
    assert status == 8 and "nonsense" in err, out + err
    assert (project.files(), (project.directory / "schema.lock").read_text()) == before


def test_a_hand_written_migration_is_replayed(project: Project) -> None:
    project.models(_item("name: str"))
    project.make()
    version = "29991231235959"
    (project.directory / f"{version}_hand.sql").write_text(
        "-- up\nALTER TABLE item ADD COLUMN price bigint;\nCREATE TABLE audit (id bigint);\n"
        "-- down\nDROP TABLE audit;\nALTER TABLE item DROP COLUMN price;\n"
    )
    assert "schema.lock is not up to date" in project.run("make", "--check")[1]
    project.models(_item("name: str", "price: int | None = None", "more: str | None = None"))
    status, out, err = project.run("make")
    assert status == 0, out + err
    assert "no class declares the table audit: it is left alone" in out
    assert "+ table item, column more" in out and "price" not in out
    text = project.files()[-1].read_text()
    assert "audit" not in text and project.files()[-1].name > f"{version}_hand.sql"
    assert project.run("up")[0] == 0
    assert project.run("verify")[0] == 0


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_branches_that_were_merged(side: str, project: Project) -> None:
    """Two branches conflict in one line; whichever side is taken, make runs all migrations and mends the lock."""
    project.models(_item("name: str"))
    project.make()
    lock = project.directory / "schema.lock"
    base = lock.read_text()
    project.models(_item("name: str", "ours: str | None = None"))
    project.make("-m", "ours")
    ours = lock.read_text()
    lock.write_text(base)
    own = project.files()[-1]
    own.rename(project.place / own.name)
    while datetime.now(UTC).strftime("%Y%m%d%H%M%S") <= own.name.partition("_")[0]:
        time.sleep(0.05)  # a version is a second
    project.models(_item("name: str", "theirs: str | None = None"))
    project.make("-m", "theirs")
    theirs = lock.read_text()
    assert [line for line in ours.splitlines() if line.startswith("head")] != [
        line for line in theirs.splitlines() if line.startswith("head")
    ]
    (project.place / own.name).rename(own)
    lock.write_text(ours if side == "ours" else theirs)
    project.models(_item("name: str", "ours: str | None = None", "theirs: str | None = None"))
    assert "is not up to date" in project.run("make", "--check")[1]
    assert project.make() == ""
    assert project.run("make", "--check")[0] == project.run("verify")[0] == 0
    assert project.run("up")[0] == project.run("drift")[0] == 0


def test_sql_and_dry_run(project: Project) -> None:
    project.models(_item("name: str = Column(index=True)"))
    status, out, _ = project.run("make", "--dry-run")
    assert status == 0 and "ddl.CreateTable" in out and project.files() == []
    project.make()
    project.models(_item("name: str", "price: int = Column(server_default='1', index=True)"))
    text = project.make("--sql", "-m", "add a price")
    assert text.startswith("-- add a price\n-- no-transaction\n\n-- up\n")
    assert "CREATE INDEX CONCURRENTLY" in text and "\n-- down\n" in text
    assert [path.suffix for path in project.files()] == [".py", ".sql"]
    assert project.run("up")[0] == project.run("verify")[0] == project.run("drift")[0] == 0


def test_check_needs_no_database(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.models(_item("name: str = Column(check=\"name <> ''\")"))
    assert project.run("make", "--check")[:2] == (3, "+ table item\n")
    project.make()
    monkeypatch.setattr(new_migration, "Shadow", None)
    assert project.run("make", "--check")[:2] == (0, "nothing changed\n")
    project.models(_item("name: str = Column(check=\"name <> 'x'\")", "note: str | None = None"))
    status, out, _ = project.run("make", "--check", "--json")
    assert status == 3
    assert json.loads(out)["changes"] == [
        "+ table item, column note: text",
        "~ table item, constraint item_name_check: CHECK (name <> '') → CHECK (name <> 'x')",
    ]


def test_other_words_for_the_same_are_no_migration(project: Project) -> None:
    project.models(_item("price: int = Column(check='price > 0')"))
    project.make()
    project.models(_item("price: int = Column(check='price>0')"))
    assert project.run("make", "--check")[0] == 3
    status, out, _ = project.run("make")
    assert (status, out) == (0, "nothing changed\nmigrations/schema.lock\n")
    assert project.run("make", "--check")[0] == 0


def test_what_is_written_says_where_a_person_has_to_look(project: Project) -> None:
    project.models(_item("name: str", "price: int"))
    project.make()
    project.models(_item("name: str", "price: float").replace("'item'", "'item'"))
    text = project.make()
    assert "# Look here: was bigint" in text
    report = asyncio.run(lint_migrations(directory=project.directory))
    assert [f.rule for f in report.findings if f.severity != "info"] == []
    assert {f.rule for f, _ in report.waived} == {"L17", "L19"}


def test_a_table_moves_to_another_schema(project: Project) -> None:
    project.models(_item("name: str = Column(unique=True)", "parent: Link['Item'] = Column(nullable=True)"))
    project.make()
    project.run("up")
    project.query("INSERT INTO item (name) VALUES ('a')")
    project.models(
        _item(
            "name: str = Column(unique=True)",
            "parent: Link['Item'] = Column(nullable=True)",
            settings="schema = 'archive'",
        )
    )
    text = project.make("--rename", "item:archive.item")
    assert 'ddl.SetSchema("item", "archive")' in text and "DropTable" not in text
    assert project.run("up")[0] == 0
    assert project.query("SELECT name FROM archive.item") == [{"name": "a"}]
    assert project.run("drift")[0] == project.run("verify")[0] == project.run("down")[0] == 0
    assert project.query("SELECT name FROM item") == [{"name": "a"}]


def test_a_many_to_many_relation_brings_its_table(project: Project) -> None:
    project.models(
        _HEAD
        + "class Tag(Table):\n    id: int = Column(primary_key=True)\n\n"
        + "class Post(Table):\n    id: int = Column(primary_key=True)\n    tags: ManyToMany[Tag] = ManyToMany(through='post_tags')\n"
    )
    assert '"post_tags"' in project.make()


def test_the_declared_schema_must_be_possible(project: Project) -> None:
    project.models(_item("name: str = Column(check='nonsense(name)')"))
    status, _, err = project.run("make")
    assert status == 1
    assert (
        "the declared schema cannot be made: table item, constraint item_name_check: function nonsense(text) does"
        in err
    )
    assert not project.directory.exists()


def test_a_merge_conflict_in_the_lock_is_named(project: Project) -> None:
    project.models(_item("name: str"))
    project.make()
    lock = project.directory / "schema.lock"
    lock.write_text(lock.read_text().replace("head ", "<<<<<<< ours\nhead "))
    status, _, err = project.run("make", "--check")
    assert status == 6 and "schema.lock:4: a merge conflict" in err
