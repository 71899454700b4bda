"""How long migrations take: 2,000 files looked through, 300 small ones applied beside psql, status when nothing is pending.

    python benchmarks/migrations.py [DSN]

Without a DSN it starts the embedded server. `psql` must be on the PATH. Each figure is the best of five, psql and the runner in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

from data_bridge.core import Database
from data_bridge.migrate import get_migration_status, run_migrations
from data_bridge.migrate.history.status import compare
from data_bridge.migrate.history.table import AppliedMigration
from data_bridge.migrate.sources.discovery import checksum, in_directory, ordered

ROUNDS = 5


def write(place: Path, count: int) -> list[Path]:
    """Small migrations: a table and an index, a column, a row."""
    bodies = [
        "create table t{n} (id bigint primary key, name text not null); create index on t{n} (name);",
        "alter table t{m} add column age int not null default 0;",
        "insert into t{m} values (1, 'x', 2);",
    ]
    made: list[Path] = []
    for n in range(count):
        path = place / f"{n:05}_step.sql"
        body = bodies[n % 3].format(n=n, m=n - n % 3)
        path.write_text(f"-- up\n{body}\n-- down\nselect 1;\n")
        made.append(path)
    return made


def looked_through(place: Path) -> float:
    """Seconds to find, read, order, checksum and compare all migrations with a history that has them all."""
    start = time.perf_counter()
    found = ordered(in_directory(place))
    sums = {m.version: checksum(m) for m in found}
    elapsed = time.perf_counter() - start
    now = datetime.now(UTC)
    rows = [
        AppliedMigration(m.version, m.title(), "applied", sums[m.version], 1, (), now, now, None, None) for m in found
    ]
    start = time.perf_counter()
    status = compare(found, rows)
    elapsed += time.perf_counter() - start
    assert not status.pending
    assert not status.modified
    return elapsed


async def empty(dsn: str) -> None:
    """As new."""
    async with Database(dsn, max_connections=1) as database:
        await database.execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def with_psql(dsn: str, files: list[Path], *, one_process: bool) -> float:
    """Seconds that psql needs: a process for all files, or one for each; each file in one transaction."""
    asyncio.run(empty(dsn))
    base = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn]
    start = time.perf_counter()
    if one_process:
        script = "".join(f"begin;\n\\i {path}\ncommit;\n" for path in files)
        subprocess.run([*base, "-f", "-"], input=script.encode(), check=True, stdout=subprocess.DEVNULL)
    else:
        for path in files:
            subprocess.run([*base, "-1", "-f", str(path)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def with_runner(dsn: str, place: Path) -> float:
    """Seconds that the runner needs, with discovery, history and lock, without the start of Python."""

    async def work() -> float:
        async with Database(dsn, max_connections=2) as database:
            start = time.perf_counter()
            assert len(await run_migrations(directory=place, using=database)) == 300
            return time.perf_counter() - start

    asyncio.run(empty(dsn))
    return asyncio.run(work())


def status(dsn: str, place: Path) -> float:
    """Milliseconds of a status with nothing pending, over an open connection."""

    async def work() -> float:
        async with Database(dsn, max_connections=1) as database:
            await database.fetch_val("SELECT 1")
            start = time.perf_counter()
            assert not (await get_migration_status(directory=place, using=database)).pending
            return (time.perf_counter() - start) * 1000

    return asyncio.run(work())


@contextlib.contextmanager
def server() -> Generator[str]:
    """The DSN that was given, or an embedded server."""
    if len(sys.argv) > 1:
        yield sys.argv[1]
        return
    from data_bridge.testing.server import EmbeddedServer

    with EmbeddedServer() as started:
        yield started.dsn


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as folder, server() as dsn:
        os.chdir(folder)
        many, few = Path(folder) / "many", Path(folder) / "few"
        many.mkdir()
        few.mkdir()
        write(many, 2000)
        files = write(few, 300)
        print(
            f"2,000 migrations discovered, checksummed, compared: {min(looked_through(many) for _ in range(ROUNDS)):.2f} s"
        )
        rounds = [
            (with_psql(dsn, files, one_process=True), with_psql(dsn, files, one_process=False), with_runner(dsn, few))
            for _ in range(ROUNDS)
        ]
        one, each, own = (min(r[i] for r in rounds) for i in range(3))
        print(
            f"300 small migrations: runner {own:.2f} s; psql in one process {one:.2f} s (ratio {own / one:.2f}); ",
            end="",
        )
        print(f"psql once for each file {each:.2f} s (ratio {own / each:.2f})")
        print(f"status of 300, nothing pending: {min(status(dsn, few) for _ in range(ROUNDS)):.1f} ms")


if __name__ == "__main__":
    main()
