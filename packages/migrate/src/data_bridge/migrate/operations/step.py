"""Steps: what a migration does, one statement after the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from data_bridge.core import Statement, compile
from data_bridge.core.lint import Facts, facts
from data_bridge.migrate._sql_lexer import UnclosedError, runs_in_transaction, split

STRENGTH = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)  # fmt: skip
"""The locks of PostgreSQL on tables, from weak to strong."""
BLOCKS = {
    "SHARE UPDATE EXCLUSIVE": "other schema changes",
    "SHARE": "writers",
    "SHARE ROW EXCLUSIVE": "writers",
    "EXCLUSIVE": "writers",
    "ACCESS EXCLUSIVE": "readers and writers",
}
"""Who waits while a lock is held."""


_DUMP = 1_000_000


@lru_cache(maxsize=4096)
def _read(sql: str) -> tuple[Facts, ...] | None:
    if len(sql) > _DUMP:
        return None
    try:
        return tuple(facts([s.sql for s in split(sql)]))
    except UnclosedError:
        return None


def facts_of(sql: str) -> tuple[Facts, ...]:
    """Returns what the statements of a text lock and rewrite; nothing for a text that is not readable."""
    return _read(sql) or ()


def is_readable(sql: str) -> bool:
    """Whether the statements of a text can be read: it ends, and is not a dump of data."""
    return _read(sql) is not None


def strongest(found: tuple[Facts, ...]) -> str | None:
    """The strongest lock on tables that exist before the statements.

    >>> strongest(facts_of("CREATE TABLE t (a int); ALTER TABLE t ADD b int")), strongest(facts_of("ALTER TABLE t ADD b int"))
    (None, 'ACCESS EXCLUSIVE')
    """
    made = {f.object for f in found if f.kind == "create_table"}
    locks = [lock for f in found for name, lock in f.locks if name not in made]
    return max(locks, key=STRENGTH.index, default=None)


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a migration.

    Attributes:
        statement: what is sent.
        sql: its text, for people.
        transactional: whether it may run inside a transaction.
        inverse: the steps that undo it, or None when they are not known.
        line: where its migration's file says so, if known.
    """

    statement: Statement
    sql: str
    transactional: bool = True
    inverse: tuple[Step, ...] | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)

    @property
    def digest(self) -> str:
        """Recognises the step when an interrupted migration is continued."""
        return hashlib.sha256(f"{self.sql}\0{self.statement.params!r}".encode()).hexdigest()[:16]

    @property
    def facts(self) -> tuple[Facts, ...]:
        """What its statements lock and rewrite."""
        return facts_of(self.sql)

    @property
    def lock(self) -> str | None:
        """The strongest lock that it takes on a table in use, or None."""
        return strongest(self.facts)


def of_sql(sql: str, params: tuple[Any, ...] = (), line: int | None = None) -> Step:
    """The step of a statement in SQL."""
    statements = split(sql)
    words = statements[0].words if statements else ()
    return Step(Statement(("text", sql), params), sql.strip(), runs_in_transaction(words), line=line)


def of_text(sql: str, line: int, *, transactional: bool) -> Step:
    """The step of statements that were looked at already."""
    return Step(Statement(("text", sql), ()), sql, transactional, line=line)


def of_operation(operation: Any, inverse: Any = None) -> Step:
    """The step of a DDL operation; `inverse` is the operation that undoes it, or several."""
    statement = operation.__statement__()
    sql = compile(operation).sql
    words = split(sql)[0].words
    back: tuple[Step, ...] | None = None
    if inverse is not None:
        several: list[Any] = [*cast(list[Any], inverse)] if isinstance(inverse, (list, tuple)) else [inverse]
        back = tuple(of_operation(o) for o in several)
    return Step(statement, sql, runs_in_transaction(words), back)
