"""Normalised SQL for snapshots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_bridge.testing._sql_tokens import words
from data_bridge.testing.assertions.normalise import normalise


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT  1", "SELECT ?"),
        ("SELECT 1.5e-3, .5, 1_000", "SELECT ?, ?, ?"),
        ("SELECT 'a', E'it\\'s', 'it''s', $$x$$, $tag$ $$ $tag$", "SELECT ?, ?, ?, ?, ?"),
        ("SELECT a FROM t -- why\n WHERE b = $1 /* and\n more */", "SELECT a FROM t WHERE b = $?"),
        ('SELECT "public"."users"."id" FROM "public"."users"', 'SELECT "users"."id" FROM "users"'),
        ("SELECT public FROM t", "SELECT public FROM t"),
        ("SELECT a FROM t WHERE id IN (1,2 , 3)", "SELECT a FROM t WHERE id IN (?, ...)"),
        ("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)", "INSERT INTO t(a, b) VALUES ($?, ...), ..."),
        ("INSERT INTO t VALUES (1, DEFAULT), (2, DEFAULT)", "INSERT INTO t VALUES (?, DEFAULT), ..."),
        ("SELECT count(*), max( a.b ) FROM a", "SELECT count(*), max(a.b) FROM a"),
        ("SELECT a::text[1], b->>'c' FROM t;", "SELECT a::text[?], b ->> ? FROM t"),
        ('SAVEPOINT "data_bridge_17"', "SAVEPOINT"),
        ("ROLLBACK TO SAVEPOINT s1", "ROLLBACK TO SAVEPOINT"),
        ('RELEASE SAVEPOINT "x y"', "RELEASE SAVEPOINT"),
        ("", ""),
    ],
)
def test_examples(sql: str, expected: str) -> None:
    assert normalise(sql) == expected


def test_a_quoted_name_is_kept_whatever_it_holds() -> None:
    assert normalise("""SELECT "it's 1 -- name" """) == """SELECT "it's 1 -- name\""""


def test_a_string_hides_what_looks_like_sql() -> None:
    assert list(words("'-- /* $1' , $2")) == [("string", "'-- /* $1'"), ("sign", ","), ("parameter", "$2")]


@given(st.text())
def test_any_text_comes_to_an_end_and_is_stable(text: str) -> None:
    once = normalise(text)
    assert isinstance(once, str)
    assert "\n" not in once or "\n" in text


@given(st.text().filter(lambda text: "\0" not in text), st.integers(0, 10**9))
def test_constants_never_show(text: str, number: int) -> None:
    quoted = text.replace("'", "''")
    assert normalise(f"SELECT '{quoted}', {number}") == "SELECT ?, ?"
