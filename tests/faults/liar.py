"""A server that lies: it speaks as much of the protocol as a test wants, and then whatever it likes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

READY = b"Z\0\0\0\5I"


def message(tag: str, body: bytes = b"", *, length: int | None = None) -> bytes:
    """One message; `length` is what it claims, if not the truth."""
    return tag.encode() + struct.pack("!I", len(body) + 4 if length is None else length) + body


def authentication(kind: int, body: bytes = b"") -> bytes:
    """AuthenticationOk is 0, SASL 10 to 12."""
    return message("R", struct.pack("!i", kind) + body)


def columns(*names_and_oids: tuple[str, int], format: int = 0) -> bytes:
    """RowDescription."""
    body = struct.pack("!h", len(names_and_oids))
    for name, oid in names_and_oids:
        body += name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, oid, 4, -1, format)
    return message("T", body)


def row(*values: bytes | None) -> bytes:
    """DataRow."""
    body = struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("D", body)


def done(tag: str = "SELECT 1") -> bytes:
    """CommandComplete."""
    return message("C", tag.encode() + b"\0")


GREETING = authentication(0) + message("S", b"server_version\x0018.0\0") + message("K", b"\0\0\0\1\0\0\0\2") + READY


class Session:
    """One client of the liar."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def say(self, *messages: bytes) -> None:
        """Sends; what the client does not want to hear any more ends the session."""
        self.end.sendall(b"".join(messages))

    def hear(self) -> bytes:
        """What the client has said meanwhile; an error when it has gone."""
        data = self.end.recv(65536)
        if not data:
            raise ConnectionError("the client has gone")
        return data

    def flood(self, blob: bytes) -> None:
        """The same again and again until the client has gone."""
        while True:
            self.end.sendall(blob)

    def stay(self) -> None:
        """Says nothing until the client has gone."""
        while self.hear():
            pass

    def greet_only(self) -> None:
        """Start-up without a password."""
        self.hear()
        self.say(GREETING)

    def greet(self) -> None:
        """Start-up, and the answers to what the first connection of a pool asks."""
        self.greet_only()
        self.hear()
        port = str(self.end.getpeername()[1]).encode()
        self.say(columns(("pid", 23), ("port", 23)), row(b"4711", port), done(), READY)
        self.hear()
        self.say(columns(("functions that change a session", 25)), done("SELECT 0"), READY)


@dataclass
class Liar:
    """The running server."""

    dsn: str
    sessions: int = 0
    _ends: list[socket.socket] = field(default_factory=list[socket.socket])


@contextmanager
def lying(script: Callable[[Session], None]) -> Generator[Liar]:
    """A server that runs `script` for every client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        liar = Liar(f"postgresql://someone:secret@127.0.0.1:{listener.getsockname()[1]}/db?sslmode=disable")
        threads: list[threading.Thread] = []

        def serve(end: socket.socket) -> None:
            with contextlib.suppress(OSError), end:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                script(Session(end))

        def accept() -> None:
            while True:
                try:
                    end, _ = listener.accept()
                except OSError:
                    return
                liar.sessions += 1
                liar._ends.append(end)
                thread = threading.Thread(target=serve, args=(end,), daemon=True)
                threads.append(thread)
                thread.start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield liar
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for end in liar._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)
            assert not any(t.is_alive() for t in [accepting, *threads]), "the liar still talks"
