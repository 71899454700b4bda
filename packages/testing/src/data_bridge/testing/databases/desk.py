"""Where the workers of pytest-xdist ask for the server of the run: it starts with the first question."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from data_bridge.core import DataBridgeError
from data_bridge.testing.errors import ServerError

__all__ = ["ServerDesk"]

CLOSE = "close"


class ServerDesk:
    """Answers workers from a thread of the controlling process.

    Args:
        open_server: starts the server, and returns what workers need to use it.
    """

    def __init__(self, open_server: Callable[[], dict[str, Any]]) -> None:
        self._open_server = open_server
        self._facts: dict[str, Any] | None = None
        self._failure = ""
        self._key = secrets.token_hex(16)
        self._listener = Listener(authkey=self._key.encode())
        self._thread = threading.Thread(target=self._serve, name="data-bridge server desk", daemon=True)
        self._thread.start()

    @property
    def address(self) -> dict[str, str]:
        """What a worker needs for `ask`."""
        return {"address": str(self._listener.address), "key": self._key}

    @staticmethod
    def ask(address: dict[str, str]) -> dict[str, Any]:
        """Ask for the server, which may have to be started.

        Raises:
            ServerError: it does not start; the text says why.
        """
        with Client(address["address"], authkey=address["key"].encode()) as connection:
            connection.send("server")
            facts, failure = connection.recv()
        if facts is None:
            raise ServerError(failure)
        found: dict[str, Any] = facts
        return found

    def close(self) -> None:
        """Answer nothing more."""
        with Client(self._listener.address, authkey=self._key.encode()) as connection:
            connection.send(CLOSE)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection: Connection = self._listener.accept()
            except (OSError, EOFError):
                continue  # a worker that was killed while it asked
            with connection:
                try:
                    if connection.recv() == CLOSE:
                        return
                    connection.send(self._answer())
                except (OSError, EOFError):
                    continue

    def _answer(self) -> tuple[dict[str, Any] | None, str]:
        if self._facts is None and not self._failure:
            try:
                self._facts = self._open_server()
            except (DataBridgeError, OSError) as error:
                self._failure = str(error)
        return self._facts, self._failure
