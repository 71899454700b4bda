"""A primary that goes, a standby that takes over, and a primary that comes back as a standby."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from data_bridge import core
from data_bridge.core import ConnectError, ConnectionLost, Database, ReadOnlyError, SerializationFailure
from data_bridge.testing import EmbeddedServer
from data_bridge.testing._options import read_options

from .conftest import whole
from .standby import PRIMARY, following

LOST = (ConnectionLost, ConnectError)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def provider(request: pytest.FixtureRequest) -> str | None:
    """Whose server is tested."""
    found: str | None = read_options(request.config).provider
    return found


@pytest.fixture(scope="module")
def primary(provider: str | None) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(provider=provider, settings=PRIMARY) as server:
        yield server


def both(first: str, second: str) -> str:
    """A URL with the two hosts."""
    account, _, place = first.rpartition("@")
    return f"{account}@{place.partition('/')[0]},{second.rpartition('@')[2]}"


async def caught_up(primary: Database, standby: Database) -> None:
    lsn = await primary.fetch_val("SELECT pg_current_wal_lsn()::text")
    async with asyncio.timeout(20):
        while not await standby.fetch_val("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", lsn):
            await asyncio.sleep(0.02)


@pytest.mark.fault("A5")
async def test_on_a_standby(primary: EmbeddedServer) -> None:
    """Writes are refused by name, and a conflict with what the primary did may be tried again."""
    with following(primary.bin, primary.dsn, free_port()) as standby:
        async with Database(primary.dsn) as first, Database(standby.dsn, max_connections=2) as second:
            await first.execute_script("DROP TABLE IF EXISTS t; CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
            await caught_up(first, second)
            with pytest.raises(ReadOnlyError) as caught:
                await second.execute("INSERT INTO t VALUES (2)")
            assert caught.value.sqlstate == "25006"
            assert await second.fetch_val("SELECT a FROM t") == 1, "the connection is usable"

            tries = 0

            @core.pg_transaction(retries=3, using=second)
            async def read() -> int:
                nonlocal tries
                tries += 1
                await core.fetch("SELECT a FROM t", using=second)
                if tries == 1:  # the primary wants the table for itself while it is read here
                    await first.execute("TRUNCATE t")
                    await core.execute("SELECT pg_sleep(20)", using=second)
                count: int = await core.fetch_val("SELECT count(*) FROM t", using=second)
                return count

            async with asyncio.timeout(20):
                assert await read() == 0
            assert tries == 2
            assert issubclass(SerializationFailure, core.DatabaseError)
            dsn = both(primary.dsn, standby.dsn)
            for wanted, there in (("standby", True), ("read-only", True), ("primary", False), ("read-write", False)):
                async with Database(dsn, target_session_attrs=wanted, max_connections=1) as chosen:
                    assert await chosen.fetch_val("SELECT pg_is_in_recovery()") is there, wanted
            await whole(second)


@pytest.mark.fault("A5", "H4")
async def test_a_pool_follows_the_primary(provider: str | None) -> None:
    """The old primary dies under load, the standby is promoted; then the old one is back, as a standby of the new one."""
    with EmbeddedServer(provider=provider, settings=PRIMARY) as old:
        old_port = int(old.dsn.rpartition(":")[2].partition("/")[0])
        programs = old.bin
        with following(programs, old.dsn, free_port()) as new:
            dsn = both(old.dsn, new.dsn)
            async with (
                Database(dsn, target_session_attrs="read-write", max_connections=4, connect_timeout=2) as db,
                Database(new.dsn) as second,
            ):
                await db.execute_script("CREATE TABLE kept (n int)")
                assert await db.fetch_val("SELECT inet_server_port()") == old_port
                async with Database(old.dsn) as first:
                    await caught_up(first, second)
                async with db.listen("news") as heard:
                    stop = asyncio.Event()
                    told: list[int] = []

                    async def work() -> None:
                        n = 0
                        while not stop.is_set():
                            n += 1
                            try:
                                await db.execute("INSERT INTO kept VALUES ($1)", n)
                                told.append(n)
                            except LOST:
                                await asyncio.sleep(0.02)

                    working = asyncio.create_task(work())
                    await asyncio.sleep(0.2)
                    await asyncio.to_thread(old.stop_postmaster, "fast")
                    # Between the two there is nobody who takes writes, and the standby is not taken for one.
                    with pytest.raises(LOST):
                        await db.execute("INSERT INTO kept VALUES (0)")
                    new.promote()
                    started = time.monotonic()
                    async with asyncio.timeout(20):
                        while True:
                            try:
                                assert await db.fetch_val("SELECT pg_is_in_recovery()") is False
                                break
                            except LOST:
                                await asyncio.sleep(0.02)
                    before = len(told)
                    while len(told) < before + 20 and time.monotonic() - started < 20:
                        await asyncio.sleep(0.01)
                    stop.set()
                    await working
                    assert len(told) >= before + 20
                    rows = [r[0] for r in await db.fetch("SELECT n FROM kept", as_=tuple)]
                    assert len(rows) == len(set(rows)) and set(told) <= set(rows), "what was told to be stored is there"
                    # LISTEN has followed too; before that it may have missed something, and says so.
                    async with asyncio.timeout(20):
                        while isinstance(await _next_news(db, heard), core.Gap):
                            pass
                # The demoted one answers first in the list, and is left alone.
                with following(programs, new.dsn, old_port) as demoted:
                    await db.expire()
                    assert await db.fetch_val("SELECT inet_server_port()") != old_port
                    async with Database(demoted.dsn) as former:
                        assert await former.fetch_val("SELECT pg_is_in_recovery()") is True
                    await whole(db)


async def _next_news(db: Database, heard: object) -> object:
    async def announce() -> None:
        while True:
            await db.notify("news", "hello")
            await asyncio.sleep(0.2)

    announcing = asyncio.create_task(announce())
    try:
        return await anext(heard)  # type: ignore[call-overload]
    finally:
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)


@pytest.mark.fault("A4")
async def test_a_server_that_starts_is_waited_for(primary: EmbeddedServer) -> None:
    """A standby that serves nobody answers as a starting server does, until it is promoted."""
    with following(primary.bin, primary.dsn, free_port(), hot=False) as closed:
        async with asyncio.timeout(20):
            while True:  # the process has to open its port first
                with pytest.raises(ConnectError) as caught:
                    await Database(closed.dsn, connect_timeout=0.3).connect()
                if caught.value.sqlstate is not None:
                    break
                await asyncio.sleep(0.05)
            assert caught.value.sqlstate == "57P03" and "57P03" in str(caught.value)
            db = Database(closed.dsn, connect_timeout=15)
            task = asyncio.create_task(db.connect())
            await asyncio.sleep(0.5)
            assert not task.done()
            closed.promote()
            await task
            assert await db.fetch_val("SELECT 1") == 1
            await db.close()
