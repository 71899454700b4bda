"""A TCP proxy that delays, throttles, cuts and goes silent: failure of the network without hurting the server."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from data_bridge.testing.faults.messages import ServerMessages

__all__ = ["Proxy", "proxied"]

CHUNK = 65536
ROOM = 4 * CHUNK
"""Bytes that one direction holds back at most; then its sender has to wait, as on a real line."""
GLANCE = 0.05
"""Seconds after which a connection looks whether its settings have changed."""


@dataclass
class Proxy:
    """The running proxy; its settings may be changed while connections go through it.

    Attributes:
        dsn: the URL that goes through the proxy.
        delay: seconds by which every piece of data is held up, in each direction.
        bytes_per_second: how much passes in each direction; None is as much as possible.
        cut_after: bytes from the server after which the connection is reset, per connection; None is never.
        cut_after_messages: the same, counted in messages of the server; connections with TLS are not cut.
        silent: nothing passes any more, without an error (a half-open connection); "client" or "server": nothing
            that this side says.
        accepted: connections so far.
        messages: messages of the server that have passed, over all connections.
    """

    host: str
    port: int
    dsn: str = ""
    delay: float = 0
    bytes_per_second: float | None = None
    cut_after: int | None = None
    cut_after_messages: int | None = None
    silent: bool | Literal["client", "server"] = False
    accepted: int = 0
    messages: int = 0
    _lines: set[_Line] = field(default_factory=lambda: set[_Line]())
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: bool = False

    def cut(self) -> int:
        """Reset every connection now, and return how many there were."""
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.cut()
        for line in lines:
            line.over.wait(2)
        return len(lines)

    @contextmanager
    def frozen(self) -> Generator[int]:
        """Inside the block the present connections are half-open, and new ones work; returns the number of the former."""
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.frozen = True
        try:
            yield len(lines)
        finally:
            for line in lines:
                line.frozen = False

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((self.host, self.port), timeout=5)
        except OSError:
            _reset(client)
            return
        line = _Line(self, client, server)
        with self._lock:
            self._lines.add(line)
        try:
            line.run()
        finally:
            with self._lock:
                self._lines.discard(line)
            line.over.set()


@dataclass(eq=False)
class _Way:
    """One direction of a connection, and what waits in it with the time at which it may go on."""

    name: Literal["client", "server"]
    source: socket.socket
    target: socket.socket
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque[tuple[float, bytes]])
    held: int = 0
    free_at: float = 0
    ended: bool = False

    def due(self) -> float | None:
        """When the next piece may go on."""
        return max(self.waiting[0][0], self.free_at) if self.waiting else None

    def take(self, data: bytes, at: float) -> None:
        self.waiting.append((at, data))
        self.held += len(data)

    def send(self, bytes_per_second: float | None) -> None:
        """Sends on what the other side takes, and no more than the line carries."""
        at, data = self.waiting.popleft()
        piece = data if bytes_per_second is None else data[: max(1, int(bytes_per_second / 200))]
        count = self.target.send(piece)
        self.held -= count
        if count < len(data):
            self.waiting.appendleft((at, data[count:]))
        if bytes_per_second is not None:
            self.free_at = time.monotonic() + count / bytes_per_second


class _Line:
    """One connection: a thread that serves both of its directions."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.over = threading.Event()
        self.frozen = False
        self._proxy = proxy
        self._client = client
        self._server = server
        self._ways = (_Way("client", client, server), _Way("server", server, client))
        self._messages = ServerMessages()
        self._passed = 0
        self._passed_messages = 0
        self._wake, self._waker = socket.socketpair()
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def cut(self) -> None:
        """From another thread: reset both sides."""
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def run(self) -> None:
        """Until one side closes, or is cut off."""
        cut = True
        try:
            while not self._is_cut():
                if any(way.ended and not way.waiting for way in self._ways):
                    cut = False
                    break
        except OSError:
            pass
        finally:
            for end in (self._client, self._server):
                if cut:
                    _reset(end)
                end.close()
            self._wake.close()
            self._waker.close()

    def _silent(self) -> bool | Literal["client", "server"]:
        return self.frozen or self._proxy.silent

    def _is_cut(self) -> bool:
        """Lets pass what may pass now; waits a moment when nothing may."""
        silent = self._silent()
        open_ways = [way for way in self._ways if silent is not True and silent != way.name]
        now = time.monotonic()
        due = {way: at for way in open_ways if (at := way.due()) is not None} if open_ways else {}
        readers = [way.source for way in open_ways if not way.ended and way.held < ROOM]
        writers = [way.target for way, at in due.items() if at <= now]
        later = [at - now for at in due.values() if at > now]
        readable, writable, _ = select.select([*readers, self._wake], writers, [], min([GLANCE, *later]))
        if self._wake in readable:
            return True
        for way in open_ways:
            if way.target in writable:
                way.send(self._proxy.bytes_per_second)
            if way.source in readable and self._silent() == silent and self._read(way):
                return True
        return False

    def _read(self, way: _Way) -> bool:
        """Takes what has come from one side; true when the connection is to be reset behind it."""
        data = way.source.recv(CHUNK)
        if not data:
            way.ended = True
            return False
        at = time.monotonic() + self._proxy.delay
        if way.name == "client":
            self._messages.heard_client(data)
            way.take(data, at)
            return False
        limit = self._limit(data)
        self._passed += len(data)
        if limit is None:
            way.take(data, at)
            return False
        time.sleep(self._proxy.delay)
        with contextlib.suppress(BlockingIOError):
            for _, held in [*way.waiting, (0, data[:limit])]:
                way.target.send(held)
        return True

    def _limit(self, data: bytes) -> int | None:
        """How many of these bytes still pass; None when all do."""
        ends = self._messages.ends(data)
        limits: list[int] = []
        most = self._proxy.cut_after_messages
        if most is not None and self._passed_messages + len(ends) >= most:
            limits.append(ends[most - self._passed_messages - 1] if most > self._passed_messages else 0)
        self._passed_messages += len(ends)
        with self._proxy._lock:
            self._proxy.messages += len(ends)
        if self._proxy.cut_after is not None and self._passed + len(data) >= self._proxy.cut_after:
            limits.append(max(0, self._proxy.cut_after - self._passed))
        return min(limits, default=None)


def _reset(end: socket.socket) -> None:
    """Close with RST instead of FIN, as a broken network does."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    end.close()


@contextmanager
def proxied(
    dsn: str, *, delay: float = 0, cut_after: int | None = None, bytes_per_second: float | None = None
) -> Generator[Proxy]:
    """Put a proxy before the server of a URL (`postgresql://…@host:port/…`).

    >>> from data_bridge.testing import EmbeddedServer
    >>> with EmbeddedServer() as server, proxied(server.dsn, delay=0.01) as proxy:
    ...     proxy.dsn != server.dsn
    True
    """
    parts = urlsplit(dsn)
    if not parts.hostname:
        raise ValueError("the proxy needs a URL with a TCP host")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(
            parts.hostname, parts.port or 5432, delay=delay, cut_after=cut_after, bytes_per_second=bytes_per_second
        )
        account = parts.netloc.rpartition("@")[0]
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        proxy.dsn = urlunsplit(parts._replace(netloc=f"{account}@{place}" if account else place))
        thread = threading.Thread(target=proxy._accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy._closing = True
            # A closed listener does not wake the accept of another thread everywhere; a connection does.
            with contextlib.suppress(OSError):
                socket.create_connection(listener.getsockname(), timeout=1).close()
            thread.join(2)
            proxy.cut()
