"""Whose turn it is on the one connection of a test: tasks of any loop and thread queue for it, in order."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from data_bridge.core import TransactionBusy, TransactionClosed
from data_bridge.core.transactions.gate import task_name
from data_bridge.testing.connections.tasks import current_task

__all__ = ["ConnectionLock"]


@dataclass(slots=True, eq=False)
class _Waiter:
    token: object
    task: asyncio.Task[Any] | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class ConnectionLock:
    """A lock that may be passed between event loops; one holder, who is known by a token."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.closed: str | None = None
        """Why the turn is not passed on any more."""
        self.holder: Any = None
        self.task: asyncio.Task[Any] | None = None
        """The task of the holder, where it is known."""
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    def close(self, why: str) -> None:
        """Stops passing the turn on; waiting tasks receive the reason."""
        with self._lock:
            self.closed = why
            waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            with suppress(RuntimeError):  # its loop was closed
                waiter.loop.call_soon_threadsafe(_wake, waiter.future)

    def check(self) -> None:
        """Raises TransactionClosed when the test is over."""
        if self.closed is not None:
            raise TransactionClosed(self.closed)

    def try_take(self, token: object) -> bool:
        """Take the turn if it is free.

        Raises:
            TransactionClosed: the test is over.
        """
        self.check()
        with self._lock:
            if self.holder is not None:
                return False
            self._hold(token)
            return True

    async def take(self, token: object) -> None:
        """Wait for the turn.

        Raises:
            TransactionBusy: it did not come within the patience, or the waiting task itself has it.
            TransactionClosed: the test is over.
        """
        if self.try_take(token):
            return
        holder = self.holder
        if holder is not None and self.task is not None and self.task is current_task():
            raise TransactionBusy(
                f"{task_name()} needs a second connection while {holder} is open; a test has one."
                "\nhint: use `isolated_db` or `committed` for code that works on several connections at once"
            )
        loop = asyncio.get_running_loop()
        waiter = _Waiter(token, current_task(), loop, loop.create_future())
        with self._lock:
            if self.holder is None:
                self._hold(token)
                return
            self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self.patience):
                await waiter.future
            self.check()
        except TimeoutError:
            self._withdraw(waiter)
            raise TransactionBusy(
                f"{task_name()} waited {self.patience:g} s for the connection, which {self.holder} holds."
                "\nhint: transactions of a test run one after another; use `isolated_db` where they must overlap"
            ) from None
        except BaseException:
            self._withdraw(waiter)
            raise

    def give(self, token: object) -> None:
        """Pass the turn on; nothing happens when another task has it."""
        with self._lock:
            if self.holder is not token:
                return
            self.holder = self.task = None
            while self._waiters:
                waiter = self._waiters.popleft()
                try:
                    waiter.loop.call_soon_threadsafe(_wake, waiter.future)
                except RuntimeError:
                    continue  # its loop was closed
                self.holder, self.task = waiter.token, waiter.task
                break

    def _hold(self, token: object) -> None:
        self.holder = token
        self.task = current_task()

    def _withdraw(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                return
        # The turn came at the same moment: pass it on.
        self.give(waiter.token)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
