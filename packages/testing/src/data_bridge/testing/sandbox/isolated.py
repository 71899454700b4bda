"""The fixture `db` under `--db-mode=isolated`: the same names on a database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from typing import Any

from data_bridge.core import Transaction, TransactionBusy
from data_bridge.core._native import quote_identifier, quote_literal
from data_bridge.core.transactions.begin import begin_on_server
from data_bridge.core.transactions.isolation import IsolationLevel
from data_bridge.testing.databases.committed import OURS, TestDatabase
from data_bridge.testing.databases.databases import Databases
from data_bridge.testing.sandbox.clock import BIND_DEFAULTS, aware, functions, interval
from data_bridge.testing.sandbox.journal import ShownJournal
from data_bridge.testing.sandbox.notification import Notification
from data_bridge.testing.sandbox.notify_capture import READ_SENT, prepare
from data_bridge.testing.sandbox.statements import CLOCK, may_notify, rewritten

__all__ = ["IsolatedSandbox"]

INSTANT = f"{CLOCK}.instant"
CLOCK_TABLE = (
    f"CREATE SCHEMA IF NOT EXISTS {CLOCK}; GRANT USAGE ON SCHEMA {CLOCK} TO PUBLIC;"
    f" CREATE TABLE IF NOT EXISTS {INSTANT} (at timestamptz); GRANT SELECT ON {INSTANT} TO PUBLIC"
)
PATIENCE = "2s"


class IsolatedSandbox(TestDatabase):
    """Everything that a test may ask of a `Sandbox`, with real commits and real concurrency.

    What rolls back there is done by other means here: an example of a property test ends with a copy of the database in its
    place; the clock and what was sent by NOTIFY are kept in tables.

    Attributes:
        on_commit_calls: callbacks registered with `on_commit`, also of transactions that were rolled back.
    """

    def __init__(self, databases: Databases, name: str, isolation: IsolationLevel | None) -> None:
        self._databases = databases
        self._frozen = False
        self._heard: list[Notification] = []
        self._heard_to = 0
        self._settings: dict[str, str] = {}
        self.on_commit_calls: list[Callable[[], Any]] = []
        super().__init__(databases.source, name)
        with closing(self._source.session(name)) as session:
            prepare(session, commits=True)
            self._search_path = str(session.run("SHOW search_path")[0][0])
        if isolation is not None:
            self._configure(default_transaction_isolation=quote_literal(isolation.value.lower()))

    def _configure(self, **settings: str) -> None:
        """Settings of every session from now on."""
        self._settings |= settings
        with closing(self._source.session()) as session:
            for setting, value in self._settings.items():
                session.run(f"ALTER DATABASE {quote_identifier(self.name)} SET {setting} = {value}")
        self._pool.expire()

    def _rewrite(self) -> Callable[[str], str]:
        def rewrite(sql: str) -> str:
            return rewritten(sql, frozen=self._frozen) if self._frozen or may_notify(sql) else sql

        return rewrite

    async def begin(
        self,
        isolation: IsolationLevel | None,
        read_only: bool,
        deferrable: bool,
        timeout: float | None,
        site: tuple[str, int],
    ) -> Transaction:
        """Begin a transaction; called by pg_transaction() and begin_transaction()."""
        transaction = await begin_on_server(self, isolation, read_only, deferrable, timeout, site)
        transaction._journal = ShownJournal(self.on_commit_calls)
        return transaction

    @property
    def notifications(self) -> list[Notification]:
        """What was sent by NOTIFY, also by triggers and functions, and committed."""
        with closing(self._source.session(self.name)) as session:
            for number, channel, payload in session.run(READ_SENT.format(after=self._heard_to)):
                self._heard_to = int(number or 0)
                self._heard.append(Notification(str(channel), str(payload), 0))
        return self._heard

    # ------------------------------------------------------------------------------------------------- the clock
    def freeze(self, at: datetime) -> None:
        """Make NOW() this instant, in statements and in column defaults, until the test ends or `tick` moves it.

        Raises:
            ValueError: for a datetime without a time zone.
            TransactionBusy: an open transaction uses a table whose defaults tell the time.
        """
        instant = quote_literal(aware(at).isoformat())
        self._set_clock(
            f"{functions(f'(SELECT at FROM {INSTANT})', 'true')} DELETE FROM {INSTANT};"
            f" INSERT INTO {INSTANT} VALUES ({instant}); {BIND_DEFAULTS}"
        )
        if not self._frozen:
            self._frozen = True
            self._configure(search_path=f"{self._search_path}, {CLOCK}, pg_catalog")

    def unfreeze(self) -> None:
        """Let NOW() go on; without `freeze` it does."""
        if self._frozen:
            self._set_clock(functions("pg_catalog.now()", "false"))

    def tick(self, by: timedelta) -> None:
        """Move NOW() on; it stands still afterwards."""
        if not self._frozen:
            self.freeze(datetime.now(UTC))
        with closing(self._source.session(self.name)) as session:
            session.run(f"UPDATE {INSTANT} SET at = at + {interval(by)}")

    def _set_clock(self, script: str) -> None:
        with closing(self._source.session(self.name)) as session:
            session.script(f"SET lock_timeout = '{PATIENCE}'; {CLOCK_TABLE}")
            try:
                session.script(script)
            except Exception as error:
                if getattr(error, "sqlstate", "") != "55P03":
                    raise
                raise TransactionBusy(
                    "the clock cannot be set while an open transaction uses a table whose defaults tell the time"
                    "\nhint: freeze() before the transaction begins"
                ) from error

    # ------------------------------------------------------------------------------------------------- examples
    @asynccontextmanager
    async def example(self) -> AsyncGenerator[None]:
        """One example of a property test: at its end the database is as it was before.

        Raises:
            TransactionBusy: a transaction is open, or another program uses the database.
        """
        before = self.notifications[:], self._frozen, dict(self._settings)
        snapshot = self._copy()
        try:
            yield
        finally:
            self._end_sessions()
            self._databases.put_back(self.name, snapshot)
            self._heard[:], self._frozen, self._settings = before
            with closing(self._source.session(self.name)) as session:
                self._heard_to = int(session.run("SELECT coalesce(max(n), 0) FROM data_bridge_test.sent")[0][0] or 0)
            self._configure()

    def _copy(self) -> str:
        self._end_sessions()
        try:
            return self._databases.create("example", template=self.name)
        except Exception as error:
            if getattr(error, "sqlstate", "") != "55006":
                raise
            raise TransactionBusy(
                "example() copies the database, which a transaction or another program uses\nhint: end it before the example"
            ) from error

    def _end_sessions(self) -> None:
        """End the idle sessions of the pool: a database in use is not copied."""
        self.settle()
        self._pool.expire()
        with closing(self._source.session()) as session:
            session.run(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
                f" WHERE datname = {quote_literal(self.name)} AND application_name = {quote_literal(OURS)} AND state = 'idle'"
            )
