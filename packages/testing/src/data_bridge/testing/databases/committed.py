"""`TestDatabase`: a database of a test's own, with a pool and real transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from data_bridge.core import Database
from data_bridge.core._native import quote_literal
from data_bridge.testing._blocking import run_elsewhere
from data_bridge.testing.connections.injected_errors import FailsOnDemand
from data_bridge.testing.connections.leaks import Watch, lock_name
from data_bridge.testing.connections.tracked_pool import TrackedPool
from data_bridge.testing.databases.source import Source
from data_bridge.testing.databases.sqlalchemy import sqlalchemy_url

__all__ = ["TestDatabase"]

OURS = "data-bridge-testing"
SESSIONS = (
    "SELECT pid, application_name, state, query FROM pg_catalog.pg_stat_activity WHERE datname = {name}"
    " AND (state LIKE 'idle in transaction%' OR query ILIKE 'listen %')"
)
LOCKS = (
    "SELECT l.classid::bigint, l.objid::bigint, l.objsubid FROM pg_catalog.pg_locks l"
    " JOIN pg_catalog.pg_database d ON d.oid = l.database"
    " WHERE l.locktype = 'advisory' AND l.granted AND d.datname = {name} ORDER BY 1, 2"
)


class TestDatabase(FailsOnDemand, Database):
    """The database of `committed` and `isolated_db`, which is the default one for the test.

    Attributes:
        dsn: its URL, for asyncpg, psycopg or another process.
        name: its name on the server.
    """

    __test__ = False  # the name starts with Test, but this is not a test class

    def __init__(self, source: Source, name: str) -> None:
        Database.__init__(self, source.dsn_of(name), application_name=OURS)
        FailsOnDemand.__init__(self)
        self.dsn = source.dsn_of(name)
        self.name = name
        self._source = source
        self._watch = Watch()
        native: Any = self._pool
        self._native_pool = native
        self._pool: Any = TrackedPool(native, self._watch, self._faults, self._rewrite())

    def sqlalchemy_url(self, driver: str = "psycopg") -> str:
        """The URL as SQLAlchemy's create_engine() wants it: `postgresql+driver://…`.

        Args:
            driver: psycopg, asyncpg, psycopg2, pg8000 …

        >>> def test_reports(isolated_db):
        ...     engine = create_async_engine(isolated_db.sqlalchemy_url("asyncpg"))
        """
        return sqlalchemy_url(self.dsn, driver)

    # ------------------------------------------------------------------------------------------- the end of a test
    def renew_watch(self) -> None:
        """Begins the watch of another test, without what the last one held."""
        self._watch = Watch()
        self._faults.forget()
        self._pool = TrackedPool(self._native_pool, self._watch, self._faults, self._rewrite())

    @property
    def watch(self) -> Watch:
        """What the test holds."""
        return self._watch

    def _rewrite(self) -> Callable[[str], str] | None:
        """What changes the text of statements before they are sent; None where they are sent as they are."""
        return None

    def judge(self) -> list[str]:
        """What a test has left open."""
        watch = self._watch
        problems = watch.problems()
        holds = watch.open_connections()
        if not holds:
            self.settle()
        problems += [
            f"a connection was not given back at the end of the test: {hold} still has it\nhint: {hold.remedy}"
            for hold in holds
        ]
        with closing(self._source.session()) as session:
            sessions = session.run(SESSIONS.format(name=quote_literal(self.name)))
            locks = session.run(LOCKS.format(name=quote_literal(self.name)))
        kept = any(hold.kept and hold.open for hold in (*watch.connections, *watch.listeners))
        for pid, application, state, query in sessions:
            if application == OURS and (holds or kept or state == "idle"):
                continue  # told already, by the line that took it; or the listener of a pool, of which we know
            who = f"a session (process {pid}, {application or 'no name'})"
            if str(state).startswith("idle in transaction"):
                problems.append(
                    f"{who} is idle in a transaction after: {query}\nhint: commit, roll back or close it in the test"
                )
            else:
                problems.append(f"{who} still listens after: {query}\nhint: UNLISTEN, or close its connection")
        if locks and not kept:
            names = [lock_name(int(a or 0), int(b or 0), int(c or 0)) for a, b, c in locks]
            problems.append(watch.lock_problem("", names))
        return problems

    def shut(self) -> None:
        """Close the pool from synchronous code."""
        run_elsewhere(lambda: self.close(timeout=0))
