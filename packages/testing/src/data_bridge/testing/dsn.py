"""The DSN scheme `embedded:`, found by data_bridge.core through the entry point group `data_bridge.dsn`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from data_bridge.testing.errors import ConfigurationError
from data_bridge.testing.server import EmbeddedServer

__all__ = ["resolve"]

SCHEME = "embedded:"

_lock = threading.Lock()
_process_server: tuple[int, EmbeddedServer] | None = None


def resolve(dsn: str) -> tuple[str, Callable[[], None]]:
    """ConnectionLock `embedded:` or `embedded:PATH` into the URL of a running server, and a function that releases the server.

    `embedded:` is one temporary server per process: it ends with the process, so that connecting a second time finds
    the same data. `embedded:PATH` keeps its data in PATH and stops when the last process has released it.

    Raises ConfigurationError for another scheme, a folder that is not ours, or when there is no PostgreSQL.

    >>> dsn, release = resolve("embedded:")
    >>> dsn.startswith("postgresql://postgres:")
    True
    >>> release()
    """
    if not dsn.startswith(SCHEME):
        raise ConfigurationError(f"{dsn.split(':', 1)[0]!r} is not the scheme {SCHEME!r}")
    path = dsn.removeprefix(SCHEME)
    if path:
        server = EmbeddedServer(path).start()
        return server.dsn, server.close
    return _of_process().dsn, _nothing


def _of_process() -> EmbeddedServer:
    global _process_server
    with _lock:
        # A forked child may not share the socket of its parent: each process has its own server.
        if _process_server is None or _process_server[0] != os.getpid():
            _process_server = (os.getpid(), EmbeddedServer().start())
        return _process_server[1]


def _nothing() -> None:
    """The server of the process ends with the process."""
