"""A long run of everything, with mistakes and cancels: memory, descriptors and prepared statements stay bounded."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import statistics
import time
from pathlib import Path

import pytest

from data_bridge import core
from data_bridge.core import Database, DataBridgeError

from .conftest import whole

MEGABYTE = 1 << 20
STATEMENTS = 60
"""Prepared statements that a connection may keep; there are ten times as many texts."""


def resident() -> float:
    """Megabytes of memory that this process really has."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


async def something(db: Database, r: random.Random) -> None:
    kind = r.randrange(12)
    if kind < 4:
        n = r.randrange(STATEMENTS * 10)
        assert await db.fetch_val(f"SELECT $1::int + {n}", 1) == n + 1
    elif kind == 4:
        rows = await db.fetch("SELECT g, repeat('x', 50) AS t FROM generate_series(1, 300) g")
        assert len(rows) == 300
    elif kind == 5:
        async with db.stream("SELECT g FROM generate_series(1, 300) g", batch=50) as some:
            async for row in some:
                if row["g"] == r.randrange(300):
                    break
    elif kind == 6:
        async with core.pg_transaction(using=db) as tx:
            await tx.execute("INSERT INTO soak VALUES ($1)", r.randrange(10**6))
            tx.set_rollback_only()
    elif kind == 7:
        mine = r.randrange(10**9)  # two that deleted the rows of each other would wait in a circle
        assert await db.copy_in("soak", [(mine,)] * 100) == 100
        assert await db.execute("DELETE FROM soak WHERE a = $1", mine) == 100
    elif kind == 8:
        async for _ in db.copy_out("SELECT generate_series(1, 500)"):
            pass
    elif kind == 9:
        with pytest.raises(DataBridgeError):
            await db.execute("SELECT 1 / 0" if r.random() < 0.5 else "SELECT nothing FROM nowhere")
    elif kind == 10:
        task = asyncio.ensure_future(db.execute("SELECT pg_sleep(1)"))
        await asyncio.sleep(r.random() * 0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    else:
        with pytest.raises(core.QueryTimeout):
            await db.execute("SELECT pg_sleep(1)", timeout=0.002)


@pytest.mark.fault("D11")
@pytest.mark.parametrize(
    ("warm", "seconds"), [(1.5, 2.5), pytest.param(60, 600, marks=pytest.mark.endurance)], ids=["short", "ten minutes"]
)
async def test_a_long_run(postgres_dsn: str, warm: float, seconds: float) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    r = random.Random(seed)
    async with Database(
        postgres_dsn, max_connections=4, statement_cache_size=STATEMENTS, max_lifetime=max(2, seconds / 20), application_name="soak"
    ) as db:  # fmt: skip
        await db.execute_script("DROP TABLE IF EXISTS soak; CREATE TABLE soak (a int); CREATE INDEX ON soak (a)")

        async def work(until: float) -> None:
            while time.monotonic() < until:
                await something(db, r)

        async def hours(length: float) -> None:
            until = time.monotonic() + length
            await asyncio.gather(*(work(until) for _ in range(8)))

        await hours(warm)
        parts = 10
        memory: list[tuple[float, float]] = []
        descriptors: list[int] = []
        begun = time.monotonic()
        for _ in range(parts):
            await hours(seconds / parts)
            memory.append(((time.monotonic() - begun) / 60, resident()))
            descriptors.append(len(os.listdir("/proc/self/fd")))
            kept = await asyncio.gather(
                *(db.fetch_val("SELECT count(*) FROM pg_prepared_statements, pg_sleep(0.01)") for _ in range(4))
            )
            assert max(kept) <= STATEMENTS
        slope = statistics.linear_regression(*zip(*memory, strict=True)).slope
        if seconds > 60:
            assert slope < 1, f"{slope:.2f} MB a minute; {memory}"
        else:
            assert memory[-1][1] - memory[0][1] < 6, memory
        # Four connections, the one that cancels, and those that take the place of old ones.
        assert max(descriptors) - min(descriptors) <= 8, descriptors
        assert db.pool_stats().opened > 4
        await db.execute_script("DROP TABLE soak")
        await whole(db)
