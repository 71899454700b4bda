"""A test run that is killed leaves neither a process nor a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..conftest import eventually, is_alive, runs_in

TEST = """
import asyncio, os
from data_bridge import core

async def test_it(db, embedded_server):
    await core.execute("CREATE TABLE t (id int)")
    print("STARTED", embedded_server._state["run"], flush=True)
    open("started", "w").write(str(os.getpid()))
    await asyncio.sleep(60)
"""


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left(place: Path, tmp_path: Path, arguments: list[str], how: signal.Signals) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments, "test_it.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A suite that runs in the background has inherited an ignored SIGINT, which execnet's workers need as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert eventually(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text() != "", 30)
    worker = int((tmp_path / "started").read_text())
    assert runs_in(place) != []
    process.send_signal(how)
    process.wait(30)
    assert eventually(lambda: runs_in(place) == [], 5)
    assert eventually(lambda: not is_alive(worker), 10)


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST.replace("sleep(60)", "sleep(0.5)"))
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "test_it.py"]
    started = time.monotonic()
    runs = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    assert time.monotonic() - started < 60
