"""Threads beside the event loop go on while it waits for the network and while it decodes."""

from __future__ import annotations

import asyncio
import gc
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
    """

    count: int = 0
    running: bool = True

    def work(self) -> None:
        while self.running:
            self.count += 1


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


ROWS = 100_000
SQL = "SELECT g AS a, g::text AS b, now() AS c, g::numeric AS d FROM generate_series(1, $1::int) g"


@pytest.fixture
def _few_objects() -> Iterator[None]:
    """A collection of all that the suite keeps would be a pause too, and none of ours."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.fault("E7")
@pytest.mark.usefixtures("_few_objects")
def test_during_the_decoding_of_many_rows(postgres_dsn: str, loop_run: Run) -> None:
    """Both want the interpreter, which is never released for long where a loop has something to do: a part of it, then."""

    async def test() -> None:
        async with Database(postgres_dsn, max_connections=1) as db:
            shares: list[float] = []
            for _ in range(6):
                with counting() as alone:
                    time.sleep(0.2)  # noqa: ASYNC251
                with counting() as beside:
                    started = time.perf_counter()
                    assert len(await db.fetch(SQL, ROWS)) == ROWS
                    took = time.perf_counter() - started
                shares.append((beside.count / took) / (alone.count / 0.2))
                if shares[-1] > 0.15:
                    return
            raise AssertionError(f"another thread came to {shares} of what it does alone")

    loop_run(test())


@pytest.mark.fault("E7")
@pytest.mark.usefixtures("_few_objects")
def test_decoding_does_not_hold_the_loop(postgres_dsn: str, loop_run: Run) -> None:
    """No slice takes more than 5 ms of the thread's own time, so that other tasks have their turns."""

    async def test() -> None:
        async with Database(postgres_dsn, max_connections=1) as db:
            longest: list[float] = []

            async def beat() -> None:
                last = time.thread_time()
                while True:
                    await asyncio.sleep(0)
                    now = time.thread_time()
                    longest[-1] = max(longest[-1], now - last)
                    last = now

            for _ in range(8):  # one of several: caches and clocks are shared with others
                longest.append(0)
                beating = asyncio.ensure_future(beat())
                assert len(await db.fetch(SQL, ROWS)) == ROWS
                beating.cancel()
                if longest[-1] < 0.005:
                    return
            raise AssertionError(f"the loop was held for {longest} s")

    loop_run(test())
