"""A TCP proxy that delays, cuts and goes silent: failure of the network without hurting the server."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Proxy", "proxied"]

CHUNK = 65536


@dataclass
class Proxy:
    """The running proxy; its settings may be changed while connections go through it.

    Attributes:
        dsn: the URL that goes through the proxy.
        delay: seconds by which every piece of data is held up, in each direction.
        cut_after: bytes from the server after which the connection is reset, per connection; None is never.
        silent: nothing passes any more and nobody is told (a half-open connection).
    """

    host: str
    port: int
    dsn: str = ""
    delay: float = 0
    cut_after: int | None = None
    silent: bool = False
    accepted: int = 0
    _pairs: set[tuple[socket.socket, socket.socket]] = field(default_factory=set[tuple[socket.socket, socket.socket]])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: bool = False

    def cut(self) -> int:
        """Reset every connection now, and return how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                _reset(end)
        return len(pairs)

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
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, server)
        with self._lock:
            self._pairs.add(pair)
        try:
            self._pump(client, server)
        except (OSError, ValueError):
            pass  # ValueError: `cut` closed a socket under the call of select
        finally:
            with self._lock:
                self._pairs.discard(pair)
            for end in pair:
                with contextlib.suppress(OSError):
                    end.close()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        sent = 0
        while True:
            ready, _, _ = select.select([client, server], [], [], 0.05)
            if self.silent:
                time.sleep(0.01)
                continue
            for end in ready:
                data = end.recv(CHUNK)
                if self.delay:
                    time.sleep(self.delay)
                if end is client:
                    if not data:
                        return
                    server.sendall(data)
                    continue
                if not data:
                    return
                if self.cut_after is not None and sent + len(data) >= self.cut_after:
                    client.sendall(data[: max(0, self.cut_after - sent)])
                    _reset(client)
                    return
                sent += len(data)
                client.sendall(data)


def _reset(end: socket.socket) -> None:
    """Close with RST instead of FIN, as a broken network does; wakes whoever waits on the socket."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        end.close()


@contextmanager
def proxied(dsn: str, *, delay: float = 0, cut_after: int | None = None) -> Generator[Proxy]:
    """Put a proxy before the server of a URL (`postgresql://…@host:port/…`).

    >>> with EmbeddedServer() as server, proxied(server.dsn, delay=0.01) as proxy:
    ...     proxy.dsn != server.dsn
    True
    """
    parts = urlsplit(dsn)
    if not parts.hostname:
        raise ValueError("the proxy needs a URL with a TCP host")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(parts.hostname, parts.port or 5432, delay=delay, cut_after=cut_after)
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
