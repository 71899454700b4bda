"""`data-bridge migrate make` for privileges: what is written, and that nobody loses privileges that nobody declares."""

from __future__ import annotations

import json
from typing import Any

Project = Any


def _models(grants: str, kind: str = "int") -> str:
    return (
        "from data_bridge.orm import *\n\nclass Note(Table):\n    class Settings:\n        name = 'note'\n"
        f"        grants = [{grants}]\n    id: int = Column(primary_key=True, auto_increment=True)\n    a: {kind}\n\n"
        "class Seen(Table):\n    class Settings:\n        view = 'SELECT id, a FROM note'\n"
        f"        grants = [Grant('SELECT', 'policy_a')]\n    id: int\n    a: {kind}\n"
    )


READ = "Grant('SELECT', 'policy_a')"


def test_privileges_are_granted_and_revoked(project: Project) -> None:
    project.models(_models(READ))
    text = project.make()
    assert 'ddl.Grant("note", ("SELECT",), "policy_a")' in text and 'ddl.Grant("seen", ("SELECT",), "policy_a")' in text
    assert project.run("up")[0] == 0
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    assert project.run("make", "--check") == (0, "nothing changed\n", "")
    assert project.run("make")[1] == "nothing changed\n"
    assert project.run("verify")[0] == project.run("lint")[0] == 0
    assert "\n  grant policy_a SELECT\n" in (project.directory / "schema.lock").read_text()
    project.models(_models(READ.replace("'SELECT'", "('INSERT', 'UPDATE')")))
    text = project.make()
    assert 'ddl.Grant("note", ("INSERT", "UPDATE"), "policy_a")' in text
    assert 'ddl.Revoke("note", ("SELECT",), "policy_a")' in text
    assert project.run("up")[0] == project.run("verify")[0] == project.run("down")[0] == project.run("up")[0] == 0
    assert project.run("drift")[0] == 0
    project.query("REVOKE INSERT ON note FROM policy_a")
    found = json.loads(project.run("drift", "--json")[1])
    assert (
        found["changes"] == ["~ table note, grant policy_a: UPDATE → INSERT, UPDATE"]
        or "grant policy_a" in found["changes"][0]
    )
    for statement in found["sql"]:
        project.query(statement)
    assert project.run("drift")[0] == 0


def test_a_view_that_is_made_again_keeps_its_privileges(project: Project) -> None:
    project.models(_models(READ))
    project.make()
    project.models(_models(READ, kind="str"))
    assert 'ddl.Grant("seen", ("SELECT",), "policy_a")' in project.make()
    assert project.run("up")[0] == 0
    assert project.query("SELECT has_table_privilege('policy_a', 'seen', 'SELECT') AS may") == [{"may": True}]


def test_privileges_that_nobody_declares_are_left_alone(project: Project) -> None:
    project.models(_models(""))
    project.make()
    (project.directory / "29991231235959_hand.sql").write_text(
        "-- up\nGRANT SELECT ON note TO policy_a;\n-- down\nREVOKE SELECT ON note FROM policy_a;\n"
    )
    status, out, err = project.run("make")
    assert status == 0 and "REVOKE" not in out, out + err
    assert "table note grant" in out + err
    assert len(project.files()) == 2
    assert project.run("up")[0] == 0
    status, out, _ = project.run("drift")
    assert (status, out.splitlines()[1:]) == (0, ["not recorded: table note grant"])
    assert project.run("drift", "--strict")[0] == 3
