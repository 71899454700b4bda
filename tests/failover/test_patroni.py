"""A primary that is killed under load, in a cluster of Patroni: what was confirmed is there, and writes resume."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from data_bridge.core import (
    CommitUnknown,
    ConnectionLost,
    Database,
    DataBridgeError,
    QueryTimeout,
    consistency,
    read_your_writes,
)
from data_bridge.core.replication.database import ReplicatedDatabase

from .patroni_cluster import Node, PatroniCluster, missing_programs, running_cluster

pytestmark = [
    pytest.mark.failover,
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {', '.join(missing_programs())}"),
]
KILLS = int(os.environ.get("DATA_BRIDGE_KILLS", "4"))
SLACK = 2.0
"""Seconds after the cluster has a primary again, within which writes have to resume."""
WRITERS = 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatroniCluster]:
    with running_cluster() as made:
        yield made


class Ledger:
    """What writers were told of each row."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.confirmed: dict[int, float] = {}
        self.unknown: set[int] = set()
        self.failed: set[int] = set()
        self.errors: Counter[str] = Counter()
        self.wrong: list[Any] = []


async def write_for_ever(db: Database, ledger: Ledger, table: str) -> None:
    while True:
        number = next(ledger.numbers)
        began = time.monotonic()
        try:
            sql = f"INSERT INTO {table} VALUES ($1, $2)"
            if number % 2:
                await db.execute(sql, number, str(number))
            else:
                async with db.transaction():
                    await db.execute(sql, number, str(number))
            ledger.confirmed[number] = began
        except (CommitUnknown, QueryTimeout) as error:
            ledger.unknown.add(number)
            ledger.errors[type(error).__name__] += 1
        except ConnectionLost as error:
            (ledger.failed if error.safe_to_retry else ledger.unknown).add(number)
            ledger.errors[f"ConnectionLost(safe_to_retry={error.safe_to_retry})"] += 1
        except DataBridgeError as error:
            ledger.failed.add(number)
            ledger.errors[type(error).__name__] += 1
            await asyncio.sleep(0.02)


async def read_for_ever(db: Database, ledger: Ledger, table: str) -> None:
    """Own rows, and rows of others: never another value, and never a confirmed row that is missing."""
    while True:
        chosen = [n for n, _ in zip(reversed(ledger.confirmed), range(50), strict=False)]
        with suppress(DataBridgeError):
            found = await db.fetch(f"SELECT id, text FROM {table} WHERE id = ANY($1)", chosen, as_=tuple)
            ledger.wrong += [row for row in found if str(row[0]) != row[1]]
            if missing := set(chosen) - {row[0] for row in found}:
                ledger.wrong.append(missing)
        await asyncio.sleep(0.02)


async def probe_of_asyncpg(dsn: str) -> float:
    """When a new connection of asyncpg can write again."""
    while True:
        with suppress(Exception):  # whatever it says while there is no primary
            async with asyncio.timeout(2):
                options = {} if "," not in dsn else {"target_session_attrs": "read-write"}
                connection = await asyncpg.connect(dsn, ssl=False, timeout=1.5, **options)
                try:
                    await connection.execute("INSERT INTO probe DEFAULT VALUES")
                    return time.monotonic()
                finally:
                    connection.terminate()
        await asyncio.sleep(0.05)


async def disaster(
    cluster: PatroniCluster, ledger: Ledger, dsn: str, kill: Callable[[Node], None]
) -> tuple[float, float]:
    """Kills the primary; returns the seconds until asyncpg wrote again, and until a writer of the ledger did."""
    primary = await asyncio.to_thread(cluster.whole)
    await asyncio.sleep(1)
    killed = time.monotonic()
    await asyncio.to_thread(kill, primary)
    async with asyncio.timeout(90):
        theirs = await probe_of_asyncpg(dsn)
        while (ours := min((t for t in ledger.confirmed.values() if t > killed + 0.2), default=None)) is None:
            await asyncio.sleep(0.02)
    if primary.process is None:
        cluster.start_node(primary)
    # A writer that was at it when the primary went may wait; what counts is when one began that was confirmed.
    return theirs - killed, ours - killed


@pytest.mark.parametrize("way", ["hosts", "haproxy", "replicas"])
async def test_the_primary_is_killed_under_load(cluster: PatroniCluster, way: str, capsys: Any) -> None:
    ledger = Ledger()
    table = f"written_{way}"
    dsn = cluster.haproxy_dsn if way == "haproxy" else cluster.hosts_dsn
    options: dict[str, Any] = {"max_connections": WRITERS + 2, "connect_timeout": 2.0, "acquire_timeout": 5.0}
    if way == "replicas":
        db: Database = ReplicatedDatabase(dsn, replicas="hosts", **options)
    else:
        db = Database(dsn, target_session_attrs="read-write", **options)
    await asyncio.to_thread(cluster.whole)
    times: list[tuple[str, float, float]] = []
    async with db:
        await db.execute_script(
            f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (id int, text text);"
            "CREATE TABLE IF NOT EXISTS probe (at timestamptz DEFAULT now())"
        )
        work: list[Awaitable[None]] = [write_for_ever(db, ledger, table) for _ in range(WRITERS)]
        work.append(read_for_ever(db, ledger, table))
        tasks = [asyncio.ensure_future(w) for w in work]
        try:
            for n in range(KILLS):
                kill, name = (Node.kill, "node") if n % 2 else (Node.kill_postgres, "postgres")
                theirs, ours = await disaster(cluster, ledger, dsn, kill)
                times.append((name, theirs, ours))
            await asyncio.to_thread(cluster.whole)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(o, asyncio.CancelledError) for o in outcomes), outcomes
        async with consistency("primary"), read_your_writes():
            found = Counter(n for (n,) in await db.fetch(f"SELECT id FROM {table}", as_=tuple))
        async with asyncio.timeout(20):
            while db.pool_stats().used:
                await asyncio.sleep(0.05)
        assert await asyncio.gather(*(db.fetch_val("SELECT 1") for _ in range(20))) == [1] * 20
    with capsys.disabled():
        resumed = ", ".join(f"{name} {theirs:.2f}/{ours:.2f} s" for name, theirs, ours in times)
        print(
            f"\n{way}: {len(ledger.confirmed)} rows confirmed, {len(ledger.unknown)} unknown of which"
            f" {len(ledger.unknown & set(found))} are there, {len(ledger.failed)} failed; writes again (asyncpg/here): {resumed};"
            f" {dict(ledger.errors)}"
        )
    lost = set(ledger.confirmed) - set(found)
    assert not lost
    assert not ledger.failed & set(found), "an error said that nothing was written"
    assert max(found.values()) == 1, "a statement ran twice"
    assert ledger.wrong == []
    assert [t for t in times if t[2] > t[1] + SLACK] == []
