"""Random operations, cancelled, killed and interrupted by restarts: every answer is the caller's own, nothing is left."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from data_bridge.core import CommitUnknown, ConnectError, ConnectionLost, Database
from data_bridge.testing import TestServer

from .conftest import whole

Run = Callable[[Coroutine[Any, Any, Any]], Any]
WORKERS = 12
LOST = (ConnectionLost, ConnectError, CommitUnknown)
"""What a call may end with when the server goes away; a 57014 here would be a cancel that hit a stranger."""


@dataclass
class Chaos:
    """One run, all of whose decisions follow from its seed; the moments at which they fall do not."""

    dsn: str
    seed: int
    operations: int
    rnd: random.Random = field(init=False)
    figures: Counter[str] = field(default_factory=Counter[str])
    wrong: list[Any] = field(default_factory=list[Any])
    kept: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        self.rnd = random.Random(self.seed)

    @property
    def name(self) -> str:
        return f"chaos {self.seed}"

    async def operation(self, db: Database, i: int) -> Any:
        """Something that takes a moment; gives `i` when it was not disturbed."""
        kind = self.rnd.random()
        if kind < 0.30:
            return await db.fetch_val("SELECT $1::int FROM pg_sleep($2)", i, self.rnd.random() * 0.008)
        if kind < 0.48:
            return await db.fetch_val("SELECT $1::int", i)
        if kind < 0.66:
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO chaos_rows VALUES ($1)", i)
                got = await tx.fetch_val("SELECT $1::int FROM pg_sleep($2)", i, self.rnd.random() * 0.005)
            self.kept.add(i)
            return got
        if kind < 0.75:
            assert await db.execute("INSERT INTO chaos_rows VALUES ($1)", i) == 1
            self.kept.add(i)
            return i
        if kind < 0.83:
            async with db.stream("SELECT g FROM generate_series(1, 2000) g", as_=tuple, batch=500) as rows:
                seen = [r[0] async for r in rows]
            return i if seen == list(range(1, 2001)) else seen
        if kind < 0.90:
            count = await db.copy_in("chaos", ((i, n) for n in range(2000)))
            return i if count == 2000 else count
        if kind < 0.94:
            total = sum([len(c) async for c in db.copy_out("SELECT repeat('x', 99) FROM generate_series(1, 3000)")])
            return i if total == 300_000 else total
        found = await db.fetch("SELECT $1::int, g FROM generate_series(1, 3000) g", i, as_=tuple)
        return i if found == [(i, g) for g in range(1, 3001)] else found[:3]

    async def worker(self, db: Database, k: int) -> None:
        for j in range(self.operations // WORKERS):
            i = k * 100_000 + j
            task = asyncio.create_task(self.operation(db, i))
            if self.rnd.random() < 0.5:
                await asyncio.sleep(self.rnd.random() * 0.006)
                task.cancel()
            try:
                got = await task
            except asyncio.CancelledError:
                self.figures["cancelled"] += 1
            except LOST as e:
                self.figures[type(e).__name__] += 1
                await asyncio.sleep(0.02)
            else:
                self.figures["done"] += 1
                if got != i:
                    self.wrong.append((i, got))

    async def kill_some(self) -> None:
        """Ends a random session of the run twenty times a second, and waits until each has gone."""
        while True:
            await asyncio.sleep(0.05)
            try:
                async with Database(self.dsn, max_connections=1, application_name="the killer") as admin:
                    while True:
                        await asyncio.sleep(0.05)
                        self.figures["killed"] += await admin.execute(
                            "SELECT pg_terminate_backend(pid, 5000) FROM (SELECT pid FROM pg_stat_activity "
                            "WHERE application_name = $1 ORDER BY random() LIMIT 1) victims",
                            self.name,
                        )
            except LOST:
                pass  # a restart

    async def run(self, *, kills: bool, restart: Callable[[], Any] | None = None) -> str:
        """All operations; returns a summary."""
        started = time.monotonic()
        async with Database(self.dsn, max_connections=8, application_name=self.name) as db:
            await db.execute_script(
                "CREATE TABLE IF NOT EXISTS chaos (a int, b int); CREATE TABLE IF NOT EXISTS chaos_rows (a int)"
            )
            await db.execute("TRUNCATE chaos, chaos_rows")
            harm = [asyncio.create_task(self.kill_some())] if kills else []
            if restart is not None:
                harm.append(asyncio.create_task(self.restarts(restart)))
            await asyncio.gather(*(self.worker(db, k) for k in range(WORKERS)))
            for task in harm:
                task.cancel()
            await asyncio.gather(*harm, return_exceptions=True)
            assert self.wrong == []
            await whole(db)
            rows = [r[0] for r in await db.fetch("SELECT a FROM chaos_rows", as_=tuple)]
            assert len(rows) == len(set(rows)), "something was executed twice"
            assert self.kept - set(rows) == set(), "something was told to be committed and is not there"
            stats = db.pool_stats()
            assert stats.size <= 8
            if not kills:
                # Only a COPY TO that was cancelled at its very start costs its connection: sqlx loses step there.
                assert stats.closed_broken <= self.figures["cancelled"] // 10, stats
        await self.nothing_left()
        return f"{self.name}: {dict(self.figures)} in {time.monotonic() - started:.1f} s, {stats}"

    async def restarts(self, restart: Callable[[], Any]) -> None:
        while True:
            await asyncio.sleep(0.5 + self.rnd.random() * 2)
            await asyncio.shield(asyncio.to_thread(restart))
            self.figures["restarted"] += 1

    async def nothing_left(self) -> None:
        """The pool was closed: the server has no session of it, the control connections included."""
        async with Database(self.dsn, max_connections=1) as db:
            deadline = time.monotonic() + 10
            while left := await db.fetch(
                "SELECT state, query FROM pg_stat_activity WHERE application_name = $1", self.name
            ):
                assert time.monotonic() < deadline, left
                await asyncio.sleep(0.05)


def seed() -> int:
    """A new one each time, or the one to look at again."""
    return int(os.environ.get("CHAOS_SEED", random.randrange(10**6)))


@pytest.mark.fault("H4")
@pytest.mark.parametrize("kills", [False, True], ids=["cancels", "cancels and kills"])
def test_random_cancels_give_no_wrong_row(postgres_dsn: str, loop_run: Run, kills: bool) -> None:
    print(loop_run(Chaos(postgres_dsn, seed(), 1_500).run(kills=kills)))


@pytest.mark.endurance
@pytest.mark.fault("H4")
def test_ten_thousand_cancels_between_kills_and_restarts(own_server: TestServer, loop_run: Run) -> None:
    """Sessions are ended and killed and the server is restarted, in each of its ways, all the time."""
    chaos = Chaos(own_server.dsn, seed(), 20_000)
    ways: list[Callable[[], Any]] = [
        lambda: own_server.restart("immediate"),
        lambda: own_server.restart("fast"),
        own_server.kill_backend,
        own_server.terminate_backends,
    ]
    print(loop_run(chaos.run(kills=True, restart=lambda: chaos.rnd.choice(ways)())))
    assert chaos.figures["cancelled"] >= 5_000
