"""`data-bridge migrate verify` and `drift`: what they find, and that the SQL of drift repairs a database."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from data_bridge.migrate.making.shadow import Shadow

Project = Any
MODELS = """
from data_bridge.orm import *
from data_bridge.query import types

class Item(Table):
    class Settings:
        name = 'item'
        indexes = [Index('price', where='price > 0', name='cheap')]
    id: int = Column(primary_key=True, auto_increment=True)
    name: str = Column(unique=True, comment='its name')
    price: int = Column(server_default='1', check='price >= 0')
    parent: Link['Item'] = Column(nullable=True, on_delete='CASCADE')
    mood: str = Column(type=types.Enum('mood', 'sad', 'ok'))
"""


def _project(project: Project) -> Project:
    project.models(MODELS)
    project.make()
    assert project.run("up")[0] == 0
    return project


def _hand_written(project: Project, up: str, down: str) -> None:
    (project.directory / "29991231235959_hand.sql").write_text(f"-- up\n{up}\n-- down\n{down}\n")


@pytest.mark.parametrize(
    ("up", "down", "says"),
    [
        ("CREATE TABLE a (id int);", "SELECT 1;", "+ table a"),
        ("ALTER TABLE item ADD a int;", "ALTER TABLE item DROP a; DROP INDEX cheap;", "- table item, index cheap"),
        ("CREATE VIEW v AS SELECT 1 AS one;", "CREATE OR REPLACE VIEW v AS SELECT 2 AS one;", "+ view v"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "SELECT 1;", "+ function f"),
        ("CREATE AGGREGATE f(int) (sfunc = int4pl, stype = int);", "SELECT 1;", "+ aggregate f(integer)"),
        ("ALTER TABLE item ADD a int;", "ALTER TABLE item DROP b;", 'column "b" of relation "item" does not exist'),
    ],
)
def test_a_way_back_that_leads_elsewhere_is_found(project: Project, up: str, down: str, says: str) -> None:
    _hand_written(_project(project), up, down)
    status, out, err = project.run("verify", "29991231235959")
    assert status == 8 and says in out + err, out + err


def test_a_good_history_is_verified(project: Project) -> None:
    _project(project)
    version = project.files()[0].name[:14]
    assert project.run("verify")[:2] == (0, f"{version}: up and down\n")
    assert project.run("verify", "1")[0] == 1
    text = project.files()[0].read_text()
    project.files()[0].write_text(text.replace("price >= 0", "price >= 5"))
    status, out, _ = project.run("verify")
    assert status == 8 and "the migrations do not lead to schema.lock" in out and "item_price_check" in out
    status, out, _ = project.run("verify", "--json")
    assert status == 8 and json.loads(out)["ok"] is False


def test_a_migration_without_a_way_back_is_said(project: Project) -> None:
    _project(project)
    (project.directory / "29991231235959_hand.sql").write_text("-- irreversible: rows are gone\nSELECT 1;\n")
    status, out, _ = project.run("verify", "29991231235959")
    assert "29991231235959: up only: rows are gone" in out
    assert status == 8 and "schema.lock is not up to date" in out


DAMAGE = {
    "a column is missing": ("ALTER TABLE item DROP COLUMN price", "- table item, column price"),
    "a column is new": ("ALTER TABLE item ADD COLUMN more text", "+ table item, column more: text"),
    "a type differs": (
        "ALTER TABLE item DROP CONSTRAINT item_price_check; DROP INDEX cheap; "
        "ALTER TABLE item ALTER price TYPE numeric; "
        "ALTER TABLE item ADD CONSTRAINT item_price_check CHECK (price >= 0); CREATE INDEX cheap ON item (price) WHERE price > 0",
        "~ table item, column price",
    ),
    "a default differs": ("ALTER TABLE item ALTER price SET DEFAULT 2", "~ table item, column price"),
    "a column may be NULL": ("ALTER TABLE item ALTER name DROP NOT NULL", "~ table item, column name"),
    "an index is missing": ("DROP INDEX cheap", "- table item, index cheap"),
    "an index differs": (
        "DROP INDEX cheap; CREATE INDEX cheap ON item (price) WHERE price > 1", "~ table item, index cheap",
    ),
    "a check is not validated": (
        "ALTER TABLE item DROP CONSTRAINT item_price_check; "
        "ALTER TABLE item ADD CONSTRAINT item_price_check CHECK (price >= 0) NOT VALID",
        "~ table item, constraint item_price_check",
    ),
    "a foreign key does something else": (
        "ALTER TABLE item DROP CONSTRAINT item_parent_id_fkey; "
        "ALTER TABLE item ADD CONSTRAINT item_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES item (id)",
        "~ table item, constraint item_parent_id_fkey",
    ),
    "a comment is missing": ("COMMENT ON COLUMN item.name IS NULL", "- table item, column name, comment"),
    "an enum has a value more": ("ALTER TYPE mood ADD VALUE 'new'", "~ enum mood"),
    "the table is missing": ("DROP TABLE item", "- table item"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_drift_is_found_and_its_sql_repairs_it(damage: str, project: Project) -> None:
    _project(project)
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    sql, says = DAMAGE[damage]
    project.query(sql)
    status, out, err = project.run("drift", "--json")
    assert status == 3, out + err
    found = json.loads(out)
    assert any(line.startswith(says) for line in found["changes"]), found
    assert found["unrecorded"] == []
    for statement in found["sql"]:
        project.query(statement)
    assert project.run("drift")[0] == 0


def test_what_is_not_recorded_is_named_and_left_alone(project: Project) -> None:
    _project(project)
    project.query(
        "CREATE TABLE other (id int); CREATE VIEW v AS SELECT 1 AS one; "
        "CREATE AGGREGATE f(int) (sfunc = int4pl, stype = int); CREATE TYPE colour AS ENUM ('red')"
    )
    status, out, _ = project.run("drift")
    assert status == 0
    assert out.splitlines() == [
        "the database is as recorded", "not recorded: enum colour", "not recorded: table other", "not recorded: view v",
        "not modelled: aggregate f(integer)",
    ]  # fmt: skip
    assert project.run("drift", "--strict")[0] == 3


def test_the_default_schema_is_that_of_the_search_path(project: Project) -> None:
    _project(project)
    project.query("CREATE SCHEMA app; ALTER TABLE item SET SCHEMA app; ALTER TYPE mood SET SCHEMA app")
    assert project.run("drift")[0] == 3
    project.database += ("&" if "?" in project.database else "?") + "options=-csearch_path%3Dapp,public"
    status, out, err = project.run("drift")
    assert (status, out) == (0, "the database is as recorded\n"), out + err


def test_pending_migrations_are_mentioned(project: Project) -> None:
    project.models(MODELS)
    project.make()
    status, out, _ = project.run("drift")
    assert status == 3 and "1 migrations are pending" in out


def test_without_a_lock_there_is_nothing_to_compare_with(project: Project) -> None:
    _project(project)
    (project.directory / "schema.lock").unlink()
    status, _, err = project.run("drift")
    assert status == 2 and "there is no schema.lock" in err


def test_a_lock_that_was_changed_by_hand_is_refused(project: Project) -> None:
    _project(project)
    lock = project.directory / "schema.lock"
    lock.write_text(lock.read_text().replace("bigint DEFAULT 1", "int DEFAULT 1"))
    project.models(MODELS.replace("'1'", "'2'"))
    status, _, err = project.run("make")
    assert status == 1 and "schema.lock was changed by hand" in err and "column price" in err


def test_a_lock_of_an_unknown_migration_is_a_conflict(project: Project) -> None:
    _project(project)
    lock = project.directory / "schema.lock"
    lock.write_text(lock.read_text().replace("head 2", "head 1"))
    status, _, err = project.run("make")
    assert status == 6 and "there is no such migration" in err


def test_a_shadow_that_is_not_there_is_a_matter_of_configuration(project: Project) -> None:
    project.models(MODELS)
    status, _, err = project.run("make", "--shadow", "postgresql://nobody@127.0.0.1:1/x?connect_timeout=1")
    assert status == 2 and "the shadow server" in err and not project.files()


def test_models_that_are_not_there_are_a_matter_of_configuration(project: Project) -> None:
    assert project.run("make", "--models", "nowhere_at_all")[0] == 2
    assert "declare no tables" in project.run("make")[2]


def test_no_database_is_left_behind(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    _project(project)
    made: list[str] = []
    enter = Shadow.database

    @asynccontextmanager
    async def recorded(self: Shadow) -> AsyncGenerator[Any]:
        async with enter(self) as database:
            made.append(await database.fetch_val("SELECT current_database()"))
            yield database

    # Other workers have shadows of their own on the same server.
    monkeypatch.setattr(Shadow, "database", recorded)
    project.run("verify")
    assert made
    for name in made:
        assert project.query(f"SELECT datname FROM pg_database WHERE datname = '{name}'") == []
