"""Rows by a cursor on the server: bounded memory, the server waits for the reader."""

from __future__ import annotations

import asyncio
import itertools
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from data_bridge.core._native import LoadPlan
from data_bridge.core.connection import context
from data_bridge.core.connection.observer import annotated, observed, observed_step, observers
from data_bridge.core.connection.plans import COUNT
from data_bridge.core.errors import ConfigurationError, DataBridgeError, QueryCancelled
from data_bridge.core.uncancellable import to_the_end

if TYPE_CHECKING:
    from data_bridge.core.connection.transaction_settings import TransactionSettings

R = TypeVar("R")


class _CursorNumbers:
    """Numbers for names of cursors, used again when their streams are closed: few names, so few different statements."""

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def take(self) -> int:
        with self._lock:
            number = next(n for n in itertools.count(1) if n not in self._used)
            self._used.add(number)
        return number

    def give_back(self, number: int) -> None:
        self._used.discard(number)


_numbers = _CursorNumbers()
_QUERIES = frozenset({"select", "with", "values", "table"})
"""What a cursor can be declared for."""


class RowStream(Generic[R]):
    """An asynchronous iterator over the rows of a query; also a block, after which the connection is free at once.

    Several tasks may iterate over it: each row reaches one of them. A step that is cancelled or fails ends the stream, and
    every later step raises QueryCancelled, because rows may be missing.

    >>> async def export(db) -> None:
    ...     async with db.stream("select * from orders", batch=500) as orders:
    ...         async for order in orders:
    ...             print(order["id"])
    """

    _what = "stream()"

    def __init__(
        self,
        executor: Any,
        sql: str,
        params: tuple[Any, ...],
        plan: LoadPlan,
        batch: int,
        convert: Callable[[list[Any]], list[R]] | None = None,
    ) -> None:
        if batch < 1:
            raise ConfigurationError(f"batch={batch} is less than one row")
        self._executor = executor
        self._sql = sql
        self._params = params
        self._plan = plan
        self._declaring = COUNT
        self._batch = batch
        self._convert = convert
        self._rows: list[R] = []
        self._at = 0
        self._number = 0
        self._step = asyncio.Lock()
        self._interrupted = False
        self._lease: Any = None
        self._settings: TransactionSettings | None = None
        self._own = False
        self._timeout: float | None = None
        self._done = False

    def __del__(self) -> None:
        if getattr(self, "_number", 0):
            self._release(is_closed=self._own)

    def _release(self, *, is_closed: bool) -> None:
        """Frees the name of the cursor: at once, or with the transaction in which the cursor is still open."""
        number, self._number = self._number, 0
        if is_closed:
            _numbers.give_back(number)
        else:
            weakref.finalize(self._executor, _numbers.give_back, number)

    @property
    def _cursor(self) -> str:
        return f"data_bridge_{self._number}"

    async def _first_rows(self) -> Any:
        """Opens the cursor and fetches its first rows; from the primary, where a replica does not answer so far."""
        described = self._plan.describe(("text", self._sql))
        kind = described.kind
        if kind and kind not in _QUERIES:
            raise ConfigurationError(f"{self._what} takes a query, not {kind.upper()}: run it by fetch() or execute()")
        self._number = _numbers.take()
        if self._executor.is_transaction:
            # A statement of a transaction has the deadline of its block already.
            self._timeout = None
            return await self._fetched(await self._declare(self._executor))
        self._own = True
        primary = self._executor
        self._executor = primary.reading(described)
        try:
            return await self._fetched(await self._open_own())
        except DataBridgeError as error:
            if not self._executor.instead(error):
                raise
            await self._end_own()
            self._executor = primary
            return await self._fetched(await self._open_own())

    async def _open_own(self) -> Any:
        """Begins a transaction for the cursor."""
        executor = self._executor
        self._timeout = executor.command_timeout
        self._lease = lease = await executor.taken()
        self._settings = context.local_settings()
        await observed_step(executor, "begin", "BEGIN", context.begin(lease, "BEGIN", self._timeout))
        return await self._declare(lease)

    async def _end_own(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            await observed_step(self._executor, "rollback", "ROLLBACK", to_the_end(lease.rollback()))

    async def _declare(self, lease: Any) -> Any:
        declare = f'DECLARE "{self._cursor}" NO SCROLL CURSOR FOR {self._sql}'
        self._opened(await self._run(lease, declare, self._params, self._declaring))
        self._lease = lease
        return lease

    def _opened(self, declared: Any) -> None:
        """Takes the result of DECLARE."""

    def _taken(self, rows: Any) -> list[R]:
        """What the reader gets of the rows of one FETCH."""
        taken: list[R] = self._convert(rows) if self._convert else rows
        return taken

    async def _run(self, lease: Any, sql: str, params: tuple[Any, ...], plan: LoadPlan) -> Any:
        if self._own:
            ir: tuple[Any, ...] = ("text", sql)
            if plan is COUNT:  # FETCH and CLOSE are known by their text
                ir = annotated(ir, self._settings)
            if observers:
                return await observed(self._executor, lease.run, ir, params, plan, None, self._timeout)
            return await lease.run(ir, params, plan, None, self._timeout)
        return await lease.run(("text", sql), params, plan)

    async def _fetched(self, lease: Any) -> Any:
        return await self._run(lease, f'FETCH FORWARD {self._batch} FROM "{self._cursor}"', (), self._plan)

    async def _fetch(self) -> None:
        rows = await (self._first_rows() if self._lease is None else self._fetched(self._lease))
        if len(rows) < self._batch:
            self._done = True
        self._rows = self._taken(rows)
        self._at = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        while self._at >= len(self._rows):
            # One at a time: a second reader would replace the rows of the first.
            async with self._step:
                if self._at < len(self._rows):
                    break
                if self._interrupted:
                    raise QueryCancelled(
                        "a step of this stream was cancelled or failed, and rows may be missing: open the stream again"
                    )
                if self._done:
                    await self.aclose()
                    raise StopAsyncIteration
                try:
                    await self._fetch()
                except BaseException:
                    await self.aclose()
                    self._interrupted = True
                    raise
        row = self._rows[self._at]
        self._at += 1
        return row

    async def aclose(self) -> None:
        """Closes the cursor and returns the connection. Closing twice does nothing."""
        lease, self._lease = self._lease, None
        self._done = True
        self._rows, self._at = [], 0
        if lease is None:
            return
        is_closed = self._own or not lease.is_active
        try:
            if self._own:
                await observed_step(self._executor, "rollback", "ROLLBACK", to_the_end(lease.rollback()))
            elif lease.is_active and not lease.is_aborted:
                await lease.run(("text", f'CLOSE "{self._cursor}"'), (), COUNT)
                is_closed = True
        finally:
            self._release(is_closed=is_closed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
