"""Splitting SQL text into statements, as PostgreSQL's own lexer sees it (manual, "Lexical Structure").

Strings, quoted identifiers, dollar quotes, nested comments and the bodies of SQL-standard functions hide semicolons.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<escape>[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>(?:[uU]&|[bBxXnN])?'(?:[^']|'')*')
    | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
    | (?P<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)
    | (?P<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)
    | (?P<number>\d[\w.]*)
    | (?P<end>;)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")


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


def tokens(text: str) -> list[tuple[str, str, int]]:
    """The tokens of a short text without comments: kind, text, place.

    >>> [t for _, t, _ in tokens("int DEFAULT f('a b')")]
    ['int', 'DEFAULT', 'f', '(', "'a b'", ')']
    """
    return [(m.lastgroup or "", m[0], m.start()) for m in _TOKEN.finditer(text) if m.lastgroup != "space"]


def split(text: str) -> list[SqlStatement]:
    """The statements of a text; empty ones are left out.

    Raises:
        UnclosedError: naming the line where the text begins that never ends.

    >>> [s.sql for s in split("select ';' ; -- ;\\nselect $x$;$x$")]
    ["select ';'", 'select $x$;$x$']
    """
    found: list[SqlStatement] = []
    words: list[str] = []
    start: int | None = None
    at, depth, is_body, parentheses = 0, 0, False, 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:  # pragma: no cover - the last alternative takes any character
            raise UnclosedError(f"line {_line(text, at)}")
        kind, end = token.lastgroup, token.end()
        if kind == "block":
            end = _block_end(text, at)
        elif kind == "dollar":
            close = text.find(token[0], end)
            if close < 0:
                raise UnclosedError(f"the dollar quote of line {_line(text, at)} never ends")
            end = close + len(token[0])
        elif (kind == "other" and token[0] in "'\"") or (
            kind == "word" and token[0] in "eE" and text[end : end + 1] == "'"
        ):
            raise UnclosedError(f"the quote of line {_line(text, at)} never ends")
        elif kind == "other":  # CREATE RULE … DO (…; …)
            parentheses = max(parentheses + {"(": 1, ")": -1}.get(token[0], 0), 0)
        if kind == "end" and depth == 0 and parentheses == 0:
            if start is not None:
                found.append(_made(text, start, at, words))
            start, words, is_body = None, [], False
        elif kind not in ("space", "line", "block"):
            if start is None:
                start = at
            if kind == "word":
                word = token[0].lower()
                # BEGIN ATOMIC … END, the body of an SQL-standard function: its semicolons are its own.
                if word == "atomic" and words[-1:] == ["begin"] and words[:1] == ["create"]:
                    depth, is_body = 1, True
                elif is_body and word == "case":
                    depth += 1
                elif is_body and word == "end":
                    depth -= 1
                words.append(word)
        at = end
    if start is not None:
        found.append(_made(text, start, len(text), words))
    return found


def _made(text: str, start: int, end: int, words: list[str]) -> SqlStatement:
    sql = text[start:end].rstrip()
    return SqlStatement(sql, _line(text, start), tuple(words), start, start + len(sql))


def _block_end(text: str, start: int) -> int:
    depth, at = 0, start
    for mark in _BLOCK.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
        if depth == 0:
            return at
    raise UnclosedError(f"the comment of line {_line(text, start)} never ends")


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


_NEVER = (
    ("vacuum",), ("create", "database"), ("drop", "database"), ("create", "tablespace"), ("drop", "tablespace"), ("alter", "system"),
    ("create", "subscription"), ("drop", "subscription"),
)  # fmt: skip


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
    return not (
        words[:1] == ("reindex",) and ("concurrently" in words[:6] or words[1:2] in (("database",), ("system",)))
    )


def is_begin(words: tuple[str, ...]) -> bool:
    """Whether this opens a transaction."""
    return words[:1] == ("begin",) or words[:2] == ("start", "transaction")


def is_commit(words: tuple[str, ...]) -> bool:
    """Whether this commits one; COMMIT PREPARED is a statement like others."""
    return words[:1] in (("commit",), ("end",)) and "prepared" not in words


def uses_new_value(statement: SqlStatement, before: list[SqlStatement]) -> bool:
    """Whether it names a value that ALTER TYPE … ADD VALUE just before added: it must be committed first.

    >>> add, use = split("alter type mood add value 'x'; update t set m = 'x'")
    >>> uses_new_value(use, [add]), uses_new_value(add, [])
    (True, False)
    """
    if statement.words[:2] == ("alter", "type") or statement.words[:1] == ("comment",):
        return False
    adds = [s for s in before if s.words[:2] == ("alter", "type") and "add" in s.words and "value" in s.words]
    values = [value for s in adds for value in _ADDED.findall(s.sql)]
    return any(value in statement.sql for value in values)


_ADDED = re.compile(r"add\s+value\s+(?:if\s+not\s+exists\s+)?('(?:[^']|'')*')", re.IGNORECASE)
