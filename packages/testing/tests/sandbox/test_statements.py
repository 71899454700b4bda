"""Raw SQL that a sandbox must not send, and the text that is sent instead: only what is meant is replaced."""

from __future__ import annotations

import pytest

from data_bridge.testing.sandbox.statements import body, changes_schema, controls, outside_only, rewritten


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
        ("SELECT now()", None),  # found by the search path
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
    assert controls(sql) == expected


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
    assert controls(sql) == expected


def test_a_long_comment_hides_nothing() -> None:
    comment = f"/* {'why ' * 200}*/ "
    assert changes_schema(("text", f"{comment}ALTER TABLE t ADD a int"))
    assert outside_only(f"{comment}VACUUM t")
    assert outside_only(f"{comment}CREATE INDEX CONCURRENTLY i ON t (a)")
    assert not outside_only(f"{comment}CREATE INDEX i ON t (a)")
