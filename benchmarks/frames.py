"""Compares the reading and writing of data frames with ADBC, connectorx, polars and pandas.

    python benchmarks/frames.py --rows 1000000 --rounds 3

Every side runs in a process of its own, because memory is compared, too: rounds alternate between the sides, and the
medians are shown. The peak is the growth of the resident memory of the process while it reads or writes, as a multiple of
the size of the Arrow table. Without a connection string an embedded server is started.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TABLE = "bench_frames"
TYPES = {
    "id": "int8", "kind": "int4", "price": "numeric(12, 2)", "ratio": "float8", "name": "text", "note": "text",
    "at": "timestamptz", "day": "date", "ok": "bool", "blob": "bytea",
}  # fmt: skip
COLUMNS = ", ".join(f"{name} {of}" for name, of in TYPES.items())
FILL = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} ({COLUMNS});
    TRUNCATE {TABLE};
    INSERT INTO {TABLE} SELECT n, n % 100, (n % 1000000)::numeric / 100, n / 7.0, 'name ' || n,
        CASE WHEN n % 3 > 0 THEN repeat('x', (n % 40)::int) END, '2024-01-01Z'::timestamptz + n * interval '1 second',
        '2024-01-01'::date + (n % 1000)::int, n % 2 = 0, decode(md5(n::text), 'hex')
        FROM generate_series(1, $ROWS::int8) n;
    CREATE TABLE IF NOT EXISTS {TABLE}_out ({COLUMNS});
    VACUUM ANALYZE {TABLE};
"""
QUERY = f"SELECT * FROM {TABLE}"


