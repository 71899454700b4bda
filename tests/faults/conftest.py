"""What holds after every fault: the pool is whole, nobody else's rows were seen, the server has no forgotten session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from data_bridge.core import Database


async def whole(db: Database, rounds: int = 3) -> None:
    """Every place of the pool gives its own answers, and nothing is left open on the server."""
    size = db.pool_stats().max
    for _ in range(100):
        if db.pool_stats().used == 0:
            break
        await asyncio.sleep(0.02)
    stats = db.pool_stats()
    assert (stats.used, stats.waiting) == (0, 0), stats
    n = size * rounds
    assert await asyncio.gather(*(db.fetch_val("SELECT $1::int FROM pg_sleep(0.001)", i) for i in range(n))) == list(
        range(n)
    )
    left = await db.fetch(
        "SELECT state, query FROM pg_stat_activity WHERE application_name = current_setting('application_name') "
        "AND datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    assert left == [], left


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """asyncio.run, or uvloop's."""
    if request.param == "uvloop":
        import uvloop

        return uvloop.run
    return asyncio.run
