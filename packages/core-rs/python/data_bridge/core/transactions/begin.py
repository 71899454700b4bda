"""BEGIN on a connection of its own."""

from __future__ import annotations

import time
from typing import Any

from data_bridge.core.connection import context
from data_bridge.core.connection.observer import observed_step
from data_bridge.core.transactions.isolation import IsolationLevel, begin_statement
from data_bridge.core.transactions.transaction import Transaction

__all__ = ["begin", "begin_on_server"]


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
    return await begin_on_server(database, isolation, read_only, deferrable, timeout, site)


async def begin_on_server(
    database: Any,
    isolation: IsolationLevel | None,
    read_only: bool,
    deferrable: bool,
    timeout: float | None,
    site: tuple[str, int],
    *,
    on: Any = None,
    kind: type[Transaction] = Transaction,
) -> Transaction:
    """Begins a transaction by BEGIN, also on a database with its own `begin`, which builds on this.

    Args:
        database: whose transaction it is.
        isolation, read_only, deferrable: options of BEGIN.
        timeout: seconds for the whole of it.
        site: the file and line that asked for it.
        on: the database whose connection it has, if that is another one.
        kind: its class.
    """
    lease = await (database if on is None else on).taken()
    transaction = kind(database, lease, None, site)
    transaction.isolation, transaction.read_only = isolation, read_only
    if timeout is not None:
        transaction._deadline = time.monotonic() + timeout
    try:
        sql = begin_statement(isolation, read_only, deferrable)
        await observed_step(transaction, "begin", sql, context.begin(lease, sql, timeout))
    except BaseException:
        transaction._ended = True
        lease.abandon()
        raise
    return transaction
