"""`TestDatabase`: a database of a test's own, with a pool and real transactions."""

from __future__ import annotations

import gc
from contextlib import closing

from data_bridge.core import Database, Transaction

from .blocking import run_elsewhere
from .embedded.admin import quote_literal
from .source import Source

__all__ = ["TestDatabase"]


class TestDatabase(Database):
    """What `committed` and `isolated_db` give: a Database that is the default one for the test.

    Attributes:
        dsn: its URL, for asyncpg, psycopg, SQLAlchemy or another process.
        name: its name on the server.
    """

    __test__ = False  # the name starts with Test, but this is no test class

    def __init__(self, source: Source, name: str) -> None:
        super().__init__(source.dsn_of(name), application_name="data-bridge-testing")
        self.dsn = source.dsn_of(name)
        self.name = name
        self._source = source

    def judge(self) -> list[str]:
        """What a test has left open."""
        problems: list[str] = []
        self.settle()
        used = self.pool_stats().used
        if used:
            holders = [str(found) for found in self._open_transactions()]
            text = f"{used} connection(s) were not given back at the end of the test"
            problems.append(text + (": " + "; ".join(holders) if holders else ""))
        with closing(self._source.session()) as session:
            rows = session.run(
                "SELECT application_name, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
                f" AND datname = {quote_literal(self.name)}"
            )
        problems += [f"a session ({name or 'no name'}) is idle in a transaction after: {query}" for name, query in rows]
        return problems

    def _open_transactions(self) -> list[Transaction]:
        # Only asked when something leaked: a walk over all objects costs some ten milliseconds.
        return [
            found
            for found in gc.get_objects()
            if isinstance(found, Transaction) and found.database is self and found.is_active
        ]

    def shut(self) -> None:
        """Close the pool from synchronous code."""
        run_elsewhere(lambda: self.close(timeout=0))
