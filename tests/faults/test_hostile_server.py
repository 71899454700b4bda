"""A server that lies, floods and falls silent costs an error: no panic, no hang, no memory, no loop that stands still."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from data_bridge.core import Database, DataBridgeError, Gap

from .liar import GREETING, READY, Session, authentication, columns, done, lying, message, row

MEGABYTE = 1 << 20


def resident() -> int:
    """Bytes of memory that this process really has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def unmoved(*, memory: int = 96 * MEGABYTE, gap: float = 1.0) -> AsyncGenerator[None]:
    """Inside, the event loop is never held up for long, and the process does not grow."""
    worst = [0.0]

    async def beat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            worst[0] = max(worst[0], now - last)
            last = now

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    before = resident()
    try:
        yield
        grown = resident() - before
    finally:
        beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert worst[0] < gap, f"the event loop stood still for {worst[0]:.2f} s"
    assert grown < memory, f"{grown / MEGABYTE:.0f} MB more"


NOISE = random.Random(7).randbytes(MEGABYTE)

LIES: dict[str, bytes] = {
    "noise": NOISE,
    "a web server": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "an unknown message": message("?", b"xyz"),
    "2 GB announced": message("D", b"x" * 100, length=0x7FFF_FFFF),
    "4 GB announced": message("R", b"x" * 100, length=0xFFFF_FFFF),
    "1 GB error announced": message("E", b"x" * 100, length=0x3FFF_FFFF),
    "a length of nothing": message("D", length=0),
    "a length without itself": message("Z", length=3),
    "an empty error": message("E"),
    "an error without end": message("E", b"SERROR"),
    "an error in no encoding": message("E", b"SERROR\0C\xff\xfe\xfd\xfc\xfb\0M\xff\xff\0\0"),
    "an empty authentication": message("R"),
    "an unknown authentication": authentication(99),
    "a short salt": authentication(5, b"x"),
    "ready in no state": message("Z", b"?"),
    "ready without a state": message("Z"),
    "a notification for nobody": message("A", b"\0\0\0\1channel\0payload\0"),
}
AT_START: dict[str, bytes] = LIES | {
    "SASL without mechanisms": authentication(10, b"\0"),
    "an unknown mechanism": authentication(10, b"SCRAM-SHA-1\0\0"),
    "the end of SASL before its beginning": authentication(12, b"v=AAAA"),
    "a short key": message("K", b"\0"),
    "a parameter in no encoding": message("S", b"\xff\xfe\0\xff\0"),
}
SCRAM_LIES: dict[str, bytes] = {
    "nothing": authentication(11, b""),
    "empty items": authentication(11, b",,,"),
    "one letter": authentication(11, b"r"),
    "no salt": authentication(11, b"r=abc,i=4096"),
    "another nonce": authentication(11, b"r=abc,s=AAAA,i=4096"),
    "no iterations": authentication(11, b"r=abc,s=AAAA,i=0"),
    "negative iterations": authentication(11, b"r=abc,s=AAAA,i=-5"),
    "success at once": authentication(0),
}
PARSED = message("1")
INT4 = ("a", 23)
DESCRIBED = PARSED + message("t", b"\0\0") + columns(INT4, format=1)
IN_STATEMENT: dict[str, bytes] = LIES | {
    "parameters without number": PARSED + message("t"),
    "30,000 parameters announced": PARSED + message("t", struct.pack("!h", 30_000)),
    "a negative number of columns": PARSED + message("t", b"\0\0") + message("T", b"\xff\xff"),
    "columns that are not there": PARSED + message("t", b"\0\0") + message("T", struct.pack("!h", 1600)),
    "a column without end": PARSED + message("t", b"\0\0") + message("T", b"\0\1name"),
    "a row before its columns": row(b"\0\0\0\1"),
    "everything at once": READY + done() + DESCRIBED + row(b"x") + READY,
}
IN_ROWS: dict[str, bytes] = LIES | {
    "a short row": message("D", b"\0"),
    "a row that ends early": message("D", struct.pack("!hi", 1, 1000) + b"abc"),
    "a row of 30,000": message("D", struct.pack("!h", 30_000)),
    "a negative length": message("D", struct.pack("!hi", 1, -7)),
    "fewer columns": row() + done() + READY,
    "more columns": row(b"\0\0\0\1", b"\0\0\0\2") + done() + READY,
    "a number of three bytes": row(b"\0\0\1") + done() + READY,
    "no end of the statement": row(b"\0\0\0\1") + READY,
    "a COPY nobody asked for": message("G", b"\0\0\0") + message("d", b"x"),
    "a tag in no encoding": row(b"\0\0\0\1") + message("C", b"\xff\xfe\0") + READY,
}


