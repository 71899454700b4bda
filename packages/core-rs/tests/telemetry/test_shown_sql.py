"""SQL in logs is short, keeps its literals and shows no password."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_bridge.core import tokenize
from data_bridge.core.telemetry.echo import Echo
from data_bridge.core.telemetry.shown_sql import LIMIT, one_line, readable, without_constants
from data_bridge.core.telemetry.slow_plan import is_read_only


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT a,\n\n   b -- why\nFROM t", "SELECT a, b FROM t"),
        ("SELECT 'a   b\nc'", "SELECT 'a   b\\nc'"),
        ("/* tag */ SELECT 1", "SELECT 1"),
        ("CREATE ROLE a LOGIN PASSWORD 'secret' VALID UNTIL 'infinity'", "CREATE ROLE a LOGIN PASSWORD '…' VALID UNTIL 'infinity'"),
        ("ALTER ROLE a password $x$secret$x$", "ALTER ROLE a password '…'"),
        ("ALTER ROLE a PASSWORD 'never ends", "ALTER ROLE a PASSWORD '…'"),
    ],
)  # fmt: skip
def test_one_line(sql: str, line: str) -> None:
    assert one_line(sql) == line


def test_long_statements_are_shortened() -> None:
    assert len(one_line("SELECT " + ", ".join(f"column_{n}" for n in range(10_000)))) == LIMIT


def test_clauses_on_lines_of_their_own() -> None:
    sql = "SELECT a FROM t LEFT JOIN u ON t.a = u.a WHERE a IN (SELECT b FROM c WHERE d) ORDER BY a LIMIT 5 FOR UPDATE"
    assert readable(sql, colours=False).splitlines() == [
        "SELECT a",
        "FROM t",
        "LEFT JOIN u",
        "ON t.a = u.a",
        "WHERE a IN (SELECT b FROM c WHERE d)",
        "ORDER BY a",
        "LIMIT 5",
        "FOR UPDATE",
    ]


@given(
    st.lists(
        st.sampled_from(
            ["SELECT", "FROM", "'a b'", "(", ")", "1.5", "$1", "\n", '"Q"', "x", "/* c */", "=", "PASSWORD"]
        )
    )
)
def test_readable_text_is_the_same_statement(words: list[str]) -> None:
    sql = " ".join(words)

    def tokens(text: str) -> list[str]:
        return [text[a:b] for _, a, b in tokenize(text)]

    assert [t for t in tokens(readable(sql, colours=False)) if t != "'…'"] == [
        t for n, t in enumerate(tokens(sql)) if not (t == "'a b'" and tokens(sql)[n - 1 : n] == ["PASSWORD"])
    ]


def test_constants_of_a_plan() -> None:
    assert without_constants("((a = 'it''s'::text) AND (b = ANY ('{1,2}'::integer[])) AND (c > 5))") == (
        "((a = ?::text) AND (b = ANY (?::integer[])) AND (c > ?))"
    )


@pytest.mark.parametrize(
    ("kind", "sql", "expected"),
    [
        ("select", "SELECT 'DELETE'", True),
        ("with", "WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("with", "WITH a AS (DELETE FROM t RETURNING 1) SELECT * FROM a", False),
        ("select", "SELECT 1 INTO t", False),
        ("select", "SELECT 1 FROM t FOR SHARE", False),
        ("insert", "INSERT INTO t VALUES (1)", False),
        ("call", "CALL p()", False),
    ],
)
def test_what_only_reads(kind: str, sql: str, expected: bool) -> None:
    assert is_read_only(kind, sql) is expected


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch, variable: str, coloured: bool) -> None:
    from data_bridge.core import QueryFinished, QueryStarted

    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("NO_COLOR", variable)
    echo = Echo(lambda: None)
    began = QueryStarted("SELECT 1 FROM t", "select", (), "default", None, None)
    echo.finished(echo.started(began), QueryFinished(1, 0.0, 0.002, 0.0, None, None))
    said = terminal.getvalue()
    assert ("\x1b[" in said) is coloured
    assert f"-- 1 rows in 2.0 ms at {__file__}:" in said