class Peak:
    """The most resident memory since it was made, in bytes beyond what there was."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    @staticmethod
    def _read(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def grown(self) -> int:
        return self._read("VmHWM") - self._before


def read_data_bridge(dsn: str) -> Callable[[], Any]:
    from data_bridge.core import Database

    async def main() -> Any:
        async with Database(dsn) as db:
            return (await db.fetch_arrow(QUERY)).to_pyarrow()

    return lambda: asyncio.run(main())


def read_data_bridge_uvloop(dsn: str) -> Callable[[], Any]:
    import uvloop

    from data_bridge.core import Database

    async def main() -> Any:
        async with Database(dsn) as db:
            return (await db.fetch_arrow(QUERY)).to_pyarrow()

    return lambda: uvloop.run(main())


def read_adbc(dsn: str) -> Callable[[], Any]:
    from adbc_driver_postgresql import dbapi

    def run() -> Any:
        with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(QUERY)
            return cursor.fetch_arrow_table()

    return run


def read_connectorx(dsn: str) -> Callable[[], Any]:
    import connectorx

    return lambda: connectorx.read_sql(dsn, QUERY, return_type="arrow")


def read_polars(dsn: str) -> Callable[[], Any]:
    import polars as pl
    import psycopg

    def run() -> Any:
        with psycopg.connect(dsn) as connection:
            return pl.read_database(QUERY, connection)

    return run


def read_pandas(dsn: str) -> Callable[[], Any]:
    import warnings

    import pandas as pd
    import psycopg

    def run() -> Any:
        warnings.simplefilter("ignore")
        with psycopg.connect(dsn) as connection:
            return pd.read_sql(QUERY, connection)

    return run


def _source(dsn: str) -> Any:
    return read_data_bridge(dsn)()


def write_data_bridge(dsn: str) -> Callable[[], Any]:
    from data_bridge.core import Database

    data = _source(dsn)

    async def main() -> None:
        async with Database(dsn) as db:
            await db.copy_in(f"{TABLE}_out", data)

    return lambda: asyncio.run(main())


def write_adbc(dsn: str) -> Callable[[], Any]:
    from adbc_driver_postgresql import dbapi

    data = _source(dsn)

    def run() -> None:
        with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(f"{TABLE}_out", data, mode="append")
            connection.commit()

    return run


SIDES: dict[str, dict[str, Callable[[str], Callable[[], Any]]]] = {
    "read": {
        "data-bridge": read_data_bridge,
        "data-bridge, uvloop": read_data_bridge_uvloop,
        "adbc": read_adbc,
        "connectorx": read_connectorx,
        "polars.read_database": read_polars,
        "pandas.read_sql": read_pandas,
    },
    "write": {"data-bridge": write_data_bridge, "adbc": write_adbc},
}
SLOW = {"polars.read_database", "pandas.read_sql"}
"""Python objects for every value: measured once."""


def one(way: str, side: str, dsn: str) -> dict[str, float]:
    """One run, in this process."""
    import pyarrow as pa  # before the clock starts: all sides need it

    pa.table({"loaded": [1]})
    run = SIDES[way][side](dsn)
    peak = Peak()
    cpu, started = time.process_time(), time.perf_counter()
    result = run()
    figures = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "peak": float(peak.grown())}
    if way == "read":
        # Every side must have read the same.
        ids = result["id"]
        figures |= {"rows": len(result), "sum": int(sum(ids.to_pylist() if hasattr(ids, "to_pylist") else ids))}
    return figures


async def prepare(dsn: str, rows: int) -> int:
    """Fills the table; returns the size of the Arrow table."""
    from data_bridge.core import Database

    async with Database(dsn) as db:
        statements = FILL.replace("$ROWS", str(rows)).split(";")
        for statement in filter(None, map(str.strip, statements)):
            await db.execute_script(statement)
        return (await db.fetch_arrow(QUERY)).nbytes


async def written(dsn: str) -> dict[str, int]:
    """What is in the table that was written."""
    from data_bridge.core import Database

    async with Database(dsn) as db:
        rows, total = (await db.fetch(f"SELECT count(*), sum(id)::int8 FROM {TABLE}_out", as_=tuple))[0]
        return {"rows": rows, "sum": total}


async def clear(dsn: str) -> None:
    from data_bridge.core import Database

    async with Database(dsn) as db:
        await db.execute_script(f"TRUNCATE {TABLE}_out; CHECKPOINT")


def compare(dsn: str, rows: int, rounds: int) -> None:
    """Prints a table of all sides."""
    size = asyncio.run(prepare(dsn, rows))
    print(f"{rows:,} rows of {len(TYPES)} columns, {size / 1e6:.0f} MB as Arrow, {rounds} rounds\n")
    print("| | s | client CPU, s | peak memory / table |\n|---|---|---|---|")
    for way, sides in SIDES.items():
        figures: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for number in range(rounds):
            for side in sides:
                if number and side in SLOW:
                    continue
                asyncio.run(clear(dsn))
                command = [sys.executable, __file__, "--way", way, "--side", side, "--dsn", dsn]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"| {way}: {side} | failed: {done.stderr.splitlines()[-1]} | | |")
                    continue
                got = json.loads(done.stdout)
                if way == "write":
                    got |= asyncio.run(written(dsn))
                if (got["rows"], got["sum"]) != (rows, rows * (rows + 1) // 2):
                    raise SystemExit(f"{side} has other rows: {got}")
                figures[side].append(got)
        for side, runs in figures.items():
            if runs:
                seconds, cpu, peak = (statistics.median(r[key] for r in runs) for key in ("seconds", "cpu", "peak"))
                print(f"| {way}: {side} | {seconds:.2f} | {cpu:.2f} | {peak / size:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=SIDES)
    parser.add_argument("--side")
    given = parser.parse_args()
    if given.side:
        print(json.dumps(one(given.way, given.side, given.dsn)))
        return
    if given.dsn:
        compare(given.dsn, given.rows, given.rounds)
        return
    from data_bridge.testing import EmbeddedServer

    with EmbeddedServer() as server:
        compare(server.dsn, given.rows, given.rounds)


if __name__ == "__main__":
    main()
