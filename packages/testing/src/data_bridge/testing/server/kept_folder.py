"""The folder of a kept server: whose it is, who runs it now, and one process at a time that decides."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from data_bridge.testing.errors import ConfigurationError, ServerError
from data_bridge.testing.server.client import SupervisorClient
from data_bridge.testing.server.run_folder import is_abandoned, kill_orphan, remove_run

__all__ = ["KeptFolder"]

MARKER = "data-bridge.json"
FORMAT = 1
GOING_DOWN_TIMEOUT = 20.0


class KeptFolder:
    """`with KeptFolder(path) as kept:` holds the folder's lock: of several processes one starts the server.

    Raises ConfigurationError when the folder holds anything that is not ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "pgdata"
        self.marker = path / MARKER
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(
                f"the folder {self.path} of the embedded server cannot be made: {error}"
            ) from error
        entries = sorted(entry.name for entry in self.path.iterdir())
        if entries and not (self.path / "lock").exists():
            raise ConfigurationError(
                f"{self.path} is neither empty nor an embedded server's folder (it holds {', '.join(entries[:3])})",
                hint="name an empty or a new folder",
            )
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def major(self) -> int | None:
        """The major version the data was made with; None for a new folder."""
        try:
            return int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    def recorded(self) -> dict[str, Any] | None:
        """What the process that started the server wrote down."""
        try:
            state: dict[str, Any] = json.loads(self.marker.read_text())
        except FileNotFoundError:
            return None
        if state.get("format") != FORMAT:
            raise ConfigurationError(f"{self.marker} was written by another version of data-bridge-testing")
        return state

    def record(self, state: dict[str, Any]) -> None:
        """Write down how to reach the server; readable by this user only, as it holds the password."""
        fresh = self.marker.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"format": FORMAT, **state}, file)
        fresh.rename(self.marker)

    def join(self) -> tuple[SupervisorClient, dict[str, Any]] | None:
        """Join the running server; None when there is none."""
        state = self.recorded()
        link = SupervisorClient.join(Path(state["run"], "supervisor")) if state else None
        return (link, state) if link and state else None

    def wait_free(self) -> None:
        """Wait until a former server of this folder is gone, and clear away what a killed one left."""
        state = self.recorded()
        if state is None:
            return
        run = Path(state["run"])
        deadline = time.monotonic() + GOING_DOWN_TIMEOUT
        while run.exists() and not is_abandoned(run):
            if time.monotonic() > deadline:
                raise ServerError(f"the former server of {self.path} does not end (its run folder is {run})")
            time.sleep(0.005)
        if run.exists():
            kill_orphan(self.data)
            remove_run(run)
        self.marker.unlink(missing_ok=True)
