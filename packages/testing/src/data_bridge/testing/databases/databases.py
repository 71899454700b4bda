"""Databases of a run: made, cloned ahead of need, and dropped behind the test's back."""

from __future__ import annotations

import itertools
import os
import secrets
import threading
from collections import defaultdict
from contextlib import closing
from queue import SimpleQueue

from data_bridge.core import DatabaseError
from data_bridge.core._native import quote_identifier
from data_bridge.testing.databases.presence import Presence
from data_bridge.testing.databases.source import Session, Source
from data_bridge.testing.errors import ConfigurationError

__all__ = ["PREFIX", "Databases", "create_database"]

PREFIX = "data_bridge_test_"
SPARES = 2
"""Clones kept ready of each template that was cloned before."""


def create_database(session: Session, name: str, options: str = "") -> None:
    """CREATE DATABASE.

    Raises:
        ConfigurationError: the role may not do it; the hint says what helps.
    """
    try:
        session.run(f"CREATE DATABASE {quote_identifier(name)}{options}")
    except DatabaseError as error:
        if error.sqlstate != "42501":
            raise
        raise ConfigurationError(
            f"the role of the URL may not create databases: {error}",
            hint="ALTER ROLE … CREATEDB, or name another role, or leave --db-url out and use the embedded server",
        ) from error


class Databases:
    """Makes and drops databases on the server of a run.

    A clone costs 16 to 30 ms and a drop 10; both happen in a background thread once a template is in use: the next
    clone is ready before it is asked for.
    """

    def __init__(self, source: Source, worker: str = "main") -> None:
        self.source = source
        self._worker = worker
        self._run = secrets.token_hex(4)
        self._count = itertools.count(1)
        self._spares: defaultdict[str, list[str]] = defaultdict(list)
        self._made: set[str] = set()
        self._lock = threading.Lock()
        self._work: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._presence: Presence | None = None

    def _present(self) -> Presence | None:
        """On a server that outlives the run: whose databases are whose. The first call drops those of killed runs."""
        if not self.source.lasts:
            return None
        with self._lock:
            if self._presence is None:
                self._presence = Presence(self.source, PREFIX)
                self._presence.sweep()
            return self._presence

    def fresh_name(self, purpose: str) -> str:
        """A name that no other run or worker uses."""
        presence = self._present()
        run = self._run if presence is None else presence.run
        return f"{PREFIX}{purpose}_{run}_{self._worker}_{os.getpid()}_{next(self._count)}"

    def create(self, purpose: str = "db", *, template: str | None = None) -> str:
        """Make a database now and return its name."""
        name = self.fresh_name(purpose)
        source = ""
        if template:
            source = f" TEMPLATE {quote_identifier(template)}"
            # Copying files forces a checkpoint: quick on a server of our own, unfriendly on a shared one.
            if self.source.owned and int(self.source.version.split(".")[0]) >= 15:
                source += " STRATEGY file_copy"
        with closing(self.source.session()) as session:
            create_database(session, name, source)
        with self._lock:
            self._made.add(name)
        return name

    def clone(self, template: str) -> str:
        """A clone of a template: a spare one when there is, and another one is made meanwhile."""
        with self._lock:
            spares = self._spares[template]
            name = spares.pop() if spares else None
            missing = SPARES - len(spares)
        if name is None:
            name = self.create("clone", template=template)
        for _ in range(missing):
            self._later("clone", template)
        return name

    def drop(self, name: str) -> None:
        """Drop a database and end every session in it, now."""
        with closing(self.source.session()) as session:
            session.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
        with self._lock:
            self._made.discard(name)

    def put_back(self, name: str, snapshot: str) -> None:
        """Drop a database, end every session in it, and give its name to a copy that was made before."""
        with closing(self.source.session()) as session:
            session.run(f"DROP DATABASE {quote_identifier(name)} WITH (FORCE)")
            session.run(f"ALTER DATABASE {quote_identifier(snapshot)} RENAME TO {quote_identifier(name)}")
        with self._lock:
            self._made.discard(snapshot)

    def drop_later(self, name: str) -> None:
        """Drop it in the background."""
        self._later("drop", name)

    def keep(self, name: str) -> str:
        """Leave a database behind for inspection; returns its URL."""
        if (presence := self._present()) is not None:
            presence.keep(name)
        with self._lock:
            self._made.discard(name)
        return self.source.dsn_of(name)

    def close(self) -> None:
        """Finish background work and drop what is left. On a temporary server the databases go with the server."""
        if self._thread is not None:
            self._work.put(None)
            self._thread.join()
            self._thread = None
        if self.source.lasts:
            for name in sorted(self._made):
                self.drop(name)
            if self._presence is not None:
                self._presence.close()
                self._presence = None

    def _later(self, what: str, name: str) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run_work, name="data-bridge databases", daemon=True)
            self._thread.start()
        self._work.put((what, name))

    def _run_work(self) -> None:
        while (work := self._work.get()) is not None:
            what, name = work
            try:
                if what == "drop":
                    self.drop(name)
                    continue
                with self._lock:
                    enough = len(self._spares[name]) >= SPARES
                if not enough:
                    spare = self.create("clone", template=name)
                    with self._lock:
                        self._spares[name].append(spare)
            except Exception:
                # Work ahead of need may fail (a stopped server, a dropped template); who needs it gets the error.
                continue
