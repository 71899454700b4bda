"""`data-bridge migrate make` for views: what is written, and that rows and readers survive it."""

from __future__ import annotations

import json
from typing import Any

import pytest

Project = Any
_HEAD = "from data_bridge.orm import *\nfrom data_bridge.query import ViewDef, types\n"
_ITEM = (
    "\nclass Item(Table):\n    class Settings:\n        name = 'item'\n"
    "    id: int = Column(primary_key=True, auto_increment=True)\n    name: str\n    price: {}\n"
)
_CHEAP = (
    "\nclass Cheap(Table):\n    class Settings:\n        view = View(Item.find(Item.price < {}){})\n        comment = 'for all'\n"
    "    id: int\n    name: str\n    price: {}\n"
)


def _models(price: str = "int", limit: str = "10", more: str = "", options: str = "") -> str:
    return _HEAD + _ITEM.format(price) + _CHEAP.format(limit, options, price) + more


def _bare(text: str) -> str:
    """Without white space, ends of lines in a text, and the table before each column, which versions up to 15 print."""
    return "".join(text.split()).replace('""', "").replace("item.", "").replace("cheap.", "")


def test_a_view_is_made_of_a_query(project: Project) -> None:
    project.models(_models())
    text = project.make()
    created = 'ddl.CreateView("cheap", "SELECT id,\\n name,\\n price\\n FROM item\\n WHERE (price < 10)"'
    assert _bare(created) in _bare(text)
    assert 'ddl.Comment("view", "cheap", "for all")' in text
    assert project.run("up")[0] == 0
    project.query("INSERT INTO item (name, price) VALUES ('a', 5), ('b', 15)")
    assert project.query("SELECT name FROM cheap") == [{"name": "a"}]
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    assert project.run("make", "--check") == (0, "nothing changed\n", "")
    assert project.run("make")[1] == "nothing changed\n"
    assert project.run("verify")[0] == 0
    lock = (project.directory / "schema.lock").read_text()
    assert "\nview cheap AS SELECT id,\\n" in lock.replace("item.", "") and "\n  comment for all\n" in lock
    project.models(_HEAD + _ITEM.format("int"))
    status, out, _ = project.run("make", "--check")
    assert status == 3 and "- view cheap" in out
    assert 'ddl.DropView("cheap")' in project.make()
    assert project.run("up")[0] == project.run("down")[0] == 0
    assert project.query("SELECT obj_description('cheap'::regclass) AS c") == [{"c": "for all"}]


CHANGES = {
    "another condition": (_models(limit="20"), ("or_replace=True",), ("DropView",)),
    "another type below": (
        _models("float"), ('ddl.DropView("cheap")', "ddl.AlterColumnType", "# Look here: created again below"), ("or_replace",),
    ),
    "materialized": (
        _models(options=", materialized=True"), ('ddl.DropView("cheap")', "materialized=True"), ("or_replace",),
    ),
    "a view without a class": (
        _models(more="\nnames = ViewDef('names', 'SELECT name FROM cheap', security_barrier=True)\n"),
        ('"names", "SELECT name\\n   FROM cheap", security_barrier=True',), ("DropView(\"cheap\")", "or_replace"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_view_keeps_rows_and_leads_back(change: str, project: Project) -> None:
    project.models(_models())
    project.make()
    assert project.run("up")[0] == 0
    project.query("INSERT INTO item (name, price) VALUES ('a', 5), ('b', 15)")
    new, said, unsaid = CHANGES[change]
    project.models(new)
    text = project.make()
    up = _bare(text.partition("down_operations")[0])
    assert all(_bare(word) in up for word in said) and not any(_bare(word) in up for word in unsaid), text
    status, out, err = project.run("lint")
    assert status == 0, out + err
    assert project.run("up")[0] == 0
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    if change != "materialized":
        assert len(project.query("SELECT name FROM cheap")) == (2 if change == "another condition" else 1)
    assert project.run("down")[0] == project.run("up")[0] == 0
    assert len(project.query("SELECT * FROM item")) == 2


DAMAGE = {
    "a view is missing": ("DROP VIEW cheap", "- view cheap"),
    "a view says something else": ("CREATE OR REPLACE VIEW cheap AS SELECT id, name, price FROM item", "~ view cheap"),
    "a view has another option": ("ALTER VIEW cheap SET (security_barrier = true)", "~ view cheap"),
    "a view has no comment": ("COMMENT ON VIEW cheap IS NULL", "- view cheap, comment"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_drift_of_a_view_is_found_and_repaired(damage: str, project: Project) -> None:
    project.models(_models())
    project.make()
    assert project.run("up")[0] == 0
    sql, says = DAMAGE[damage]
    project.query(sql)
    status, out, err = project.run("drift", "--json")
    assert status == 3, out + err
    found = json.loads(out)
    assert any(line.startswith(says) for line in found["changes"]), found
    for statement in found["sql"]:
        project.query(statement)
    assert project.run("drift")[0] == 0


def test_a_view_that_nobody_declares_is_left_alone(project: Project) -> None:
    project.models(_models())
    project.make()
    (project.directory / "29991231235959_hand.sql").write_text(
        "-- up\nCREATE VIEW own AS SELECT 1 AS one;\n-- down\nDROP VIEW own;\n"
    )
    status, out, err = project.run("make")
    assert status == 0, out + err
    assert "view own" in out + err
    assert "own" not in (project.directory / "schema.lock").read_text()


def test_a_declared_view_that_the_server_refuses_is_named(project: Project) -> None:
    project.models(_models(more="\nwrong = ViewDef('wrong', 'SELECT nothing FROM cheap')\n"))
    status, _, err = project.run("make")
    assert status == 1
    assert 'the declared schema cannot be made: view wrong: column "nothing" does not exist' in err


def test_an_alias_of_a_view_declares_no_table(project: Project) -> None:
    project.models(
        _models(
            more="\nother = aliased(Cheap)\nraw = ViewDef('raw', 'SELECT 1 AS n')\nsource = raw.source\nitem = aliased(Item)\n"
        )
    )
    text = project.make()
    assert text.count("ddl.CreateTable(") == 1 and text.count("ddl.CreateView(") == 2
    assert project.run("up")[0] == 0


def test_two_declarations_of_one_view_must_agree(project: Project) -> None:
    project.models(
        "from data_bridge.query import ViewDef\none = ViewDef('v', 'SELECT 1 AS n')\nother = ViewDef('v', 'SELECT 2 AS n')\n"
    )
    status, _, err = project.run("make")
    assert status == 2 and "both declare the view v, and not alike" in err
