"""Operations of a migration that have no definition in data-bridge-query: SQL text, and an UPDATE in batches."""

from __future__ import annotations

from data_bridge.core import Statement
from data_bridge.query import raw
from data_bridge.query.ddl import Operation, Path

__all__ = ["Backfill", "RunSQL"]


class RunSQL(Operation):
    """One statement of trusted SQL text, and the statement that undoes it.

    >>> from data_bridge.migrate import RunSQL
    >>> print(RunSQL("ALTER TYPE mood RENAME TO feeling", undo="ALTER TYPE feeling RENAME TO mood"))
    ALTER TYPE mood RENAME TO feeling
    """

    sql: str
    undo: str | None = None

    def __statement__(self) -> Statement:
        return raw(self.sql).__statement__()


class Backfill(Operation):
    """An UPDATE in batches, each in a transaction of its own, as `Migration.backfill` runs it.

    `assignments` and `where` are trusted SQL text; `key` is a unique column that grows. The way back does nothing.

    >>> from data_bridge.migrate import Backfill
    >>> Backfill("users", "email = ''", "email IS NULL").key
    'id'
    """

    table: Path
    assignments: str
    where: str = "true"
    key: str = "id"

    def __str__(self) -> str:
        return f"UPDATE … SET {self.assignments} WHERE {self.where}"
