"""Raw SQL that a sandbox must not send, and the text that is sent instead: only what is meant is replaced."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.core import Database, DatabaseError
from data_bridge.core.transactions.control import control_of
from data_bridge.testing import Sandbox
from data_bridge.testing.databases import Databases
from data_bridge.testing.sandbox.statements import body, changes_schema, outside_only, rewritten


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("SELECT CURRENT_TIMESTAMP", 'SELECT data_bridge_clock."current_timestamp"()'),
        ("SELECT current_timestamp ( 3 )", 'SELECT data_bridge_clock."current_timestamp" ( 3 )'),
        ("SELECT Current_Date-1, localtime", 'SELECT data_bridge_clock."current_date"()-1, data_bridge_clock."localtime"()'),
        ("SELECT 1 AS current_date", None),
        ("SELECT t.current_date FROM t", None),
        ("SELECT \"current_date\", 'CURRENT_DATE', $$CURRENT_DATE$$ -- CURRENT_DATE", None),
        ("SELECT pg_catalog.now(), pg_catalog . clock_timestamp()", "SELECT data_bridge_clock.now(), data_bridge_clock.clock_timestamp()"),
        ("SELECT pg_catalog.lower('A')", None),
        ("SELECT now()", 'SELECT data_bridge_clock."now"()'),
        ("SELECT now, t.now(), \"now\"() FROM t", None),
        ("CREATE TABLE now (a int); INSERT INTO now (a) VALUES (1)", None),
    ],
)  # fmt: skip
def test_the_clock(sql: str, sent: str | None) -> None:
    assert rewritten(sql, frozen=True) == (sent or sql)
    assert rewritten(sql, frozen=False) == sql


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("NOTIFY a", "SELECT data_bridge_test.pg_notify('a', '')"),
        ('/* x */ notify "A b" , $q$x$q$ ;', "/* x */ SELECT data_bridge_test.pg_notify('A b', $q$x$q$) ;"),
        ("SELECT 1; NOTIFY a;NOTIFY b", "SELECT 1; SELECT data_bridge_test.pg_notify('a', '');SELECT data_bridge_test.pg_notify('b', '')"),
        ("SELECT pg_catalog.pg_notify('a', 'b')", "SELECT data_bridge_test.pg_notify('a', 'b')"),
        ("SELECT pg_notify", None),
        ("SELECT notify FROM t", None),
        ("UPDATE t SET notify = 'NOTIFY a;'", None),
        ("NOTIFY", None),
        ("NOTIFY 1", None),
        ("SELECT other.pg_notify('a')", None),
        ("DO $$ BEGIN PERFORM pg_notify('a', ''); END $$", "DO $$ BEGIN PERFORM data_bridge_test.pg_notify('a', ''); END $$"),
        ("DO 'BEGIN PERFORM pg_notify(''a'', ''''); END'", "DO 'BEGIN PERFORM data_bridge_test.pg_notify(''a'', ''''); END'"),
    ],
)  # fmt: skip
def test_notify(sql: str, sent: str | None) -> None:
    assert rewritten(sql, frozen=False) == (sent or sql)


def test_a_body_is_changed_once() -> None:
    code = "$$ BEGIN NOTIFY x, 'y'; PERFORM pg_notify('a', 'b'); END $$"
    assert body(body(code)) == body(code) != code


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("COMMIT", "COMMIT"),
        ("  /* x */ commit;", "COMMIT"),
        ("-- COMMIT\nSELECT 1", None),
        ("END", "END"),
        ("ABORT WORK", "ABORT"),
        ("ROLLBACK", "ROLLBACK"),
        ("ROLLBACK AND CHAIN", "ROLLBACK"),
        ("ROLLBACK TO a", None),
        ("ROLLBACK TO SAVEPOINT a", None),
        ("ROLLBACK WORK TO SAVEPOINT a", None),
        ("BEGIN", "BEGIN"),
        ("START TRANSACTION", "START TRANSACTION"),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
        ("PREPARE q AS SELECT 1", None),
        ("SELECT 'COMMIT; COMMIT'", None),
        ("SELECT 1; SELECT 2; COMMIT", "COMMIT"),
        ("DO $$ BEGIN COMMIT; END $$", None),
        ("SELECT CASE WHEN true THEN 1 END", None),
        ('SELECT "commit" FROM t', None),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; SELECT 1", None),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; COMMIT", "COMMIT"),
        ("", None),
    ],
)
def test_controls(sql: str, expected: str | None) -> None:
    assert control_of(sql) == expected


@pytest.mark.parametrize(
    ("ir", "expected"),
    [
        (("select", None), False),
        (("insert", None), False),
        (("create_table", None), True),
        (("text", "SELECT 1"), False),
        (("text", "  -- x\n create table t ()"), True),
        (("text", "DO $$ BEGIN END $$"), True),
        (("raw", "ALTER TABLE ", "t"), True),
        (("raw", "SELECT ", "$"), False),
        (("text",), False),
    ],
)
def test_changes_of_the_schema(ir: tuple[object, ...], expected: bool) -> None:
    assert changes_schema(ir) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("VACUUM ANALYZE t", True),
        ("CREATE DATABASE x", True),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", True),
        ("REINDEX TABLE CONCURRENTLY t", True),
        ("CREATE INDEX i ON t (concurrently)", False),
        ("SELECT 'VACUUM'", False),
        ("", False),
    ],
)
def test_what_runs_outside_only(sql: str, expected: bool) -> None:
    assert outside_only(sql) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("/* a /* b */ c; COMMIT */ SELECT 1", None),
        ("/* a /* b */ c */ COMMIT", "COMMIT"),
        ("SELECT 1 +-- ; COMMIT\n1", None),
        ("SELECT 2 */* ; COMMIT */ 2", None),
        ("-- why\rCOMMIT", "COMMIT"),
        ("SELECT E'a'\n'\\'; COMMIT; '", None),
        ("SELECT é$$; COMMIT; SELECT $$", "COMMIT"),
    ],
)
def test_text_is_read_as_the_server_reads_it(sql: str, expected: str | None) -> None:
    assert control_of(sql) == expected


def test_a_long_comment_hides_nothing() -> None:
    comment = f"/* {'why ' * 200}*/ "
    assert changes_schema(("text", f"{comment}ALTER TABLE t ADD a int"))
    assert outside_only(f"{comment}VACUUM t")
    assert outside_only(f"{comment}CREATE INDEX CONCURRENTLY i ON t (a)")
    assert not outside_only(f"{comment}CREATE INDEX i ON t (a)")


# ------------------------------------------------------------------------------------- statements outside of a transaction
OUTSIDE = {
    "lock": "LOCK TABLE pg_class",
    "lock in a comment": "/* why */ LOCK pg_class IN SHARE MODE",
    "cursor": "DECLARE c CURSOR FOR SELECT 1",
    "cursor without hold": "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1",
    "cursor with hold": "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "set local": "SET LOCAL work_mem = '5MB'",
    "set transaction": "SET TRANSACTION READ ONLY",
    "set": "SET work_mem = '6MB'",
    "select": "SELECT 'LOCK TABLE t'",
}


@pytest.mark.parametrize("sql", OUTSIDE.values(), ids=OUTSIDE)
async def test_outside_of_a_transaction_they_act_as_in_production(db: Sandbox, databases: Databases, sql: str) -> None:
    async def outcome(database: Any) -> list[Any]:
        found: list[Any] = []
        try:
            found.append(await database.execute(sql))
        except DatabaseError as error:
            found.append((error.sqlstate, str(error).splitlines()[0].partition(" [")[0]))
        found.append(await database.fetch_val("SHOW transaction_read_only"))
        found.append(await database.fetch_val("SELECT count(*) FROM pg_cursors"))
        return found

    name = databases.create("outside")
    try:
        async with Database(databases.source.dsn_of(name), max_connections=1, session_reset="never") as real:
            expected = await outcome(real)
            expected.append(await real.fetch_val("SHOW work_mem") if sql.startswith("SET LOCAL") else None)
    finally:
        databases.drop(name)
    found = await outcome(db)
    found.append(await db.fetch_val("SHOW work_mem") if sql.startswith("SET LOCAL") else None)
    assert found == expected


@pytest.mark.parametrize(
    "sql",
    ["DO $$ BEGIN COMMIT; END $$", "CREATE TYPE mood AS ENUM ('a'); ALTER TYPE mood ADD VALUE 'b'; SELECT 'b'::mood"],
)
async def test_what_needs_a_commit_names_the_other_fixture(db: Sandbox, sql: str) -> None:
    *before, last = sql.split("; ") if "mood" in sql else [sql]
    for one in before:
        await db.execute(one)
    with pytest.raises(DatabaseError) as caught:
        await db.execute(last)
    assert any("isolated_db" in note for note in caught.value.__notes__)
