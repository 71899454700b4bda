"""The contract: builders and corpus agree, the corpus knows every tag, PostgreSQL accepts every text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import query_corpus as corpus
import query_shop as shop
from query_cases import FILES

from data_bridge import core
from data_bridge.query import compile
from data_bridge.testing import EmbeddedServer

CORPUS = corpus.read()
CASES = [(file, name) for file, cases in CORPUS.items() for name in cases]
IR = (Path(corpus.FOLDER).parent / "ir.md").read_text()


@pytest.mark.parametrize(("file", "name"), CASES)
def test_builder_and_corpus_agree(file: str, name: str) -> None:
    case = CORPUS[file][name]
    statement = FILES[file][name]().__statement__()
    assert statement.ir == corpus.tuples(case["ir"])
    assert corpus.plain(statement.params) == case["params"]
    assert core.compile(statement).sql == case["sql"]


def test_every_call_has_a_case() -> None:
    assert {(file, name) for file, cases in FILES.items() for name in cases} == set(CASES)


def _strings(tree: Any) -> set[str]:
    if isinstance(tree, list):
        return {text for item in tree for text in _strings(item)}
    return {tree} if isinstance(tree, str) else set()


def test_every_documented_tag_is_used() -> None:
    # The first cell of every table row, and the list of operators.
    rows = re.findall(r"^\| (`.+?) \|", IR, re.MULTILINE)
    tags = {tag for row in rows for tag in re.findall(r"`(.+?)`", row)}
    operators = IR[IR.index("Operators (the tag") : IR.index("## DDL")]
    tags |= set(re.findall(r"`(.+?)`", operators))
    used = {text for cases in CORPUS.values() for case in cases.values() for text in _strings(case["ir"])}
    assert len(tags) > 150
    assert tags - used == set()


# What PREPARE takes. The rest is parsed by PL/pgSQL, which checks the grammar of a branch it never takes.
PREPARED = ("select", "values", "compound", "insert", "update", "delete", "merge")
# What the embedded server (18) cannot judge: parts of a text, and a text in the style of another driver.
ELSEWHERE = {"styled", "styled_named", "copy_in", "copy_out", "copy_out_table"}


# Workers share one server.
DATABASE = f"query_contract_{os.getpid()}"
# What came after PostgreSQL 15, by its version.
NEWER = {"merge_17": 17, "update_old_new": 18}


def shop_of(server: EmbeddedServer) -> Iterator[Any]:
    """A session in a database with the tables of the shop."""
    with server.admin("postgres") as admin:
        admin.run(f"DROP DATABASE IF EXISTS {DATABASE}")
        admin.run(f"CREATE DATABASE {DATABASE}")
    with server.admin(DATABASE) as session:
        session.run(shop.script())
        session.run("CREATE UNIQUE INDEX users_lower ON users (lower(email)) WHERE active")
        session.run('CREATE FUNCTION "Odd"(int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$')
        yield session


@pytest.fixture(scope="module")
def shop_server(embedded_server: EmbeddedServer) -> Iterator[Any]:
    yield from shop_of(embedded_server)


@pytest.fixture(scope="module")
def old_shop_server() -> Iterator[Any]:
    with EmbeddedServer(provider="local") as server:
        yield from shop_of(server)


def accepted(session: Any, kind: str, sql: str) -> None:
    if kind in PREPARED:
        session.run(f"PREPARE p AS {sql}")
        session.run("DEALLOCATE p")
    else:
        body = sql.replace("$1", "1").replace("$2", "'2'")
        session.run(f"DO $do$ BEGIN IF false THEN {body}; END IF; END $do$")


def statements() -> list[tuple[str, str, str]]:
    return [
        (f"{file}-{name}", CORPUS[file][name]["ir"][0], CORPUS[file][name]["sql"])
        for file, name in CASES
        if name not in ELSEWHERE
    ]


STATEMENTS = statements()
EVERY = pytest.mark.parametrize(("name", "kind", "sql"), [pytest.param(*item, id=item[0]) for item in STATEMENTS])


@EVERY
def test_postgresql_accepts_it(shop_server: Any, name: str, kind: str, sql: str) -> None:
    accepted(shop_server, kind, sql)


@pytest.mark.servers
def test_postgresql_15_accepts_it_too(old_shop_server: Any) -> None:
    wrong: list[str] = []
    for name, kind, sql in STATEMENTS:
        if name.split("-", 1)[1] not in NEWER:
            try:
                accepted(old_shop_server, kind, sql)
            except Exception as error:
                wrong.append(f"{name}: {error}\n    {sql}")
    assert not wrong, "\n".join(wrong)


async def test_every_statement_runs_with_its_values(embedded_server: EmbeddedServer, shop_server: Any) -> None:
    assert shop_server is not None
    async with core.Database(embedded_server.dsn_of(DATABASE)) as db:
        for file, cases in FILES.items():
            for name, call in cases.items():
                statement = call().__statement__()
                # A user without a name is refused by the table.
                if statement.ir[0] not in (*PREPARED, "raw") or name == "insert_defaults":
                    continue
                async with core.pg_transaction(using=db) as tx:
                    try:
                        await tx.fetch(core.compile(statement).sql, *statement.params, as_=tuple)
                    except core.DataBridgeError as error:
                        pytest.fail(f"{file} {name}: {error}")
                    tx.set_rollback_only()


def test_copy_and_other_styles_are_written() -> None:
    texts = {name: CORPUS[file][name]["sql"] for file, name in CASES if name in ELSEWHERE}
    assert texts["copy_in"] == 'COPY "shop"."stock" ("sku", "n") FROM STDIN (FORMAT binary)'
    assert texts["styled_named"] == 'SELECT "users"."id" FROM "users" WHERE "users"."id" = :p1'
    assert (
        compile(FILES["writes"]["delete"](), style="format").sql
        == 'DELETE FROM "users" WHERE "users"."id" = %s RETURNING "users"."id"'
    )
