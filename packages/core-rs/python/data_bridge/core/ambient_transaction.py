"""The transaction of the running context: beginning one by hand, finding it, and what happens after its commit."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from data_bridge.core import context
from data_bridge.core.isolation import level
from data_bridge.core.journal import Callback, run_callback
from data_bridge.core.transaction import Transaction, begin


def caller_site(depth: int = 2) -> tuple[str, int]:
    """File and line of a caller outside this package."""
    frame: Any = sys._getframe(depth)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("data_bridge.core", "contextlib")
    ):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


async def begin_transaction(
    isolation: Any = None,
    *,
    read_only: bool = False,
    deferrable: bool = False,
    timeout: float | None = None,
    using: Any = None,
) -> Transaction:
    """Begins a transaction that the caller ends by commit() or rollback(); statements of this task join it until then.

    Inside another transaction it is a savepoint of it.

    >>> async def transfer() -> None:
    ...     tx = await begin_transaction()
    ...     try:
    ...         ...
    ...         await tx.commit()
    ...     except Exception:
    ...         await tx.rollback()
    ...         raise
    """
    site = caller_site()
    executor = context.resolve(using)
    if isinstance(executor, Transaction):
        transaction = await executor.nest(site)
    else:
        transaction = await begin(executor, level(isolation), read_only, deferrable, timeout, site)
    transaction.enter()
    return transaction


def current_transaction(using: Any = None) -> Transaction | None:
    """The transaction that statements join here, or None."""
    executor = context.resolve(using)
    return executor if isinstance(executor, Transaction) else None


def on_commit(callback: Callback, *, using: Any = None) -> None:
    """Calls `callback` after the current transaction has been committed; outside one, at once.

    Outside a transaction a coroutine function is started as a task of the running loop.
    """
    transaction = current_transaction(using)
    if transaction is not None:
        transaction.on_commit(callback)
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(run_callback(callback))
        return
    task = loop.create_task(run_callback(callback))
    _running.add(task)
    task.add_done_callback(_running.discard)


_running: set[asyncio.Task[None]] = set()
