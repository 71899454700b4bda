"""Where sandboxes live: one database and one connection per worker, used by one test after another."""

from __future__ import annotations

import contextlib
from typing import Any

from data_bridge.core import Database, DatabaseError, IntegrityError
from data_bridge.core.isolation import IsolationLevel

from ..blocking import run_elsewhere
from .executor import BACK, ESCAPED, GUARD, UNIT, Sandbox
from .transaction import CHECK_CONSTRAINTS, EmulatedTransaction

__all__ = ["SandboxHome"]

WAIT = 30.0
ANY_DEFERRED = "SELECT FROM pg_catalog.pg_constraint WHERE condeferred LIMIT 1"


class SandboxHome:
    """Opens a sandbox for a test, judges it when the test is over, and rolls it back."""

    def __init__(self, dsn: str, *, defers: bool) -> None:
        self.dsn = dsn
        self._defers = defers
        self._database = self._connect()
        self._lease: Any = None

    def _connect(self) -> Database:
        return Database(self.dsn, max_connections=4, application_name="data-bridge-testing db")

    def open(self, isolation: IsolationLevel | None = None) -> Sandbox:
        """A fresh sandbox; nothing is sent before its first statement."""
        sandbox = Sandbox(self._database, self.dsn, defers=self._defers, isolation=isolation)
        if self._lease is not None and self._lease.status == "idle":
            sandbox.lease_handle = self._lease
        self._lease = sandbox.lease_handle
        return sandbox

    def judge(self, sandbox: Sandbox) -> list[str]:
        """What is wrong with the state a test has left; the rows stay for fixtures that clean up after themselves."""
        problems = list(sandbox.leaks)
        if isinstance(holder := sandbox.turn.holder, EmulatedTransaction):
            problems.append(f"{holder} is still open at the end of the test; commit or roll it back")
            holder.discard()
            sandbox.turn.give(holder)
            self._wait(sandbox, "rollback_to", f"ROLLBACK TO SAVEPOINT {GUARD}; SAVEPOINT {UNIT}")
        problems += [
            f"{task.get_name()!r} still runs at the end of the test and has used the database; await it or cancel it"
            for task in sandbox.tasks
            if not task.done()
        ]
        if sandbox.escaped:
            problems.append(f"the transaction of the test was escaped: {sandbox.escaped}")
        if not sandbox.begun:
            return problems
        if sandbox.lease_handle.status == "failed":
            self._wait(sandbox, "rollback_to", BACK)
        try:
            if sandbox.defers:
                self._wait(sandbox, "script", CHECK_CONSTRAINTS)
        except IntegrityError as error:
            problems.append(f"a deferred constraint is violated at the end of the test: {error}")
            self._wait(sandbox, "rollback_to", f"ROLLBACK TO SAVEPOINT {GUARD}")
        try:
            self._wait(sandbox, "script", f"RELEASE SAVEPOINT {GUARD}; SAVEPOINT {GUARD}; SAVEPOINT {UNIT}")
        except DatabaseError as error:
            if error.sqlstate in ESCAPED and not sandbox.escaped:
                sandbox.escaped = "a COMMIT or ROLLBACK that was not recognised"
                problems.append(f"the transaction of the test was escaped: {sandbox.escaped}")
        return problems

    def roll_back(self, sandbox: Sandbox) -> list[str]:
        """End the test's transaction; returns what outlived it (locks and LISTENs are no part of transactions)."""
        if not sandbox.begun:
            return []
        handle = sandbox.lease_handle
        if handle.status == "closed":
            self._lease = None
            return []
        left: list[str] = []
        with contextlib.suppress(DatabaseError):
            self._wait(sandbox, "rollback", keep=True)
        if handle.status == "idle":
            left = self._left_in_session(handle)
        if sandbox.schema_changed or sandbox.escaped:
            # Plans made for tables that are gone again must not be met by the next test.
            self.reconnect()
        return left

    def reconnect(self) -> None:
        """Start over with new connections and empty caches."""
        if self._lease is not None and self._lease.status not in ("new", "closed"):
            self._lease.bridge.wait(self._lease.give_back(), WAIT)
        self._lease = None
        database, self._database = self._database, self._connect()
        run_elsewhere(lambda: database.close(timeout=0))

    def close(self) -> None:
        """Give the connection up."""
        self.reconnect()
        database = self._database
        run_elsewhere(lambda: database.close(timeout=0))

    def _left_in_session(self, handle: Any) -> list[str]:
        from data_bridge.core.executor import BaseExecutor  # noqa: F401 - loads the plans
        from data_bridge.core import LoadPlan

        query = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()"
        locks = handle.bridge.wait(handle.run(("text", query), (), LoadPlan.scalars(many=False)), WAIT)
        if not locks:
            return []
        handle.bridge.wait(handle.script("SELECT pg_catalog.pg_advisory_unlock_all()"), WAIT)
        return [f"{locks} session advisory lock(s) were still held at the end of the test"]

    @staticmethod
    def _wait(sandbox: Sandbox, step: str, *arguments: Any, **options: Any) -> Any:
        handle = sandbox.lease_handle
        return handle.bridge.wait(getattr(handle, step)(*arguments, **options), WAIT)
