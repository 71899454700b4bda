"""Databases made, cloned and dropped; templates; resets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data_bridge.testing import ConfigurationError, EmbeddedServer
from data_bridge.testing.databases.databases import Databases
from data_bridge.testing.databases.reset import delete_rows, reset_sequences
from data_bridge.testing.databases.source import EmbeddedSource, attach
from data_bridge.testing.databases.template import Template, content_key, ensure_template
from data_bridge.testing.server.admin import AdminError

from ..conftest import eventually

SCHEMA = (
    "CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent_id int REFERENCES parent);"
    'CREATE TABLE "Odd name" (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent);'
    "CREATE VIEW v AS SELECT * FROM parent"
)


@pytest.fixture
def source(embedded_server: EmbeddedServer) -> EmbeddedSource:
    return EmbeddedSource(embedded_server)


@pytest.fixture
def databases(source: EmbeddedSource) -> Iterator[Databases]:
    made = Databases(source)
    yield made
    made.close()


def names(source: EmbeddedSource) -> set[str]:
    with closing(source.session()) as session:
        return {str(row[0]) for row in session.run("SELECT datname FROM pg_database")}


def ask(source: EmbeddedSource, database: str, sql: str) -> list[tuple[str | None, ...]]:
    with closing(source.session(database)) as session:
        return session.run(sql)


class Build:
    """Builds a template by SQL and counts how often it was asked to."""

    def __init__(self, source: EmbeddedSource, sql: str = SCHEMA) -> None:
        self.source, self.sql, self.calls = source, sql, 0

    def __call__(self, dsn: str, content: object) -> None:
        self.calls += 1
        ask(self.source, dsn.rsplit("/", 1)[1], self.sql)


@pytest.fixture
def template(source: EmbeddedSource) -> Template:
    return ensure_template(source, build_template_content, Build(source))


def build_template_content() -> None:
    """Stands for a user's function."""


def test_names_are_never_used_twice(source: EmbeddedSource) -> None:
    one, two = Databases(source), Databases(source, "gw1")
    assert len({one.fresh_name("x"), one.fresh_name("x"), two.fresh_name("x")}) == 3


def test_create_and_drop(source: EmbeddedSource, databases: Databases) -> None:
    name = databases.create()
    assert name in names(source)
    with closing(source.session(name)) as open_session:
        databases.drop(name)
        with pytest.raises((AdminError, OSError)):
            open_session.run("SELECT 1")
    assert name not in names(source)


def test_a_template_is_built_once(source: EmbeddedSource) -> None:
    builder = Build(source, SCHEMA + "; CREATE TABLE built_once (id int)")
    content = [test_a_template_is_built_once, Template]
    first = ensure_template(source, content, builder)
    second = ensure_template(source, content, builder)
    assert first.database == second.database
    assert builder.calls == 1
    assert not first.seeded


