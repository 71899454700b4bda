"""`pg_transaction()` for blocking code: a `with` block, or a decorator of plain functions."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import data_bridge.core as core
from data_bridge.core import DeadlockDetected, SerializationFailure, Transaction, backoff, current_transaction
from data_bridge.postgres.sync.running import run

__all__ = ["BlockingTransaction", "pg_transaction"]

P = ParamSpec("P")
R = TypeVar("R")


class _Entered(threading.local):
    """The blocks that this thread is in, the innermost last."""

    def __init__(self) -> None:
        self.blocks: list[core.TransactionBlock] = []


class BlockingTransaction:
    """`with pg_transaction() as tx:`, or `@pg_transaction()` over a plain function."""

    def __init__(self, isolation: Any, retries: int, options: dict[str, Any]) -> None:
        self._isolation = isolation
        self._retries = retries
        self._options = options
        self._entered = _Entered()  # threads may share one object
        self._block()  # refuses wrong options now

    def _block(self) -> core.TransactionBlock:
        return core.pg_transaction(self._isolation, **self._options)

    def __enter__(self) -> Transaction:
        if self._retries:
            raise core.ConfigurationError("retries= needs the decorator: a block cannot run its own body again")
        block = self._block()
        try:
            transaction = run(block.__aenter__())
            self._entered.blocks.append(block)
        except BaseException as e:
            if block.is_entered:  # Ctrl-C just after BEGIN
                run(block.__aexit__(type(e), e, e.__traceback__))
            raise
        return transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._entered.blocks.pop().__aexit__(kind, error, trace))

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """Decorates a function: each call is such a block of its own."""
        if _returns_at_once(function):
            raise TypeError(
                "data_bridge.postgres.sync.pg_transaction() decorates plain functions; an async function or a generator "
                "would run after the block was left"
            )

        @wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            attempt = 0
            while True:
                transaction: Transaction | None = None
                try:
                    with BlockingTransaction(self._isolation, 0, self._options) as transaction:
                        return _done(function(*args, **kwargs))
                except (SerializationFailure, DeadlockDetected):
                    attempt += 1
                    # A block inside another transaction cannot be run again alone: the whole must. What the function has
                    # committed explicitly would be done twice.
                    if (
                        attempt > self._retries
                        or (transaction is not None and transaction.is_committed)
                        or current_transaction(self._options.get("using")) is not None
                    ):
                        raise
                    time.sleep(backoff(attempt))

        return inside


def _returns_at_once(function: Any) -> bool:
    """Whether a call does not run the function's body."""
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(kind(function) or kind(getattr(function, "__call__", None)) for kind in kinds)  # noqa: B004


def _done(result: R) -> R:
    """The result, unless it is still to be computed.

    Raises:
        TypeError: it is a coroutine, which nothing has run.
    """
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("the decorated function returned a coroutine: give it to run() inside of the function")
    return result


def pg_transaction(isolation: Any = None, *, retries: int = 0, **options: Any) -> BlockingTransaction:
    """A transaction for a `with` block, or around each call of a plain function.

    It is committed at the end of the block, and rolled back when the block is left by any exception. Every `run()` inside the
    block joins it. The options are those of `data_bridge.postgres.pg_transaction`.

    >>> from data_bridge.postgres import Col, Column, Table
    >>> from data_bridge.postgres.sync import pg_transaction, run
    >>> class Account(Table):
    ...     id: Col[int] = Column(primary_key=True)
    ...     balance: Col[int]
    >>> @pg_transaction("SERIALIZABLE", retries=3)
    ... def move(amount: int) -> None:
    ...     run(Account.find(Account.id == 1).update({Account.balance: Account.balance - amount}))
    ...     run(Account.find(Account.id == 2).update({Account.balance: Account.balance + amount}))
    """
    if callable(isolation) and not isinstance(isolation, (str, core.IsolationLevel)):
        raise TypeError("write @pg_transaction() with parentheses")
    return BlockingTransaction(isolation, retries, options)
