"""TLS in front of a server that was built without it: the handshake of the protocol, then bytes both ways."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


@dataclass
class Encrypted:
    """The running front.

    Attributes:
        dsn: the URL that leads through it and requires TLS.
        handshakes: connections that were encrypted.
        broken: records that nobody could read.
    """

    context: ssl.SSLContext
    place: tuple[str, int]
    dsn: str = ""
    handshakes: int = 0
    broken: list[str] = field(default_factory=list[str])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readexactly(8)  # SSLRequest
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self.context)
            self.handshakes += 1
            back, forth = await asyncio.open_connection(*self.place)
            await asyncio.gather(self._pass(reader, forth), self._pass(back, writer))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except ssl.SSLError as e:  # two processes wrote into one stream
            self.broken.append(str(e))
        except OSError:
            pass
        target.close()


@contextmanager
def encrypted(dsn: str, folder: Path) -> Iterator[Encrypted]:
    """A front with a certificate of its own, made in `folder`."""
    key, certificate = folder / "front.key", folder / "front.crt"
    subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    subprocess.run(
        ["openssl", "req", "-x509", *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    parts = urlsplit(dsn)
    front = Encrypted(context, (parts.hostname or "", parts.port or 5432))
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(front._serve, "127.0.0.1", 0)
        place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        front.dsn = urlunsplit(parts._replace(netloc=place, query="sslmode=require"))
        ready.set()
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: (loop.run_until_complete(main()), loop.close()), daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield front
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
