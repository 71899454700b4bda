"""The tokens of an SQL text."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["tokens", "words"]

TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<string>(?:[eE]|[uU]&|[bBxX])?'(?:[^']|'')*')
  | (?P<dollar>\$(?P<quote>[A-Za-z_]\w*)?\$.*?\$(?P=quote)\$|\$\$.*?\$\$)
  | (?P<parameter>\$\d+)
  | (?P<name>"(?:[^"]|"")*"|[^\W\d]\w*)
  | (?P<number>\d+(?:_\d+)*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<sign>::|[<>=!~@#%^&|?+*/:-]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def words(sql: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of every token that is neither white space nor a comment.

    Strings end where PostgreSQL ends them with standard_conforming_strings on; in an E string a backslash escapes.

    >>> [text for _, text in words("SELECT 'it''s' -- a comment")]
    ['SELECT', "'it''s'"]
    """
    return (found for found in tokens(sql) if found[0] != "space")


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of every token, white space and comments (kind "space") included: joined, the texts are the SQL."""
    at = 0
    while at < len(sql):
        match = _escape_string(sql, at) or TOKEN.match(sql, at)
        assert match is not None  # the last alternative takes any character
        at = match.end()
        kind = match.lastgroup or "sign"
        yield "dollar" if kind == "quote" else kind, match[0]


ESCAPE = re.compile(r"(?P<string>[eE]'(?:[^'\\]|\\.|'')*')", re.DOTALL)


def _escape_string(sql: str, at: int) -> re.Match[str] | None:
    return ESCAPE.match(sql, at) if sql[at] in "eE" else None
