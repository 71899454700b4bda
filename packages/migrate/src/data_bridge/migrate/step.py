"""Steps: what a migration does, one statement after the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, cast

from data_bridge.core import Statement, compile
from data_bridge.migrate.lexer import runs_in_transaction, split


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a migration.

    Attributes:
        statement: what is sent.
        sql: its text, for people.
        transactional: whether it may run inside a transaction.
        lock: the strongest lock that it takes on a table in use, or None.
        inverse: the steps that undo it, or None when nobody knows.
    """

    statement: Statement
    sql: str
    transactional: bool = True
    lock: str | None = None
    inverse: tuple[Step, ...] | None = field(default=None, compare=False)

    @property
    def digest(self) -> str:
        """Recognises the step when an interrupted migration is continued."""
        return hashlib.sha256(f"{self.sql}\0{self.statement.params!r}".encode()).hexdigest()[:16]


def of_sql(sql: str, params: tuple[Any, ...] = ()) -> Step:
    """The step of a statement in SQL."""
    statements = split(sql)
    words = statements[0].words if statements else ()
    return Step(Statement(("text", sql), params), sql.strip(), runs_in_transaction(words), _lock_of(words))


def of_operation(operation: Any, inverse: Any = None) -> Step:
    """The step of a DDL operation; `inverse` is the operation that undoes it, or several."""
    statement = operation.__statement__()
    sql = compile(operation).sql
    words = split(sql)[0].words
    back: tuple[Step, ...] | None = None
    if inverse is not None:
        several: list[Any] = [*cast(list[Any], inverse)] if isinstance(inverse, (list, tuple)) else [inverse]
        back = tuple(of_operation(o) for o in several)
    return Step(statement, sql, runs_in_transaction(words), _lock_of(words), back)


def _lock_of(words: tuple[str, ...]) -> str | None:
    """The lock of a statement on tables that exist (PostgreSQL manual, "Explicit Locking" and each command's page)."""
    if words[:2] == ("alter", "table"):
        if "validate" in words:
            return "SHARE UPDATE EXCLUSIVE"
        if "foreign" in words and "add" in words:
            return "SHARE ROW EXCLUSIVE"
        return "ACCESS EXCLUSIVE"
    if words[:2] in (("drop", "table"), ("truncate",)) or words[:1] == ("truncate",):
        return "ACCESS EXCLUSIVE"
    if words[:2] == ("drop", "index"):
        return "SHARE UPDATE EXCLUSIVE" if "concurrently" in words[:4] else "ACCESS EXCLUSIVE"
    if words[:1] == ("create",) and "index" in words[:3]:
        return "SHARE UPDATE EXCLUSIVE" if "concurrently" in words[:5] else "SHARE"
    if words[:2] == ("create", "trigger"):
        return "SHARE ROW EXCLUSIVE"
    if words[:1] in (("insert",), ("update",), ("delete",), ("merge",)):
        return "ROW EXCLUSIVE"
    return None
