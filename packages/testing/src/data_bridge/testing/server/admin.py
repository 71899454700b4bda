"""A minimal session on the server's private socket, for what the harness itself must say: passwords, databases, probes.

It speaks the simple query protocol of PostgreSQL and blocks, so that it works before any pool, event loop or test
exists and never appears in what a test counts. Values of statements are the harness's own; everything else goes through
data_bridge.core.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from data_bridge.testing.errors import ServerError

__all__ = ["ADMIN", "AdminError", "AdminSession"]

PROTOCOL = 196608  # 3.0
ADMIN = "data-bridge-testing admin"
"""How the harness's own sessions are called in pg_stat_activity."""


class AdminError(ServerError):
    """The server refused a statement of the harness."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.sqlstate = fields.get("C", "")
        super().__init__(f"{fields.get('M', 'no message')} ({self.sqlstate})")


class AdminSession:
    """A session of the superuser, by the unix socket whose folder only the server's account and root may enter.

    >>> from data_bridge.testing import EmbeddedServer
    >>> with EmbeddedServer() as server, AdminSession(server.socket) as session:
    ...     session.run("SELECT 1 + 1")
    [('2',)]
    """

    def __init__(self, path: Path, database: str = "postgres", *, timeout: float = 30.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
            self._stream = self._socket.makefile("rb")
            options = {"user": "postgres", "database": database, "application_name": ADMIN}
            body = b"".join(f"{name}\0{value}\0".encode() for name, value in options.items()) + b"\0"
            self._socket.sendall(struct.pack("!ii", len(body) + 8, PROTOCOL) + body)
            self._until_ready()
        except BaseException:
            self.close()
            raise

    def run(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run one or more statements and return the rows of all of them as text.

        Raises AdminError for what the server refuses, OSError when it is gone.
        """
        body = sql.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
        return self._until_ready()

    def script(self, sql: str) -> None:
        """Run several statements for their effect."""
        self.run(sql)

    def close(self) -> None:
        """End the session."""
        stream = getattr(self, "_stream", None)
        if stream is not None:
            with contextlib.suppress(OSError):
                self._socket.sendall(b"X" + struct.pack("!i", 4))
            stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        while True:
            head = self._stream.read(5)
            if len(head) < 5:
                raise ConnectionResetError("the server closed the connection")
            (length,) = struct.unpack("!i", head[1:])
            yield head[:1], self._stream.read(length - 4)

    def _until_ready(self) -> list[tuple[str | None, ...]]:
        rows: list[tuple[str | None, ...]] = []
        error: AdminError | None = None
        for kind, body in self._messages():
            if kind == b"D":
                rows.append(tuple(_values(body)))
            elif kind == b"E":
                parts = [part.decode(errors="replace") for part in body.split(b"\0") if part]
                error = AdminError({part[0]: part[1:] for part in parts})
                if "FATAL" in (parts[0][1:], parts[1][1:]):
                    raise error
            elif kind == b"R" and body[:4] != b"\0\0\0\0":
                raise ServerError("the private socket asks for a password: is this server ours?")
            elif kind == b"Z":
                break
        if error:
            raise error
        return rows


def _values(body: bytes) -> Iterator[str | None]:
    (count,) = struct.unpack_from("!h", body)
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            yield None
        else:
            yield body[at : at + length].decode()
            at += length
