"""`data-bridge check` finds each thing where it was made for real, and nothing in a database that is as it should be."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_bridge.core import Database
from data_bridge.core.cli import main
from data_bridge.testing import EmbeddedServer

MODELS = """
from data_bridge.core import text
from data_bridge.postgres import Col, Column, Table, param

class Author(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    name: Col[str]

class Book(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    author: Col[int] = Column(foreign_key=Author, index=True)

by_name = Author.find(Author.name == "hidden value").order_by(Author.id)
prepared = Author.find(Author.name == param("name")).prepare()
raw = text("SELECT name FROM author WHERE id = $1", 1)
"""


SAFE = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit", "autovacuum", "track_counts"), "on")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    safe = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit", "autovacuum", "track_counts"), "on")
    with EmbeddedServer(settings={**safe, "autovacuum_freeze_max_age": "100000"}) as running:
        yield running


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "library_models.py").write_text(MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "library_models"
    sys.modules.pop("library_models", None)


@pytest.fixture
def dsn(server: EmbeddedServer, models: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with just the tables of the models."""
    name = f"checked_{abs(hash(request.node.name))}"
    run(server.dsn, f"CREATE DATABASE {name}")
    made = server.dsn_of(name)

    async def create() -> None:
        from importlib import import_module

        from data_bridge.postgres import create_all

        found = import_module(models)
        async with Database(made) as database:
            await create_all(found.Author, found.Book, using=database)

    asyncio.run(create())
    yield made
    run(server.dsn, f"DROP DATABASE {name} WITH (FORCE)")


def run(dsn: str, *scripts: str) -> None:
    async def each() -> None:
        async with Database(dsn, max_connections=1) as database:
            for script in scripts:
                await database.execute_script(script)

    asyncio.run(each())


def check(capsys: pytest.CaptureFixture[str], dsn: str, *arguments: str) -> list[tuple[str, str]]:
    """Rules and objects, which both forms of the output name."""
    capsys.readouterr()
    status = main(["check", dsn, *arguments])
    plain = capsys.readouterr().out
    assert main(["check", dsn, "--json", *arguments]) == status
    text = capsys.readouterr().out
    found = json.loads(text)
    assert found["ok"] is (status == 0) is (not found["findings"])
    assert "hidden value" not in plain + text
    for finding in found["findings"]:
        assert f"{finding['severity']} {finding['rule']} {finding['object']}:" in " ".join(plain.split())
        assert finding["message"] and finding["hint"]
    return [(finding["rule"], finding["object"]) for finding in found["findings"]]


def test_a_clean_database(dsn: str, models: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(capsys, dsn, "--models", models) == []


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            ["ALTER TABLE author ADD mentor int REFERENCES author (id)"],
            [("foreign-key-without-index", "public.author")],
        ),
        (
            ["ALTER TABLE author ADD mentor int REFERENCES author (id); CREATE INDEX m ON author (mentor) WHERE mentor > 5"],
            [("foreign-key-without-index", "public.author")],
        ),
        (["ALTER TABLE author ADD mentor int REFERENCES author (id); CREATE INDEX m ON author (mentor, name)"], []),
        (["CREATE INDEX a_name ON author (name); CREATE INDEX b_name ON author (name)"], [("duplicate-index", "public.b_name")]),
        (["CREATE INDEX a_id ON author (id)"], [("duplicate-index", "public.a_id")]),
        (["CREATE INDEX a_name ON author (name); CREATE INDEX b_name ON author (name DESC)"], []),
        (["CREATE TABLE notes (a int)"], [("no-primary-key", "public.notes")]),
        (
            ["CREATE TABLE parts (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE parts_1 PARTITION OF parts DEFAULT"],
            [],
        ),
        (
            ["CREATE TABLE n (a int PRIMARY KEY, b serial); SELECT setval('n_b_seq', 1800000000)"],
            [("sequence-near-its-end", "public.n_b_seq")],
        ),
        (["CREATE TABLE n (a int PRIMARY KEY, b bigserial); SELECT setval('n_b_seq', 1800000000)"], []),
        (["CREATE SEQUENCE s; SELECT setval('s', 9000000000000000000)"], [("sequence-near-its-end", "public.s")]),
        (["CREATE SEQUENCE s MAXVALUE 10 CYCLE; SELECT setval('s', 9)"], []),
        (
            ["CREATE SEQUENCE s AS bigint; CREATE TABLE n (a int PRIMARY KEY DEFAULT nextval('s')); ALTER SEQUENCE s OWNED BY n.a; SELECT setval('s', 2000000000)"],
            [("sequence-near-its-end", "public.s")],
        ),
        (
            ["CREATE INDEX idle ON author (name)", "DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM FROM author; END LOOP; END $$", "SELECT pg_stat_force_next_flush(); SELECT 1"],
            [("unused-index", "public.idle")],
        ),
    ],
)  # fmt: skip
def test_what_the_catalog_says(
    dsn: str, capsys: pytest.CaptureFixture[str], made: list[str], expected: list[tuple[str, str]]
) -> None:
    run(dsn, *made)
    assert check(capsys, dsn) == expected


