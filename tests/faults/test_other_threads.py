"""Threads beside the event loop go on while it waits for the network and while it decodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from data_bridge.core import Database

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@dataclass
class Counter:
    """A thread that only counts.

    Attributes:
        count: how far it came.
        pause: the longest time in seconds in which it did not.
    """

    count: int = 0
    pause: float = 0.0
    running: bool = True

    def work(self) -> None:
        last = time.perf_counter()
        while self.running:
            self.count += 1
            now = time.perf_counter()
            self.pause = max(self.pause, now - last)
            last = now


@contextmanager
def counting() -> Iterator[Counter]:
    counter = Counter()
    thread = threading.Thread(target=counter.work)
    thread.start()
    try:
        yield counter
    finally:
        counter.running = False
        thread.join()


@pytest.mark.fault("E7")
@pytest.mark.parametrize("seconds", [0.5, pytest.param(5, marks=pytest.mark.endurance)])
def test_during_a_wait(postgres_dsn: str, loop_run: Run, seconds: float) -> None:
    async def test() -> None:
        async with Database(postgres_dsn, max_connections=2) as db:
            await db.fetch_val("SELECT 1")
            shares: list[float] = []
            for _ in range(5):  # one of several, on a machine that others want too
                with counting() as alone:
                    time.sleep(seconds / 2)  # noqa: ASYNC251 - without the interpreter, as a wait should be
                with counting() as beside:
                    await db.execute("SELECT pg_sleep($1)", seconds / 2)
                shares.append(beside.count / alone.count)
                if shares[-1] >= 0.9:
                    return
            raise AssertionError(f"another thread came to {shares} of what it does alone")

    loop_run(test())


@pytest.mark.fault("E7")
def test_during_the_decoding_of_many_rows(postgres_dsn: str, loop_run: Run) -> None:
    async def test() -> None:
        async with Database(postgres_dsn, max_connections=1) as db:
            sql = "SELECT g AS a, g::text AS b, now() AS c, g::numeric AS d FROM generate_series(1, 100000) g"
            best = 0.0
            pauses: list[float] = []
            for _ in range(3):
                with counting() as alone:
                    time.sleep(0.2)  # noqa: ASYNC251
                with counting() as beside:
                    started = time.perf_counter()
                    assert len(await db.fetch(sql)) == 100_000
                    took = time.perf_counter() - started
                best = max(best, (beside.count / took) / (alone.count / 0.2))
                pauses.append(beside.pause)
            # Both want the interpreter, so each gets a part of it; and none has it for long.
            assert best > 0.15, f"another thread came to {best:.0%} of what it does alone"
            assert min(pauses) < 0.1, pauses

    loop_run(test())
