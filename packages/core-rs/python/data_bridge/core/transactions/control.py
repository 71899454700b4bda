"""Statements that would begin or end a transaction."""

from __future__ import annotations

import re

from data_bridge.core._native import tokenize
from data_bridge.core.errors import ConfigurationError

__all__ = ["control_of", "refuse_control"]

_MAY_HAVE = re.compile(r"\b(?:begin|start|commit|end|abort|rollback|prepare)\b", re.IGNORECASE)
_CONTROL = frozenset({"BEGIN", "COMMIT", "END", "ABORT", "ROLLBACK"})
_QUIET = frozenset({"line_comment", "block_comment"})
_MOST_WORDS = 3


def control_of(sql: str) -> str | None:
    """The statement that would begin or end a transaction, as one or two words; None when there is none.

    Every statement of a script counts; function bodies, strings and savepoints do not.

    >>> control_of("INSERT INTO t VALUES ('COMMIT'); COMMIT")
    'COMMIT'
    >>> control_of("SAVEPOINT a; ROLLBACK TO SAVEPOINT a") is None
    True
    >>> control_of("CREATE FUNCTION one() RETURNS int BEGIN ATOMIC SELECT 1; END") is None
    True
    """
    if _MAY_HAVE.search(sql) is None:
        return None
    for words in _statements(sql):
        first, second = words[0], words[1] if len(words) > 1 else ""
        if first in _CONTROL and not (first == "ROLLBACK" and "TO" in words):
            return first
        if second == "TRANSACTION" and first in ("START", "PREPARE"):
            return f"{first} {second}"
    return None


def refuse_control(sql: str) -> None:
    """Refuses a script with BEGIN, COMMIT or ROLLBACK, behind which the rest would run outside of the transaction.

    Raises:
        ConfigurationError: naming the statement.

    >>> refuse_control("SAVEPOINT a; ROLLBACK TO a; SELECT 'COMMIT'")
    """
    control = control_of(sql)
    if control is not None:
        raise ConfigurationError(
            f"a script inside a transaction holds {control}, behind which its statements would run outside of it"
            "\nhint: transactions are controlled by pg_transaction(), begin_transaction() and their objects; a statement "
            "of tenant() or transaction_settings() has a transaction, too"
        )


def _statements(sql: str) -> list[list[str]]:
    """The first words of each statement, upper case. The body of a function in standard SQL is part of its statement."""
    found: list[list[str]] = [[]]
    depth = 0
    before = ""
    for kind, start, end in tokenize(sql):
        if kind in _QUIET:
            continue
        text = sql[start:end]
        word = text.upper() if kind == "word" or text == ";" else ""
        if (word == "ATOMIC" and before == "BEGIN") or (depth and word == "CASE"):
            depth += 1
        elif depth and word == "END":
            depth -= 1
        if word == ";" and not depth:
            found.append([])
        elif len(found[-1]) < _MOST_WORDS:
            found[-1].append(word)
        before = word
    return [words for words in found if words]
