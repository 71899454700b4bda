"""`TestServer`: a server of a test's own that may be stopped, killed, stalled and cut off."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Literal

from data_bridge.core import enter_test_scope, leave_test_scope
from data_bridge.testing.databases.committed import TestDatabase
from data_bridge.testing.databases.source import EmbeddedSource
from data_bridge.testing.errors import ServerError
from data_bridge.testing.faults.proxy import proxied
from data_bridge.testing.server import EmbeddedServer
from data_bridge.testing.server.admin import ADMIN, AdminSession

__all__ = ["StopMode", "TestServer"]

StopMode = Literal["smart", "fast", "immediate"]
OTHERS = (
    "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    f" AND application_name <> '{ADMIN}'"  # one that has just said goodbye lives on for a moment
)


class TestServer:
    """The server of the fixture `own_server`: no other test uses it, so it may be hurt.

    Attributes:
        dsn: URL of its database `postgres` (TCP).
    """

    __test__ = False  # the name starts with Test, but this is not a test class

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._stalled = False
        self.dsn = server.dsn

    @property
    def version(self) -> str:
        """The version of the server."""
        return self._server.version

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return self._server.log

    def dsn_of(self, database: str) -> str:
        """URL of another database."""
        return self._server.dsn_of(database)

    @contextmanager
    def database(self, name: str = "postgres") -> Generator[TestDatabase]:
        """A pool on this server that is the default database inside the block, so that no init() is needed.

        As with `isolated_db`, errors can be ordered: `db.fail("40001")`.

        >>> async def test_a_crash(own_server):
        ...     with own_server.database() as db:
        ...         await db.execute("CREATE TABLE t (id int)")
        ...         own_server.restart()
        """
        database = TestDatabase(EmbeddedSource(self._server), name)
        enter_test_scope(database)
        try:
            yield database
        finally:
            leave_test_scope(database)
            database.shut()

    def run(self, sql: str, database: str = "postgres") -> list[tuple[str | None, ...]]:
        """Run SQL as superuser on a session beside those of the test; values come as text."""
        with self._server.admin(database) as session:
            return session.run(sql)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server: `smart` waits for clients, `fast` disconnects them, `immediate` is a crash."""
        self._server.stop_postmaster(mode)

    def start(self) -> None:
        """Start it again, on the same address and with the same data."""
        self._server.start_postmaster()

    def restart(self, mode: StopMode = "immediate") -> None:
        """Stop and start."""
        self.stop(mode)
        self.start()

    def terminate_backends(self) -> int:
        """Have the server end every client session (57P01 on their next use); returns how many."""
        return len(self.run(f"SELECT pg_terminate_backend(pid, 2000) {OTHERS}"))

    def kill_backend(self) -> None:
        """SIGKILL one client session's process: the server restarts itself and every session breaks.

        Raises ServerError when there is no session.
        """
        while True:
            with suppress(ProcessLookupError):  # it ended by itself: another one, if there is one
                return os.kill(self._a_backend(), signal.SIGKILL)

    def stall(self) -> None:
        """Freeze the postmaster: open sessions work on, new ones hang until `resume`."""
        self._signal(signal.SIGSTOP)
        self._stalled = True

    def resume(self) -> None:
        """Let a stalled server go on."""
        if self._stalled:
            self._signal(signal.SIGCONT)
            self._stalled = False

    @contextmanager
    def stalled_backends(self) -> Generator[int]:
        """Freeze every client session inside the block, as if the queries of each hung; returns their number."""
        pids: list[int] = []
        try:
            for row in self.run(f"SELECT pid {OTHERS}"):
                with suppress(ProcessLookupError):
                    os.kill(int(row[0] or 0), signal.SIGSTOP)
                    pids.append(int(row[0] or 0))
            yield len(pids)
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @contextmanager
    def proxy(self, *, delay: float = 0, cut_after: int | None = None) -> Generator[str]:
        """A URL through a TCP proxy: `delay` in seconds each way, reset after `cut_after` bytes of answers."""
        with proxied(self.dsn, delay=delay, cut_after=cut_after) as through:
            yield through.dsn

    @contextmanager
    def few_connections(self, free: int) -> Generator[None]:
        """Leave `free` connections to ordinary users inside the block; the next one gets 53300.

        Takes the others itself. A superuser may use the reserved ones, so connect as an ordinary role.
        """
        count = (
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true), '0')::int - count(*)"
            " FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        taken: list[AdminSession] = []
        # The process of a closed session lives on for a moment and is counted: look until nothing changes any more.
        quiet = 0
        while quiet < 3:
            missing = int(self.run(count)[0][0] or 0) + 1 - free
            quiet = quiet + 1 if missing <= 0 else 0
            taken += [self._server.admin() for _ in range(missing)]
            time.sleep(0.02)
        try:
            yield
        finally:
            for session in taken:
                session.close()

    def _a_backend(self) -> int:
        rows = self.run(f"SELECT pid {OTHERS} ORDER BY backend_start LIMIT 1")
        if not rows:
            raise ServerError("no client session is open that could be killed")
        return int(rows[0][0] or 0)

    def _signal(self, number: signal.Signals) -> None:
        pid = self._server.pid
        if pid is None:
            raise ServerError("the server is stopped")
        os.kill(pid, number)
