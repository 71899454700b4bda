"""Runs coroutines for the harness, which is synchronous: in a thread with an event loop of its own.

A loop may run in the calling thread already (a fixture that an async plugin requested late), so `asyncio.run` is no way.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from data_bridge.core import Database

__all__ = ["BlockingSession", "run_elsewhere"]

T = TypeVar("T")


def run_elsewhere(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function to its end in another thread, and raise what it raises."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(work()))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=target, name="data-bridge testing")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


class BlockingSession:
    """A session of the harness on a server that was named by URL."""

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="data-bridge session", daemon=True)
        self._thread.start()
        # One connection that is never replaced: advisory locks and SET belong to it.
        self._database = Database(dsn, max_connections=1, application_name="data-bridge-testing", max_lifetime=1e9)
        try:
            self._wait(self._database.connect())
        except BaseException:
            self._stop()
            raise

    def run(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run SQL; the rows of a single statement come back as text."""
        rows = self._wait(self._database.fetch(sql, as_=tuple))
        return [tuple(None if value is None else _text(value) for value in row) for row in rows]

    def close(self) -> None:
        """End the session."""
        self._wait(self._database.close())
        self._stop()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _text(value: object) -> str:
    return {True: "t", False: "f"}[value] if isinstance(value, bool) else str(value)