async def refused(script: Callable[[Session], None]) -> None:
    """A statement on this server is an error, soon; nothing else happens. (What looks like an answer may be one.)"""
    with lying(script) as liar:
        started = time.monotonic()
        db = Database(liar.dsn, max_connections=1, connect_timeout=0.5, acquire_timeout=5)
        try:
            with pytest.raises(DataBridgeError) as caught:
                assert await db.fetch_val("SELECT 1", timeout=0.5) == 1
                raise DataBridgeError("an answer")
            assert "secret" not in repr(caught.value) + str(caught.value)
        finally:
            await db.close(timeout=0.1)
        assert time.monotonic() - started < 6
        while db.pool_stats().size:
            assert time.monotonic() - started < 10, db.pool_stats()
            await asyncio.sleep(0.01)


async def all_refused(lies: dict[str, bytes], script: Callable[[Session, bytes], None]) -> None:
    """Each lie by a liar of its own, all at once."""

    async def one(name: str, lie: bytes) -> None:
        try:
            await refused(lambda session: script(session, lie))
        except BaseException as e:
            e.add_note(f"the lie: {name}")
            raise

    async with asyncio.timeout(60), unmoved(), asyncio.TaskGroup() as group:
        for name, lie in lies.items():
            group.create_task(one(name, lie))


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """A panic would be caught; it would still be one."""
    yield
    assert "panicked" not in capfd.readouterr().err


@pytest.mark.fault("B7", "I5")
async def test_lies_instead_of_a_greeting() -> None:
    def script(session: Session, lie: bytes) -> None:
        session.hear()
        session.say(lie)
        session.stay()

    await all_refused(AT_START, script)


@pytest.mark.fault("B7", "I5")
async def test_lies_in_authentication() -> None:
    def script(session: Session, lie: bytes) -> None:
        session.hear()
        session.say(authentication(10, b"SCRAM-SHA-256\0\0"))
        session.hear()
        session.say(lie, GREETING)
        session.hear()
        session.say(authentication(12, b"v=AAAA"), GREETING)
        session.stay()

    await all_refused(SCRAM_LIES, script)


@pytest.mark.fault("B7", "I5")
async def test_lies_instead_of_a_description() -> None:
    def script(session: Session, lie: bytes) -> None:
        session.greet()
        session.hear()
        session.say(lie)
        session.stay()

    await all_refused(IN_STATEMENT, script)


@pytest.mark.fault("B7", "I5", "H4")
async def test_lies_instead_of_rows() -> None:
    def script(session: Session, lie: bytes) -> None:
        session.greet()
        session.hear()
        session.say(DESCRIBED, READY)
        session.hear()
        session.say(message("2"), lie)
        session.stay()

    await all_refused(IN_ROWS, script)


@pytest.mark.fault("B7")
async def test_what_the_liar_says_when_it_does_not_lie() -> None:
    """Otherwise the tests above would only show that the liar cannot speak."""

    def script(session: Session) -> None:
        session.greet()
        session.hear()
        session.say(DESCRIBED, READY)
        session.hear()
        session.say(message("2"), row(b"\0\0\0\x2a"), done(), READY)
        session.stay()

    with lying(script) as liar:
        db = Database(liar.dsn, max_connections=1)
        assert await db.fetch_val("SELECT 1") == 42
        await db.close()


FLOODS = {
    "notices": message("N", b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0") * 1000,
    "notifications": message("A", b"\0\0\0\1channel\0payload\0") * 1000,
    "parameters": message("S", b"application_name\0x\0") * 1000,
    "noise": NOISE,
}


@pytest.mark.fault("I5")
@pytest.mark.parametrize("when", ["greeting", "statement"])
async def test_floods(when: str) -> None:
    """Without a pause, for as long as the client listens: the deadline holds, and other work goes on."""

    def script(session: Session, lie: bytes) -> None:
        if when == "greeting":
            session.hear()
        else:
            session.greet()
            session.hear()
        session.flood(lie)

    await all_refused(FLOODS, script)


@pytest.mark.fault("I5")
async def test_endless_iterations() -> None:
    """PBKDF2 with four billion rounds is an hour of work that any server may order."""

    def script(session: Session) -> None:
        session.hear()
        session.say(authentication(10, b"SCRAM-SHA-256\0\0"))
        nonce = session.hear().split(b"r=", 1)[1]
        session.say(authentication(11, b"r=" + nonce + b"abc,s=AAAA,i=4294967295"))
        session.stay()

    async with unmoved():
        await refused(script)


@pytest.mark.fault("I5")
async def test_notifications_that_nobody_reads_are_dropped() -> None:
    """A subscriber that is behind keeps so many bytes and is told of a gap."""
    payload = b"x" * MEGABYTE

    def script(session: Session) -> None:
        session.greet_only()
        session.hear()
        session.say(done("LISTEN"), READY)
        session.flood(message("A", b"\0\0\0\1channel\0" + payload + b"\0") * 4)

    with lying(script) as liar:
        async with unmoved(memory=256 * MEGABYTE):
            db = Database(liar.dsn, max_connections=1, connect_timeout=1)
            async with asyncio.timeout(10), db.listen("channel") as heard:
                await asyncio.sleep(1)
                assert isinstance(await anext(heard), Gap)
            await db.close(timeout=0.1)
