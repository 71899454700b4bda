"""`data-bridge migrate make` for functions and triggers: what is written, and that its way back restores the former body."""

from __future__ import annotations

import json
from typing import Any

import pytest

Project = Any
_HEAD = "from pathlib import Path\nfrom data_bridge.orm import *\n"
_TOUCH = (
    "touch = Function('''CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  new.changes := {};\n"
    "  RETURN new;\nEND$$''')\n"
)
_ITEM = (
    "\nclass Item(Table):\n    class Settings:\n        name = 'item'\n        triggers = [Trigger('touched', 'BEFORE UPDATE OF name', touch{})]\n"
    "    id: int = Column(primary_key=True, auto_increment=True)\n    name: {}\n    changes: int = 0\n"
)


def _models(value: str = "old.changes + 1", options: str = "", name: str = "str", more: str = "") -> str:
    return _HEAD + _TOUCH.format(value) + _ITEM.format(options, name) + more


def _made(project: Project) -> str:
    project.models(_models())
    text: str = project.make()
    assert project.run("up")[0] == 0
    project.query("INSERT INTO item (name, changes) VALUES ('a', 0)")
    return text


def _changes(project: Project) -> int:
    project.query("UPDATE item SET name = name || '!'")
    return int(project.query("SELECT max(changes) AS n FROM item")[0]["n"])


def test_a_function_and_its_trigger_are_made(project: Project) -> None:
    text = _made(project)
    assert (
        "        ddl.CreateFunction(\n            FunctionDef(\n                'CREATE FUNCTION \"touch\"()\\n'\n"
        '                " RETURNS trigger\\n"\n                " LANGUAGE plpgsql\\n"\n                "AS $function$\\n"\n'
        '                "BEGIN\\n"\n                "  new.changes := old.changes + 1;\\n"\n'
    ) in text, text
    assert 'TriggerDef(\n                "touched",\n                "BEFORE UPDATE OF name",\n' in text, text
    assert _changes(project) == 1
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    assert project.run("make", "--check") == (0, "nothing changed\n", "")
    assert project.run("make")[1] == "nothing changed\n"
    assert project.run("verify")[0] == project.run("lint")[0] == 0
    lock = (project.directory / "schema.lock").read_text()
    assert "\nfunction touch ()\\n RETURNS trigger\\n" in lock
    assert "\n  trigger touched BEFORE UPDATE OF name ON TABLE FOR EACH ROW EXECUTE FUNCTION touch()\n" in lock


def test_the_way_back_restores_the_former_body(project: Project) -> None:
    _made(project)
    assert _changes(project) == 1
    project.models(_models("old.changes + 10"))
    text = project.make()
    assert text.count("or_replace=True") == 2 and "Drop" not in text
    assert project.run("up")[0] == 0
    assert _changes(project) == 11
    assert project.run("down")[0] == 0
    assert _changes(project) == 12


CHANGES = {
    "a comment": (_models(options=", comment='why'"), "ddl.Comment("),
    "a type below": (_models(name="int"), "# Look here: created again below: writes in between go without it"),
    "a function from a file": (
        _models(more="\ntwice = Function((Path(__file__).parent / 'twice.sql').read_text())\n"), '"twice"(n integer)',
    ),
    "a procedure": (
        _models(more="\nclean = Function(\"CREATE PROCEDURE clean() LANGUAGE sql AS 'DELETE FROM item'\")\n"),
        'CREATE PROCEDURE "clean"()',
    ),
    "nothing left": (_HEAD + "\nclass Item(Table):\n    class Settings:\n        name = 'item'\n"
        "    id: int = Column(primary_key=True, auto_increment=True)\n    name: str\n    changes: int = 0\n", "ddl.DropFunction("),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leads_there_and_back(change: str, project: Project) -> None:
    project.models(_models())
    project.make()
    assert project.run("up")[0] == 0
    new, said = CHANGES[change]
    (project.place / "twice.sql").write_text("-- doubles\nCREATE FUNCTION twice(n int) RETURNS int RETURN 2 * n;\n")
    project.models(new)
    assert said in project.make()
    status, out, err = project.run("lint")
    assert status == 0, out + err
    assert project.run("up")[0] == 0
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    assert project.run("verify")[0] == project.run("down")[0] == project.run("up")[0] == 0


DAMAGE = {
    "a trigger is missing": ("DROP TRIGGER touched ON item", "- table item, trigger touched"),
    "a trigger differs": (
        "CREATE OR REPLACE TRIGGER touched AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION touch()",
        "~ table item, trigger touched",
    ),
    "a body differs": (
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'", "~ function touch",
    ),
    "both are missing": ("DROP FUNCTION touch CASCADE", "- function touch"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_drift_is_found_and_repaired(damage: str, project: Project) -> None:
    _made(project)
    sql, says = DAMAGE[damage]
    project.query(sql)
    status, out, err = project.run("drift", "--json")
    assert status == 3, out + err
    found = json.loads(out)
    assert any(line.startswith(says) for line in found["changes"]), found
    for statement in found["sql"]:
        project.query(statement)
    assert project.run("drift")[0] == 0


def test_a_body_that_the_server_refuses_writes_nothing(project: Project) -> None:
    project.models(
        _HEAD + "wrong = Function(\"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT x FROM nothing'\")\n"
    )
    status, _, err = project.run("make")
    assert status == 8 and 'relation "nothing" does not exist' in err, err
    assert project.files() == []


def test_two_declarations_of_one_function_must_agree(project: Project) -> None:
    project.models(
        _HEAD
        + "one = Function('CREATE FUNCTION f() RETURNS int RETURN 1')\nother = Function('CREATE FUNCTION f() RETURNS int RETURN 2')\n"
    )
    status, _, err = project.run("make")
    assert status == 2 and "both declare the function f, and not alike" in err
