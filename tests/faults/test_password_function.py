"""password= as a function: asked for each connection, on the caller's loop, and never in a message."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from data_bridge.core import ConnectError, Database, current_transaction, listen, pg_transaction


@pytest.fixture
def login(postgres_dsn: str) -> tuple[str, str]:
    """The connection string without its password, and the password."""
    found = re.fullmatch(r"(postgresql://[^:]+):([^@]+)@(.*)", postgres_dsn)
    assert found is not None
    return f"{found[1]}@{found[3]}", unquote(found[2])


@pytest.mark.parametrize("kind", ["function", "coroutine function", "method of an object"])
async def test_it_is_asked_for_each_connection(login: tuple[str, str], kind: str) -> None:
    dsn, secret = login
    asked = []

    def plain() -> str:
        asked.append(1)
        return secret

    async def coroutine() -> str:
        await asyncio.sleep(0.01)
        return plain()

    class Tokens:
        async def __call__(self) -> str:
            return plain()

    function: Any = {"function": plain, "coroutine function": coroutine, "method of an object": Tokens()}[kind]
    async with Database(dsn, password=function, max_connections=4) as db:
        assert len(asked) == 1
        assert await asyncio.gather(*(db.fetch_val("SELECT pg_sleep(0.05)") for _ in range(4))) == [None] * 4
        assert len(asked) == db.pool_stats().opened
        await db.expire()
        assert await db.fetch_val("SELECT 1") == 1
        assert len(asked) == db.pool_stats().opened
        # Signals and notifications have connections beside the pool.
        with pytest.raises(TimeoutError):
            await db.fetch_val("SELECT pg_sleep(5)", timeout=0.05)
        assert len(asked) == db.pool_stats().opened + 1
        async with listen("door", using=db) as heard:
            await db.notify("door", "open")
            assert (await anext(aiter(heard))).payload == "open"  # type: ignore[union-attr]
        assert len(asked) == db.pool_stats().opened + 2


async def test_it_runs_outside_of_transactions_on_the_same_loop(login: tuple[str, str]) -> None:
    dsn, secret = login
    seen: list[Any] = []

    async def token() -> str:
        seen.append((current_transaction(first), asyncio.get_running_loop()))
        return secret

    async with Database(dsn, password=secret) as first, Database(dsn, password=token) as second:
        seen.clear()
        await second.expire()
        async with pg_transaction(using=first):
            assert await second.fetch_val("SELECT 1") == 1
        assert seen == [(None, asyncio.get_running_loop())]


class Expired(Exception):
    """Raised by a provider of tokens."""


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (Expired("token hunter2 has expired"), "the function of password= raised Expired"),
        (b"hunter2", "the function of password= returned bytes, not str"),
        (asyncio.CancelledError(), "the function of password= was cancelled"),
    ],
)
async def test_it_fails(login: tuple[str, str], ending: Any, message: str, caplog: pytest.LogCaptureFixture) -> None:
    dsn, secret = login
    outcomes = [ending]

    async def token() -> Any:
        if not outcomes:
            return secret
        outcome = outcomes.pop()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    db = Database(dsn, password=token)
    with caplog.at_level(logging.ERROR, "data_bridge"), pytest.raises(ConnectError, match=re.escape(message)) as caught:
        await db.connect()
    assert "(password)" in str(caught.value) and "hunter2" not in str(caught.value)
    assert len(caplog.records) == isinstance(ending, Exception)
    # The next attempt asks again.
    await db.connect()
    assert await db.fetch_val("SELECT 1") == 1
    await db.close()


async def test_one_that_never_answers(login: tuple[str, str]) -> None:
    never = asyncio.Event()

    async def token() -> str:
        await never.wait()
        return ""

    db = Database(login[0], password=token, connect_timeout=0.2)
    with pytest.raises(ConnectError, match="no answer within"):
        await db.connect()
    await db.close(timeout=0)
    never.set()
    await asyncio.sleep(0)


@contextlib.contextmanager
def closed_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.close()


def test_a_second_loop_and_a_blocking_caller(login: tuple[str, str]) -> None:
    dsn, secret = login
    loops: list[asyncio.AbstractEventLoop] = []

    async def token() -> str:
        loops.append(asyncio.get_running_loop())
        return secret

    db = Database(dsn, password=token, max_connections=2)
    for _ in range(2):
        with closed_loop() as loop:
            assert loop.run_until_complete(db.fetch_val("SELECT 1")) == 1
            assert loops[-1] is loop
            loop.run_until_complete(db.expire())
    # As the pytest plugin does: an operation that is waited for without a loop.
    lease = db.lease(shared=True)
    taken = lease.take()
    lease.bridge.wait(taken, 5)
    given_back = lease.give_back()
    lease.bridge.wait(given_back, 5)
    with closed_loop() as loop:
        loop.run_until_complete(db.close())
