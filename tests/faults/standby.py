"""A second server that follows a first one, and may be promoted."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from data_bridge.testing.server.account import server_account

PRIMARY = {"wal_level": "replica", "max_wal_senders": "6", "synchronous_commit": "on"}
"""Settings of an embedded server that others can follow."""


class Standby:
    """The running standby.

    Attributes:
        dsn: its URL.
    """

    def __init__(self, program: Path, data: Path, dsn: str, log: Path) -> None:
        self.dsn = dsn
        self._program = program
        self._data = data
        self._log = log

    def run(self, *settings: str) -> subprocess.Popen[bytes]:
        """Starts it on its port."""
        port = urlsplit(self.dsn).port
        always = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={self._data.parent}"]
        fast = ["fsync=off", "dynamic_shared_memory_type=mmap", "max_standby_streaming_delay=0", "shared_buffers=32MB"]
        account = server_account()
        with self._log.open("ab") as out:
            return subprocess.Popen[bytes](
                [self._program, "-D", self._data, *(w for s in [*always, *fast, *settings] for w in ("-c", s))],
                stdout=out,
                stderr=out,
                cwd="/",
                **(account.drop() if account else {}),
            )

    def promote(self) -> None:
        """Makes it a primary; returns when it is asked, not when it is one."""
        (self._data / "promote").touch()
        if account := server_account():
            os.chown(self._data / "promote", account.uid, account.gid)
        os.kill(int((self._data / "postmaster.pid").read_text().split()[0]), signal.SIGUSR1)


@contextmanager
def following(programs: Path, primary: str, port: int, *settings: str, hot: bool = True) -> Generator[Standby]:
    """A standby of the server with this URL, on `port`; with `hot=False` it refuses everybody (57P03)."""
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="dbs-"))
    parts = urlsplit(primary)
    dsn = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
    if account:
        account.own(folder)
    subprocess.run(
        [
            programs / "pg_basebackup",
            "-D",
            folder / "data",
            "-X",
            "stream",
            "-c",
            "fast",
            "-R",
            "--no-sync",
            "-d",
            primary,
        ],
        check=True,
        capture_output=True,
        cwd="/",
        **(account.drop() if account else {}),
    )
    standby = Standby(programs / "postgres", folder / "data", dsn, folder / "log")
    process = standby.run(f"hot_standby={'on' if hot else 'off'}", *settings)
    try:
        if hot:
            _until_open(dsn, process, folder / "log")
        yield standby
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _until_open(dsn: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(psycopg.OperationalError), contextlib.closing(psycopg.connect(dsn)):
            return
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
