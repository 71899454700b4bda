"""Savepoints of a transaction."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from data_bridge.core._native import quote_identifier, quote_literal
from data_bridge.core.connection import context
from data_bridge.core.connection.observer import observed_step
from data_bridge.core.connection.plans import TUPLE
from data_bridge.core.errors import DataBridgeError
from data_bridge.core.uncancellable import to_the_end

if TYPE_CHECKING:
    from data_bridge.core.connection.transaction_settings import TransactionSettings
    from data_bridge.core.transactions.transaction import Transaction


def quoted(name: str) -> str:
    """A savepoint's name as an identifier.

    Raises:
        ConfigurationError: for NUL, an empty name, or more than 63 bytes (which PostgreSQL would cut off).
    """
    return quote_identifier(name)


async def begin_inside(outer: Transaction, inner: Transaction, timeout: float | None) -> None:
    """Begins a block inside another: SAVEPOINT under a name of its own.

    Args:
        outer: the transaction around it, whose connection it has until its end.
        inner: the new block.
        timeout: seconds for the whole block, at most those that are left to `outer`.
    """
    if timeout is not None:
        until = time.monotonic() + timeout
        inner._deadline = until if outer._deadline is None else min(until, outer._deadline)
    await outer._gate.acquire(inner._place, outer.database.acquire_timeout)
    settings = context.local_settings()
    try:
        outer._check_open()
        outer._inner = inner
        name = f"data_bridge_{next(outer._names)}"
        sql = f"SAVEPOINT {quoted(name)}"
        if settings is outer._begun_with:
            op = outer._lease.script(sql, inner._timeout(None), False, False)
        else:
            op = _with_settings(outer, inner, sql, settings)
        await observed_step(outer, "savepoint", sql, op)
    except BaseException:
        inner._ended = True
        outer._inner = None
        outer._gate.release(inner._place)
        raise
    inner._savepoint = name
    inner._mark = outer._journal.mark()


async def _with_settings(
    outer: Transaction, inner: Transaction, sql: str, settings: TransactionSettings | None
) -> None:
    """SAVEPOINT for a block that has other settings than the transaction around it, which has its own again afterwards."""
    # Few blocks have settings.
    from data_bridge.core.connection.transaction_settings import TransactionSettings, change, with_settings

    changed = TransactionSettings(change(outer._begun_with, settings, f"{outer._site[0]}:{outer._site[1]}"))
    inner._begun_with = settings
    if changed.values:
        reads = ", ".join(f"pg_catalog.current_setting({quote_literal(name)}, true)" for name in changed.values)
        before = await outer._lease.run(("text", f"SELECT {reads}"), (), TUPLE, inner._timeout(None))
        old = {name: value or "" for name, value in zip(changed.values, before, strict=True)}
        inner._restoring = f"{TransactionSettings(old).sql.removeprefix('; ')}; "
    try:
        await with_settings(changed, outer._lease.script(sql + changed.sql, inner._timeout(None), False, False))
    except BaseException:
        if outer._lease.status in ("active", "failed"):
            # The savepoint may be there: what comes next belongs to the transaction around it.
            with suppress(DataBridgeError):
                await to_the_end(outer._lease.rollback_to(f"ROLLBACK TO {sql}; RELEASE {sql}"))
        raise


async def end_inside(inner: Transaction, how: str) -> None:
    """Ends a block inside a transaction: RELEASE SAVEPOINT, or ROLLBACK TO it."""
    name = quoted(inner._savepoint or "")
    if how == "commit":
        sql = f"RELEASE SAVEPOINT {name}"
        op = to_the_end(inner._lease.script(inner._restoring + sql, None, True, False))
        await observed_step(inner, "release", sql, op)
    else:
        sql = f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
        await observed_step(inner, "rollback", sql, to_the_end(inner._lease.rollback_to(sql)))


async def set_savepoint(transaction: Transaction, name: str) -> Savepoint:
    """SAVEPOINT in a transaction."""
    async with transaction.held("SAVEPOINT"):
        mark = transaction._journal.mark()
        sql = f"SAVEPOINT {quoted(name)}"
        op = transaction._lease.script(sql, transaction._timeout(None), False, False)
        await observed_step(transaction, "savepoint", sql, op)
        transaction._marks[name] = mark
    return Savepoint(transaction, name)


async def rollback_to(transaction: Transaction, savepoint: Savepoint | str) -> None:
    """ROLLBACK TO SAVEPOINT, which takes back what Python remembers too."""
    name = savepoint if isinstance(savepoint, str) else savepoint.name
    async with transaction.held("ROLLBACK TO SAVEPOINT"):
        sql = f"ROLLBACK TO SAVEPOINT {quoted(name)}"
        await observed_step(transaction, "rollback", sql, to_the_end(transaction._lease.rollback_to(sql)))
        transaction._journal.rolled_back(transaction._marks.get(name, transaction._mark))


async def release(transaction: Transaction, savepoint: Savepoint | str) -> None:
    """RELEASE SAVEPOINT."""
    name = savepoint if isinstance(savepoint, str) else savepoint.name
    async with transaction.held("RELEASE SAVEPOINT"):
        sql = f"RELEASE SAVEPOINT {quoted(name)}"
        await observed_step(transaction, "release", sql, to_the_end(transaction._lease.script(sql, None, True, False)))
        transaction._marks.pop(name, None)


class Savepoint:
    """A savepoint that was set."""

    __slots__ = ("_transaction", "name")

    def __init__(self, transaction: Transaction, name: str) -> None:
        self._transaction = transaction
        self.name = name

    def __repr__(self) -> str:
        return f"<Savepoint {self.name!r}>"

    async def rollback(self) -> None:
        """Rolls back to it; it stays."""
        await self._transaction.rollback_to(self)

    async def release(self) -> None:
        """Forgets it and keeps what was done since."""
        await self._transaction.release(self)


class SavepointBlock:
    """The result of `tx.savepoint()`: await it for a Savepoint, or use it as a block."""

    __slots__ = ("_made", "_name", "_transaction")

    def __init__(self, transaction: Transaction, name: str) -> None:
        quoted(name)
        self._transaction = transaction
        self._name = name
        self._made: Savepoint | None = None

    def __await__(self) -> Generator[Any, Any, Savepoint]:
        return self._transaction.set_savepoint(self._name).__await__()

    async def __aenter__(self) -> Savepoint:
        self._made = await self._transaction.set_savepoint(self._name)
        return self._made

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        savepoint = self._made
        if savepoint is None or not self._transaction.is_active:
            return
        if kind is None and not self._transaction.is_aborted:
            await savepoint.release()
        else:
            await savepoint.rollback()
