"""What the tests of the embedded server share: a temporary place of their own, and processes to be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data_bridge.testing.server.run_folder import MEMORY, PREFIX

from .sandbox_items import SCHEMA


@pytest.fixture(autouse=True)
def plain_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner runs of pytest print the same report everywhere: with these, the summary repeats whole messages."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A temporary folder that only this test uses and that every account may pass through."""
    tmp_path_factory.getbasetemp()  # pytest's own must not lie in it
    folder = Path(tempfile.mkdtemp(prefix="dbt-"))
    folder.chmod(0o711)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait for a condition; False when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def runs_in(place: Path) -> list[Path]:
    """Run folders in a place, and their parts in memory."""
    here = list(place.glob(PREFIX + "*"))
    return here + [MEMORY / path.name for path in here if (MEMORY / path.name).exists()]


class Victim:
    """A Python program that starts a server, prints facts and waits to be killed."""

    def __init__(self, code: str) -> None:
        program = (
            f"import sys\nfrom data_bridge.testing import EmbeddedServer\n{code}\nsys.stdout.flush()\nsys.stdin.read()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )

    def line(self) -> str:
        """The next line it printed."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def finish(self) -> int:
        """Let it go on to its end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        status = self.process.wait(30)
        self.process.stdout.close()
        return status

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def victim() -> Iterator[Callable[[str], Victim]]:
    """Starts victims; those still alive are killed at the end."""
    started: list[Victim] = []

    def start(code: str) -> Victim:
        started.append(Victim(code))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture(scope="session")
def sandbox_schema() -> Callable[[], str]:
    """The template of the tests of the sandbox."""
    return lambda: SCHEMA
