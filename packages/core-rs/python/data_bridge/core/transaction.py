"""Transactions: one connection for a block, savepoints for the blocks inside it, joined by whoever runs in the context."""

from __future__ import annotations

import asyncio
import itertools
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self

from data_bridge.core import context
from data_bridge.core._native import LoadPlan
from data_bridge.core.ending import to_the_end
from data_bridge.core.errors import ConnectionLost, QueryTimeout, TransactionBusy, TransactionClosed
from data_bridge.core.executor import BaseExecutor
from data_bridge.core.isolation import IsolationLevel, begin_statement
from data_bridge.core.journal import Callback, Journal
from data_bridge.core.observer import observed, observed_script, observers
from data_bridge.core.savepoint import Savepoint, SavepointBlock, quoted

if TYPE_CHECKING:
    from data_bridge.core.database import Database

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
        self._parent = parent
        self._outer: Transaction | None = parent
        self._journal: Journal = parent._journal if parent else Journal()
        self._mark = self._journal.mark()
        self._names: itertools.count[int] = parent._names if parent else itertools.count(1)
        self._savepoint: str | None = None
        self._marks: dict[str, int] = {}
        self._ended = False
        self._rollback_only = False
        self._deadline: float | None = parent._deadline if parent else None
        self._inner: Transaction | None = None
        self._gate: list[asyncio.Future[None]] = []
        self._site = site
        self._task = _task_name()

    def __repr__(self) -> str:
        state = "closed" if self._ended else self._lease.status
        return f"<Transaction {self.number} {state}, begun at {self._site[0]}:{self._site[1]}>"

    def __del__(self) -> None:
        if not getattr(self, "_ended", True) and self._parent is None and self._lease.status in ("active", "failed"):
            self._lease.abandon()
            self._journal.rolled_back()
            warnings.warn(
                f"a transaction begun at {self._site[0]}:{self._site[1]} was neither committed nor rolled back; it is rolled back now",
                ResourceWarning,
                stacklevel=2,
            )

    # ----------------------------------------------------------------------------------------------------- state
    @property
    def is_active(self) -> bool:
        """Whether statements can run in it, or could but for a failure."""
        return not self._ended and self._lease.status in ("active", "failed")

    @property
    def is_aborted(self) -> bool:
        """Whether a statement failed, so that only a rollback helps."""
        return not self._ended and self._lease.status == "failed"

    def set_rollback_only(self) -> None:
        """The block will be rolled back at its end, without an exception."""
        self._rollback_only = True

    # --------------------------------------------------------------------------------------------------- running
    def _timeout(self, timeout: float | None) -> float | None:
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
        if self._ended:
            raise TransactionClosed(f"the transaction begun at {self._site[0]}:{self._site[1]} has ended")
        if self._inner is not None:
            return self._run_later(ir, params, plan, into, timeout)
        timeout = self._timeout(timeout if timeout is not None else self.database.command_timeout)
        if observers:
            return observed(self, self._lease.run, ir, params, plan, into, timeout)
        started: Awaitable[Any] = self._lease.run(ir, params, plan, into, timeout)
        return started

    async def _run_later(
        self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan, into: object, timeout: float | None
    ) -> Any:
        await self._inner_ended()
        return await self.run(ir, params, plan, into, timeout=timeout)

    def script(self, sql: str) -> Awaitable[int]:
        """Starts several statements by the simple protocol."""
        if self._ended:
            raise TransactionClosed("the transaction has ended")
        if observers:
            return observed_script(self, lambda: self._lease.script(sql, self._timeout(None)), sql)
        started: Awaitable[int] = self._lease.script(sql, self._timeout(None))
        return started

    async def set_local(self, name: str, value: str) -> None:
        """Sets a configuration parameter until the end of the transaction."""
        await self.fetch_val("SELECT pg_catalog.set_config($1, $2, true)", name, str(value))

    async def advisory_lock(self, key: int | str) -> None:
        """Waits for an advisory lock, which ends with the transaction. Text is hashed by the server."""
        if isinstance(key, str):
            await self.execute("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))", key)
        else:
            await self.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", key)

    # ------------------------------------------------------------------------------------------------- callbacks
    def on_commit(self, callback: Callback) -> None:
        """Calls `callback` when the outermost transaction has been committed; never, when this part is rolled back."""
        self._journal.on_commit(callback)

    def on_rollback(self, undo: Callable[[], Any]) -> None:
        """Calls `undo` when this part of the transaction is rolled back."""
        self._journal.on_rollback(undo)

    # ---------------------------------------------------------------------------------------------------- ending
    async def commit(self) -> None:
        """Commits, and runs what on_commit() registered.

        Raises:
            TransactionAborted: a statement had failed; the transaction was rolled back instead.
            CommitUnknown: the connection was lost before the answer, or the task was cancelled and no answer came
                although the server was not at work, or could not be asked.
            TransactionClosed: it has ended already.
            asyncio.CancelledError: the task was cancelled during COMMIT, which was done all the same; a note says so.
        """
        self._close()
        cancelled: asyncio.CancelledError | None = None
        try:
            await self._end("commit")
        except asyncio.CancelledError as e:
            cancelled = e
        except BaseException:
            self._journal.rolled_back(self._mark)
            raise
        finally:
            self._leave()
        if self._parent is None:
            await self._journal.committed()
        if cancelled is not None:
            cancelled.add_note("the transaction was committed before the task was cancelled")
            raise cancelled

    async def rollback(self) -> None:
        """Rolls back; a transaction that has ended already stays as it is."""
        if self._ended:
            return
        self._close()
        try:
            await self._end("rollback")
        finally:
            self._journal.rolled_back(self._mark)
            self._leave()

    def _close(self) -> None:
        if self._ended:
            raise TransactionClosed("the transaction has ended")
        self._ended = True

    async def _end(self, how: str) -> None:
        if self._parent is None:
            await to_the_end(self._lease.commit() if how == "commit" else self._lease.rollback())
            return
        name = quoted(self._savepoint or "")
        if how == "commit":
            await to_the_end(self._lease.script(f"RELEASE SAVEPOINT {name}", None, True, False))
        else:
            await to_the_end(self._lease.rollback_to(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"))

    def enter(self) -> None:
        """Statements of this context join this transaction from now on, and at its end the one they joined before."""
        self._outer = context.open_transaction(self.database)
        context.set_transaction(self.database, self)

    def _leave(self) -> None:
        if context.open_transaction(self.database) is self:
            context.set_transaction(self.database, self._outer)
        if self._parent is not None:
            self._parent._release_inner(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._ended:
            return
        late = self._deadline is not None and time.monotonic() > self._deadline
        if kind is None and not self._rollback_only and not late:
            await self.commit()
            return
        try:
            await self.rollback()
        except ConnectionLost:
            # Whoever was cancelled must hear that; the blocks around this one are rolled back with the connection.
            if kind is None or issubclass(kind, Exception):
                raise
        if kind is None and late:
            raise QueryTimeout("the transaction took longer than its timeout and was rolled back")

    # ------------------------------------------------------------------------------------------------ savepoints
    def savepoint(self, name: str | None = None) -> SavepointBlock:
        """`sp = await tx.savepoint("n")`, or `async with tx.savepoint() as sp:` which releases or rolls back."""
        return SavepointBlock(self, name or f"data_bridge_{next(self._names)}")

    async def set_savepoint(self, name: str) -> Savepoint:
        """Sets a savepoint; a name that is in use is shadowed, as in SQL."""
        if self._ended:
            raise TransactionClosed("the transaction has ended")
        if self._inner is not None:
            await self._inner_ended()
        mark = self._journal.mark()
        await self._lease.script(f"SAVEPOINT {quoted(name)}", None, False, False)
        self._marks[name] = mark
        return Savepoint(self, name)

    async def rollback_to(self, savepoint: Savepoint | str) -> None:
        """Rolls back to a savepoint, which stays; younger ones are gone, and a failed transaction can go on."""
        name = savepoint if isinstance(savepoint, str) else savepoint.name
        if self._ended:
            raise TransactionClosed("the transaction has ended")
        await to_the_end(self._lease.rollback_to(f"ROLLBACK TO SAVEPOINT {quoted(name)}"))
        self._journal.rolled_back(self._marks.get(name, self._mark))

    async def release(self, savepoint: Savepoint | str) -> None:
        """Forgets a savepoint and keeps what was done since."""
        name = savepoint if isinstance(savepoint, str) else savepoint.name
        if self._ended:
            raise TransactionClosed("the transaction has ended")
        await to_the_end(self._lease.script(f"RELEASE SAVEPOINT {quoted(name)}", None, True, False))
        self._marks.pop(name, None)

    # ------------------------------------------------------------------------------------- blocks inside blocks
    async def _inner_ended(self) -> None:
        """Waits until no block inside this one is open: blocks of sibling tasks run one after another, as wholes."""
        patience = self.database.acquire_timeout
        until = time.monotonic() + patience
        while self._inner is not None:
            holder = self._inner
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._gate.append(waiter)
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await waiter
            except TimeoutError:
                raise TransactionBusy(
                    f"{_task_name()} waited {patience:g} s for a block that {holder._task} opened inside the same transaction "
                    f"at {holder._site[0]}:{holder._site[1]}"
                ) from None
            finally:
                if waiter in self._gate:
                    self._gate.remove(waiter)

    def _release_inner(self, inner: Transaction) -> None:
        if self._inner is inner:
            self._inner = None
            waiters, self._gate = self._gate, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    async def nest(self, site: tuple[str, int]) -> Transaction:
        """A block inside this one: a savepoint, which nobody else's statements get into."""
        if self._ended:
            raise TransactionClosed("the transaction has ended")
        while self._inner is not None:
            await self._inner_ended()
        inner = Transaction(self.database, self._lease, self, site)
        self._inner = inner
        name = f"data_bridge_{next(self._names)}"
        try:
            await self._lease.script(f"SAVEPOINT {quoted(name)}", None, False, False)
        except BaseException:
            inner._ended = True
            self._release_inner(inner)
            raise
        inner._savepoint = name
        return inner


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _task_name() -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return "a thread without a loop"
    return f"task {task.get_name()!r}" if task else "a callback"


async def begin(
    database: Any,
    isolation: IsolationLevel | None,
    read_only: bool,
    deferrable: bool,
    timeout: float | None,
    site: tuple[str, int],
) -> Transaction:
    """Begins a transaction on a connection of its own."""
    begin_in = getattr(database, "begin", None)
    if begin_in is not None:  # the sandbox of a test has its own idea of BEGIN
        begun: Transaction = await begin_in(isolation, read_only, deferrable, timeout, site)
        return begun
    lease = await database.taken()
    transaction = Transaction(database, lease, None, site)
    transaction.isolation, transaction.read_only = isolation, read_only
    if timeout is not None:
        transaction._deadline = time.monotonic() + timeout
    try:
        await lease.begin(begin_statement(isolation, read_only, deferrable), timeout)
    except BaseException:
        transaction._ended = True
        lease.abandon()
        raise
    return transaction
