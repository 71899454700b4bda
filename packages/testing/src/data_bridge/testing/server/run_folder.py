"""The private folder of one running server: made locked, found by the sweep, gone when the server is.

Its lock (flock) is held by the starting process and then by the supervisor, so the kernel frees it when both have died; a
folder whose lock is free is litter. Process ids alone would not do: they are used again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from data_bridge.testing.errors import ConfigurationError
from data_bridge.testing.server.account import Account

__all__ = ["RunFolder", "kill_orphan", "sweep"]

RUN = "run"
"""In the part of a run folder that lies in memory: a link to the folder itself."""
PREFIX = "data-bridge-pg-"
MEMORY = Path("/dev/shm")
ROOM_IN_MEMORY = 512 * 1024 * 1024
YOUNG = 60.0
"""Seconds for which a folder without a lock file is believed to be just being made."""
SOCKET_LIMIT = 103
"""Bytes that the path of a unix socket may have on every system."""


def temporary_places() -> list[Path]:
    """Where run folders may lie: the temporary folder of the environment, then the system's own."""
    return list(dict.fromkeys(Path(place) for place in (tempfile.gettempdir(), "/tmp", "/var/tmp")))


def _suits(place: Path, account: Account | None) -> bool:
    longest = place / (PREFIX + "12345678") / "s" / ".s.PGSQL.65535"
    return (
        os.access(place, os.W_OK)
        and len(os.fsencode(longest)) <= SOCKET_LIMIT
        and (account is None or account.can_enter(place))
    )


@dataclass(slots=True)
class RunFolder:
    """`path` holds lock, log and sockets; `data_home`, in memory when there is room, the data of a temporary server."""

    path: Path
    data_home: Path
    lock: int

    @classmethod
    def create(cls, account: Account | None, *, temporary: bool) -> RunFolder:
        """Make and lock a new folder.

        Raises ConfigurationError when no temporary folder suits: short enough for a socket, open to the account.
        """
        place = next((place for place in temporary_places() if _suits(place, account)), None)
        if place is None:
            looked = ", ".join(map(str, temporary_places()))
            raise ConfigurationError(
                f"no temporary folder suits the embedded server (asked: {looked})",
                hint="set TMPDIR to a short path that other users may enter",
            )
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        # Others must pass through to the socket folder when the server has another account; they can list nothing.
        path.chmod(0o711 if account else 0o700)
        unlocked = path / "lock.new"
        lock = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        unlocked.rename(path / "lock")
        data_home = path
        if temporary and _has_room(MEMORY):
            data_home = MEMORY / path.name
            data_home.mkdir(mode=0o711 if account else 0o700)
            # The sweeping process may have another TMPDIR: from here it finds the lock.
            (data_home / RUN).symlink_to(path)
        run = cls(path, data_home, lock)
        run.sockets.mkdir(mode=0o700)
        if account:
            os.chown(run.sockets, account.uid, account.gid)
        return run

    @property
    def sockets(self) -> Path:
        """Where the server puts its unix socket; only its account (and root) gets in."""
        return self.path / "s"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.path / "server.log"

    @property
    def supervisor(self) -> Path:
        """The socket on which the supervisor of a shared server listens."""
        return self.path / "supervisor"

    def remove(self) -> None:
        """Delete everything and give the lock back."""
        remove_run(self.path)
        self.release()

    def release(self) -> None:
        """Close this process's share of the lock; the supervisor has its own."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def remove_run(path: Path) -> None:
    """Delete a run folder and its part in memory."""
    shutil.rmtree(MEMORY / path.name, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM_IN_MEMORY


def is_abandoned(path: Path) -> bool:
    """Whether no living process holds the lock of this run folder."""
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        try:
            return time.time() - path.stat().st_mtime > YOUNG
        except FileNotFoundError:
            return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def kill_orphan(data: Path) -> None:
    """End a server whose supervisor died without taking it along (only where the kernel has no parent-death signal)."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        command = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        if "postgres" in command.stdout:
            os.kill(pid, signal.SIGQUIT)
    except (OSError, ValueError):
        return


def sweep() -> list[Path]:
    """Remove what killed processes of this user left behind; returns the folders removed."""
    removed: list[Path] = []
    for place in temporary_places():
        for path in place.glob(PREFIX + "*"):
            if _is_mine(path) and is_abandoned(path):
                for data in (path / "data", MEMORY / path.name / "data"):
                    kill_orphan(data)
                remove_run(path)
                removed.append(path)
    for path in MEMORY.glob(PREFIX + "*"):
        if _is_mine(path) and time.time() - path.stat().st_mtime > YOUNG and is_abandoned(path / RUN):
            kill_orphan(path / "data")
            remove_run((path / RUN).resolve())
            remove_run(path)
            removed.append(path)
    return removed


def _is_mine(path: Path) -> bool:
    try:
        return path.is_dir() and path.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False