def test_builders_that_race_share_one_template(source: EmbeddedSource) -> None:
    builder = Build(source, "SELECT pg_sleep(0.1); CREATE TABLE raced (id int)")
    found: list[Template] = []
    threads = [
        threading.Thread(target=lambda: found.append(ensure_template(source, [eventually], builder))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({template.database for template in found}) == 1
    assert len(found) == 3
    assert builder.calls == 1


def test_a_failed_build_leaves_nothing_and_is_tried_again(source: EmbeddedSource) -> None:
    with pytest.raises(AdminError, match="syntax"):
        ensure_template(source, [names], Build(source, "CREATE TABL x"))
    left = names(source)
    made = ensure_template(source, [names], Build(source, "CREATE TABLE x ()")).database
    assert made in names(source)
    # Other processes make and drop databases meanwhile.
    assert [name for name in left if made in name] == []


def test_rows_in_a_template_are_noticed(source: EmbeddedSource) -> None:
    seeded = ensure_template(source, [ask], Build(source, "CREATE TABLE s AS SELECT 1 AS n"))
    assert seeded.seeded


def test_nobody_connects_to_a_template(source: EmbeddedSource, template: Template) -> None:
    with pytest.raises(AdminError, match="not currently accepting connections"):
        ask(source, template.database, "SELECT 1")


def test_clones_are_complete_and_separate(source: EmbeddedSource, databases: Databases, template: Template) -> None:
    one, two = databases.clone(template.database), databases.clone(template.database)
    ask(source, one, "INSERT INTO parent DEFAULT VALUES")
    assert ask(source, one, "SELECT count(*) FROM parent") == [("1",)]
    assert ask(source, two, "SELECT count(*) FROM parent") == [("0",)]


def test_spares_wait_and_drops_happen_behind(source: EmbeddedSource, databases: Databases, template: Template) -> None:
    first = databases.clone(template.database)
    assert eventually(lambda: len(databases._spares[template.database]) == 2)
    spare = databases._spares[template.database][-1]
    assert databases.clone(template.database) == spare
    databases.drop_later(first)
    assert eventually(lambda: first not in names(source))


def test_background_work_survives_a_missing_template(databases: Databases) -> None:
    databases._later("clone", "no_such_template")
    databases.drop_later(databases.create())
    databases.close()
    assert databases._spares["no_such_template"] == []


def test_a_kept_database_is_not_dropped(source: EmbeddedSource) -> None:
    databases = Databases(EmbeddedSource(source.server, lasts=True))
    try:
        kept, dropped = databases.create(), databases.create()
        assert databases.keep(kept).endswith("/" + kept)
        databases.close()
        assert kept in names(source)
        assert dropped not in names(source)
    finally:
        databases.drop(kept)


def test_an_attached_source_reaches_the_same_server(source: EmbeddedSource, databases: Databases) -> None:
    name = databases.create()
    worker = attach(source.facts())
    assert worker.dsn_of(name) == source.dsn_of(name)
    worker.close()
    assert name in names(source), "closing a view does nothing"


@pytest.mark.parametrize("superuser", [True, False])
def test_rows_are_deleted_whatever_refers_to_them(
    source: EmbeddedSource, databases: Databases, superuser: bool
) -> None:
    name = databases.create()
    ask(source, name, SCHEMA)
    ask(
        source,
        name,
        "INSERT INTO parent DEFAULT VALUES; INSERT INTO parent (parent_id) VALUES (1);"
        'INSERT INTO "Odd name" VALUES (1, 2)',
    )
    with closing(source.session(name)) as session:
        if not superuser:
            session.run(
                "DROP OWNED BY plain"
                if session.run("SELECT 1 FROM pg_roles WHERE rolname = 'plain'")
                else "CREATE ROLE plain"
            )
            session.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain; SET ROLE plain")
        assert delete_rows(session) == 2
        session.run("RESET ROLE")
        assert session.run('SELECT (SELECT count(*) FROM parent) + (SELECT count(*) FROM "Odd name")') == [("0",)]
        assert session.run("INSERT INTO parent DEFAULT VALUES RETURNING id") == [("3",)]
        assert reset_sequences(session) == 1
        assert session.run("DELETE FROM parent; INSERT INTO parent DEFAULT VALUES RETURNING id") == [("1",)]


def test_an_empty_database_needs_no_reset(source: EmbeddedSource, databases: Databases) -> None:
    with closing(source.session(databases.create())) as session:
        assert delete_rows(session) == 0
        assert reset_sequences(session) == 0


def test_keys_follow_the_content(tmp_path: Path) -> None:
    (tmp_path / "1_first.py").write_text("a = 1")
    before = content_key(tmp_path, "18.6")
    assert content_key(str(tmp_path), "18.6") == before
    assert content_key(tmp_path, "17.1") != before
    (tmp_path / "1_first.py").write_text("a = 2")
    assert content_key(tmp_path, "18.6") != before
    assert content_key(None, "18.6") != content_key(ask, "18.6")


@pytest.mark.parametrize("content", ["no/such/folder", 7, {"a": 1}])
def test_content_that_makes_no_sense(content: object) -> None:
    with pytest.raises(ConfigurationError):
        content_key(content, "18.6")
