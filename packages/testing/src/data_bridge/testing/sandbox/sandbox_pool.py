"""Where sandboxes live: one database and one connection per worker, used by one test after another."""

from __future__ import annotations

import contextlib
import time
from contextlib import closing
from typing import Any

from data_bridge.core import Database, DatabaseError, DataBridgeError, IntegrityError, LoadPlan
from data_bridge.core._native import quote_literal
from data_bridge.core.transactions.isolation import IsolationLevel
from data_bridge.testing._blocking import BlockingSession, run_elsewhere
from data_bridge.testing.connections.leaks import lock_name
from data_bridge.testing.sandbox.clock import UNIT
from data_bridge.testing.sandbox.executor import BACK, ESCAPED, GUARD, Sandbox
from data_bridge.testing.sandbox.transaction import CHECK_CONSTRAINTS, EmulatedTransaction

__all__ = ["SandboxPool"]

WAIT = 30.0
PATIENCE = 2.0
"""Seconds that a cancelled statement gets to end."""
APPLICATION = "data-bridge-testing db"
CANCEL = (
    "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity"
    " WHERE datname = current_database() AND application_name = {name} AND state = 'active'"
)
RENEW_ALL = f"RELEASE SAVEPOINT {GUARD}; SAVEPOINT {GUARD}; SAVEPOINT {UNIT}"
HELD = "FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()"
LOCK_ROWS = f"; SELECT {HELD}"
LOCKS = f"SELECT classid::bigint, objid::bigint, objsubid::int {HELD} ORDER BY 1, 2"
TUPLES = LoadPlan.rows(tuple)


class SandboxPool:
    """Opens a sandbox for a test, judges it when the test is over, and rolls it back."""

    def __init__(self, dsn: str, *, defers: bool, hears: bool) -> None:
        self.dsn = dsn
        self._hears = hears
        self._defers = defers
        self._database = self._connect()
        self._lease: Any = None
        self._rollback: Any = None

    def _connect(self) -> Database:
        return Database(self.dsn, max_connections=4, application_name=APPLICATION)

    def open(self, isolation: IsolationLevel | None = None) -> Sandbox:
        """A fresh sandbox; nothing is sent before its first statement."""
        lease = self._lease if self._lease is not None and self._settled() else None
        sandbox = Sandbox(
            self._database, self.dsn, defers=self._defers, hears=self._hears, isolation=isolation, lease=lease
        )
        self._lease = sandbox.lease_handle.native
        return sandbox

    def judge(self, sandbox: Sandbox) -> list[str]:
        """What is wrong with the state a test has left; the rows stay for fixtures that clean up after themselves."""
        problems = [
            f"{hold} is still open at the end of the test\nhint: {hold.remedy}"
            for hold in sandbox.watch.open_connections()
        ]
        problems += sandbox.watch.problems()
        if sandbox.turn.holder is not None and not sandbox.watch.is_kept(sandbox.turn.task):
            self._cancel_running(sandbox)
        holder = sandbox.turn.holder
        if isinstance(holder, EmulatedTransaction) and not holder.hold.kept:
            holder.discard()
            sandbox.turn.give(holder)
            self._wait(sandbox, "rollback_to", f"ROLLBACK TO SAVEPOINT {GUARD}; SAVEPOINT {UNIT}")
        problems += [f"raw SQL would have ended the transaction of the test: {what}" for what in sandbox.refused]
        if not sandbox.begun or sandbox.lease_handle.status == "closed" or sandbox.turn.holder is not None:
            # A fixture has a transaction open around the test: it is checked when that is committed.
            return problems
        if sandbox.lease_handle.status == "failed":
            self._wait(sandbox, "rollback_to", BACK)
        # One round trip: deferred constraints, whether the transaction is still ours, and locks that a rollback leaves.
        check = f"{CHECK_CONSTRAINTS}; " if sandbox.defers else ""
        locks = 0
        try:
            locks = self._wait(sandbox, "script", check + RENEW_ALL + LOCK_ROWS)
        except IntegrityError as error:
            problems.append(f"a deferred constraint is violated at the end of the test: {error}")
            self._wait(sandbox, "rollback_to", f"ROLLBACK TO SAVEPOINT {GUARD}; SAVEPOINT {UNIT}")
        except DatabaseError as error:
            if error.sqlstate not in ESCAPED:
                raise
            sandbox.escaped = True
        if sandbox.escaped:
            problems.append(
                "the test has ended its own transaction by COMMIT or ROLLBACK in raw SQL; its rows were really written"
                " (the database is recreated)\nhint: use pg_transaction(), or the fixture `committed`"
            )
        elif locks and (held := self._held_locks(sandbox)):
            problems.append(sandbox.watch.lock_problem("", held))
        return problems

    def abandon(self, sandbox: Sandbox) -> None:
        """Take the turn from a transaction that a fixture has left open; it is undone with the rest."""
        if sandbox.turn.holder is not None:
            self._cancel_running(sandbox)
        if isinstance(holder := sandbox.turn.holder, EmulatedTransaction):
            holder.discard()
            sandbox.turn.give(holder)

    def _cancel_running(self, sandbox: Sandbox) -> None:
        """Cancel the statement of a thread or task that the test has left running, because no one else would wait for its end."""
        with closing(BlockingSession(self.dsn)) as session:
            until = time.monotonic() + PATIENCE
            while sandbox.turn.holder is not None and time.monotonic() < until:
                if not session.run(CANCEL.format(name=quote_literal(APPLICATION))):
                    return
                time.sleep(0.02)

    def roll_back(self, sandbox: Sandbox) -> None:
        """End the test's transaction."""
        if not sandbox.begun:
            return
        handle = sandbox.lease_handle
        # It is not awaited: the connection keeps the order, and the next test's BEGIN follows it.
        self._rollback = handle.rollback(keep=True) if handle.status != "closed" else None
        if sandbox.schema_changed or sandbox.escaped or handle.status not in ("active", "failed", "idle"):
            # Plans made for tables that are gone again must not be met by the next test.
            self.reconnect()

    def _settled(self) -> bool:
        """Whether the connection can serve the next test; the rollback of the last one may still be under way."""
        if self._rollback is not None and not self._rollback.done():
            return True
        return self._lease.status in ("new", "idle")

    def reconnect(self) -> None:
        """Start over with new connections and empty caches."""
        if self._rollback is not None:
            with contextlib.suppress(DataBridgeError):
                self._lease.bridge.wait(self._rollback, WAIT)
            self._rollback = None
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

    def _held_locks(self, sandbox: Sandbox) -> list[str]:
        """Session advisory locks, which a rollback leaves alone; they are released here."""
        before = self._wait(sandbox, "run", ("text", LOCKS), (), TUPLES)
        self._wait(sandbox, "script", "SELECT pg_catalog.pg_advisory_unlock_all()")
        # What is left belongs to the transaction.
        left = self._wait(sandbox, "run", ("text", LOCKS), (), TUPLES)
        return [lock_name(*lock) for lock in before if lock not in left]

    @staticmethod
    def _wait(sandbox: Sandbox, step: str, *arguments: Any, **options: Any) -> Any:
        handle = sandbox.lease_handle.native
        return handle.bridge.wait(getattr(handle, step)(*arguments, **options), WAIT)
