"""Records the statements of the code under test, with the lines they were written on."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, overload

from data_bridge.core import QueryFinished, QueryStarted, add_observer, remove_observer
from data_bridge.testing._call_sites import place
from data_bridge.testing._sql_tokens import first_word, words
from data_bridge.testing.assertions.normalise import normalise

__all__ = ["Query", "QueryLog", "capture_sql", "recording"]

BEFORE_A_TABLE = {"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "ONLY"}
CONTROL = {"begin", "commit", "rollback", "savepoint", "release", "listen"}
"""What is not a statement of the code under test: a block of pg_transaction() costs no query in a budget."""
NO_TABLE = {"ONLY", "SELECT", "LATERAL", "IF", "SET"}


@dataclass(slots=True)
class Query:
    """One statement.

    Attributes:
        sql: its text, without values.
        kind: select, insert, update, delete, ddl …
        tables: the tables it names, as far as they can be told from builder or text.
        site: file and line of the code that ran it.
        rows: rows returned or affected; None while it runs.
        seconds: queueing, wire and decoding together.
        error: what it raised.
    """

    sql: str
    kind: str
    tables: tuple[str, ...]
    site: tuple[str, int] | None
    rows: int | None = None
    seconds: float = 0.0
    error: BaseException | None = None

    @property
    def normalised(self) -> str:
        """The text without anything that varies; see `normalise`."""
        return normalise(self.sql)

    @property
    def place(self) -> str:
        """`file:line`, relative to the working directory where possible."""
        return place(self.site)


@dataclass(slots=True, eq=False)
class QueryLog(Sequence[Query]):
    """Statements in the order in which they started; also a sequence of them."""

    normalised: bool = True
    queries: list[Query] = field(default_factory=list[Query])
    thread: int = field(default_factory=threading.get_ident)

    def __len__(self) -> int:
        return len(self.queries)

    @overload
    def __getitem__(self, index: int) -> Query: ...
    @overload
    def __getitem__(self, index: slice) -> list[Query]: ...
    def __getitem__(self, index: int | slice) -> Query | list[Query]:
        return self.queries[index]

    def __iter__(self) -> Iterator[Query]:
        return iter(self.queries)

    @property
    def texts(self) -> list[str]:
        """The SQL texts, for snapshots: `assert log.texts == snapshot([...])`."""
        return [query.normalised if self.normalised else query.sql for query in self.queries]

    def __str__(self) -> str:
        return "\n".join(self.texts)

    def matching(self, *, table: str | None = None, kind: str | None = None) -> list[Query]:
        """The statements of one kind, or on one table (with or without its schema)."""
        return [
            query
            for query in self.queries
            if (kind is None or query.kind == kind.lower())
            and (table is None or any(table in (name, name.rpartition(".")[2]) for name in query.tables))
        ]

    def clear(self) -> None:
        """Forget what was recorded so far."""
        self.queries.clear()


def numbered(queries: Sequence[Query]) -> str:
    """A list for people: number, SQL, place."""
    lines = [f"  {number}. {query.sql}\n     at {query.place}" for number, query in enumerate(queries, 1)]
    return "\n".join(lines) or "  (none)"


_here: ContextVar[tuple[QueryLog, ...]] = ContextVar("data_bridge_query_logs", default=())


class _Recorder:
    """The observer behind all logs; registered while there is one."""

    wants_site = True

    def __init__(self) -> None:
        self._logs: list[QueryLog] = []
        self._lock = threading.Lock()

    def add(self, log: QueryLog) -> None:
        with self._lock:
            self._logs.append(log)
            if len(self._logs) == 1:
                add_observer(self)

    def remove(self, log: QueryLog) -> None:
        with self._lock:
            self._logs.remove(log)
            if not self._logs:
                remove_observer(self)

    def started(self, event: QueryStarted) -> Query | None:
        if event.kind in CONTROL:
            return None
        query = Query(event.sql, _kind(event), _tables(event), event.site)
        here = _here.get()
        thread = threading.get_ident()
        for log in list(self._logs):
            # Tasks below the recording block know its log. A server in another thread knows none and works for the
            # test; another task of the same thread does not belong to the test.
            if log in here or (not here and thread != log.thread):
                log.queries.append(query)
        return query

    def finished(self, token: Any, event: QueryFinished) -> None:
        if token is None:
            return
        query: Query = token
        query.rows = event.rows
        query.seconds = event.queued + event.wire + event.decode
        query.error = event.error


_recorder = _Recorder()


@contextmanager
def recording(log: QueryLog) -> Generator[QueryLog]:
    """Record into a log what the code inside the block runs, also in tasks and threads that it starts."""
    _recorder.add(log)
    token = _here.set((*_here.get(), log))
    try:
        yield log
    finally:
        _here.reset(token)
        _recorder.remove(log)


@contextmanager
def capture_sql(*, normalise: bool = True) -> Generator[QueryLog]:
    """Record the SQL of a block, for snapshots.

    Statements of the harness (savepoints, BEGIN, COMMIT) are not in it. `log.texts` is a list of plain strings, so that
    inline-snapshot, syrupy and `==` all work.

    >>> from data_bridge import core
    >>> from data_bridge.testing import capture_sql
    >>> async def check() -> None:
    ...     with capture_sql() as log:
    ...         await core.fetch("SELECT 1")
    ...     assert log.texts == ["SELECT ?"]
    """
    with recording(QueryLog(normalised=normalise)) as log:
        yield log


def _kind(event: QueryStarted) -> str:
    if event.kind in ("select", "insert", "update", "delete", "merge", "ddl"):
        return event.kind
    first = first_word(event.sql).lower()
    if first in ("create", "alter", "drop", "comment", "grant", "revoke", "truncate"):
        return "ddl"
    return "select" if first in ("values", "table") else first


def _tables(event: QueryStarted) -> tuple[str, ...]:
    if event.tables:
        return event.tables
    found: list[str] = []
    nothing = ("", "")
    parts = [nothing, *words(event.sql), nothing, nothing]
    for (_, before), (kind, text), dot, second in zip(parts, parts[1:], parts[2:], parts[3:], strict=False):
        if before.upper() in BEFORE_A_TABLE and kind == "name" and text.upper() not in NO_TABLE:
            name = text.strip('"')
            if dot[1] == "." and second[0] == "name":
                name += "." + second[1].strip('"')
            if name not in found:
                found.append(name)
    return tuple(found)
