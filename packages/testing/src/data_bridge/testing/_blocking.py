"""Runs coroutines for the harness, which is synchronous: in a thread with an event loop of its own.

A loop may run in the calling thread already (a fixture that an async plugin asks for late): no `asyncio.run` there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from data_bridge.core import Database, LoadPlan

__all__ = ["BlockingSession", "run_elsewhere"]

T = TypeVar("T")
TUPLES = LoadPlan.rows(tuple)
WAIT = 600.0


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
    """A session of the harness through data_bridge.core, which knows passwords and TLS."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, max_connections=1, application_name="data-bridge-testing")
        # One connection with one owner, on the reactor that all threads share: locks and settings stay, and no event
        # loop is needed.
        self._lease: Any = self._database.lease(shared=True)
        try:
            self._wait(self._lease.take())
        except BaseException:
            self._shut()
            raise

    def run(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run one statement; its rows come back as text."""
        rows: list[tuple[Any, ...]] = self._wait(self._lease.run(("text", sql), (), TUPLES))
        return [tuple(None if value is None else _text(value) for value in row) for row in rows]

    def script(self, sql: str) -> None:
        """Run several statements."""
        self._wait(self._lease.script(sql))

    def close(self) -> None:
        """End the session."""
        if self._lease.status not in ("new", "closed"):
            self._wait(self._lease.give_back())
        self._shut()

    def _wait(self, operation: Any) -> Any:
        return self._lease.bridge.wait(operation, WAIT)

    def _shut(self) -> None:
        run_elsewhere(lambda: self._database.close(timeout=0))


def _text(value: object) -> str:
    return {True: "t", False: "f"}[value] if isinstance(value, bool) else str(value)
