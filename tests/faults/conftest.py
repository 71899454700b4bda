"""What holds after every fault: the pool is whole, nobody else's rows were seen, the server has no forgotten session."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import psycopg
import pytest

from data_bridge.core import Database, _native
from data_bridge.core import _exit as life

PATIENCE = 5.0
"""Seconds in which everything must have come to rest; it takes milliseconds where nobody else wants the machine."""

BUSY = (
    "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'"
)


@pytest.fixture(autouse=True)
def all_is_well_afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: pools at rest or closed, no session that is not idle, no error that nobody could be told."""
    dsns: list[str] = []
    if "postgres_dsn" in request.fixturenames:
        dsns.append(request.getfixturevalue("postgres_dsn"))
    if "own_server" in request.fixturenames:  # asked for here so that it ends after this
        dsns.append(request.getfixturevalue("own_server").dsn)
    before = set(life._pools)
    unraisable: list[str] = []
    hook = sys.unraisablehook

    def told(error: Any) -> None:
        unraisable.append(f"{error.exc_value!r} in {error.object!r}")

    sys.unraisablehook = told
    try:
        yield
        gc.collect()
    finally:
        sys.unraisablehook = hook
    assert unraisable == []
    restless = [s for p in life._pools if p not in before and (s := _unrest(p)) is not None]
    assert restless == [], "a pool in which somebody still holds or awaits a connection"
    for dsn in dsns:
        assert _busy_sessions(dsn) == [], "the server still works for a test that has ended"


def _unrest(pool: Any) -> dict[str, Any] | None:
    """The figures of a pool that does not come to rest. A connection on its way back arrives while the loop is turned."""
    until = time.monotonic() + PATIENCE
    while True:
        stats: dict[str, Any] = pool.stats()
        if stats["used"] == 0 and stats["waiting"] == 0:
            return None
        if time.monotonic() > until:
            return stats
        _native.current_bridge().pump(5)


def _busy_sessions(dsn: str) -> list[Any]:
    """Sessions of tests that are not idle after a while; a server that was left stopped has none."""
    with (
        contextlib.suppress(psycopg.OperationalError),
        contextlib.closing(psycopg.connect(dsn, autocommit=True)) as session,
    ):
        until = time.monotonic() + PATIENCE
        while left := session.execute(BUSY).fetchall():
            if time.monotonic() > until:
                return left
            time.sleep(0.02)
    return []


async def whole(db: Database, rounds: int = 3) -> None:
    """Every place of the pool gives its own answers, and nothing is left open on the server."""
    size = db.pool_stats().max
    for _ in range(250):
        if db.pool_stats().used == 0:
            break
        await asyncio.sleep(0.02)
    stats = db.pool_stats()
    assert (stats.used, stats.waiting) == (0, 0), stats
    n = size * rounds
    assert await asyncio.gather(*(db.fetch_val("SELECT $1::int FROM pg_sleep(0.001)", i) for i in range(n))) == list(
        range(n)
    )
    until = time.monotonic() + PATIENCE
    # The server notices that the client of a closed connection has gone when it next writes to it.
    while left := await db.fetch(
        "SELECT state, query FROM pg_stat_activity WHERE application_name = current_setting('application_name') "
        "AND datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    ):
        assert time.monotonic() < until, left
        await asyncio.sleep(0.02)


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """asyncio.run, or uvloop's."""
    if request.param == "uvloop":
        import uvloop

        return uvloop.run
    return asyncio.run
