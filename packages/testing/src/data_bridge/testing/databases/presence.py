"""Which runs are alive on a server that outlives them, so that the databases of a killed one can be dropped."""

from __future__ import annotations

import json
from contextlib import closing, suppress

from data_bridge.core import DatabaseError
from data_bridge.core._native import quote_identifier, quote_literal
from data_bridge.testing.databases.source import Session, Source

__all__ = ["Presence"]

LOCK = 0x64625F72  # "db_r"
"""Held, shared, on the number of a run by each of its workers; the server frees it when they have died."""


class Presence:
    """Notes which run a database belongs to, and drops those whose run has gone.

    Advisory locks are seen within one database, so that a note also says in which one the lock is held: runs that were
    given another database of the server are left alone.
    """

    def __init__(self, source: Source, run: str, prefix: str) -> None:
        self._source = source
        self._run = run
        self._prefix = prefix
        self._keeper: Session = source.session()
        self._home = str(self._keeper.run("SELECT current_database()")[0][0])
        self._keeper.run(f"SELECT pg_advisory_lock_shared({LOCK}, hashtext({quote_literal(run)}))")

    def note(self, session: Session, name: str) -> None:
        """Say that a database belongs to this run."""
        facts = quote_literal(json.dumps({"run": self._run, "home": self._home}))
        session.run(f"COMMENT ON DATABASE {quote_identifier(name)} IS {facts}")

    def forget(self, name: str) -> None:
        """A database is left for somebody to look at: no run drops it."""
        with closing(self._source.session()) as session:
            session.run(f"COMMENT ON DATABASE {quote_identifier(name)} IS NULL")

    def sweep(self) -> list[str]:
        """Drop the databases of runs that have gone, and return their names."""
        dropped: list[str] = []
        with closing(self._source.session()) as session:
            rows = session.run(
                "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
                f" WHERE starts_with(datname::text, {quote_literal(self._prefix)})"
            )
            for name, comment in rows:
                facts = _facts(comment)
                if not name or facts.get("home") != self._home or self._is_alive(session, str(facts.get("run"))):
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


def _facts(comment: str | None) -> dict[str, object]:
    with suppress(ValueError):
        found = json.loads(comment or "")
        if isinstance(found, dict):
            return found  # pyright: ignore[reportUnknownVariableType]
    return {}
