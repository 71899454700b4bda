"""The thread that asks the primary and the replicas how they are."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
import weakref
from contextlib import suppress

from data_bridge.core.replication.member import Member

__all__ = ["Monitor"]

_JOIN = 3.0
_running: weakref.WeakSet[Monitor] = weakref.WeakSet()


class Monitor:
    """Watches servers on a thread of its own, so that a busy event loop, or blocking code without one, changes nothing."""

    def __init__(self, members: list[Member]) -> None:
        self._members = members
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._is_stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread; a second call does nothing."""
        if self._thread is None and not self._is_stopped:
            self._thread = threading.Thread(target=self._run, name="data-bridge-replicas", daemon=True)
            _running.add(self)
            self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        self._stopping = stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._is_stopped:
            return
        async with asyncio.TaskGroup() as tasks:
            for member in self._members:
                tasks.create_task(member.watch(stopping))

    async def ready(self, timeout: float) -> None:
        """Waits until every server has been asked once, or the time is over."""
        until = time.monotonic() + timeout
        while time.monotonic() < until and not all(m.is_asked for m in self._members):  # noqa: ASYNC110 - it is another thread's
            await asyncio.sleep(0.005)

    def stop(self) -> None:
        """Tells the thread to end. A second call does nothing."""
        self._is_stopped = True
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            with suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(stopping.set)

    def join(self) -> None:
        """Waits for the end of the thread, a few seconds at most."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN)


@atexit.register
def _stop_all() -> None:
    monitors = list(_running)
    for monitor in monitors:
        monitor.stop()
    for monitor in monitors:
        monitor.join()
