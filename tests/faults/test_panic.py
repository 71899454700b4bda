"""A fault of the library itself, provoked by an answer that lies about a length: one call hears it, others go on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest

from data_bridge.core import ConnectionLost, Database, DataBridgeError, DecodeError

from .conftest import whole

MARK = b"\0\0\0\7forgery"
"""A value of seven bytes in a row: its length, and the bytes."""
FORGED = b"\0\xff\0\7forgery"
"""The same that claims to have 16 MB, which are not there."""


@contextmanager
def forging(dsn: str) -> Iterator[str]:
    """A URL that leads to the server through somebody who changes the length of one value."""
    parts = urlsplit(dsn)
    ends: list[socket.socket] = []

    def forward(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data.replace(MARK, FORGED))
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                server = socket.create_connection((parts.hostname or "", parts.port or 5432))
                for one, other in ((client, server), (server, client)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ends.append(one)
                    threading.Thread(target=forward, args=(one, other), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield urlunsplit(parts._replace(netloc=place, query="sslmode=disable"))
        finally:
            for end in (listener, *ends):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for end in ends:
                end.close()


@pytest.mark.fault("E6")
@pytest.mark.parametrize("shape", ["list", "one", "value", "transaction"])
async def test_a_panic_in_a_decoder_costs_one_call(
    postgres_dsn: str, shape: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT 'forgery'::text AS a WHERE $1::int = 1"  # the last value of a row, where nothing behind it tells
    with forging(postgres_dsn) as dsn:
        async with Database(dsn, max_connections=3, application_name="panics") as db:

            async def struck() -> None:
                with pytest.raises(DataBridgeError) as caught:
                    if shape == "list":
                        await db.fetch(sql, 1)
                    elif shape == "one":
                        await db.fetch_one(sql, 1)
                    elif shape == "value":
                        await db.fetch_val(sql, 1)
                    else:
                        async with db.transaction() as tx:
                            await tx.fetch(sql, 1)
                assert isinstance(caught.value, (ConnectionLost, DecodeError)), repr(caught.value)
                assert "forgery" not in str(caught.value).replace(sql, "")

            for _ in range(3):
                async with asyncio.timeout(10):
                    bystanders = [db.fetch_val("SELECT $1::int FROM pg_sleep(0.001)", i) for i in range(20)]
                    _, *answers = await asyncio.gather(struck(), *bystanders)
                assert answers == list(range(20))
                assert gc.isenabled(), "the collector was paused for the rows and has stayed so"
            assert db.pool_stats().closed_broken <= 3
            await whole(db)
    assert "forgery" not in capfd.readouterr().err


@pytest.mark.fault("E6")
async def test_a_decoder_of_the_application_that_raises_costs_one_call(postgres_dsn: str) -> None:
    from data_bridge.core import register_type

    class Abrupt(BaseException):
        pass

    def decode(data: bytes) -> str:
        raise Abrupt

    async with Database(postgres_dsn, max_connections=2) as db:
        await db.execute_script("DROP TYPE IF EXISTS abrupt; CREATE TYPE abrupt AS ENUM ('a')")
        register_type("abrupt", encode=str, decode=decode, using=db)
        for _ in range(3):
            bystanders = [db.fetch_val("SELECT $1::int", i) for i in range(9)]
            broken = asyncio.ensure_future(db.fetch("SELECT 'a'::abrupt AS a FROM generate_series(1, 1000)"))
            assert await asyncio.gather(*bystanders) == list(range(9))
            with pytest.raises((Abrupt, DecodeError)):
                await broken
        assert db.pool_stats().closed_broken == 0
        await whole(db)
        await db.execute_script("DROP TYPE abrupt")
