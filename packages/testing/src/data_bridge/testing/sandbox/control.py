"""Raw SQL that would end or open the transaction a test runs in."""

from __future__ import annotations

import re

from data_bridge.testing.assertions.normalise import words

__all__ = ["changes_schema", "controls", "outside_only"]

ENDS = {"COMMIT", "END", "ABORT"}
SCHEMA = {"CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "SECURITY", "REINDEX", "IMPORT"}
MAY_CONTROL = re.compile(r"\b(commit|end|abort|rollback|begin|start|prepare)\b", re.IGNORECASE)


def controls(sql: str) -> str | None:
    """The statement that would end or begin a transaction, as one or two words; None when there is none.

    Every statement of a script counts; function bodies and strings do not.

    >>> controls("INSERT INTO t VALUES ('COMMIT'); COMMIT")
    'COMMIT'
    >>> controls("ROLLBACK TO SAVEPOINT a") is None
    True
    """
    if not MAY_CONTROL.search(sql):
        return None
    for statement in _statements(sql):
        first, second = (statement[0], statement[1] if len(statement) > 1 else "")
        if first in ENDS or first == "BEGIN":
            # The body of an SQL function: BEGIN ATOMIC … END belongs to CREATE FUNCTION, which starts otherwise.
            return first
        if first == "ROLLBACK" and "TO" not in statement[1:3]:
            return first
        if (first, second) in (("START", "TRANSACTION"), ("PREPARE", "TRANSACTION")):
            return f"{first} {second}"
    return None


def _statements(sql: str) -> list[list[str]]:
    """The first words of each statement, upper case."""
    found: list[list[str]] = [[]]
    atomic = 0
    previous = ""
    for kind, text in words(sql):
        word = text.upper() if kind == "name" else text
        if (word == "ATOMIC" and previous == "BEGIN") or (atomic and word == "CASE"):
            atomic += 1
        elif atomic and word == "END":
            atomic -= 1
        if text == ";" and not atomic:
            found.append([])
        elif len(found[-1]) < 4:
            found[-1].append(word)
        previous = word
    return [statement for statement in found if statement]


def changes_schema(ir: tuple[object, ...]) -> bool:
    """Whether a statement may change the schema: then plans and constraints known before are no longer sure."""
    tag = ir[0]
    if tag in ("select", "insert", "update", "delete", "merge"):
        return False
    if tag not in ("text", "raw"):
        return True
    text = next((part for part in ir[1:] if isinstance(part, str)), "")
    first = next((word.upper() for _, word in words(text[:200])), "")
    return first in SCHEMA or first == "DO"


def outside_only(sql: str) -> bool:
    """Whether PostgreSQL refuses the statement inside any transaction (VACUUM, CREATE DATABASE, … CONCURRENTLY)."""
    first = [word.upper() for _, word in words(sql[:300])][:6]
    if not first:
        return False
    if first[0] == "VACUUM" or first[:2] in (["CREATE", "DATABASE"], ["DROP", "DATABASE"], ["ALTER", "SYSTEM"]):
        return True
    return first[0] in ("CREATE", "DROP", "REINDEX") and "CONCURRENTLY" in first
