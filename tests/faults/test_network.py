"""A network that delays, resets and falls silent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Generator
from typing import Literal

import pytest

from data_bridge.core import ConnectError, ConnectionLost, Database, DataBridgeError, Gap, Notification, QueryTimeout
from data_bridge.testing.proxy import Proxy, proxied

from .conftest import whole
from .liar import Session, authentication, lying


async def _scripted(db: Database, n: int) -> None:
    """Some of everything, with answers that are all known."""
    assert await db.fetch_val("SELECT $1::int", n) == n
    assert await db.fetch("SELECT g FROM generate_series(1, 80) g", as_=tuple) == [(g,) for g in range(1, 81)]
    async with db.transaction() as tx:
        assert await tx.fetch_val("SELECT 5") == 5
        async with tx.savepoint():
            assert await tx.fetch("SELECT $1::text AS a, g FROM generate_series(1, 20) g", "x", as_=tuple) == [
                ("x", g) for g in range(1, 21)
            ]
    async with db.stream("SELECT g FROM generate_series(1, 40) g", as_=tuple, batch=10) as rows:
        assert [r async for r in rows] == [(g,) for g in range(1, 41)]
    assert b"".join([c async for c in db.copy_out("SELECT g FROM generate_series(1, 30) g")]) == b"".join(
        b"%d\n" % g for g in range(1, 31)
    )
    # Enough for 200 messages and some more: how many finding the socket takes is not always the same.
    assert await db.fetch("SELECT g FROM generate_series(1, 60) g", as_=tuple) == [(g,) for g in range(1, 61)]
    await db.execute_script("CREATE TEMP TABLE scripted (a int); INSERT INTO scripted VALUES (1), (2)")


async def _runs(proxy: Proxy, n: int) -> bool:
    """The script on a new pool: to its end, or to an error that says what happened."""
    async with asyncio.timeout(10):
        db = Database(proxy.dsn, max_connections=1, connect_timeout=3, ssl="disable")
        try:
            await _scripted(db, n)
            return True
        except (DataBridgeError, ConnectionError):
            return False
        finally:
            await db.close(timeout=1)


@pytest.mark.fault("B4", "H4")
async def test_a_reset_at_each_message_boundary(postgres_dsn: str) -> None:
    """An error or the right answer, never a wrong row, never a hang."""
    with proxied(postgres_dsn) as proxy:
        assert await _runs(proxy, 0)
        assert proxy.messages >= 250, "the script is too short"
        for cut in range(1, 201):
            proxy.cut_after_messages = cut
            assert not await _runs(proxy, cut), "was cut, and reached its end"
        proxy.cut_after_messages = None
        assert await _runs(proxy, 0)


@pytest.mark.fault("B4", "H4")
async def test_a_reset_inside_messages(postgres_dsn: str) -> None:
    """The same in the middle of messages and of packets."""
    with proxied(postgres_dsn) as proxy:
        for cut in range(3, 3000, 41):
            proxy.cut_after = cut
            await _runs(proxy, cut)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("silent", [True, "server"])
async def test_silence_in_the_middle_of_a_result(postgres_dsn: str, silent: bool | Literal["server"]) -> None:
    with proxied(postgres_dsn) as proxy:
        db = Database(proxy.dsn, max_connections=2, connect_timeout=1, ssl="disable")
        assert await db.fetch_val("SELECT 1") == 1
        task = asyncio.create_task(
            db.fetch("SELECT g, pg_sleep(0.001), repeat('x', 500) FROM generate_series(1, 3000) g", timeout=0.6)
        )
        started = time.monotonic()
        await asyncio.sleep(0.25)
        passed = proxy.messages
        proxy.silent = silent
        with pytest.raises(QueryTimeout):
            await task
        assert passed > 20, "the result had not begun"
        assert time.monotonic() - started < 0.6 + 0.5 + 0.5, "timeout, half a second, and some air"
        # The server can be told nothing, so the connection is given up.
        async with asyncio.timeout(10):
            while db.pool_stats().size:
                await asyncio.sleep(0.02)
        assert db.pool_stats().closed_broken == 1
        proxy.silent = False
        assert await db.fetch_val("SELECT 2") == 2
        proxy.cut()
        await db.close(timeout=1)


@pytest.mark.fault("B1")
async def test_connections_that_fell_silent(postgres_dsn: str) -> None:
    with proxied(postgres_dsn) as proxy:
        db = await Database(proxy.dsn, max_connections=2, connect_timeout=1, ssl="disable").connect()
        proxy.silent = True
        started = time.monotonic()
        with pytest.raises(QueryTimeout):
            await db.execute("SELECT 1", timeout=0.3)
        assert time.monotonic() - started < 0.3 + 0.5 + 0.5
        proxy.silent = False
        proxy.cut()
        async with asyncio.timeout(10):
            for _ in range(20):
                try:
                    assert await db.fetch_val("SELECT 1") == 1
                    break
                except (ConnectionLost, ConnectError):
                    await asyncio.sleep(0.1)
            else:
                raise AssertionError("the pool did not recover")
        await db.close(timeout=1)


def _after_tls(session: Session) -> None:
    session.hear()
    session.say(b"S")


def _in_authentication(session: Session) -> None:
    session.hear()
    session.say(authentication(10, b"SCRAM-SHA-256\0\0"))


def _after_authentication(session: Session) -> None:
    session.hear()
    session.say(authentication(0))


STAGES: dict[str, tuple[str, Callable[[Session], object]]] = {
    "TLS is asked for": ("require", lambda session: session.hear()),
    "TLS is agreed on": ("require", _after_tls),
    "start-up": ("disable", lambda session: session.hear()),
    "authentication": ("disable", _in_authentication),
    "behind authentication": ("disable", _after_authentication),
    "the first question": ("disable", lambda session: session.greet_only()),
}


async def _in_time(dsn: str, ssl: str) -> None:
    db = Database(dsn, connect_timeout=0.4, ssl=ssl)
    started = time.monotonic()
    with pytest.raises(ConnectError) as caught:
        await db.connect()
    assert 0.35 < time.monotonic() - started < 0.4 + 0.5 + 0.5
    assert caught.value.step == "deadline"
    assert "secret" not in str(caught.value)


@pytest.mark.fault("B2", "I5")
@pytest.mark.parametrize("stage", STAGES)
async def test_silence_while_connecting(stage: str) -> None:
    ssl, begin = STAGES[stage]

    def script(session: Session) -> None:
        begin(session)
        session.stay()

    with lying(script) as liar:
        await _in_time(liar.dsn.partition("?")[0], ssl)


@contextlib.contextmanager
def _deaf() -> Generator[int]:
    """A port whose queue is full: the first packet of a connection is not answered."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            end = stack.enter_context(socket.socket())
            end.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                end.connect(listener.getsockname())
        time.sleep(0.05)
        yield listener.getsockname()[1]


