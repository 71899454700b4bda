"""A table, a server and programs for the tests of blocking code."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable

from data_bridge.postgres import Col, Column, Link, Table


class Blocking(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    name: Col[str] = Column(unique=True)
    hits: Col[int] = Column(default=0)


class BlockingChild(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    parent: Link[Blocking]


def soon(holds: Callable[[], bool]) -> bool:
    """Whether it holds within ten seconds: sessions are reset, and statements cancelled, while the caller goes on."""
    until = time.monotonic() + 10
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def program(text: str, dsn: str, *, send: signal.Signals | None = None) -> subprocess.CompletedProcess[str]:
    started = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text), dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if send is not None:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        time.sleep(0.3)
        started.send_signal(send)
    out, error = started.communicate(timeout=60)
    return subprocess.CompletedProcess(started.args, started.returncode, out, error)
