"""`pg_transaction()`: a block, or a decorator."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, TypeVar

from data_bridge.core.call_site import call_site
from data_bridge.core.connection import context
from data_bridge.core.errors import ConfigurationError, DeadlockDetected, SerializationFailure
from data_bridge.core.transactions.begin import begin
from data_bridge.core.transactions.isolation import IsolationLevel, level
from data_bridge.core.transactions.transaction import Transaction

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger("data_bridge.transactions")
Nested = Literal["savepoint", "join", "error", "independent"]
Isolation = Literal["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "READ UNCOMMITTED"] | IsolationLevel | None

NESTED: Mapping[str, str] = MappingProxyType(
    {
        "savepoint": "a savepoint of the surrounding transaction",
        "join": "the surrounding transaction itself",
        "error": "an error",
        "independent": "a transaction of its own, on another connection",
    }
)


def check_nesting(outer: Transaction, isolation: IsolationLevel | None, read_only: bool, deferrable: bool) -> None:
    """Refuses what a savepoint cannot have of its own.

    Raises:
        ConfigurationError: naming the option.
    """
    if isolation is not None and isolation is not (outer.isolation or IsolationLevel.READ_COMMITTED):
        raise ConfigurationError(
            f"a block inside a transaction has its isolation level ({(outer.isolation or IsolationLevel.READ_COMMITTED).value}); "
            f"{isolation.value} needs nested='independent'"
        )
    if read_only and not outer.read_only:
        raise ConfigurationError("read_only=True inside a transaction that writes needs nested='independent'")
    if deferrable:
        raise ConfigurationError("deferrable=True inside a transaction needs nested='independent'")


class TransactionBlock:
    """`async with pg_transaction() as tx:`, or `@pg_transaction()` over a coroutine function."""

    __slots__ = ("_deferrable", "_isolation", "_nested", "_read_only", "_retries", "_stack", "_timeout", "_using")

    def __init__(
        self,
        isolation: Any,
        read_only: bool,
        deferrable: bool,
        timeout: float | None,
        nested: str,
        retries: int,
        using: Any,
    ) -> None:
        if nested not in NESTED:
            raise ConfigurationError(f"nested={nested!r} is not one of {', '.join(NESTED)}")
        self._isolation = level(isolation)
        self._read_only = read_only
        self._deferrable = deferrable
        self._timeout = timeout
        self._nested = nested
        self._retries = retries
        self._using = using
        # One block object may be entered again after it was left, and by several tasks at once.
        self._stack: list[tuple[object, Transaction, bool]] = []

    @property
    def is_entered(self) -> bool:
        """Whether the block is open: entered, and not yet left."""
        return bool(self._stack)

    async def _open(self) -> tuple[Transaction, bool]:
        executor = context.resolve(self._using)
        site = call_site()
        if isinstance(executor, Transaction):
            if self._nested == "error":
                raise ConfigurationError("a transaction is open already (nested='error')")
            if self._nested == "join":
                check_nesting(executor, self._isolation, self._read_only, self._deferrable)
                if self._timeout is not None:
                    raise ConfigurationError("timeout= with nested='join' would be that of the surrounding transaction")
                return executor, False
            if self._nested == "savepoint":
                check_nesting(executor, self._isolation, self._read_only, self._deferrable)
                return await executor.nest(site, self._timeout), True
            executor = executor.database
        return await begin(executor, self._isolation, self._read_only, self._deferrable, self._timeout, site), True

    async def __aenter__(self) -> Transaction:
        if self._retries:
            raise ConfigurationError("retries= needs the decorator: a block cannot run its own body again")
        transaction, own = await self._open()
        if own:
            transaction.enter()
            transaction._in_block = True
        self._stack.append((_owner(), transaction, own))
        return transaction

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        owner = _owner()
        at = next((i for i in range(len(self._stack) - 1, -1, -1) if self._stack[i][0] is owner), len(self._stack) - 1)
        _, transaction, own = self._stack.pop(at)
        if own:
            await transaction.__aexit__(kind, error, trace)

    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Callable[P, Coroutine[Any, Any, R]]:
        """Decorates a coroutine function: each call is such a block of its own."""
        if not inspect.iscoroutinefunction(function):
            raise TypeError("pg_transaction() decorates coroutine functions (async def)")

        @wraps(function)
        async def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            attempt = 0
            while True:
                transaction: Transaction | None = None
                try:
                    async with TransactionBlock(
                        self._isolation, self._read_only, self._deferrable, self._timeout, self._nested, 0, self._using
                    ) as transaction:
                        return await function(*args, **kwargs)
                except (SerializationFailure, DeadlockDetected):
                    attempt += 1
                    # A block inside another transaction cannot be run again alone: the whole must. What the function has
                    # committed explicitly would be done twice.
                    if (
                        attempt > self._retries
                        or (transaction is not None and transaction.is_committed)
                        or isinstance(context.resolve(self._using), Transaction)
                    ):
                        raise
                    await _pause(attempt, self._retries)

        return inside


def _owner() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


async def _pause(attempt: int, retries: int) -> None:
    seconds = backoff(attempt)
    _log.info(
        "serialization failure or deadlock: the transaction runs again in %.3f s, retry %d of %d",
        seconds,
        attempt,
        retries,
    )
    await asyncio.sleep(seconds)


def backoff(attempt: int) -> float:
    """Seconds to wait before another attempt: doubling from 10 ms to 1 s, with full jitter."""
    return random.uniform(0.5, 1.0) * min(1.0, 0.01 * 2.0**attempt)


def pg_transaction(
    isolation: Isolation = None,
    *,
    read_only: bool = False,
    deferrable: bool = False,
    timeout: float | None = None,
    nested: Nested = "savepoint",
    retries: int = 0,
    using: Any = None,
) -> TransactionBlock:
    """A transaction for a block, or around each call of a coroutine function.

    It is committed at the end of the block, and rolled back when the block is left by any exception. Every statement of the
    block joins it, in child tasks too.

    Args:
        isolation: SERIALIZABLE, REPEATABLE READ, READ COMMITTED or READ UNCOMMITTED; case and underscores do not matter.
        read_only: refuse writes.
        deferrable: with SERIALIZABLE and read_only, wait for a snapshot that cannot fail.
        timeout: seconds for the whole block; statements past it are cancelled on the server.
        nested: what to be inside another transaction.
        retries: only as a decorator: how often the function is run again after a serialization failure or deadlock.
        using: alias, Database or Transaction.

    >>> from data_bridge.core import pg_transaction
    >>> async def signup() -> None:
    ...     async with pg_transaction() as tx:
    ...         tx.on_commit(lambda: print("welcome"))
    """
    given: Any = isolation
    if callable(given) and not isinstance(given, (str, IsolationLevel)):
        raise TypeError("write @pg_transaction() with parentheses")
    return TransactionBlock(isolation, read_only, deferrable, timeout, nested, retries, using)


async def transaction_attempts(
    n: int, isolation: Isolation = "SERIALIZABLE", *, using: Any = None
) -> AsyncIterator[TransactionBlock]:
    """Blocks to try one after another, until one is committed.

    A serialization failure or deadlock inside a block is swallowed while attempts are left.

    >>> from data_bridge.core import transaction_attempts
    >>> async def move() -> None:
    ...     async for attempt in transaction_attempts(3):
    ...         async with attempt:
    ...             ...
    """
    if n < 1:
        raise ConfigurationError(f"transaction_attempts({n}) would try nothing: n is at least 1")
    for left in range(n - 1, -1, -1):
        attempt = _Attempt(isolation, using, last=left == 0)
        yield attempt
        if attempt.committed:
            return
        await _pause(n - left, n - 1)


class _Attempt(TransactionBlock):
    __slots__ = ("_last", "committed")

    def __init__(self, isolation: Any, using: Any, *, last: bool) -> None:
        super().__init__(isolation, False, False, None, "error", 0, using)
        self._last = last
        self.committed = False

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool | None:  # type: ignore[override]
        transaction = self._stack[-1][1]
        try:
            await super().__aexit__(kind, error, trace)
        except (SerializationFailure, DeadlockDetected):
            if self._last:
                raise
            return True
        # What the block has committed explicitly would be done twice by another attempt.
        if (
            isinstance(error, (SerializationFailure, DeadlockDetected))
            and not self._last
            and not transaction.is_committed
        ):
            return True
        self.committed = kind is None
        return None
