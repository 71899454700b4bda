"""Statements as PostgreSQL's own lexer sees them."""

import random

import pytest

from data_bridge.core._native import tokenize
from data_bridge.migrate import _sql_lexer
from data_bridge.migrate._sql_lexer import (
    UnclosedError,
    comments,
    first_statement,
    is_begin,
    is_commit,
    runs_in_transaction,
    split,
)


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


def test_a_carriage_return_ends_a_comment_as_it_does_for_the_server() -> None:
    assert texts("-- a comment\rselect 1;\r-- another\r\nselect 2") == ["select 1", "select 2"]
    assert [c.text for c in comments("-- up\rselect 1; -- beside\r  -- down\r\nselect 2")] == ["-- up", "-- down"]


def test_a_continued_string_is_one_with_the_comments_inside_of_it() -> None:
    """`E'a' newline 'b\\''` is one E string, as the manual has it."""
    assert texts("select E'a'\n-- down\n'b\\';c'; select 2") == ["select E'a'\n-- down\n'b\\';c'", "select 2"]
    assert comments("select E'a'\n-- down\n'b'") == []


PIECES = [
    "select", "e", "U&", "'", "''", "\\", '"', "$$", "$x$", "$1", "--", "-- c\n", "/*", "*/", ";", ";", "(", ")", "\n", "\r",
    " ", "begin atomic", "end", "case", "create", "1.5", "é", "-- up\n",
]  # fmt: skip


def outcome(text: str) -> object:
    try:
        return split(text), comments(text), first_statement(text)
    except UnclosedError as error:
        return str(error), comments(text), first_statement(text)


def test_a_text_is_read_alike_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text is read piece by piece; no token, statement or comment may notice."""
    dice = random.Random(20)
    for _ in range(3_000):
        text = " ".join(dice.choices(PIECES, k=dice.randint(1, 20)))
        whole = outcome(text)
        for first, further in ((1, 1), (3, 8)):
            monkeypatch.setattr(_sql_lexer, "_FIRST_PIECE", first)
            monkeypatch.setattr(_sql_lexer, "_PIECE", further)
            assert outcome(text) == whole, text
        monkeypatch.undo()


def test_what_stands_between_statements_is_blank_or_a_comment() -> None:
    """The statements and what is left out between them are the whole text."""
    dice = random.Random(21)
    for _ in range(3_000):
        text = " ".join(dice.choices(PIECES, k=dice.randint(1, 20)))
        try:
            found = split(text)
        except UnclosedError:
            continue
        at = 0
        for statement in [*found, None]:
            end = len(text) if statement is None else statement.start
            assert all(kind.endswith("comment") or kind == "semicolon" for kind, _, _ in tokenize(text[at:end])), text
            at = end if statement is None else statement.end
