"""Compares data-bridge with asyncpg and hand-written Pydantic code in one interleaved run.

    nox -s bench -- --quick

The reference is asyncpg on a connection of its own; its pool as shipped, and its pool without the reset of sessions, are
measured beside it. Every scenario is validated first: all sides must return and write equal values. Then rounds alternate
between the sides, and the ratio of each round is taken, so that a machine whose speed drifts does not favour any. Figures are
ratios of operations per second (above 1: faster than the reference) and microseconds of client CPU per operation. `--peers`
measures SQLAlchemy, Tortoise and Oxyde in the same rounds. Without `--quick` the bulk sizes are measured, too.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.reference import PooledReference, Reference
from benchmarks.report import table
from benchmarks.scenarios import LONG, MUST, QUICK, SIZES, TASKS, WORK, Operation, operation
from benchmarks.schema import prepare, restore
from benchmarks.subject import Subject
from benchmarks.validation import NOT_SHARED, unfit

PACKAGES = {"sqlalchemy": "sqlalchemy", "tortoise": "tortoise-orm", "oxyde": "oxyde"}
PEERS = list(PACKAGES)
REFERENCES = 3
"""The first sides: a connection, a pool as shipped, a pool without reset. data-bridge follows them."""


async def measure(run: Operation, seconds: float, tasks: int) -> tuple[float, float, list[float]]:
    """Operations per second, client CPU in µs per operation, and latencies."""
    latencies: list[float] = []
    gc.collect()  # who pays for the next full collection must not depend on what the others left behind
    end = time.perf_counter() + seconds

    async def worker() -> None:
        while (started := time.perf_counter()) < end:
            await run()
            latencies.append(time.perf_counter() - started)

    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(tasks)))
    wall = time.perf_counter() - started
    return len(latencies) / wall, (time.process_time() - cpu) / len(latencies) * 1e6, latencies


def peers(names: list[str]) -> list[Any]:
    """The classes of the peers that are installed."""
    found = []
    for name in names:
        try:
            found.append(importlib.import_module(f"benchmarks.peer_{name}").Peer)
        except ImportError as error:
            print(f"{name} is not measured: {error}", flush=True)
    return found


async def open_sides(dsn: str, others: list[Any], scenarios: list[str]) -> tuple[list[Any], list[dict[str, str]]]:
    """The references, data-bridge, and the peers, each with what it cannot do."""
    sides: list[Any] = [
        Reference(dsn),
        PooledReference(dsn),
        PooledReference(dsn, reset=False),
        Subject(dsn),
        *(peer(dsn) for peer in others),
    ]
    lacking: list[dict[str, str]] = []
    for side in sides:
        await side.open()
        lacking.append(await unfit(sides[0], side, scenarios))
        for scenario, why in lacking[-1].items():
            if why == NOT_SHARED:
                continue
            if len(lacking) <= REFERENCES + 1:
                raise SystemExit(f"{scenario}: {side.name} is not right: {why}")
            print(f"  {side.name} cannot do {scenario}: {why}", flush=True)
    return sides, lacking


async def compare(
    dsn: str, scenarios: list[str], rounds: int, seconds: float, others: list[Any]
) -> list[dict[str, Any]]:
    """Runs the scenarios; a row of figures for each."""
    sides, lacking = await open_sides(dsn, others, scenarios)
    try:
        rows = []
        for scenario in scenarios:
            await restore(dsn)
            tasks = TASKS.get(scenario, 1)
            runs = [
                None if scenario in lack else await operation(side, scenario)
                for side, lack in zip(sides, lacking, strict=True)
            ]
            for run in runs:
                if run is not None and scenario not in LONG:
                    await measure(run, seconds / 4, tasks)
            figures: list[list[tuple[float, float, list[float]]]] = [[] for _ in sides]
            for i in range(min(rounds, 3) if scenario in LONG else rounds):
                order = list(range(len(sides)))
                for at in order if i % 2 else reversed(order):
                    if (run := runs[at]) is not None:
                        if scenario in SIZES:
                            await restore(dsn)
                        figures[at].append(await measure(run, seconds, tasks))
            rows.append(row_of(scenario, sides, figures))
            print(line_of(rows[-1]), flush=True)
        return rows
    finally:
        for side in sides:
            await side.close()


def row_of(scenario: str, sides: list[Any], figures: list[list[tuple[float, float, list[float]]]]) -> dict[str, Any]:
    """The figures of one scenario."""

    base = next(at for at, of_side in enumerate(figures) if of_side)

    def ratios(side: int, to: int = base) -> list[float]:
        return [b[0] / a[0] for a, b in zip(figures[to], figures[side], strict=True)]

    def cpu(side: int) -> float:
        return statistics.median(f[1] for f in figures[side])

    ours, peers_from = REFERENCES, REFERENCES + 1
    latencies = sorted(v for f in figures[ours] for v in f[2])
    return {
        "scenario": scenario,
        "work": WORK[scenario],
        "reference": sides[base].name,
        "ratio": statistics.median(ratios(ours)),
        "worst": min(ratios(ours)),
        "ratio_to_pool": statistics.median(ratios(ours, to=1)),
        "ratio_to_pool_without_reset": statistics.median(ratios(ours, to=2)),
        "must": MUST[scenario],
        "cpu_reference": cpu(base),
        "cpu": cpu(ours),
        "ops": statistics.median(f[0] for f in figures[ours]),
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "peers": {
            side.name: {"ratio": statistics.median(ratios(i)), "cpu": cpu(i)} if figures[i] else None
            for i, side in enumerate(sides[peers_from:], peers_from)
        },
    }


def line_of(row: dict[str, Any]) -> str:
    """A row as it is shown while the run goes on."""
    beside = "".join(f", {name} {'–' if f is None else format(f['ratio'], '.2f')}" for name, f in row["peers"].items())
    return (
        f"  {row['scenario']:4} {row['ratio']:6.2f} × (must {row['must']}, worst {row['worst']:.2f}), cpu {row['cpu']:.0f} / {row['cpu_reference']:.0f} µs"
        f"{beside}"
    )


def append_trend(file: Path, facts: dict[str, Any], results: dict[str, list[dict[str, Any]]]) -> None:
    """Appends a run to a file that is kept: the date, the commit, and the ratio of every scenario."""
    described = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    ratios = {loop: {row["scenario"]: round(row["ratio"], 3) for row in rows} for loop, rows in results.items()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {
        "date": now,
        "commit": described.stdout.strip(),
        "machine": facts["machine"],
        "python": facts["python"],
        "ratios": ratios,
    }
    with file.open("a") as f:
        f.write(json.dumps(line) + "\n")


def main() -> int:
    """The command line; exit status 1 when a "must" is missed and --strict is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the scenarios of everyday work only, shorter rounds")
    parser.add_argument("--only", nargs="*", help="names of scenarios, such as O1 O3")
    parser.add_argument("--rounds", type=int, help="rounds per scenario")
    parser.add_argument("--seconds", type=float, help="seconds per side and round")
    parser.add_argument("--loops", nargs="*", default=["uvloop", "asyncio"], help="event loops")
    parser.add_argument(
        "--dsn", default=os.environ.get("DATA_BRIDGE_TEST_URL"), help="a PostgreSQL to use; default: an embedded one"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results" / "latest.json", help="where the figures go"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, help="other ORMs to measure in the same run; without names: all"
    )
    parser.add_argument("--trend", type=Path, help="a file to which one line of JSON with the ratios is appended")
    parser.add_argument("--strict", action="store_true", help="fail when a target is missed")
    arguments = parser.parse_args()
    scenarios = arguments.only or (QUICK if arguments.quick else list(MUST))
    rounds = arguments.rounds or (5 if arguments.quick else 9)
    seconds = arguments.seconds or (0.3 if arguments.quick else 0.6)
    others = [] if arguments.peers is None else peers(arguments.peers or PEERS)

    def run(dsn: str) -> dict[str, list[dict[str, Any]]]:
        asyncio.run(prepare(dsn))
        results = {}
        for loop in arguments.loops:
            print(loop, flush=True)
            if loop == "uvloop":
                import uvloop

                results[loop] = uvloop.run(compare(dsn, scenarios, rounds, seconds, others))
            else:
                results[loop] = asyncio.run(compare(dsn, scenarios, rounds, seconds, others))
        return results

    if arguments.dsn:
        results = run(arguments.dsn)
    else:
        from data_bridge.testing import EmbeddedServer

        with EmbeddedServer() as server:
            results = run(server.dsn)
    arguments.output.parent.mkdir(exist_ok=True)
    facts = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "rounds": rounds,
        "seconds": seconds,
        "versions": {
            name: version(name)
            for name in (
                "asyncpg",
                "pydantic",
                *(
                    PACKAGES[p]
                    for p in PEERS
                    if arguments.peers is not None and (not arguments.peers or p in arguments.peers)
                ),
            )
        },
    }
    arguments.output.write_text(json.dumps({"facts": facts, "results": results}, indent=1))
    if arguments.trend is not None:
        append_trend(arguments.trend, facts, results)
    text = table(results)
    arguments.output.with_suffix(".md").write_text(text)
    print()
    print(text)
    missed = [(loop, r["scenario"]) for loop, rows in results.items() for r in rows if r["ratio"] < r["must"]]
    print("missed: " + (", ".join(f"{s} on {loop}" for loop, s in missed) or "none"))
    return 1 if missed and arguments.strict else 0


if __name__ == "__main__":
    sys.exit(main())
