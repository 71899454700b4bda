"""Transactions: one connection for a block, savepoints for the blocks inside it, joined by all code that runs in the context."""

from __future__ import annotations

import asyncio
import itertools
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from data_bridge.core._native import LoadPlan
from data_bridge.core.call_site import call_site
from data_bridge.core.connection import context
from data_bridge.core.connection.executor import BaseExecutor
from data_bridge.core.connection.observer import annotated, observed, observed_script, observed_step, observers
from data_bridge.core.errors import (
    ConfigurationError,
    ConnectionLost,
    QueryTimeout,
    TransactionAborted,
    TransactionClosed,
)
from data_bridge.core.transactions import savepoint as savepoints
from data_bridge.core.transactions.gate import Gate, Hold, task_name
from data_bridge.core.transactions.isolation import IsolationLevel
from data_bridge.core.transactions.journal import Callback, Journal
from data_bridge.core.transactions.savepoint import Savepoint, SavepointBlock, begin_inside, end_inside
from data_bridge.core.uncancellable import to_the_end

if TYPE_CHECKING:
    from data_bridge.core.connection.database import Database
    from data_bridge.core.connection.transaction_settings import TransactionSettings

_numbers = itertools.count(1)


class Transaction(BaseExecutor):
    """A transaction, or the part of one between a savepoint and its release.

    Made by pg_transaction() and begin_transaction(); also an asynchronous context manager that commits or rolls back.
    """

    is_transaction = True

    def __init__(self, database: Any, lease: Any, parent: Transaction | None, site: tuple[str, int]) -> None:
        self.database: Database = database
        self.alias: str = database.alias
        self.number: int = next(_numbers) if parent is None else parent.number
        self.isolation: IsolationLevel | None = parent.isolation if parent else None
        self.read_only: bool = parent.read_only if parent else False
        self._lease = lease
        self._begun_with: TransactionSettings | None = parent._begun_with if parent else context.local_settings()
        self._restoring = ""  # SQL by which a block inside sets back what its settings have changed
        self._parent = parent
        self._outer: Transaction | None = parent
        self._journal: Journal = parent._journal if parent else Journal()
        self._mark = self._journal.mark()
        self._names: itertools.count[int] = parent._names if parent else itertools.count(1)
        self._savepoint: str | None = None
        self._marks: dict[str, int] = {}
        self._ended = False
        # Ended by the end of the transaction around it, while its own block was still open.
        self._is_cut_off = False
        self._is_committed = self._rollback_only = False
        self._deadline: float | None = parent._deadline if parent else None
        # Who has the connection instead of this level's statements: a block inside, or COPY.
        self._gate = Gate()
        self._inner: Transaction | None = None
        self._place = Hold("block", site, self._encloses_caller)
        # Whether a block will be left that restores the context; else commit() and rollback() do.
        self._in_block = False
        self._is_left = False
        self._is_dissolved = False
        self._site = site
        self._task = task_name()

    def __repr__(self) -> str:
        return f"<Transaction {self.number} {'closed' if self._ended else self._lease.status}, begun at {self._site[0]}:{self._site[1]}>"

    def __del__(self) -> None:
        if not getattr(self, "_ended", True) and self._parent is None and self._lease.status in ("active", "failed"):
            self._lease.abandon()
            self._journal.rolled_back()
            warnings.warn(
                f"a transaction begun at {self._site[0]}:{self._site[1]} was neither committed nor rolled back; it is rolled back now",
                ResourceWarning,
                stacklevel=2,
            )

    @property
    def is_active(self) -> bool:
        """Whether statements can run in it, or could but for a failure."""
        return not self._ended and self._lease.status in ("active", "failed")

    @property
    def is_aborted(self) -> bool:
        """Whether a statement failed, so that only a rollback helps."""
        return not self._ended and self._lease.status == "failed"

    @property
    def is_committed(self) -> bool:
        """Whether its changes are permanent: running the same code again would make them a second time."""
        return self._is_committed

    def set_rollback_only(self) -> None:
        """The block will be rolled back at its end, without an exception."""
        self._rollback_only = True

    def _encloses_caller(self) -> bool:
        """Whether the running code is inside this block: its statements join it, or a block inside it."""
        current = context.open_transaction(self.database)
        while current is not None:
            if current is self:
                return True
            current = current._parent
        return False

    def _closed(self) -> TransactionClosed:
        text = f"the transaction begun at {self._site[0]}:{self._site[1]} has ended"
        if context.open_transaction(self.database) is self:
            text += (
                "; statements here still belong to it. hint: a block inside an asynchronous generator that is left by "
                "`break` ends late: iterate over contextlib.aclosing(generator)"
                if self._is_left
                else "; statements join nothing else before its block is left. hint: detached() runs them outside"
            )
        return TransactionClosed(text)

    def _check_open(self) -> None:
        if self._ended:
            raise self._closed()

    def _check_usable(self) -> None:
        self._check_open()
        if self._begun_with is not context.local_settings():
            from data_bridge.core.connection.transaction_settings import check_same

            check_same(self._begun_with, f"{self._site[0]}:{self._site[1]}")

    async def occupy(
        self,
        what: str,
        encloses_caller: Callable[[], bool],
        interrupt: Callable[[], Awaitable[None]] | None = None,
    ) -> Hold:
        """Keeps the connection from everything else of this transaction until `vacate`.

        Raises:
            TransactionBusy: another task has the connection.
            TransactionClosed: the transaction has ended.
        """
        self._check_usable()
        hold = Hold(what, call_site(), encloses_caller, interrupt)
        await self._gate.acquire(hold, self.database.acquire_timeout)
        try:
            self._check_open()
        except BaseException:
            self._gate.release(hold)
            raise
        return hold

    def vacate(self, hold: Hold) -> None:
        """Ends `occupy`; the first waiting operation is next."""
        self._gate.release(hold)

    @asynccontextmanager
    async def held(self, what: str) -> AsyncGenerator[None]:
        """A block in which nothing else of this transaction uses its connection."""
        hold = await self.occupy(what, _never)
        try:
            yield
        finally:
            self.vacate(hold)

    def _timeout(self, timeout: float | None) -> float | None:
        if timeout is None:
            timeout = self.database.command_timeout
        if self._deadline is None:
            return timeout
        left = max(0.0, self._deadline - time.monotonic())
        return left if timeout is None else min(timeout, left)

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Starts a statement on the transaction's connection, behind those that run there."""
        self._check_usable()
        if self._gate.holder is None:
            return self._started(self._lease.run, ir, params, plan, into, timeout)
        return self._in_turn(
            "a statement", self._lease.run, lambda run: self._started(run, ir, params, plan, into, timeout)
        )

    def _started(
        self,
        run: Any,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object,
        timeout: float | None,
    ) -> Awaitable[Any]:
        timeout = self._timeout(timeout)
        ir = annotated(ir, self._begun_with)
        if observers:
            return observed(self, run, ir, params, plan, into, timeout)
        return run(ir, params, plan, into, timeout)  # type: ignore[no-any-return]

    def script(self, sql: str) -> Awaitable[int]:
        """Starts several statements by the simple protocol."""
        self._check_usable()
        if self._gate.holder is None:
            return self._started_script(self._lease.script, sql)
        return self._in_turn("a script", self._lease.script, lambda script: self._started_script(script, sql))

    def _started_script(self, script: Any, sql: str) -> Awaitable[int]:
        from data_bridge.core.transactions.control import refuse_control

        refuse_control(sql)
        if observers:
            return observed_script(self, lambda: script(sql, self._timeout(None)), sql)
        return script(sql, self._timeout(None))  # type: ignore[no-any-return]

    async def _in_turn(self, what: str, start: Callable[..., Any], through: Callable[[Any], Awaitable[Any]]) -> Any:
        """Waits for the turn, and passes it on when the statement has its place in the order of the connection."""
        hold = await self.occupy(what, _never)

        def sent(*arguments: Any, **options: Any) -> Any:
            started = start(*arguments, **options)
            self.vacate(hold)
            return started

        try:
            return await through(sent)
        finally:
            self.vacate(hold)

    async def set_local(self, name: str, value: str) -> None:
        """Sets a configuration parameter until the end of the transaction."""
        await self.fetch_val("SELECT pg_catalog.set_config($1, $2, true)", name, str(value))

    async def advisory_lock(self, key: int | str) -> None:
        """Waits for an advisory lock, which ends with the transaction. Text is hashed by the server."""
        await self.execute(f"SELECT pg_catalog.pg_advisory_xact_lock({_lock(key)})", key)

    async def try_advisory_lock(self, key: int | str) -> bool:
        """Takes an advisory lock if it is free, until the end of the transaction; returns whether it was."""
        return bool(await self.fetch_val(f"SELECT pg_catalog.pg_try_advisory_xact_lock({_lock(key)})", key))

    def on_commit(self, callback: Callback) -> None:
        """Calls `callback` when the outermost transaction has been committed; never, when this part is rolled back.

        Raises:
            TransactionClosed: the transaction has ended.
        """
        self._check_open()
        self._journal.on_commit(callback)

    def on_rollback(self, undo: Callable[[], Any]) -> None:
        """Calls `undo` when this part of the transaction is rolled back."""
        self._journal.on_rollback(undo)

    async def commit(self) -> None:
        """Commits, and runs what on_commit() registered.

        Raises:
            TransactionAborted: a statement had failed, or set_rollback_only() was called; the transaction was rolled back
                instead.
            QueryTimeout: the deadline of the transaction has passed; it was rolled back instead.
            CommitUnknown: the connection was lost before the answer, or the task was cancelled and no answer came
                although the server was not at work, or could not be asked.
            TransactionClosed: it has ended already.
            ExceptionGroup: callbacks of on_commit() failed; the transaction is committed and all callbacks were called.
            asyncio.CancelledError: the task was cancelled during COMMIT, which was done all the same; a note says so.
        """
        self._check_open()
        await self._interrupt()
        if self._gate.holder is not None:
            # A sibling's block inside this one ends before, so that no half of it is committed.
            hold = Hold("COMMIT", call_site(), _never)
            await self._gate.acquire(hold, self.database.acquire_timeout)
            self._gate.release(hold)
            self._check_open()
        if self._rollback_only:
            await self.rollback()
            raise TransactionAborted("set_rollback_only() was called: the transaction was rolled back, not committed")
        if self._deadline is not None and time.monotonic() > self._deadline:
            await self.rollback()
            raise QueryTimeout("the transaction took longer than its timeout and was rolled back")
        self._close()
        cancelled: asyncio.CancelledError | None = None
        try:
            await self._end("commit")
            self._is_committed = self._parent is None
        except asyncio.CancelledError as e:
            cancelled = e
            self._is_committed = self._parent is None
        except BaseException:
            self._journal.rolled_back(self._mark)
            raise
        finally:
            self._leave()
        failures = await self._call_back() if self._parent is None else []
        if cancelled is not None:
            if self._parent is None:  # a released savepoint is lost when the cancellation rolls back what is around it
                cancelled.add_note("the transaction was committed before the task was cancelled")
            raise cancelled
        if failures:
            raise ExceptionGroup("the transaction is committed, but callbacks of on_commit() failed", failures)

    async def _call_back(self) -> list[Exception]:
        """Callbacks after COMMIT are outside the transaction, also where its block is still to be left."""
        joined = context.open_transaction(self.database)
        context.set_transaction(self.database, self._outer)
        try:
            return await self._journal.committed()
        finally:
            context.set_transaction(self.database, joined)

    async def rollback(self) -> None:
        """Rolls back; a transaction that has ended already stays as it is."""
        if self._ended:
            return
        await self._interrupt()
        self._close()
        try:
            await self._end("rollback")
        finally:
            self._journal.rolled_back(self._mark)
            self._leave()

    async def _interrupt(self) -> None:
        """Ends what the running code has left open on the connection, such as a COPY whose chunks are not read any more."""
        holder = self._gate.holder
        if holder is not None and holder.interrupt is not None and holder.encloses_caller():
            await holder.interrupt()

    def _close(self) -> None:
        self._check_open()
        self._ended = True
        inner = self._inner
        while inner is not None:
            # Its savepoint ends with this one: a statement that it ran now would belong to the level above.
            inner._ended = inner._is_cut_off = True
            inner = inner._inner

    async def _end(self, how: str) -> None:
        if self._parent is not None:
            await end_inside(self, how)
        else:
            op = self._lease.commit() if how == "commit" else self._lease.rollback()
            await observed_step(self, how, how.upper(), to_the_end(op))

    def enter(self) -> None:
        """Statements of this context join this transaction from now on, and at its end the one they joined before."""
        self._outer = context.open_transaction(self.database)
        context.set_transaction(self.database, self)

    def _leave(self) -> None:
        # Inside a block, what follows must not join what is outside, or run on its own.
        if not self._in_block:
            self.restore()
        if self._parent is not None:
            self._parent._inner = None
            self._parent._gate.release(self._place)

    def restore(self) -> None:
        """Statements of this context join again what they joined before `enter`; by value, in whatever context."""
        self._is_left = True
        if context.is_joined(self):
            context.set_transaction(self.database, self._outer)

    def dissolve(self) -> None:
        """Makes what began inside it run outside of it after its end, instead of raising TransactionClosed."""
        if not self._ended:
            raise ConfigurationError("dissolve() is for a transaction that has been committed or rolled back")
        self._is_dissolved = True

    async def __aenter__(self) -> Self:
        self._in_block = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            await self._exit(kind)
        finally:
            self.restore()

    async def _exit(self, kind: type[BaseException] | None) -> None:
        if self._ended:
            if self._is_cut_off and kind is None:
                raise TransactionClosed(
                    f"the transaction around the block at {self._site[0]}:{self._site[1]} ended before the block did, which "
                    "was not committed on its own"
                )
            return
        late = self._deadline is not None and time.monotonic() > self._deadline
        if kind is None and not self._rollback_only and not late:
            await self.commit()
            return
        try:
            await self.rollback()
        except ConnectionLost:
            # The cancelled task receives its own exception; the blocks around this one are rolled back with the connection.
            if kind is None or issubclass(kind, Exception):
                raise
        if kind is None and late:
            raise QueryTimeout("the transaction took longer than its timeout and was rolled back")

    def savepoint(self, name: str | None = None) -> SavepointBlock:
        """`sp = await tx.savepoint("n")`, or `async with tx.savepoint() as sp:` which releases or rolls back."""
        return SavepointBlock(self, name or f"data_bridge_{next(self._names)}")

    async def set_savepoint(self, name: str) -> Savepoint:
        """Sets a savepoint; a name that is in use is shadowed, as in SQL."""
        return await savepoints.set_savepoint(self, name)

    async def rollback_to(self, savepoint: Savepoint | str) -> None:
        """Rolls back to a savepoint, which stays; younger ones are gone, and a failed transaction can go on."""
        await savepoints.rollback_to(self, savepoint)

    async def release(self, savepoint: Savepoint | str) -> None:
        """Forgets a savepoint and keeps what was done since."""
        await savepoints.release(self, savepoint)

    async def nest(self, site: tuple[str, int], timeout: float | None = None) -> Transaction:
        """A block inside this one: a savepoint that statements of other tasks do not enter."""
        self._check_open()
        inner = self._inside(site)
        await begin_inside(self, inner, timeout)
        return inner

    def _inside(self, site: tuple[str, int]) -> Transaction:
        return Transaction(self.database, self._lease, self, site)


def _lock(key: int | str) -> str:
    return "pg_catalog.hashtextextended($1, 0)" if isinstance(key, str) else "$1"


def _never() -> bool:
    return False
