"""`data-bridge migrate make` for policies: what is written, that rows stay hidden, and that the way back restores them."""

from __future__ import annotations

import json
from typing import Any

import pytest

Project = Any
_MODELS = (
    "from data_bridge.orm import *\nfrom data_bridge.query import sql\n\nclass Note(Table):\n    class Settings:\n"
    "        policies = [{}]\n        {}\n    id: int = Column(primary_key=True, auto_increment=True)\n    tenant: {}\n"
)
_ROW = "RowPolicy('tenant', 'app.tenant')"
_HIDES = "Policy('few', using=sql('tenant < 5'), restrictive=True, roles=('policy_app',), comment='why')"


def _models(*policies: str, setting: str = "", kind: str = "int") -> str:
    return _MODELS.format(", ".join(policies), setting, kind)


def test_a_policy_is_made(project: Project) -> None:
    project.models(_models(_ROW, _HIDES))
    text = project.make()
    assert "ddl.CreatePolicy(" in text and 'ddl.SetRowSecurity("note", "forced")' in text
    assert text.index("ddl.CreatePolicy(") < text.index("ddl.SetRowSecurity(")
    assert project.run("up")[0] == 0
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    assert project.run("make", "--check") == (0, "nothing changed\n", "")
    assert project.run("make")[1] == "nothing changed\n"
    assert project.run("verify")[0] == project.run("lint")[0] == 0
    lock = (project.directory / "schema.lock").read_text()
    assert "\ntable note ROW LEVEL SECURITY FORCED\n" in lock
    assert '\n  policy few AS RESTRICTIVE FOR ALL TO "policy_app" USING ((tenant < 5))\n' in lock
    # A role belongs to the server, which other tests have used.
    project.query("DO $$BEGIN CREATE ROLE policy_reader; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    project.query("GRANT SELECT ON note TO policy_reader; INSERT INTO note (tenant) VALUES (1)")
    project.query("ALTER TABLE note OWNER TO policy_reader")
    seen = "SET ROLE policy_reader; DO $$BEGIN IF (SELECT count(*) FROM note) <> {} THEN RAISE 'no'; END IF; END$$"
    project.query(seen.format(0))
    project.query("SET app.tenant = 1; " + seen.format(1))


CHANGES = {
    "another condition": (_models(_ROW, _HIDES.replace("5", "6")), "ddl.AlterPolicy("),
    "it hides no more": (_models(_ROW), 'ddl.DropPolicy("note", "few")'),
    "not forced": (_models(_ROW, _HIDES, setting="row_security = 'enabled'"), 'ddl.SetRowSecurity("note", "enabled")'),
    "no policy": (_models(), "# Look here: every role sees and writes all rows from here on."),
    "another type": (
        _models(_ROW, _HIDES, kind="float"), "# Look here: rows that this policy hides can be seen from here on until",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leads_there_and_back(change: str, project: Project) -> None:
    project.models(_models(_ROW, _HIDES))
    project.make()
    assert project.run("up")[0] == 0
    new, said = CHANGES[change]
    project.models(new)
    text = project.make()
    assert said in text, text
    status, out, err = project.run("lint")
    assert status == 0, out + err
    assert project.run("up")[0] == 0
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    assert project.run("verify")[0] == project.run("down")[0] == project.run("up")[0] == 0


DAMAGE = {
    "a policy is missing": ("DROP POLICY few ON note", "- table note, policy few"),
    "a policy differs": ("ALTER POLICY few ON note USING (tenant < 6)", "~ table note, policy few"),
    "security is disabled": ("ALTER TABLE note DISABLE ROW LEVEL SECURITY", "~ table note"),
    "security is not forced": ("ALTER TABLE note NO FORCE ROW LEVEL SECURITY", "~ table note"),
    "a policy is new": ("CREATE POLICY more ON note USING (true)", "+ table note, policy more"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_drift_is_found_and_repaired(damage: str, project: Project) -> None:
    project.models(_models(_ROW, _HIDES))
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
