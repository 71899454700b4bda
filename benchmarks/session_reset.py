"""What resetting sessions costs: one row by key under each value of `session_reset`.

python benchmarks/session_reset.py [DSN]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import Any

from data_bridge.core import Database
from data_bridge.testing import EmbeddedServer

SETUP = """
    DROP TABLE IF EXISTS reset_item; CREATE TABLE reset_item (id int PRIMARY KEY, name text);
    INSERT INTO reset_item SELECT g, 'name ' || g FROM generate_series(1, 1000) g;
    CREATE OR REPLACE FUNCTION reset_tenant() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.tenant', 'x', false) $$;
"""
CASES: dict[str, tuple[Any, str]] = {
    "never": ("never", "SELECT id, name FROM reset_item WHERE id = $1"),
    "auto": ("auto", "SELECT id, name FROM reset_item WHERE id = $1"),
    "auto, reaches a function": ("auto", "SELECT id, name, reset_tenant() FROM reset_item WHERE id = $1"),
    "always": ("always", "SELECT id, name FROM reset_item WHERE id = $1"),
}
ROUNDS, CALLS = 60, 100


async def measure(dsn: str) -> None:
    async with Database(dsn) as db:
        await db.execute_script(SETUP)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    pools = {
        name: await Database(dsn, max_connections=1, session_reset=mode).connect() for name, (mode, _) in CASES.items()
    }
    for _ in range(ROUNDS):
        for name, (_, sql) in CASES.items():
            started, cpu = time.perf_counter(), time.process_time()
            for i in range(CALLS):
                await pools[name].fetch_one(sql, i + 1, as_=tuple)
            spent = time.process_time() - cpu, time.perf_counter() - started
            times[name].append((spent[0] / CALLS * 1e6, spent[1] / CALLS * 1e6))
    for name, taken in times.items():
        cpu, wall = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"{name:28} {wall:7.1f} µs, client CPU {cpu:6.1f} µs")
    for db in pools.values():
        await db.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(measure(sys.argv[1]))
    else:
        with EmbeddedServer() as server:
            asyncio.run(measure(server.dsn))
