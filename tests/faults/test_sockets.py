"""Options of the sockets, which have to be found first: also where the server sees another port than ours."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from data_bridge.core import Database
from data_bridge.testing.proxy import proxied

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="sockets are found on Linux only")


def connected_to(port: int) -> list[socket.socket]:
    """Copies of the sockets of this process that are connected to a port."""
    found: list[socket.socket] = []
    for name in os.listdir("/proc/self/fd"):
        try:
            copy = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        try:
            if copy.getpeername()[1] == port:
                found.append(copy)
                continue
        except (OSError, IndexError):
            pass
        copy.close()
    return found


@pytest.mark.fault("B6")
async def test_every_connection_through_a_proxy_sends_at_once(postgres_dsn: str) -> None:
    with proxied(postgres_dsn) as proxy:
        port = int(proxy.dsn.rsplit(":", 1)[1].split("/")[0])
        # Several at once: each has to be told from the others.
        async with Database(proxy.dsn, min_connections=5, max_connections=5, ssl="disable") as db:
            assert await asyncio.gather(*(db.fetch_val("SELECT $1::int", i) for i in range(20))) == list(range(20))
            ours = connected_to(port)
            try:
                assert len(ours) == 5
                for end in ours:
                    assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
                    assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            finally:
                for end in ours:
                    end.close()
            # The line of an idle connection ends, and this is noticed before it is used.
            proxy.cut()
            await asyncio.sleep(0.05)
            assert await db.fetch_val("SELECT 1") == 1
