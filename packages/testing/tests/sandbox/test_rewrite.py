"""The text that is sent in place of that of the code under test: only what is meant is replaced."""

from __future__ import annotations

import pytest

from data_bridge.testing.sandbox.rewrite import body, rewritten


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
