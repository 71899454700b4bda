"""A user's side of the supervisor: start one, join one, ask it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from data_bridge.testing.errors import ServerError

__all__ = ["SupervisorClient"]

ANSWER_TIMEOUT = 90.0


class SupervisorClient:
    """An open socket to a supervisor. While it is open, the server stays."""

    def __init__(self, link: socket.socket, process: subprocess.Popen[bytes] | None) -> None:
        self._socket = link
        self._socket.settimeout(ANSWER_TIMEOUT)
        self._stream = link.makefile("rb")
        self._process = process
        self._owner = os.getpid()
        self._turn = threading.Lock()

    @classmethod
    def launch(cls, spec: dict[str, Any], lock: int) -> Self:
        """Start a supervisor; it inherits the lock of its run folder. Raises ServerError when the server does not start."""
        ours, theirs = socket.socketpair()
        with theirs, (Path(spec["run"]) / "supervisor.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py")), str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=(theirs.fileno(), lock),
                cwd="/",
            )
            assert process.stdin is not None
            with process.stdin:
                process.stdin.write(json.dumps(spec).encode() + b"\n")
        link = cls(ours, process)
        try:
            link.ask("start")
        except BaseException:
            link.leave()
            raise
        return link

    @classmethod
    def join(cls, path: Path) -> Self | None:
        """Join the supervisor that listens on `path`; None when it is gone or about to go."""
        joined = socket.socket(socket.AF_UNIX)
        try:
            joined.connect(str(path))
            link = cls(joined, None)
            link.ask("start")
        except (OSError, ServerError):
            joined.close()
            return None
        return link

    def ask(self, what: str, **details: str) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises ServerError when the supervisor refuses or is gone.
        """
        with self._turn:
            try:
                self._socket.sendall(json.dumps({"do": what, **details}).encode() + b"\n")
                line = self._stream.readline()
            except OSError as error:
                raise ServerError(f"the supervisor of the server does not answer: {error}") from error
        if not line:
            raise ServerError("the supervisor of the server has gone")
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise ServerError(answer["error"])
        return answer

    def leave(self) -> None:
        """Give the server up. Returns when the supervisor has noted it, and for the last user when nothing is left.

        In a forked child this closes the child's copy only.
        """
        if self._owner == os.getpid():
            with self._turn:
                try:
                    self._socket.sendall(b'{"do": "leave"}\n')
                    while self._stream.read(65536):
                        pass
                except OSError:
                    pass
            self._reap()
        self._stream.close()
        self._socket.close()

    def wait_closed(self) -> None:
        """Wait until the supervisor has ended everything (after a shutdown request)."""
        try:
            while self._stream.read(65536):
                pass
        except OSError:
            pass
        self._reap()

    def _reap(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            # Other processes still need the supervisor; it is no longer ours to wait for, and must not warn about it.
            self._process.returncode = 0
