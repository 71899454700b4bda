"""Where the time of one scenario goes: a flame graph of Python and Rust frames, by py-spy.

    nox -s profile -- o4

A process of its own repeats the scenario while py-spy samples it; the graph is an SVG in benchmarks/results. Functions of the
core have names when its wheel was built with symbols, as `nox -s profile` does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.scenarios import SIZES, TASKS, WORK, operation
from benchmarks.schema import prepare, restore
from benchmarks.subject import Subject

BY_NAME = {name.lower(): name for name in WORK}


async def repeat(dsn: str, scenario: str, seconds: float) -> None:
    """Runs a scenario over and over."""
    side = Subject(dsn)
    await side.open()
    run = await operation(side, scenario)
    end = time.monotonic() + seconds

    async def worker() -> None:
        while time.monotonic() < end:
            await run()
            if scenario in SIZES:
                await restore(dsn)

    try:
        await asyncio.gather(*(worker() for _ in range(TASKS.get(scenario, 1))))
    finally:
        await side.close()


def record(dsn: str, scenario: str, seconds: int, output: Path) -> int:
    """Samples a process that repeats a scenario; its exit status."""
    asyncio.run(prepare(dsn))
    output.parent.mkdir(parents=True, exist_ok=True)
    sampled = [sys.executable, str(Path(__file__).resolve()), scenario, "--repeat", f"--seconds={seconds + 2}"]
    options = ["--native", "--rate=500", f"--duration={seconds}", f"--output={output}"]
    command = ["py-spy", "record", *options, "--", *sampled]
    return subprocess.run(command, env={**os.environ, "DATA_BRIDGE_TEST_URL": dsn}, check=False).returncode


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", type=str.lower, choices=sorted(BY_NAME), help="as in benchmarks/run.py, such as o4")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/SCENARIO.svg")
    parser.add_argument(
        "--dsn", default=os.environ.get("DATA_BRIDGE_TEST_URL"), help="a PostgreSQL to use; default: an embedded one"
    )
    parser.add_argument("--repeat", action="store_true", help="only run the scenario, without py-spy")
    given = parser.parse_args()
    scenario = BY_NAME[given.scenario]
    if given.repeat:
        asyncio.run(repeat(given.dsn, scenario, given.seconds))
        return 0
    if shutil.which("py-spy") is None:
        parser.error("py-spy is missing: nox -s profile installs it")
    output = given.output or Path(__file__).parent / "results" / f"{given.scenario}.svg"
    if given.dsn:
        status = record(given.dsn, scenario, given.seconds, output)
    else:
        from data_bridge.testing import EmbeddedServer

        with EmbeddedServer() as server:
            status = record(server.dsn, scenario, given.seconds, output)
    if status == 0:
        print(output)
    return status


if __name__ == "__main__":
    sys.exit(main())