def test_an_invalid_index(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def fail() -> None:
        async with Database(dsn) as database:
            await database.execute("INSERT INTO author (name) VALUES ('a'), ('a')")
            with pytest.raises(Exception, match="23505"):
                await database.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON author (name)")

    asyncio.run(fail())
    assert check(capsys, dsn) == [("invalid-index", "public.broken")]


def test_old_transaction_ids(capsys: pytest.CaptureFixture[str]) -> None:
    async def grow_old(dsn: str) -> list[tuple[str, str]]:
        # The open transaction keeps autovacuum from freezing what is younger; each block with EXCEPTION takes an id.
        async with Database(dsn) as database, database.transaction() as tx:
            await tx.execute("SELECT pg_current_xact_id()")
            async with Database(dsn, max_connections=1) as other:
                await other.execute("CREATE TABLE burnt (a bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
                for _ in range(8):
                    await other.execute(BURN)
            return await asyncio.to_thread(check, capsys, dsn)

    with EmbeddedServer(settings={**SAFE, "autovacuum_freeze_max_age": "100000"}) as server:
        assert check(capsys, server.dsn) == []
        assert asyncio.run(grow_old(server.dsn)) == [("transaction-id-age", "postgres")]


BURN = """
    DO $$ BEGIN
        FOR i IN 1..20000 LOOP
            BEGIN INSERT INTO burnt DEFAULT VALUES; EXCEPTION WHEN division_by_zero THEN NULL; END;
        END LOOP;
    END $$
"""


def test_settings(server: EmbeddedServer, dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = dsn.rpartition("/")[2]
    run(
        server.dsn,
        f"ALTER DATABASE {name} SET synchronous_commit = off; ALTER DATABASE {name} SET zero_damaged_pages = on",
    )
    assert check(capsys, dsn) == [("setting", "synchronous_commit = off"), ("setting", "zero_damaged_pages = on")]


def test_settings_of_a_server_for_tests(capsys: pytest.CaptureFixture[str]) -> None:
    with EmbeddedServer(
        settings={"autovacuum": "off", "track_counts": "off", "ignore_checksum_failure": "on"}
    ) as reckless:
        found = check(capsys, reckless.dsn)
    assert found == [
        ("setting", "autovacuum = off"),
        ("setting", "fsync = off"),
        ("setting", "full_page_writes = off"),
        ("setting", "ignore_checksum_failure = on"),
        ("setting", "synchronous_commit = off"),
        ("setting", "track_counts = off"),
    ]


def test_classes_and_queries(dsn: str, models: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(dsn, "ALTER TABLE author DROP COLUMN name")
    assert check(capsys, dsn, "--models", models) == [
        ("statement", "library_models.Author"),
        ("statement", "library_models.by_name"),
        ("statement", "library_models.prepared"),
        ("statement", "library_models.raw"),
        ("schema", "library_models.Author"),
    ]


def test_what_cannot_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "postgresql://ann:s3cret@127.0.0.1:1/x"]) == 2
    assert main(["check", "postgresql://ann:s3cret@127.0.0.1:1/x", "--models", "no_such_module"]) == 2
    said = capsys.readouterr()
    assert "no module 'no_such_module'" in said.err and "s3cret" not in said.err + said.out
