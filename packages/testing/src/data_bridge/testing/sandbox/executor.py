"""`Sandbox`: the executor behind the fixture `db`. One connection, one transaction, which is rolled back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from data_bridge.core import (
    BaseExecutor,
    Database,
    DatabaseError,
    DataBridgeError,
    LoadPlan,
    QueryTimeout,
    TransactionBusy,
)
from data_bridge.core.connection.context import local_settings, refuse_settings
from data_bridge.core.connection.observer import annotated, observed, observers
from data_bridge.core.transactions.gate import task_name
from data_bridge.core.transactions.isolation import IsolationLevel
from data_bridge.core.uncancellable import to_the_end
from data_bridge.testing._call_sites import taken_for
from data_bridge.testing.connections.injected_errors import FailsOnDemand
from data_bridge.testing.connections.leaks import Watch
from data_bridge.testing.sandbox.clock import RENEW, UNIT, Timekeeper
from data_bridge.testing.sandbox.connection import Connection
from data_bridge.testing.sandbox.cursor import SandboxCursor
from data_bridge.testing.sandbox.examples import Examples
from data_bridge.testing.sandbox.lock import ConnectionLock
from data_bridge.testing.sandbox.notification import Notification, Post
from data_bridge.testing.sandbox.notify_capture import TAKE, VALUE, read
from data_bridge.testing.sandbox.operation import Operation
from data_bridge.testing.sandbox.session import SandboxSession
from data_bridge.testing.sandbox.statements import EndsTheTest, alone, changes_schema, refuse
from data_bridge.testing.sandbox.stream import SandboxLease
from data_bridge.testing.sandbox.transaction import CHECK_CONSTRAINTS, EmulatedTransaction

__all__ = ["Sandbox"]

GUARD = "data_bridge_test"
BACK = f"ROLLBACK TO SAVEPOINT {UNIT}"
ESCAPED = ("25P01", "3B001")
NEED_A_COMMIT = ("2D000", "55P04")
"""A procedure that commits; a new label of an enum that is used before its commit."""
PATIENCE = 5.0


class Sandbox(Examples, Timekeeper, FailsOnDemand, BaseExecutor):
    """One connection, one transaction, never committed. The code under test does not notice:

    - a statement outside a transaction stands alone: when it fails, only it is undone;
    - `pg_transaction()` and `begin_transaction()` are savepoints that behave as BEGIN, COMMIT and ROLLBACK do, deferred
      constraints, `on_commit` and failed transactions included;
    - tasks, threads and loops share the connection; transactions take turns as wholes.

    Attributes:
        dsn: URL of the database; another session does not see the uncommitted rows.
        notifications: what was sent by NOTIFY, also by triggers and functions, and committed.
        on_commit_calls: callbacks registered with `on_commit`, also of transactions that were rolled back.
    """

    alias = "default"
    command_timeout: float | None = None
    acquire_timeout = PATIENCE

    def __init__(
        self,
        database: Database,
        dsn: str,
        *,
        defers: bool,
        hears: bool = True,
        isolation: IsolationLevel | None = None,
        lease: Any = None,
    ) -> None:
        self.dsn = dsn
        self.notifications: list[Notification] = []
        self.on_commit_calls: list[Callable[[], Any]] = []
        self.turn = ConnectionLock(PATIENCE)
        self.defers = defers
        self.schema_changed = False
        self.escaped = False
        self.refused: list[str] = []
        self.isolation_requests: list[str] = []
        self.watch = Watch()
        FailsOnDemand.__init__(self)
        native = lease if lease is not None else database.lease(shared=True)
        self.lease_handle: Any = Connection(native, self.watch, self._faults, hears=hears)
        self.begun = False
        self._database = database
        self._isolation = isolation
        self._names = itertools.count(1)
        self._pending: list[Any] = []
        self._sessions: set[SandboxSession] = set()
        self._renew = RENEW
        # Where listen() looks for listeners.
        self._pool = Post(self.watch)

    def __getattr__(self, name: str) -> Any:
        # What a Database can tell about itself (pool_stats, address, …) is asked of the real one.
        if name.startswith("_"):
            raise AttributeError(name)
        self.turn.check()
        return getattr(self._database, name)

    def __repr__(self) -> str:
        return f"<Sandbox on {self._database!r}>"

    # ------------------------------------------------------------------------------------------------- statements
    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Run a statement outside a transaction: alone, in a savepoint of its own."""
        if local_settings() is not None:
            return self.run_with_settings(ir, params, plan, into, timeout)
        if ir[0] == "text":
            ir = ("text", alone(str(ir[-1])))
        elif ir[0] == "select":
            plan.describe(ir).refuse_locks()
        return self._run(ir, params, plan, into, timeout, tell=bool(observers))

    def operation(
        self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan, into: object, timeout: float | None
    ) -> Operation:
        """The same for the leases of the sandbox, whose owners tell the observers themselves."""
        return Operation(self._run(ir, params, plan, into, timeout, tell=False))

    def _run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object,
        timeout: float | None,
        *,
        tell: bool,
    ) -> Coroutine[Any, Any, Any]:
        if ir[0] == "text":
            self._refuse(str(ir[-1]))
        if changes_schema(ir):
            self._schema_changes()

        sent = annotated(ir)

        def start() -> Awaitable[Any]:
            if tell:
                return observed(self, self.lease_handle.run, sent, params, plan, into, timeout)
            started: Awaitable[Any] = self.lease_handle.run(sent, params, plan, into, timeout)
            return started

        return self._alone(start, check=self.defers and ir[0] != "select")

    def script(self, sql: str) -> Awaitable[int]:
        """Run several statements, which PostgreSQL takes as one transaction."""
        if local_settings() is not None:
            return self.script_with_settings(sql)
        self._refuse(sql)
        self._schema_changes()

        def start() -> Awaitable[int]:
            started: Awaitable[int] = self.lease_handle.script(sql)
            return started

        return self._alone(start, check=True)

    async def _alone(self, start: Callable[[], Awaitable[Any]], *, check: bool) -> Any:
        token = f"a statement of {task_name()}"
        await self.turn.take(token)
        try:
            # BEGIN sets the first savepoint itself. Shielded: between the two halves of it there is none to go back to.
            renewed = self.begin_if_new() or self.lease_handle.script(self._renew, None, True)
            lease = self.lease_handle
            try:
                result = await start()
                if check:
                    await lease.script(CHECK_CONSTRAINTS)
                if lease.hears:
                    await self.hear()
            except BaseException as error:
                if getattr(error, "sqlstate", None) in NEED_A_COMMIT:
                    error.add_note("hint: the transaction of a test with `db` is never committed; use `isolated_db`")
                # A statement that was given up may still run; what it does is taken back behind it.
                given_up = isinstance(error, asyncio.CancelledError | QueryTimeout)
                await self._undo(renewed, given_up=given_up)
                raise
            return result
        finally:
            self.turn.give(token)

    async def _undo(self, renewed: Any, *, given_up: bool) -> None:
        """Take a failed statement back, so that the next one does not meet a failed transaction."""
        if renewed.done():
            try:
                renewed.result()
            except DatabaseError as error:
                if error.sqlstate in ESCAPED:
                    self.escaped = True
                    return
            except DataBridgeError:
                pass  # the statement before it has failed; that is undone below
        if given_up or self.lease_handle.status == "failed":
            await to_the_end(self.lease_handle.rollback_to(BACK))

    def begin_if_new(self) -> Any:
        """Open the transaction of the test when its first statement comes, and return the operation that does it.

        It is not awaited, because the connection keeps the order.
        """
        self.watch.saw_task()
        if self.begun:
            return None
        self.begun = True
        level = f" ISOLATION LEVEL {self._isolation.value}" if self._isolation else ""
        self._pending = [self.lease_handle.begin(f"BEGIN{level}; SAVEPOINT {GUARD}; SAVEPOINT {UNIT}")]
        return self._pending[0]

    def _refuse(self, sql: str) -> None:
        try:
            refuse(sql)
        except EndsTheTest as error:
            self.refused.append(f"{error.control}, sent by {task_name()}")
            raise

    def _schema_changes(self) -> None:
        self.schema_changed = True
        # A new constraint may be deferred; the check costs little.
        self.defers = True

    # ----------------------------------------------------------------------------------------------- transactions
    async def begin(
        self,
        isolation: IsolationLevel | None,
        read_only: bool,
        deferrable: bool,
        timeout: float | None,
        site: tuple[str, int],
        what: str = "transaction",
    ) -> EmulatedTransaction:
        """Begin an emulated transaction; called by pg_transaction() and begin_transaction(), and for cursors and COPY."""
        transaction = EmulatedTransaction(self, self.lease_handle, site, what)
        transaction.isolation, transaction.read_only = isolation, read_only
        if timeout is not None:
            transaction.expires_in(timeout)
        if isolation not in (None, self._isolation):
            self.isolation_requests.append(f"{isolation.value} at {site[0]}:{site[1]}")
        name = f"data_bridge_begin_{next(self._names)}"
        transaction.open_as(name)
        try:
            await self.turn.take(transaction)
        except BaseException:
            transaction.discard()
            raise
        try:
            self.begin_if_new()
            mode = "; SET TRANSACTION READ ONLY" if read_only else ""
            await self.lease_handle.script(f"{self._renew}; SAVEPOINT {name}{mode}", None, True)
            await transaction.set_own()
        except BaseException:
            transaction.discard()
            try:
                if self.lease_handle.status in ("active", "failed"):
                    await to_the_end(self.lease_handle.rollback_to(BACK))
            finally:
                # Also when the rollback fails: no one else passes on the turn of a task that has ended.
                self.turn.give(transaction)
            raise
        return transaction

    async def taken(self) -> SandboxLease | SandboxCursor:
        """The test's connection: its hooks have seen it long ago."""
        return SandboxCursor(self) if taken_for()[0] == "stream" else SandboxLease(self)

    async def close_cursor(self, name: str) -> None:
        """Close a cursor of a stream, if a rollback has not done so."""
        native = self.lease_handle.native

        async def close() -> None:
            exists = "SELECT 1 FROM pg_catalog.pg_cursors WHERE name = $1"
            if await native.run(("text", exists), (name,), VALUE) is not None:
                await native.script(f'CLOSE "{name}"')

        # Where a transaction of the same task is open, it stays until the test ends, which is harmless.
        with suppress(TransactionBusy):
            await self._alone(close, check=False)

    def lease(self, *, shared: bool = False, counted: bool = True) -> Any:
        """What COPY asks for: the connection of the test, as an emulated transaction; or a session outside of the pool."""
        if counted:
            return SandboxLease(self)
        refuse_settings()
        return SandboxSession(self, self._sessions)

    async def hear(self) -> None:
        """Tell what the transaction that has just been committed has sent."""
        heard = await to_the_end(self.lease_handle.native.run(("text", TAKE), (), VALUE))
        for channel, payload in read(heard):
            notification = Notification(channel, payload, 0)
            self.notifications.append(notification)
            self._pool.deliver(notification)

    def forgotten(self, transaction: EmulatedTransaction, savepoint: str) -> None:
        """A transaction object was thrown away without an end."""
        self.watch.forgotten(transaction.hold)
        if self.lease_handle.status in ("active", "failed") and savepoint:
            back = f"ROLLBACK TO SAVEPOINT {savepoint}; RELEASE SAVEPOINT {savepoint}"
            self._pending.append(self.lease_handle.rollback_to(back))
        self.turn.give(transaction)

    # --------------------------------------------------------------------------------------------------- not ours
    async def connect(self) -> Sandbox:
        """The sandbox is connected already."""
        return self

    async def close(self, *, timeout: float = 10.0) -> None:
        """The sandbox ends with the test, whatever the code under test closes."""

    def end(self, test: str) -> None:
        """The test is over. Its connection serves the next one, so that code which has kept this sandbox must not use it."""
        why = (
            f"the database of {test} is closed, because that test is over; something has kept it: a repository, a cache, "
            "app.state\nhint: ask for get_database() when it is used, or make what keeps it again for each test"
        )
        self.turn.close(why)
        self._pool.end(why)

    async def expire(self) -> None:
        """The connection of a test is not replaced."""
