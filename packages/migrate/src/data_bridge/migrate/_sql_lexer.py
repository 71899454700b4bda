"""Splitting SQL text into statements, as PostgreSQL's own lexer sees it (manual, "Lexical Structure").

Strings, quoted identifiers, dollar quotes, nested comments and the bodies of SQL-standard functions hide semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

# What is read in one go: blanks, numbers, plain strings and signs that divide nothing.
_GAP = r"(?:[\s,.=<>+*:\[\]]++|\d[\w.]*+|'[^']*+(?:''[^']*+)*+')++"
_WORD = r"[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*+"
_QUOTES = r"""
    | (?P<escape>[eE]'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+')
    | (?P<string>(?:[uU]&|[bBxXnN])'[^']*+(?:''[^']*+)*+')
    | (?P<quoted>(?:[uU]&)?"[^"]*+(?:""[^"]*+)*+")
"""
_REST = r"""
    | (?P<line>--[^\n]*+)
    | (?P<block>/\*)
    | (?P<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*+)?\$)
    | (?P<other>.)
"""
_TOKEN = re.compile(f"(?P<gap>{_GAP}){_QUOTES}|(?P<word>{_WORD})|(?P<end>;){_REST}", re.VERBOSE | re.DOTALL)
_COMMENTS = re.compile(
    f"(?P<gap>(?:{_GAP}|;|{_WORD}(?![\"'&])|[()])++){_QUOTES}|(?P<word>{_WORD}){_REST}", re.VERBOSE | re.DOTALL
)
_PIECE = re.compile(
    rf"\s++|--[^\n]*+|/\*.*?\*/|{_WORD}|\d[\w.]*+|'[^']*+(?:''[^']*+)*+'|\"[^\"]*+(?:\"\"[^\"]*+)*+\"|.", re.DOTALL
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
    found: list[tuple[str, str, int]] = []
    for m in _PIECE.finditer(text):
        piece = m[0]
        if not piece.isspace() and not piece.startswith(("--", "/*")):
            found.append(("word" if piece[0].isalpha() or piece[0] == "_" else "other", piece, m.start()))
    return found


def _unclosed(what: str, text: str, at: int) -> UnclosedError:
    return UnclosedError(f"the {what} of line {text.count(NEWLINE, 0, at) + 1} never ends")


def _end_of(token: re.Match[str], text: str) -> int:
    """Where a token ends that only begins with its match: a comment, a dollar quote.

    Raises:
        UnclosedError: nowhere.
    """
    kind, at, end = token.lastgroup, token.start(), token.end()
    if kind == "block":
        depth = 0
        for mark in _BLOCK.finditer(text, at):
            depth += 1 if mark[0] == "/*" else -1
            if depth == 0:
                return mark.end()
        raise _unclosed("comment", text, at)
    if kind == "dollar":
        close = text.find(token[0], end)
        if close < 0:
            raise _unclosed("dollar quote", text, at)
        return close + len(token[0])
    is_prefix = kind == "word" and token[0] in ("e", "E") and text[end : end + 1] == "'"
    if is_prefix or (kind == "other" and token[0] in "'\""):
        raise _unclosed("quote", text, at)
    return end


def split(text: str) -> list[SqlStatement]:
    """The statements of a text; empty ones are left out. Its time grows with the length of the text.

    Raises:
        UnclosedError: naming the line where the text begins that never ends.

    >>> [s.sql for s in split("select ';' ; -- ;\\nselect $x$;$x$")]
    ["select ';'", 'select $x$;$x$']
    """
    found: list[SqlStatement] = []
    words: list[str] = []
    start: int | None = None
    at, depth, is_body, parentheses = 0, 0, False, 0
    line, counted = 1, 0  # the line of the character at `counted`
    length, match = len(text), _TOKEN.match
    while at < length:
        token = match(text, at)
        assert token is not None  # the last alternative takes any character
        kind, end = token.lastgroup, token.end()
        if kind == "word":
            word = token[0].lower()
            if word == "e":
                _end_of(token, text)
            # BEGIN ATOMIC … END, the body of an SQL-standard function: its semicolons are its own.
            if is_body:
                if word == "case":
                    depth += 1
                elif word == "end":
                    depth -= 1
            elif word == "atomic" and words[-1:] == ["begin"] and words[0] == "create":
                depth, is_body = 1, True
            words.append(word)
        elif kind == "gap":
            if start is None:
                rest = token[0].lstrip()
                at = end - len(rest)
                if not rest:
                    continue
        elif kind == "line" or kind == "block":
            at = _end_of(token, text)
            continue
        elif kind == "end" and depth == 0 and parentheses == 0:
            if start is not None:
                found.append(_made(text, start, at, line, words))
            start, words, is_body, at = None, [], False, end
            continue
        elif kind == "other":  # CREATE RULE … DO (…; …)
            sign = token[0]
            if sign == "(":
                parentheses += 1
            elif sign == ")":
                parentheses = max(parentheses - 1, 0)
            else:
                _end_of(token, text)
        elif kind == "dollar":
            end = _end_of(token, text)
        if start is None:
            start = at
            line += text.count(NEWLINE, counted, at)
            counted = at
        at = end
    if start is not None:
        found.append(_made(text, start, length, line, words))
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
    at, parentheses = 0, 0
    line, counted = 1, 0
    while (token := _COMMENTS.match(text, at)) is not None:
        kind = token.lastgroup
        if kind == "gap":
            part = token[0]
            parentheses = max(parentheses + part.count("(") - part.count(")"), 0)
        elif kind == "line":
            before = text[text.rfind(NEWLINE, 0, at) + 1 : at]
            if not before or before.isspace():
                line += text.count(NEWLINE, counted, at)
                counted = at
                found.append(Comment(token[0].rstrip(), line, at, token.end(), parentheses > 0))
        try:
            at = _end_of(token, text)
        except UnclosedError:
            break
    return found


def first_statement(text: str) -> int | None:
    """Where the first statement of a text begins, or None.

    >>> first_statement("-- a comment\\n; select 1"), first_statement("/* nothing */")
    (15, None)
    """
    at = 0
    while (token := _TOKEN.match(text, at)) is not None:
        kind = token.lastgroup
        if kind == "gap" and (rest := token[0].lstrip()):
            return token.end() - len(rest)
        if kind not in ("gap", "line", "block", "end"):
            return at
        try:
            at = _end_of(token, text)
        except UnclosedError:
            return at
    return None


NEWLINE = "\n"


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
