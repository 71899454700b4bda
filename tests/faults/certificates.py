"""Certificates of every kind, made with the openssl program, and a front that speaks TLS before a server that may not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

HERE = "subjectAltName=IP:127.0.0.1,DNS:localhost"
ELSEWHERE = "subjectAltName=DNS:elsewhere.example"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    """Signs certificates below a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.own = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"),
            *("-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE"),
            *("-keyout", self.own.key, "-out", self.own.certificate),
        )

    def signed(self, name: str, extension: str = HERE, *, ended: bool = False) -> Pair:
        """A certificate of this authority; `ended`: its time was over before it began to be used."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(extension + "\nbasicConstraints=CA:FALSE\n")
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", pair.key, "-out", request),
        )
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.own.certificate, "-CAkey", self.own.key, "-CAcreateserial"),
            *("-days", "-1" if ended else "30", "-extfile", extensions, "-out", pair.certificate),
        )
        return pair


def self_signed(folder: Path, name: str, *, is_authority: bool) -> Pair:
    """A certificate that is its own root, as `openssl req -x509` makes it; by default it is an authority's."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"),
        *("-subj", f"/CN={name}", "-addext", HERE),
        *("-addext", f"basicConstraints=critical,CA:{'TRUE' if is_authority else 'FALSE'}"),
        *("-keyout", pair.key, "-out", pair.certificate),
    )
    return pair


@contextmanager
def encrypted(dsn: str, pair: Pair) -> Generator[str]:
    """A URL at which the server of `dsn` is reached by TLS with this certificate, and only so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    parts = urlsplit(dsn)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def pump(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    target.sendall(data)
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        def serve(plain: socket.socket) -> None:
            with contextlib.suppress(OSError), plain:
                plain.recv(8)
                plain.sendall(b"S")
                with (
                    context.wrap_socket(plain, server_side=True) as client,
                    socket.create_connection((parts.hostname or "", parts.port or 5432)) as server,
                ):
                    back = threading.Thread(target=pump, args=(server, client), daemon=True)
                    back.start()
                    pump(client, server)
                    back.join(5)

        def accept() -> None:
            while True:
                try:
                    end, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=serve, args=(end,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        account = parts.netloc.rpartition("@")[0]
        try:
            yield urlunsplit(parts._replace(netloc=f"{account}@127.0.0.1:{listener.getsockname()[1]}"))
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for thread in threads:
                thread.join(5)
