"""Compares data-bridge with asyncpg and hand-written Pydantic code in one interleaved run.

    nox -s bench -- --quick

Every scenario is validated first: both sides must give equal values. Then rounds alternate between the sides, and the
ratio of each round is taken, so that a machine whose speed drifts does not favour either. Figures are ratios of
operations per second (above 1: data-bridge is faster) and microseconds of client CPU per operation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.reference import NEW, Reference
from benchmarks.schema import ITEMS, prepare
from benchmarks.subject import Subject

MUST = {
    "O1": 1.0,
    "O2": 1.5,
    "O3": 2.5,
    "O4": 1.0,
    "O5": 1.0,
    "O6": 0.95,
    "O7": 0.85,
    "O8": 0.85,
    "O9": 1.8,
    "O10": 0.8,
    "O11": 0.85,
    "O12": 2.5,
    "O13": 1.2,
}
WORK = {
    "O1": "one row by key → instance", "O2": "filter, order, 100 rows → instances", "O3": "10,000 rows → instances", "O4": "insert one, key back",
    "O5": "bulk insert of 10,000 instances", "O6": "change one field, save", "O7": "update of 100 rows by filter", "O8": "count 1,000 rows, exists by key",
    "O9": "1,000 parents × 10 children, eager", "O10": "update of 1,000 instances", "O11": "transaction of three statements", "O12": "get by key, 64 tasks on 10 connections", "O13": "100 rows → JSON",
}  # fmt: skip
QUICK = ["O1", "O2", "O3", "O4", "O6", "O9", "O11", "O12"]
Operation = Callable[[], Awaitable[Any]]


async def operation(side: Any, scenario: str) -> Operation:
    """One repetition of a scenario as a coroutine function."""
    if scenario in ("O1", "O12"):
        return lambda: side.o1(random.randint(1, ITEMS))
    if scenario == "O2":
        return lambda: side.o2(random.randint(1, 900_000))
    if scenario == "O3":
        return lambda: side.o3()
    if scenario == "O4":
        return lambda: side.o4()
    if scenario == "O5":
        rows = [dict(NEW) for _ in range(10_000)]
        return lambda: side.o5(rows)
    if scenario == "O6":
        item = await side.load_written(random.randint(1, 2000))
        price = iter(range(1, 10**9))
        return lambda: side.o6(item, Decimal(next(price) % 10**8) / 100)
    if scenario == "O7":
        return lambda: side.o7(random.randint(1, 1900))
    if scenario == "O8":
        return lambda: side.o8(random.randint(1, ITEMS - 1000))
    if scenario == "O9":
        return lambda: side.o9()
    if scenario == "O10":
        items = await side.load_many(1000)
        prices = iter(range(1, 10**9))
        return lambda: side.o10(items, Decimal(next(prices)) / 100)
    if scenario == "O11":
        return lambda: side.o11(random.randint(1, 2000), Decimal(random.randint(1, 10**6)) / 100)
    if scenario == "O13":
        return lambda: side.o13(random.randint(1, 900_000))
    raise ValueError(scenario)


async def measure(run: Operation, seconds: float, tasks: int) -> tuple[float, float, list[float]]:
    """Operations per second, client CPU in µs per operation, and latencies."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def worker() -> None:
        while (started := time.perf_counter()) < end:
            await run()
            latencies.append(time.perf_counter() - started)

    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(tasks)))
    wall = time.perf_counter() - started
    return len(latencies) / wall, (time.process_time() - cpu) / len(latencies) * 1e6, latencies


