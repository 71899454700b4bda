"""The order in which tasks use the one connection of a transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from data_bridge.core.errors import TransactionBusy

__all__ = ["Gate", "Hold", "task_name"]


def task_name() -> str:
    """The running task, for messages."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return "a thread without a loop"
    return f"task {task.get_name()!r}" if task else "a callback"


class Hold:
    """Exclusive use of a connection: by a block inside the transaction, by COPY, or by a statement until it is sent.

    Args:
        what: its name in messages.
        site: the file and line that asked for it.
        encloses_caller: whether the running code is inside it, so that waiting for its end would never end.
        interrupt: ends it before its time, when the transaction ends.
    """

    __slots__ = ("encloses_caller", "interrupt", "site", "task", "what")

    def __init__(
        self,
        what: str,
        site: tuple[str, int],
        encloses_caller: Callable[[], bool],
        interrupt: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.what = what
        self.site = site
        self.task = task_name()
        self.encloses_caller = encloses_caller
        self.interrupt = interrupt

    def __str__(self) -> str:
        return f"{self.what} opened by {self.task} at {self.site[0]}:{self.site[1]}"


class Gate:
    """At most one hold at a time; later ones wait, first come, first served."""

    __slots__ = ("_waiting", "holder")

    def __init__(self) -> None:
        self.holder: Hold | None = None
        # Empty whenever there is no holder.
        self._waiting: deque[tuple[Hold, asyncio.Future[None]]] = deque()

    async def acquire(self, hold: Hold, patience: float) -> None:
        """Waits for the turn and keeps it until `release`.

        Raises:
            TransactionBusy: the caller is inside the current hold, or `patience` seconds were not enough.
        """
        holder = self.holder
        if holder is None:
            self.holder = hold
            return
        if holder.encloses_caller():
            raise TransactionBusy(
                f"{hold.what} at {hold.site[0]}:{hold.site[1]} needs the connection of its transaction, which the {holder} "
                "has and which encloses it\nhint: use the innermost transaction, or a second connection: detached(), or "
                "using= another database"
            )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (hold, future)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(patience):
                await future
        except BaseException as error:
            if self.holder is hold:
                self.release(hold)  # the turn came at the same moment
            elif entry in self._waiting:
                self._waiting.remove(entry)
            if isinstance(error, TimeoutError):
                raise TransactionBusy(
                    f"{task_name()} waited {patience:g} s for the connection of its transaction, which the {self.holder} has"
                ) from None
            raise

    def release(self, hold: Hold) -> None:
        """Passes the turn on; does nothing when another hold has it."""
        if self.holder is not hold:
            return
        self.holder = None
        while self._waiting:
            following, future = self._waiting.popleft()
            if future.done():
                continue
            try:
                future.get_loop().call_soon_threadsafe(_wake, future)
            except RuntimeError:
                continue  # its loop is closed
            self.holder = following
            return


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
