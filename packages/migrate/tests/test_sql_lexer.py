"""Statements as PostgreSQL's own lexer sees them."""

import pytest

from data_bridge.migrate._sql_lexer import UnclosedError, is_begin, is_commit, runs_in_transaction, split


def texts(sql: str) -> list[str]:
    return [s.sql for s in split(sql)]


@pytest.mark.parametrize(
    "sql",
    [
        "select ';'",
        "select 'it''s;'",
        r"select e'\';'",
        r"select E'a\\';",
        r"select 'a\'; select 2",  # without E a backslash is a backslash
        "select U&'d;'",
        "select b';', n';'",
        'select ";" from "a"";b"',
        "select $$;$$",
        "select $x$;$$;$x$",
        "select $été$;$été$",
        "select a$1;b",
        "select $1;",
        "-- ; comment\nselect 1",
        "select 1 -- ;\n+ 1",
        "/* ; */ select 1",
        "/* /* ; */ ; */ select 1",
        "select /* ' */ 1",
        "select '--' , 1",
        "select 'a' -- '\n , ';'",
        "select 5::int/*;*/",
    ],
)
def test_hidden_semicolons(sql: str) -> None:
    expected = {r"select 'a\'; select 2": [r"select 'a\'", "select 2"], "select a$1;b": ["select a$1", "b"]}
    comment = sql.startswith(("--", "/*"))
    alone = ["select 1"] if comment else [sql.rstrip(";").rstrip()]
    assert texts(sql) == expected.get(sql, alone)
    assert texts(f"{sql};\n;; select 'next'")[-1] == "select 'next'"


def test_empty_statements_and_lines() -> None:
    assert split("") == split(" ;; -- nothing\n/* at all */ ;") == []
    found = split("select 1;\n\n-- a comment\n  select\n2;\nselect 3")
    assert [(s.sql, s.line) for s in found] == [("select 1", 1), ("select\n2", 4), ("select 3", 6)]


def test_bodies_of_functions() -> None:
    body = """CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql
BEGIN ATOMIC
  SELECT CASE WHEN a > 1 THEN 1 ELSE 2 END;
  SELECT 2;
END"""
    assert texts(f"{body}; select 1;") == [body, "select 1"]
    do = "DO $body$ BEGIN PERFORM 1; IF true THEN PERFORM 'x;'; END IF; END $body$"
    assert texts(f"{do}; select 2") == [do, "select 2"]
    two = "create procedure p() begin atomic insert into t values (1); end; create procedure q() begin atomic end; select 3"
    assert len(texts(two)) == 3
    rule = "create rule r as on insert to t do also (insert into u values (1); insert into u values (2))"
    assert texts(f"{rule}; select 1") == [rule, "select 1"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select 1;\nselect 'a", "the quote of line 2"),
        ('select\n\n"a', "the quote of line 3"),
        ("select $$ a", "the dollar quote of line 1"),
        ("select 1 /* a /* b */", "the comment of line 1"),
        (r"select E'a\'", "the quote of line 1"),
    ],
)
def test_what_never_ends_is_named_with_its_line(sql: str, message: str) -> None:
    with pytest.raises(UnclosedError, match=message):
        split(sql)


@pytest.mark.parametrize(
    ("sql", "inside"),
    [
        ("create index concurrently i on t (a)", False),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", False),
        ("create index i on t (concurrently)", True),
        ("drop index concurrently if exists i", False),
        ("reindex table concurrently t", False),
        ("reindex index i", True),
        ("REINDEX DATABASE x", False),
        ("reindex system x", False),
        ("vacuum", False),
        ("VACUUM FULL t", False),
        ("create database x", False),
        ("alter system set a = 1", False),
        ("alter table p detach partition q concurrently", False),
        ("alter table p detach partition q", True),
        ("refresh materialized view concurrently v", True),
        ("select 'create index concurrently'", True),
        ("/* vacuum */ select 1", True),
        ("create subscription s connection '' publication p", False),
        ("alter type e add value 'x'", True),
    ],
)
def test_what_runs_in_a_transaction(sql: str, inside: bool) -> None:
    assert runs_in_transaction(split(sql)[0].words) is inside


@pytest.mark.parametrize(
    ("sql", "begins", "commits"),
    [
        ("BEGIN", True, False), ("START TRANSACTION", True, False), ("begin isolation level serializable", True, False),
        ("commit", False, True), ("END", False, True), ("commit and chain", False, True), ("commit prepared 'a'", False, False),
        ("savepoint a", False, False), ("rollback to a", False, False), ("select 'begin'", False, False),
    ],
)  # fmt: skip
def test_what_begins_and_ends_transactions(sql: str, begins: bool, commits: bool) -> None:
    words = split(sql)[0].words
    assert (is_begin(words), is_commit(words)) == (begins, commits)


def test_places() -> None:
    text = "-- a\nselect 1 ;\n select 2"
    assert [text[s.start : s.end] for s in split(text)] == ["select 1", "select 2"]