def plain(value: Any) -> Any:
    """The value of an instance or of instances as data, each leaf with its type."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, UUID):
        return (UUID, str(value))  # asyncpg has a class of its own
    if hasattr(value, "model_dump"):
        return {k: plain(v) for k, v in value.__dict__.items()}
    return (type(value), value)


def families(authors: Any) -> list[tuple[Any, ...]]:
    """Authors with their books as data: the two sides keep the books in different places."""
    return [(a.id, a.name, [(b.id, b.author_id, b.title, b.year) for b in a.books]) for a in authors]


def equal(scenario: str, reference: Any, subject: Any) -> None:
    """Both sides must give equal values of equal types."""
    if plain(reference) != plain(subject):
        raise SystemExit(f"{scenario}: the two sides differ: {str(reference)[:300]} and {str(subject)[:300]}")


async def validate(sides: list[Any]) -> None:
    """Asks both sides the same, and lets neither be wrong."""
    reference, subject = sides[0], sides[-1]
    for key in (1, 10, 77, ITEMS):
        equal("O1", await reference.o1(key), await subject.o1(key))
    equal("O2", await reference.o2(5000), await subject.o2(5000))
    equal("O3", await reference.o3(), await subject.o3())
    made = await subject.o4()
    equal("O4", await reference.load_written(made.id), made)
    item = await subject.load_written(made.id)
    await subject.o6(item, Decimal("12.34"))
    equal("O6", await reference.load_written(made.id), item)
    equal("O8", await reference.o8(500), await subject.o8(500))
    equal("O9", families(await reference.o9()), families(await subject.o9()))
    await subject.o11(1, Decimal("5.67"))
    after = await subject.load_written(1)
    await reference.o11(1, Decimal("5.67"))
    equal("O11", (await reference.load_written(1)).price, after.price)
    if json.loads(await reference.o13(5000)) != json.loads(await subject.o13(5000)):
        raise SystemExit("O13: the two sides differ")


async def compare(dsn: str, scenarios: list[str], rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Runs the scenarios; a row of figures for each."""
    sides: list[Any] = [Reference(dsn), Reference(dsn, reset=False), Subject(dsn)]
    for side in sides:
        await side.open()
    try:
        await validate(sides)
        rows = []
        for scenario in scenarios:
            tasks = 64 if scenario == "O12" else 1
            runs = [await operation(side, scenario) for side in sides]
            for run in runs:
                await measure(run, seconds / 4, tasks)
            figures: list[list[tuple[float, float, list[float]]]] = [[] for _ in sides]
            for i in range(rounds):
                order = list(range(len(sides)))
                for at in order if i % 2 else reversed(order):
                    figures[at].append(await measure(runs[at], seconds, tasks))
            ratios = [b[0] / a[0] for a, b in zip(figures[0], figures[2], strict=True)]
            bare = [b[0] / a[0] for a, b in zip(figures[1], figures[2], strict=True)]
            latencies = sorted(v for f in figures[2] for v in f[2])
            rows.append(
                {
                    "scenario": scenario,
                    "work": WORK[scenario],
                    "ratio": statistics.median(ratios),
                    "worst": min(ratios),
                    "ratio_without_reset": statistics.median(bare),
                    "must": MUST[scenario],
                    "cpu_reference": statistics.median(f[1] for f in figures[0]),
                    "cpu": statistics.median(f[1] for f in figures[2]),
                    "ops": statistics.median(f[0] for f in figures[2]),
                    "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
                }
            )
            row = rows[-1]
            print(
                f"  {scenario:4} {row['ratio']:6.2f} × (must {row['must']}), cpu {row['cpu']:.0f} / {row['cpu_reference']:.0f} µs",
                flush=True,
            )
        return rows
    finally:
        for side in sides:
            await side.close()


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """The figures in Markdown."""
    lines = []
    for loop, rows in results.items():
        lines += [f"### {loop}", "", "| | work | ratio | worst round | must | without pool reset | client CPU µs/op (reference) | p99 ms |",
                  "|---|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
        lines += [
            f"| {r['scenario']} | {r['work']} | **{r['ratio']:.2f}** | {r['worst']:.2f} | {r['must']} | {r['ratio_without_reset']:.2f} | "
            f"{r['cpu']:.0f} ({r['cpu_reference']:.0f}) | {r['p99_ms']:.2f} |"
            for r in rows
        ]
        lines.append("")
    return "\n".join(lines)


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
    parser.add_argument("--strict", action="store_true", help="fail when a target is missed")
    arguments = parser.parse_args()
    scenarios = arguments.only or (QUICK if arguments.quick else list(MUST))
    rounds = arguments.rounds or (5 if arguments.quick else 9)
    seconds = arguments.seconds or (0.3 if arguments.quick else 0.6)

    def run(dsn: str) -> dict[str, list[dict[str, Any]]]:
        asyncio.run(prepare(dsn))
        results = {}
        for loop in arguments.loops:
            print(loop, flush=True)
            if loop == "uvloop":
                import uvloop

                results[loop] = uvloop.run(compare(dsn, scenarios, rounds, seconds))
            else:
                results[loop] = asyncio.run(compare(dsn, scenarios, rounds, seconds))
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
    }
    arguments.output.write_text(json.dumps({"facts": facts, "results": results}, indent=1))
    text = table(results)
    arguments.output.with_suffix(".md").write_text(text)
    print()
    print(text)
    missed = [(loop, r["scenario"]) for loop, rows in results.items() for r in rows if r["ratio"] < r["must"]]
    print("missed: " + (", ".join(f"{s} on {loop}" for loop, s in missed) or "none"))
    return 1 if missed and arguments.strict else 0


if __name__ == "__main__":
    sys.exit(main())
