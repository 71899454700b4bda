"""Which statements only read, so that a replica may answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_bridge.core._native import tokenize
from data_bridge.core.telemetry.slow_plan import is_read_only

if TYPE_CHECKING:
    from data_bridge.core.connection.database import Database

__all__ = ["Readers", "volatile_functions"]

_HARMLESS = (
    "random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv4", "uuidv7", "pg_sleep",
    "pg_sleep_for", "pg_sleep_until", "array_sample", "array_shuffle", "bernoulli", "system", "current_query",
    "pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp", "pg_partition_tree", "pg_partition_ancestors",
)  # fmt: skip
"""Volatile functions of PostgreSQL that change nothing, and are not about the one server: they return other values each time."""
VOLATILE = (
    "SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p WHERE p.provolatile = 'v' AND NOT"
    " (p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND (p.proname = ANY($1::text[]) OR p.proname LIKE '%\\_size'"
    " OR p.proname LIKE 'pg\\_stat\\_get%'))"
)
"""The functions that may change something."""
_DEFINES = frozenset({"create", "alter", "drop", "import", "ddl"})
_MOST = 10_000


async def volatile_functions(database: Database) -> frozenset[str]:
    """The names of the functions of a database that may change something."""
    names: list[Any] = await database.fetch(VOLATILE, list(_HARMLESS), as_=tuple)
    return frozenset(name for (name,) in names)


class Readers:
    """Knows of a statement by its words whether it only reads, and what it has learnt from replicas that refused one."""

    def __init__(self) -> None:
        # Functions of the database that may write; None while they are not known, or may have changed.
        self._volatile: frozenset[str] | None = None
        self.version = 0
        self._known: dict[int, bool] = {}
        self._writing: set[int] = set()

    def learn(self, volatile: frozenset[str], version: int) -> None:
        """Takes the names of the functions that may write, unless they have changed since `version`."""
        if volatile != self._volatile and version == self.version:
            self._volatile = volatile
            self._known.clear()

    @property
    def is_current(self) -> bool:
        """Whether the functions are known."""
        return self._volatile is not None

    def forget(self) -> None:
        """Functions may have changed: everything is a write until they are known again."""
        self.version += 1
        self._volatile = None
        self._known.clear()

    def refused(self, described: Any) -> None:
        """Remembers that a replica has refused a statement, because it writes."""
        if len(self._writing) < _MOST:
            self._writing.add(described.shape)

    def ran(self, kind: str) -> None:
        """Takes note of a statement of this kind: one that defines something may have defined a function."""
        if kind in _DEFINES:
            self.forget()

    def ran_script(self, sql: str) -> None:
        """The same of several statements."""
        if names_any(sql, _DEFINES):
            self.forget()

    def only_reads(self, described: Any) -> bool:
        """Whether a replica may answer a statement."""
        shape = described.shape
        known = self._known.get(shape)
        if known is None:
            volatile = self._volatile
            if volatile is None:
                return False
            known = is_read_only(described.kind, described.sql) and not names_any(described.sql, volatile)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[shape] = known
        return known and shape not in self._writing


def names_any(sql: str, names: frozenset[str]) -> bool:
    """Whether a text names one of these functions; names in quotes with escapes count, because they are not decoded."""
    for kind, start, end in tokenize(sql):
        if kind == "word":
            if sql[start:end].lower() in names:
                return True
        elif kind == "quoted_identifier":
            text = sql[start:end]
            if not text.startswith('"') or text[1:-1].replace('""', '"') in names:
                return True
    return False
