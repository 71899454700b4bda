"""Rows by a cursor on the server: bounded memory, the server waits for the reader."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

from data_bridge.core._native import LoadPlan
from data_bridge.core.ending import to_the_end
from data_bridge.core.errors import ConfigurationError
from data_bridge.core.executor import COUNT
from data_bridge.core.transaction import Transaction

R = TypeVar("R")
_cursors = itertools.count(1)


class RowStream(Generic[R]):
    """An asynchronous iterator over the rows of a query; also a block, after which the connection is free at once.

    >>> async def export(db) -> None:
    ...     async with db.stream("select * from orders", batch=500) as orders:
    ...         async for order in orders:
    ...             print(order["id"])
    """

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
        self._batch = batch
        self._convert = convert
        self._rows: list[R] = []
        self._at = 0
        self._cursor = ""
        self._lease: Any = None
        self._own = False
        self._done = False

    async def _open(self) -> Any:
        executor = self._executor
        self._cursor = f"data_bridge_{next(_cursors)}"
        if isinstance(executor, Transaction) or getattr(executor, "is_transaction", False):
            self._lease = executor
        else:
            self._own = True
            self._lease = await executor.taken()
            await self._lease.begin("BEGIN")
        declare = f'DECLARE "{self._cursor}" NO SCROLL CURSOR FOR {self._sql}'
        await self._lease.run(("text", declare), self._params, COUNT)
        return self._lease

    async def _fetch(self) -> None:
        lease = self._lease or await self._open()
        fetch = f'FETCH FORWARD {self._batch} FROM "{self._cursor}"'
        rows = await lease.run(("text", fetch), (), self._plan)
        if len(rows) < self._batch:
            self._done = True
        self._rows = self._convert(rows) if self._convert else rows
        self._at = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        if self._at >= len(self._rows):
            if self._done:
                await self.aclose()
                raise StopAsyncIteration
            try:
                await self._fetch()
            except BaseException:
                await self.aclose()
                raise
            if not self._rows:
                await self.aclose()
                raise StopAsyncIteration
        row = self._rows[self._at]
        self._at += 1
        return row

    async def aclose(self) -> None:
        """Closes the cursor and gives the connection back. Closing twice does nothing."""
        lease, self._lease = self._lease, None
        self._done = True
        self._rows, self._at = [], 0
        if lease is None:
            return
        if self._own:
            await to_the_end(lease.rollback())
        elif lease.is_active and not lease.is_aborted:
            await lease.run(("text", f'CLOSE "{self._cursor}"'), (), COUNT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
