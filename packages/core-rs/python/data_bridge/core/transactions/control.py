"""Statements of a script that would end the transaction around it."""

from __future__ import annotations

import re

from data_bridge.core._native import tokenize
from data_bridge.core.errors import ConfigurationError

__all__ = ["refuse_control"]

_MAY_HAVE = re.compile(r"\b(?:begin|start|commit|end|abort|rollback|prepare)\b", re.IGNORECASE)
_CONTROL = frozenset({"BEGIN", "START", "COMMIT", "END", "ABORT", "ROLLBACK"})
_QUIET = frozenset({"line_comment", "block_comment"})
_MOST_WORDS = 3


def refuse_control(sql: str) -> None:
    """Refuses a script with BEGIN, COMMIT or ROLLBACK, behind which the rest would run outside of the transaction.

    SAVEPOINT, ROLLBACK TO and RELEASE stay inside.

    Raises:
        ConfigurationError: naming the statement.

    >>> refuse_control("SAVEPOINT a; ROLLBACK TO a; SELECT 'COMMIT'")
    >>> refuse_control("CREATE FUNCTION one() RETURNS int BEGIN ATOMIC SELECT 1; END")
    """
    if _MAY_HAVE.search(sql) is None:
        return
    for words in _statements(sql):
        if _ends(words):
            raise ConfigurationError(
                f"a script inside a transaction holds {words[0]}, behind which its statements would run outside of it"
                "\nhint: transactions are controlled by pg_transaction(), begin_transaction() and their objects; a statement "
                "of tenant() or transaction_settings() has a transaction, too"
            )


def _ends(words: list[str]) -> bool:
    if words[0] == "PREPARE":
        return words[1:2] == ["TRANSACTION"]
    return words[0] in _CONTROL and not (words[0] == "ROLLBACK" and "TO" in words)


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
