"""Splits SQL text into statements and finds its comments, over the tokens of data_bridge.core.

Strings, quoted identifiers, dollar quotes, nested comments and the bodies of SQL-standard functions hide semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from data_bridge.core._native import first_word, tokenize

__all__ = [
    "Comment",
    "SqlStatement",
    "UnclosedError",
    "added_values",
    "comments",
    "first_statement",
    "first_word",
    "is_begin",
    "is_commit",
    "runs_in_transaction",
    "split",
    "terminated",
    "tokens",
    "uses_any",
]

_NEWLINE = "\n"
_FIRST_PIECE = 4_096
_PIECE = 1_000_000
_COMMENTS = ("line_comment", "block_comment")


class UnclosedError(ValueError):
    """A string, quoted identifier, dollar quote or comment that never ends."""


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """One statement of a text.

    Attributes:
        sql: its text, without the semicolon.
        line: where it begins, from 1.
        words: its words outside of strings and comments, in lower case.
        start, end: where it stands in the text.
    """

    sql: str
    line: int
    words: tuple[str, ...]
    start: int = 0
    end: int = 0


class Comment(NamedTuple):
    """A `--` comment that has a line for itself, outside of strings, quotes and other comments."""

    text: str
    """With its dashes, without blanks at its end."""
    line: int
    start: int
    end: int
    inside: bool
    """Whether it stands between parentheses."""


def tokens(text: str) -> list[tuple[str, str, int]]:
    """The tokens of a short text, without comments: kind, text, place.

    >>> [t for _, t, _ in tokens("int DEFAULT f('a b')")]
    ['int', 'DEFAULT', 'f', '(', "'a b'", ')']
    """
    return [(kind, text[at:end], at) for kind, at, end in tokenize(text) if kind not in _COMMENTS]


def _pieces(text: str) -> Iterator[tuple[int, list[tuple[str, int, int]]]]:
    """The tokens of a text, some thousand at a time: where the piece begins, and its tokens, whose places count from there.

    A piece ends behind a semicolon, because no token goes on beyond one. The first is short: most callers look for the
    beginning of a text.
    """
    at, size = 0, _FIRST_PIECE
    while at < len(text):
        is_last = at + size >= len(text)
        found = tokenize(text[at : at + size])
        if not is_last:
            last = next((i for i in range(len(found) - 1, -1, -1) if found[i][0] == "semicolon"), None)
            if last is None:
                size *= 2
                continue
            del found[last + 1 :]
        yield at, found
        if is_last:
            return
        at += found[-1][2]
        size = max(size, _PIECE)


def _unclosed(text: str, at: int) -> UnclosedError:
    what = "comment" if text.startswith("/*", at) else "dollar quote" if text[at] == "$" else "quote"
    return UnclosedError(f"the {what} of line {text.count(_NEWLINE, 0, at) + 1} never ends")


def split(text: str) -> list[SqlStatement]:
    """The statements of a text; empty ones are left out. Its time grows with the length of the text.

    Raises:
        UnclosedError: naming the line where the text begins that never ends.

    >>> [s.sql for s in split("select ';' ; -- ;\\nselect $x$;$x$")]
    ["select ';'", 'select $x$;$x$']
    """
    found: list[SqlStatement] = []
    words: list[str] = []
    start = -1  # of the statement, or -1 between two
    depth, is_body, parentheses = 0, False, 0
    line, counted = 1, 0  # the line of the character at `counted`
    for base, part in _pieces(text):
        for kind, at, end in part:
            if kind == "symbol":
                sign = text[base + at]
                if sign == "(":  # CREATE RULE … DO (…; …)
                    parentheses += 1
                elif sign == ")" and parentheses:
                    parentheses -= 1
            elif kind == "word":
                word = text[base + at : base + end].lower()
                # BEGIN ATOMIC … END, the body of an SQL-standard function: its semicolons are its own.
                if is_body:
                    if word == "case":
                        depth += 1
                    elif word == "end":
                        depth -= 1
                elif word == "atomic" and words[-1:] == ["begin"] and words[0] == "create":
                    depth, is_body = 1, True
                words.append(word)
            elif kind == "semicolon":
                if depth == 0 and parentheses == 0:
                    if start >= 0:
                        found.append(_made(text, start, base + at, line, words))
                    start, words, is_body = -1, [], False
                    continue
            elif kind in _COMMENTS:
                continue
            elif kind == "unterminated":
                raise _unclosed(text, base + at)
            if start < 0:
                start = base + at
                line += text.count(_NEWLINE, counted, start)
                counted = start
    if start >= 0:
        found.append(_made(text, start, len(text), line, words))
    return found


def _made(text: str, start: int, end: int, line: int, words: list[str]) -> SqlStatement:
    sql = text[start:end].rstrip()
    return SqlStatement(sql, line, tuple(words), start, start + len(sql))


def comments(text: str) -> list[Comment]:
    """The comments that have a line for themselves. A quote that never ends hides what follows it.

    >>> [c.text for c in comments("-- up\\nselect '\\n-- down\\n' -- up")]
    ['-- up']
    """
    found: list[Comment] = []
    parentheses = 0
    line, counted = 1, 0
    for base, part in _pieces(text):
        for kind, at, end in part:
            if kind == "symbol":
                sign = text[base + at]
                if sign == "(":
                    parentheses += 1
                elif sign == ")" and parentheses:
                    parentheses -= 1
            elif kind == "line_comment":
                place = base + at
                before = text[max(text.rfind(_NEWLINE, 0, place), text.rfind("\r", 0, place)) + 1 : place]
                if not before or before.isspace():
                    line += text.count(_NEWLINE, counted, place)
                    counted = place
                    found.append(Comment(text[place : base + end].rstrip(), line, place, base + end, parentheses > 0))
    return found


def first_statement(text: str) -> int | None:
    """Where the first statement of a text begins, or None.

    >>> first_statement("-- a comment\\n; select 1"), first_statement("/* nothing */")
    (15, None)
    """
    for base, part in _pieces(text):
        for kind, at, _ in part:
            if kind not in _COMMENTS and kind != "semicolon":
                return base + at
    return None


_NEVER = (
    ("vacuum",), ("create", "database"), ("drop", "database"), ("create", "tablespace"), ("drop", "tablespace"), ("alter", "system"),
    ("create", "subscription"), ("drop", "subscription"), ("reindex", "schema"), ("reindex", "database"), ("reindex", "system"),
    ("discard", "all"), ("commit", "prepared"), ("rollback", "prepared"),
)  # fmt: skip


def terminated(sql: str) -> str:
    """A statement with its semicolon, which a comment at its end must not hide.

    >>> terminated("select 1"), terminated("select 1 -- one")
    ('select 1;', 'select 1 -- one\\n;')
    """
    last = next(reversed(tokenize(sql)), None)
    return f"{sql}\n;" if last is not None and last[0] == "line_comment" else f"{sql};"


def runs_in_transaction(words: tuple[str, ...]) -> bool:
    """Whether PostgreSQL lets this statement run inside a transaction block.

    >>> runs_in_transaction(("create", "index", "concurrently", "i")), runs_in_transaction(("select",))
    (False, True)
    """
    if any(words[: len(start)] == start for start in _NEVER):
        return False
    if words[:1] in (("create",), ("drop",)) and "index" in words[:3]:
        after = words.index("index") + 1
        return words[after : after + 1] != ("concurrently",)
    if words[:1] == ("alter",) and "detach" in words and "concurrently" in words:
        return False
    if words[:2] == ("alter", "database") and words[-3:-1] == ("set", "tablespace"):
        return False
    if words[:2] == ("alter", "subscription") and "refresh" in words:
        return False
    # CLUSTER without a table goes through all tables of the database, each in a transaction of its own.
    if words in (("cluster",), ("cluster", "verbose")):
        return False
    if words[:1] == ("reindex",) and words[1:2] in (("verbose",), ("tablespace",)):
        return words[2:3] not in (("schema",), ("database",), ("system",)) and "concurrently" not in words
    return not (words[:1] == ("reindex",) and "concurrently" in words[:6])


def is_begin(words: tuple[str, ...]) -> bool:
    """Whether this opens a transaction."""
    return words[:1] == ("begin",) or words[:2] == ("start", "transaction")


def is_commit(words: tuple[str, ...]) -> bool:
    """Whether this commits one; COMMIT PREPARED is a statement like others."""
    return words[:1] in (("commit",), ("end",)) and "prepared" not in words


def added_values(statement: SqlStatement) -> list[str]:
    """The values, in quotes, that ALTER TYPE … ADD VALUE adds: they can be used once they are committed.

    >>> added_values(split("alter type mood add value 'x'")[0])
    ["'x'"]
    """
    words = statement.words
    is_adding = words[:2] == ("alter", "type") and "add" in words and "value" in words
    return _ADDED.findall(statement.sql) if is_adding else []


def uses_any(statement: SqlStatement, values: Iterable[str]) -> bool:
    """Whether a statement names one of these values, other than to add one or to comment.

    >>> uses_any(split("update t set m = 'x'")[0], ["'x'"])
    True
    """
    if statement.words[:2] == ("alter", "type") or statement.words[:1] == ("comment",):
        return False
    return any(value in statement.sql for value in values)


_ADDED = re.compile(r"add\s+value\s+(?:if\s+not\s+exists\s+)?('(?:[^']|'')*')", re.IGNORECASE)
