"""Deadlines that pass before a statement starts, and signals whose connection is killed: the races of cancelling."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from data_bridge.core import ConnectError, ConnectionLost, Database, QueryTimeout

from .conftest import whole

Run = Callable[[Coroutine[Any, Any, Any]], Any]
SECONDS = 4.0
NAME = "cancel races"


@pytest.mark.fault("C1")
def test_a_deadline_is_never_told_as_a_cancel(postgres_dsn: str, loop_run: Run) -> None:
    """Nobody cancels here, so that every end is an answer or QueryTimeout, however early the deadline passes."""

    async def test() -> None:
        ends = {"answer": 0, "timeout": 0}
        until = time.monotonic() + SECONDS
        async with Database(postgres_dsn, max_connections=5) as db:

            async def caller(number: int) -> None:
                chance = random.Random(number)
                while time.monotonic() < until:
                    try:
                        timeout = chance.choice((1e-9, 1e-6, 1e-5, 1e-4, 1e-3))
                        assert await db.fetch_val("SELECT $1::int", number, timeout=timeout) == number
                        ends["answer"] += 1
                    except QueryTimeout:
                        ends["timeout"] += 1
                    await asyncio.sleep(0)

            await asyncio.gather(*(caller(number) for number in range(24)))
            await whole(db)
        assert ends["timeout"] > 500, ends

    loop_run(test())


@pytest.mark.fault("C1")
def test_a_killed_signal_is_sent_again(postgres_dsn: str, loop_run: Run) -> None:
    """Sessions are killed at random, those that send the signals included: no cancelled statement runs on."""
    running = f"FROM pg_stat_activity WHERE application_name = '{NAME}' AND datname = current_database()"

    async def test() -> None:
        until = time.monotonic() + SECONDS
        cancelled = 0
        async with (
            Database(postgres_dsn, max_connections=1, application_name="looks") as admin,
            Database(postgres_dsn, max_connections=5, application_name=NAME) as db,
        ):

            async def caller(number: int) -> None:
                nonlocal cancelled
                chance = random.Random(number)
                while time.monotonic() < until:
                    task = asyncio.create_task(db.execute("SELECT pg_sleep(30)"))
                    await asyncio.sleep(chance.random() * 0.02)
                    task.cancel()
                    with suppress(asyncio.CancelledError, ConnectionLost, ConnectError):
                        await task
                    cancelled += 1

            async def killer() -> None:
                chance = random.Random(0)
                while time.monotonic() < until:
                    await asyncio.sleep(chance.random() * 0.1)
                    await admin.execute(f"SELECT pg_terminate_backend(pid) {running} ORDER BY random() LIMIT 1")

            await asyncio.gather(killer(), *(caller(number) for number in range(8)))
            started = time.monotonic()
            while await admin.fetch_val(
                f"SELECT count(*) {running} AND query LIKE '%pg_sleep(30)%' AND state = 'active'"
            ):
                assert time.monotonic() - started < 2, "a cancelled statement is still running"
                await asyncio.sleep(0.05)
            await whole(db)
        assert cancelled > 100

    loop_run(test())
