"""Per worker: which databases the fixtures use, made from which templates."""

from __future__ import annotations

from contextlib import closing

from data_bridge.core.transactions.isolation import IsolationLevel
from data_bridge.testing.data.numbering import shared_rows
from data_bridge.testing.databases.committed import TestDatabase
from data_bridge.testing.databases.databases import Databases
from data_bridge.testing.databases.fingerprint import fingerprint
from data_bridge.testing.databases.reset import delete_rows, reset_sequences
from data_bridge.testing.databases.template import Content, Template, ensure_template
from data_bridge.testing.databases.template_builder import build_schema
from data_bridge.testing.sandbox import IsolatedSandbox, SandboxPool
from data_bridge.testing.sandbox.notify_capture import prepare

__all__ = ["WorkerDatabases"]

ANY_DEFERRED = "SELECT 1 FROM pg_constraint WHERE condeferred LIMIT 1"


class WorkerDatabases:
    """The databases of one worker."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.source = databases.source
        self._templates: dict[int, tuple[Content, Template]] = {}
        self._sandboxes: dict[str, tuple[str, SandboxPool]] = {}
        self._committed: dict[str, tuple[TestDatabase, str]] = {}

    def template(self, content: Content) -> Template:
        """The template of a content; asked for again and again, hashed once."""
        known = self._templates.get(id(content))
        if known is None:
            with shared_rows():
                template = ensure_template(self.source, content, build_schema)
            known = self._templates[id(content)] = (content, template)
        return known[1]

    def sandbox_home(self, content: Content) -> SandboxPool:
        """Where tests that roll back live."""
        template = self.template(content)
        if template.database not in self._sandboxes:
            name = self.databases.create("rollback", template=template.database)
            with closing(self.source.session(name)) as session:
                defers = bool(session.run(ANY_DEFERRED))
                hears = prepare(session)
            home = SandboxPool(self.source.dsn_of(name), defers=defers, hears=hears)
            self._sandboxes[template.database] = (name, home)
        return self._sandboxes[template.database][1]

    def replace_sandbox(self, content: Content) -> None:
        """Throw the database of a template away: something was committed there."""
        name, home = self._sandboxes.pop(self.template(content).database)
        home.close()
        self.databases.drop(name)

    def reset_sandbox_sequences(self, content: Content) -> None:
        """Set the sequences back, which a rollback leaves alone."""
        self.reset_sequences_of(self._sandboxes[self.template(content).database][0])

    def reset_sequences_of(self, name: str) -> None:
        """Set the sequences of a database back to their start."""
        with closing(self.source.session(name)) as session:
            reset_sequences(session)

    def committed(self, content: Content) -> TestDatabase:
        """The database of this worker whose tests commit; empty or as the template made it."""
        template = self.template(content)
        if template.database not in self._committed:
            name = self.databases.create("committed", template=template.database)
            with closing(self.source.session(name)) as session:
                self._committed[template.database] = (TestDatabase(self.source, name), fingerprint(session))
        return self._committed[template.database][0]

    def reset_committed(self, content: Content, database: TestDatabase, *, dirty: bool) -> None:
        """Delete what a test committed.

        The template is cloned again where it has rows of its own, and where the test has changed more than rows.
        """
        template = self.template(content)
        if not template.seeded and not dirty:
            with closing(self.source.session(database.name)) as session:
                if fingerprint(session) == self._committed[template.database][1]:
                    delete_rows(session)
                    return
        del self._committed[template.database]
        database.shut()
        self.databases.drop_later(database.name)

    def keep_committed(self, content: Content, database: TestDatabase) -> str:
        """Leave the database of a failed test as it is; returns its URL."""
        del self._committed[self.template(content).database]
        database.shut()
        return self.databases.keep(database.name)

    def isolated(self, content: Content) -> TestDatabase:
        """A database that no other worker uses."""
        return TestDatabase(self.source, self.databases.clone(self.template(content).database))

    def isolated_sandbox(self, content: Content, isolation: IsolationLevel | None) -> IsolatedSandbox:
        """The same, with everything that a test may ask of a sandbox."""
        return IsolatedSandbox(self.databases, self.databases.clone(self.template(content).database), isolation)

    def close(self) -> None:
        """Give every connection up; `Databases` drops what is left."""
        for _, home in self._sandboxes.values():
            home.close()
        for database, _ in self._committed.values():
            database.shut()
        for content, template in self._templates.values():
            template.release(self.source, content)