@pytest.mark.fault("B2")
async def test_silence_of_tcp_itself() -> None:
    with _deaf() as port:
        await _in_time(f"postgresql://u:secret@127.0.0.1:{port}/x", "disable")


@pytest.mark.fault("B2", "A5")
async def test_a_silent_host_leaves_time_for_the_next(postgres_dsn: str) -> None:
    account, _, place = postgres_dsn.partition("//")[2].rpartition("@")
    with _deaf() as port:
        dsn = f"postgresql://{account}@127.0.0.1:{port},{place}"
        async with asyncio.timeout(5), Database(dsn, connect_timeout=2, ssl="disable") as db:
            assert await db.fetch_val("SELECT 1") == 1
            async with db.listen("elsewhere") as heard:
                await db.notify("elsewhere", "hello")
                assert getattr(await anext(heard), "payload", None) == "hello"


@pytest.mark.fault("B3")
async def test_a_slow_network_changes_no_answer(postgres_dsn: str) -> None:
    with proxied(postgres_dsn) as proxy:
        async with Database(proxy.dsn, max_connections=2, ssl="disable") as db:
            proxy.delay = 0.02
            assert await db.fetch("SELECT g FROM generate_series(1, 3000) g", as_=tuple) == [
                (g,) for g in range(1, 3001)
            ]
            task = asyncio.create_task(db.execute("SELECT pg_sleep(20)"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await db.fetch_val("SELECT 6") == 6
            proxy.delay = 0
            await whole(db)


@pytest.mark.fault("B3")
async def test_a_thousand_bytes_a_second(postgres_dsn: str) -> None:
    """Every byte takes a millisecond: right answers, and nobody turns in circles meanwhile."""
    with proxied(postgres_dsn, bytes_per_second=1000) as proxy:
        db = Database(proxy.dsn, max_connections=1, ssl="disable")
        started, worked = time.monotonic(), time.thread_time()
        assert await db.fetch("SELECT g FROM generate_series(1, 30) g", as_=tuple) == [(g,) for g in range(1, 31)]
        assert await db.fetch_val("SELECT $1::text", "x" * 200) == "x" * 200
        lasted, worked = time.monotonic() - started, time.thread_time() - worked
        assert lasted > 1, "the line was not slow"
        assert worked < lasted / 4, f"{worked:.2f} s of work in {lasted:.2f} s of waiting"
        proxy.bytes_per_second = None
        await db.close()


@pytest.mark.fault("B5")
async def test_a_pool_of_half_open_connections(postgres_dsn: str) -> None:
    """The first call waits for one sign of life, not for one from each connection."""
    with proxied(postgres_dsn) as proxy:
        db = Database(proxy.dsn, max_connections=8, connect_timeout=2, idle_timeout=10, ssl="disable")
        await asyncio.gather(*(db.execute("SELECT pg_sleep(0.1)") for _ in range(8)))
        async with asyncio.timeout(10):
            while db.pool_stats().idle < 8:  # sessions are reset after the answer
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.6)  # a twentieth of idle_timeout: what was idle for longer is asked before use
        with proxy.frozen():
            started = time.monotonic()
            assert await db.fetch_val("SELECT 1") == 1
            assert time.monotonic() - started < 2 * 2
            assert await asyncio.gather(*(db.fetch_val("SELECT $1::int", i) for i in range(16))) == list(range(16))
            assert time.monotonic() - started < 3 * 2
        await db.close()


@pytest.mark.fault("B6")
async def test_twenty_thousand_bytes_wait_for_no_acknowledgement(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script("DROP TABLE IF EXISTS big_rows; CREATE UNLOGGED TABLE big_rows (v bytea)")
        data = bytes(20_000)

        async def slowest_of_a_hundred() -> float:
            times: list[float] = []
            for _ in range(300):
                started = time.perf_counter()
                await db.execute("INSERT INTO big_rows VALUES ($1)", data)
                times.append(time.perf_counter() - started)
            return sorted(times)[-4]

        await db.execute("INSERT INTO big_rows VALUES ($1)", data)
        # Nagle's algorithm and delayed acknowledgements would cost 40 ms each time, in every round; a busy machine does not.
        rounds = [await slowest_of_a_hundred()]
        while min(rounds) >= 0.005 and len(rounds) < 6:
            rounds.append(await slowest_of_a_hundred())
        await db.execute("DROP TABLE big_rows")
        assert min(rounds) < 0.005, rounds


@pytest.mark.fault("D10")
async def test_one_round_trip_for_a_known_statement(postgres_dsn: str) -> None:
    """Counted by what it takes over a line that holds every piece of data up."""
    with proxied(postgres_dsn) as proxy:
        async with Database(proxy.dsn, max_connections=1, ssl="disable") as db:
            for _ in range(2):
                await db.fetch_val("SELECT $1::int", 1)
            proxy.delay = 0.1
            started = time.monotonic()
            await db.fetch_val("SELECT $1::int", 2)
            one = time.monotonic() - started
            assert 0.19 < one < 0.39, f"{one:.2f} s are not one round trip of 0.2 s"
            started = time.monotonic()
            async with db.transaction() as tx:
                await tx.fetch_val("SELECT $1::int", 3)
            assert 0.55 < time.monotonic() - started < 0.79, "BEGIN, statement, COMMIT are three"
            proxy.delay = 0


@pytest.mark.endurance
@pytest.mark.fault("B4")
async def test_a_listener_on_a_half_open_line(postgres_dsn: str) -> None:
    """A line that says nothing is asked for a sign of life after 10 s; 5 s later it is given up and the reader is told."""
    with proxied(postgres_dsn) as proxy:
        async with (
            Database(proxy.dsn, ssl="disable") as db,
            Database(postgres_dsn) as direct,
            db.listen("half_open") as heard,
        ):
            await direct.notify("half_open", "before")
            first = await asyncio.wait_for(anext(heard), 5)
            assert isinstance(first, Notification) and first.payload == "before"
            with proxy.frozen() as lines:
                assert lines >= 1
                started = time.monotonic()
                await direct.notify("half_open", "lost")
                gap = await asyncio.wait_for(anext(heard), 30)
                assert isinstance(gap, Gap) and gap.since <= gap.until
                assert 5 < time.monotonic() - started < 20
                await direct.notify("half_open", "after")
                last = await asyncio.wait_for(anext(heard), 5)
                assert isinstance(last, Notification) and last.payload == "after"
