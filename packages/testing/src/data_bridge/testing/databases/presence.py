"""Which runs are alive on a server that outlives them, so that the databases of a killed one can be dropped."""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import closing, suppress

from data_bridge.core import DatabaseError
from data_bridge.core._native import quote_identifier, quote_literal
from data_bridge.testing.databases.source import Session, Source

__all__ = ["Presence"]

LOCK = 0x64625F72  # "db_r"
"""Held, shared, on the number of a run by each of its workers; the server frees it when they have died."""
KEPT = "kept by --db-keep"


class Presence:
    """Makes the number of a run, which the names of its databases hold, and drops the databases of runs that have gone.

    Advisory locks are seen within one database, so that the number begins with a digest of the one in which the lock is
    held: runs that were given another database of the server are left alone.

    Attributes:
        run: the number.
    """

    def __init__(self, source: Source, prefix: str) -> None:
        self._source = source
        self._name = re.compile(re.escape(prefix) + r"[a-z]+_([0-9a-f]{16})_")
        self._prefix = prefix
        self._keeper: Session = source.session()
        home = str(self._keeper.run("SELECT current_database()")[0][0])
        self._home = hashlib.sha256(home.encode()).hexdigest()[:8]
        self.run = self._home + secrets.token_hex(4)
        self._keeper.run(f"SELECT pg_advisory_lock_shared({LOCK}, hashtext({quote_literal(self.run)}))")

    def keep(self, name: str) -> None:
        """A database is left for inspection: no run drops it."""
        with closing(self._source.session()) as session:
            session.run(f"COMMENT ON DATABASE {quote_identifier(name)} IS {quote_literal(KEPT)}")

    def sweep(self) -> list[str]:
        """Drop the databases of runs that have gone, and return their names."""
        dropped: list[str] = []
        with closing(self._source.session()) as session:
            rows = session.run(
                "SELECT datname FROM pg_database"
                f" WHERE starts_with(datname::text, {quote_literal(self._prefix)})"
                " AND shobj_description(oid, 'pg_database') IS NULL"
            )
            for (name,) in rows:
                found = self._name.match(name or "")
                if not name or not found or not found[1].startswith(self._home) or self._is_alive(session, found[1]):
                    continue
                with suppress(DatabaseError):  # of another role, or another run drops it at this moment
                    session.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
                    dropped.append(name)
        return dropped

    def _is_alive(self, session: Session, run: str) -> bool:
        lock = f"({LOCK}, hashtext({quote_literal(run)}))"
        if session.run(f"SELECT pg_try_advisory_lock{lock}")[0][0] != "t":
            return True
        session.run(f"SELECT pg_advisory_unlock{lock}")
        return False

    def close(self) -> None:
        """This worker is done."""
        self._keeper.close()
