"""What a statement does and to which tables, in few words: the name of its span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from data_bridge.core import tokenize

__all__ = ["Summary", "parameterized", "summary_of"]

_LENGTH = 255
_READ = 20_000
"""Characters of a statement that are looked at."""
_VERBS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_BEFORE_TABLES = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "USING", "TABLE", "COPY"})
_SKIPPED = frozenset({"ONLY", "IF", "NOT", "EXISTS"})
_NAMES = frozenset({"word", "quoted_identifier"})
_COMMENTS = frozenset({"line_comment", "block_comment"})
_CONSTANTS = frozenset({"string", "dollar_string", "number", "unterminated"})


@dataclass(frozen=True, slots=True)
class Summary:
    """A statement in few words.

    Attributes:
        text: operations and tables in their order, as `INSERT orders SELECT carts`.
        operation: the only operation, or the first of them.
        tables: what it names, each once.
    """

    text: str
    operation: str
    tables: tuple[str, ...]


@lru_cache(maxsize=2048)
def summary_of(sql: str) -> Summary:
    """The summary of a statement.

    >>> summary_of('INSERT INTO "orders" SELECT * FROM carts WHERE id = $1').text
    'INSERT orders SELECT carts'
    """
    tokens = [(kind, sql[start:end]) for kind, start, end in tokenize(sql[:_READ]) if kind not in _COMMENTS]
    words: list[str] = []
    operations: list[str] = []
    tables: list[str] = []
    # Whether a level of parentheses is a query: extract(year FROM a) is not.
    levels = [False]
    before = ";"
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        upper = text.upper() if kind == "word" else text
        at += 1
        starts = before == ";"
        if text == "(":
            levels.append(False)
        elif text == ")" and len(levels) > 1:
            levels.pop()
        if (
            upper == "SELECT"
            or (upper in _VERBS and before in "();")
            or (starts and kind == "word" and upper != "WITH")
        ):
            words.append(upper)
            operations.append(upper)
            levels[-1] = upper not in ("FETCH", "CLOSE", "SET", "SHOW")
        if upper in _BEFORE_TABLES and levels[-1] and before != "DISTINCT" and (upper != "UPDATE" or before in "();"):
            while at < len(tokens) and tokens[at][1].upper() in _SKIPPED:
                at += 1
            name, after = _name(tokens, at)
            is_function = upper in ("FROM", "JOIN") and tokens[after : after + 1] == [("symbol", "(")]
            if name and not is_function:
                tables.append(name)
                words.append(name)
                at, upper = after, name
        before = upper
    return Summary(" ".join(words)[:_LENGTH], operations[0] if operations else "", tuple(dict.fromkeys(tables)))


def _name(tokens: list[tuple[str, str]], at: int) -> tuple[str, int]:
    """The name of a table at this place, with its schema, and where it ends; an empty text for something else."""
    parts: list[str] = []
    while (
        at < len(tokens)
        and tokens[at][0] in _NAMES
        and tokens[at][1].upper() not in ("SELECT", "LATERAL", "SET", "STDIN")
    ):
        kind, text = tokens[at]
        parts.append(text[1:-1].replace('""', '"') if kind == "quoted_identifier" else text)
        at += 1
        if tokens[at : at + 1] != [("symbol", ".")]:
            break
        at += 1
    return ".".join(parts), at


@lru_cache(maxsize=2048)
def parameterized(sql: str) -> str:
    """The text of a statement; one without parameters has `?` for each constant.

    >>> parameterized("SELECT 'Ann'"), parameterized("SELECT $1, 5")
    ('SELECT ?', 'SELECT $1, 5')
    """
    tokens = tokenize(sql)
    if any(kind == "parameter" for kind, _, _ in tokens):
        return sql
    pieces: list[str] = []
    at = 0
    for kind, start, end in tokens:
        pieces += [sql[at:start], "?" if kind in _CONSTANTS else sql[start:end]]
        at = end
    return "".join(pieces) + sql[at:]
