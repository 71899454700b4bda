"""The transaction of the running context: beginning one by hand, finding it, and what happens after its commit."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from data_bridge.core.call_site import call_site
from data_bridge.core.connection import context
from data_bridge.core.errors import ConfigurationError
from data_bridge.core.transactions.begin import begin
from data_bridge.core.transactions.block import check_nesting
from data_bridge.core.transactions.isolation import level
from data_bridge.core.transactions.journal import Callback
from data_bridge.core.transactions.transaction import Transaction


async def begin_transaction(
    isolation: Any = None,
    *,
    read_only: bool = False,
    deferrable: bool = False,
    timeout: float | None = None,
    using: Any = None,
) -> Transaction:
    """Begins a transaction that the caller ends by commit() or rollback(); statements of this task join it until then.

    Inside another transaction it is a savepoint of it, with a timeout of its own at most.

    Raises:
        ConfigurationError: the surrounding transaction cannot honour the options; or the call is a task of its own, as
            under asyncio.wait_for() before Python 3.12, so that no statement of the caller would join.

    >>> from data_bridge.core import begin_transaction
    >>> async def transfer() -> None:
    ...     tx = await begin_transaction()
    ...     try:
    ...         ...
    ...         await tx.commit()
    ...     except Exception:
    ...         await tx.rollback()
    ...         raise
    """
    site = call_site()
    task = asyncio.current_task()
    if task is not None and getattr(task.get_coro(), "cr_code", None) is begin_transaction.__code__:
        raise ConfigurationError(
            "begin_transaction() runs as a task of its own (asyncio.wait_for() before Python 3.12, create_task(), gather()), so "
            "that the caller's statements would not join the transaction\nhint: `async with asyncio.timeout(5):` around it"
        )
    executor = context.resolve(using)
    if isinstance(executor, Transaction):
        check_nesting(executor, level(isolation), read_only, deferrable)
        transaction = await executor.nest(site, timeout)
    else:
        transaction = await begin(executor, level(isolation), read_only, deferrable, timeout, site)
    transaction.enter()
    return transaction


def current_transaction(using: Any = None) -> Transaction | None:
    """The transaction that statements join here, or None."""
    executor = context.resolve(using)
    return executor if isinstance(executor, Transaction) and executor.is_active else None


def on_commit(callback: Callback, *, using: Any = None) -> None:
    """Calls `callback` after the current transaction has been committed; outside one, at once.

    Raises:
        ConfigurationError: a coroutine function outside a transaction, where nothing would await it.
        TransactionClosed: the transaction of the block has ended already.

    >>> from data_bridge.core import on_commit, pg_transaction
    >>> async def order() -> None:
    ...     async with pg_transaction():
    ...         on_commit(lambda: print("ordered"))
    """
    executor = context.resolve(using)
    if isinstance(executor, Transaction):
        executor.on_commit(callback)
        return
    if inspect.iscoroutinefunction(callback):
        raise ConfigurationError(_AWAIT_IT)
    result = callback()
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise ConfigurationError(_AWAIT_IT)


_AWAIT_IT = (
    "on_commit() outside a transaction calls the function at once and cannot await a coroutine function"
    "\nhint: await it where you are, or register it inside pg_transaction()"
)
