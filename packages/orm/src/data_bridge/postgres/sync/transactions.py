"""`pg_transaction()` for blocking code: a `with` block, or a decorator of plain functions."""

from __future__ import annotations

import inspect
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


class BlockingTransaction:
    """`with pg_transaction() as tx:`, or `@pg_transaction()` over a plain function."""

    def __init__(self, isolation: Any, retries: int, options: dict[str, Any]) -> None:
        self._isolation = isolation
        self._retries = retries
        self._options = options
        self._open: list[core.TransactionBlock] = []
        self._block()  # refuses wrong options now

    def _block(self) -> core.TransactionBlock:
        return core.pg_transaction(self._isolation, **self._options)

    def __enter__(self) -> Transaction:
        if self._retries:
            raise core.ConfigurationError("retries= needs the decorator: a block cannot run its own body again")
        block = self._block()
        transaction = run(block.__aenter__())
        self._open.append(block)
        return transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._open.pop().__aexit__(kind, error, trace))

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """Decorates a function: each call is such a block of its own."""
        if inspect.iscoroutinefunction(function):
            raise TypeError("data_bridge.postgres.sync.pg_transaction() decorates plain functions; this one is async")

        @wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            attempt = 0
            while True:
                try:
                    with BlockingTransaction(self._isolation, 0, self._options):
                        return function(*args, **kwargs)
                except (SerializationFailure, DeadlockDetected):
                    attempt += 1
                    # A block inside another transaction cannot be run again alone: the whole must.
                    if attempt > self._retries or current_transaction(self._options.get("using")) is not None:
                        raise
                    time.sleep(backoff(attempt))

        return inside


def pg_transaction(isolation: Any = None, *, retries: int = 0, **options: Any) -> BlockingTransaction:
    """A transaction for a `with` block, or around each call of a plain function.

    It is committed at the end of the block, and rolled back when the block is left by any exception. Every `run()` inside the
    block joins it. The options are those of `data_bridge.postgres.pg_transaction`.

    >>> @pg_transaction("SERIALIZABLE", retries=3)
    ... def move(amount: int) -> None:
    ...     run(Account.find(Account.id == 1).update({Account.balance: Account.balance - amount}))
    ...     run(Account.find(Account.id == 2).update({Account.balance: Account.balance + amount}))
    """
    if callable(isolation) and not isinstance(isolation, (str, core.IsolationLevel)):
        raise TypeError("write @pg_transaction() with parentheses")
    return BlockingTransaction(isolation, retries, options)
