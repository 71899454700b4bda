"""The small process that owns one PostgreSQL server: starts it, restarts it when told, ends it when no client is left.

It runs as a program of its own (`python -I -S supervisor.py`, so only the standard library and no package of ours) in a
session of its own. Users hold a socket to it; the kernel closes that socket however they die, and when the last one is
gone the supervisor stops the server and deletes the folder. When the supervisor itself is killed, the parent-death signal ends
the server (SIGQUIT: a postmaster killed by SIGKILL leaves shared memory behind that blocks its next start).

Protocol: one JSON object per line, one answer per request: {"do": "state" | "start" | "stop" | "hold" | "shutdown"};
{"do": "leave"} is answered by the end of the stream, for the last user after everything is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
READY_TIMEOUT = 60.0
KEPT_GRACE = 1.5
"""Seconds that a kept server gets for its last checkpoint before it is ended at once (it recovers at the next
start)."""
PORT_ATTEMPTS = 8


class SupervisorError(Exception):
    """The server did not do what was asked; the text goes to the user."""


class Supervisor:
    """One server and the users that need it."""

    def __init__(self, spec: dict[str, Any], first: socket.socket) -> None:
        self.spec = spec
        self.run = Path(spec["run"])
        self.data = Path(spec["data"])
        self.log = self.run / "server.log"
        self.server: subprocess.Popen[Any] | None = None
        self.port = 0
        self.held = False
        self.ending = False
        self.users: dict[socket.socket, bytes] = {}
        self.selector = selectors.DefaultSelector()
        self.listener: socket.socket | None = None
        # A folder below a private home is closed to the server's account, but not through an open descriptor.
        self.data_descriptor = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY) if spec["through_descriptor"] else None
        self.admit(first)
        if spec["shared"]:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.run / "supervisor"))
            self.listener.listen(64)
            self.selector.register(self.listener, selectors.EVENT_READ)

    # ------------------------------------------------------------------------------------------------- server
    def command(self) -> list[str]:
        """The command line of the server."""
        data = self.data if self.data_descriptor is None else f"/proc/self/fd/{self.data_descriptor}"
        settings = {**self.spec["settings"], "port": str(self.port), "unix_socket_directories": str(self.run / "s")}
        return [
            self.spec["postgres"],
            "-D",
            str(data),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]

    def start(self) -> None:
        """Start the server and wait until it accepts connections; another port when this one was taken meanwhile."""
        if self.running():
            return
        deadline = time.monotonic() + READY_TIMEOUT
        attempts = 0
        while True:
            self.port = self.port or free_port()
            attempts += 1
            mark = self.log.stat().st_size if self.log.exists() else 0
            self.spawn()
            if self.wait_ready(deadline):
                return
            words = self.log.read_bytes()[mark:].decode(errors="replace")
            if "could not bind" in words and attempts < PORT_ATTEMPTS:
                self.port = 0
            elif "postmaster.pid" in words and "already exists" in words and time.monotonic() < deadline:
                time.sleep(0.02)  # the former server of a kept folder is still going down
            else:
                raise SupervisorError(f"the server did not start:\n{words[-4000:]}")

    def spawn(self) -> None:
        """Start the process without waiting for it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        with self.log.open("ab") as log:
            self.server = subprocess.Popen(
                self.command(),
                cwd="/",
                env={**environment, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=() if self.data_descriptor is None else (self.data_descriptor,),
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),  # this process has one thread: safe
                **self.spec["drop"],
            )

    def wait_ready(self, deadline: float) -> bool:
        """Whether postmaster.pid says `ready` before the server ends or the time is over."""
        assert self.server is not None
        while self.server.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                lines = (self.data / "postmaster.pid").read_text().split("\n")
                if lines[0] == str(self.server.pid) and lines[7].startswith("ready"):
                    return True
            if time.monotonic() > deadline:
                self.stop("immediate")
                words = self.log.read_text(errors="replace")[-4000:]
                raise SupervisorError(f"the server was not ready after {READY_TIMEOUT:g} s:\n{words}")
            time.sleep(0.003)
        return False

    def running(self) -> bool:
        """Whether the server process lives."""
        return self.server is not None and self.server.poll() is None

    def stop(self, mode: str, grace: float = 10.0) -> None:
        """Stop the server; harder when it does not go within the grace."""
        if self.server is None:
            return
        for step, patience in ((STOP_SIGNALS[mode], grace), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if self.server.poll() is not None:
                break
            self.server.send_signal(step)
            self.server.send_signal(signal.SIGCONT)  # a stalled server hears nothing else
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(patience)
        self.server = None

    # -------------------------------------------------------------------------------------------------- users
    def admit(self, user: socket.socket) -> None:
        """Take a user in."""
        user.setblocking(False)
        self.users[user] = b""
        self.selector.register(user, selectors.EVENT_READ)

    def dismiss(self, user: socket.socket) -> None:
        """Forget a user; the end of its stream tells it."""
        self.selector.unregister(user)
        del self.users[user]
        user.close()

    def hear(self, user: socket.socket) -> None:
        """Read what a user sent; the end of the stream is the end of the user."""
        try:
            heard = user.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self.dismiss(user)
            return
        *lines, rest = (self.users[user] + heard).split(b"\n")
        self.users[user] = rest
        for line in lines:
            self.answer(user, json.loads(line))

    def answer(self, user: socket.socket, request: dict[str, Any]) -> None:
        """Do what a user asks and say how it went."""
        try:
            what = request["do"]
            if what == "start":
                self.start()
            elif what == "stop":
                self.stop(request.get("mode", "fast"))
            elif what == "hold":
                self.held = True
            elif what == "shutdown":
                self.ending = True
            elif what == "leave":
                if len(self.users) > 1 or self.held:
                    self.dismiss(user)
                else:
                    self.ending = True  # the last user's socket stays open until everything is gone
                return
            reply: dict[str, Any] = {
                "ok": True,
                "running": self.running(),
                "port": self.port,
                "supervisor": os.getpid(),
            }
            reply["pid"] = self.server.pid if self.server else None
            reply["users"] = len(self.users)
        except SupervisorError as error:
            reply = {"ok": False, "error": str(error)}
        with contextlib.suppress(OSError):
            user.sendall(json.dumps(reply).encode() + b"\n")

    def serve(self) -> None:
        """Answer until no process needs the server."""
        while not self.ending and (self.users or self.held):
            for key, _ in self.selector.select():
                if self.listener is not None and key.fileobj is self.listener:
                    self.admit(self.listener.accept()[0])
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self.users:
                    self.hear(key.fileobj)

    def end(self) -> None:
        """Stop the server, delete what is temporary, and let the last users know by closing their sockets."""
        if self.listener:
            self.listener.close()
        if self.spec["temporary"]:
            self.stop("immediate")
        else:
            self.stop("fast", KEPT_GRACE)
        shutil.rmtree(self.spec["data_home"], ignore_errors=True)
        shutil.rmtree(self.run, ignore_errors=True)
        for user in list(self.users):
            self.dismiss(user)


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent(parent: int) -> Any:
    """A function for the child of fork: SIGQUIT when the supervisor dies.

    It must run after the change of account, which resets the wish.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    set_parent_death_signal = 1

    def arrange() -> None:
        prctl(set_parent_death_signal, int(signal.SIGQUIT))
        if os.getppid() != parent:  # the supervisor died before the call
            os._exit(1)

    return arrange


def main() -> None:
    """`supervisor.py <descriptor of the first user's socket>`, the specification as one line of standard input."""
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    supervisor = Supervisor(json.loads(sys.stdin.readline()), socket.socket(fileno=int(sys.argv[1])))

    def asked_to_end(*_: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, asked_to_end)
    try:
        supervisor.serve()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.end()


if __name__ == "__main__":
    main()
