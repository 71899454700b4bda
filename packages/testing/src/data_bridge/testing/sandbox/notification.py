"""NOTIFY inside a test: nothing is delivered from a transaction that is rolled back, so it is delivered here."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from data_bridge.core import Notification, TransactionClosed
from data_bridge.core.transactions.gate import task_name
from data_bridge.testing._call_sites import taken_for
from data_bridge.testing.connections.leaks import Hold, Watch

__all__ = ["Notification", "Post", "SandboxListener"]


class Post:
    """Hands what an emulated commit sends to the listeners of this process."""

    def __init__(self, watch: Watch) -> None:
        self._listeners: list[SandboxListener] = []
        self._closed: str | None = None
        self._watch = watch

    def listen(self, channels: list[str]) -> SandboxListener:
        """A listener, as the pool of a Database makes one; `listen()` asks for it."""
        if self._closed is not None:
            raise TransactionClosed(self._closed)
        self._watch.saw_task()
        hold = Hold(f"listener to {', '.join(channels)}", taken_for()[1], task_name())
        self._watch.listeners.add(hold)
        listener = SandboxListener(self, frozenset(channels), hold)
        self._listeners.append(listener)
        return listener

    def end(self, why: str) -> None:
        """The test is over: nothing is delivered any more."""
        self._closed = why
        for listener in list(self._listeners):
            listener.close()

    def deliver(self, notification: Notification) -> None:
        """Deliver a notification to the listeners."""
        for listener in list(self._listeners):
            listener.hear(notification)

    def leave(self, listener: SandboxListener) -> None:
        """Deliver nothing to it any more."""
        if listener in self._listeners:
            self._listeners.remove(listener)


class SandboxListener:
    """Looks like the native listener; several loops and threads may send to it."""

    def __init__(self, post: Post, channels: frozenset[str], hold: Hold) -> None:
        self._post = post
        self._hold = hold
        self._channels = channels
        self._heard: deque[Notification] = deque()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._closed = False
        self._lock = threading.Lock()

    async def started(self) -> None:
        """It listens from the first moment."""

    async def wait(self) -> None:
        """Wait until there is something to take."""
        with self._lock:
            if self._heard or self._closed:
                return
            event = asyncio.Event()
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()

    def take(self) -> tuple[str, str, int] | None:
        """The oldest notification; None when there is none."""
        with self._lock:
            if not self._heard:
                return None
            oldest = self._heard.popleft()
        return oldest.channel, oldest.payload, oldest.pid

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._closed and not self._heard

    def hear(self, notification: Notification) -> None:
        """Queue it for the next read, if it is for one of the channels."""
        if notification.channel in self._channels:
            with self._lock:
                self._heard.append(notification)
            self._wake()

    def close(self) -> None:
        """End it."""
        self._post.leave(self)
        self._closed = True
        self._hold.open = False
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
