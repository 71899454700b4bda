"""What core finds through entry points: the DSN scheme and the command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import Victim, is_alive, runs_in

PROGRAM = """
import asyncio
from data_bridge import core

async def main():
    await core.init("embedded:")
    await core.execute("CREATE TABLE t (id int)")
    await core.close()
    await core.init("embedded:")  # the same server: it ends with the process
    print(await core.execute("INSERT INTO t VALUES (1)"), await core.fetch_val("SELECT pg_backend_pid()"))
    await core.close()

asyncio.run(main())
"""


def test_init_takes_embedded(place: Path, victim: Callable[[str], Victim]) -> None:
    process = victim(PROGRAM)
    count, pid = process.line().split()
    assert count == "1"
    assert process.finish() == 0
    assert not is_alive(int(pid))
    assert runs_in(place) == []


async def test_a_kept_folder_is_released_by_close(place: Path) -> None:
    from data_bridge import core

    async with core.Database(f"embedded:{place}/data") as db:
        assert await db.fetch_val("SELECT 1") == 1
        assert len(runs_in(place)) == 1
    assert runs_in(place) == []


def test_the_script_knows_the_command(place: Path) -> None:
    script = Path(sys.executable).with_name("data-bridge")
    done = subprocess.run(
        [script, "server", "status", "--data", place / "db"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no server runs" in done.stdout
    assert "server" in subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
