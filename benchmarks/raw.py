"""Raw rows as tuples: data-bridge-core beside asyncpg, psycopg 3 and psqlpy, interleaved in one run.

Every peer runs the same statements against the same server and must give the same rows before anything is timed. Rounds go
over the scenarios, and in each over all peers in turn; a figure is the median over the rounds of a peer's time against asyncpg's in the same round (above
1: faster), with the client's CPU per operation beside it. Peers that are not installed are left out:
``pip install asyncpg 'psycopg[binary,pool]' psqlpy uvloop``. Run it alone on the machine:
``python benchmarks/raw.py [--loop asyncio|uvloop] [--rounds N]``; a release build of the core is meant.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.schema import ITEMS, prepare

ROW = "SELECT id, big, name, code, at, active, score FROM item WHERE id = $1"
ROWS = "SELECT id, big, name, code, at, active, score FROM item WHERE id <= $1 ORDER BY id"
UNNEST = "INSERT INTO sink (a, b) SELECT * FROM unnest($1::int[], $2::text[])"
NUMBERS = list(range(10_000))
TEXTS = [f"text {n}" for n in NUMBERS]
COPIED = list(zip(NUMBERS, TEXTS, strict=True))


class Ours:
    """data-bridge-core."""

    @asynccontextmanager
    async def opened(self, dsn: str, connections: int) -> AsyncIterator[Any]:
        from data_bridge.core import Database

        async with Database(dsn, max_connections=connections, min_connections=connections) as database:
            yield database

    async def row(self, database: Any, key: int) -> Any:
        return await database.fetch_one(ROW, key, as_=tuple)

    async def rows(self, database: Any, count: int) -> Any:
        return await database.fetch(ROWS, count, as_=tuple)

    async def unnest(self, database: Any) -> Any:
        await database.execute(UNNEST, NUMBERS, TEXTS)

    async def copy(self, database: Any) -> Any:
        await database.copy_in("sink", COPIED, columns=["a", "b"])


class Asyncpg:
    """asyncpg with its pool, which resets sessions on release, as shipped."""

    @asynccontextmanager
    async def opened(self, dsn: str, connections: int) -> AsyncIterator[Any]:
        import asyncpg

        async with asyncpg.create_pool(dsn, min_size=connections, max_size=connections) as pool:
            yield pool

    async def row(self, pool: Any, key: int) -> Any:
        return tuple(await pool.fetchrow(ROW, key))

    async def rows(self, pool: Any, count: int) -> Any:
        return [tuple(row) for row in await pool.fetch(ROWS, count)]

    async def unnest(self, pool: Any) -> Any:
        await pool.execute(UNNEST, NUMBERS, TEXTS)

    async def copy(self, pool: Any) -> Any:
        async with pool.acquire() as connection:
            await connection.copy_records_to_table("sink", records=COPIED, columns=["a", "b"])


class AsyncpgBare(Asyncpg):
    """asyncpg on a connection of its own, without a pool in between: what one task costs."""

    @asynccontextmanager
    async def opened(self, dsn: str, connections: int) -> AsyncIterator[Any]:
        import asyncpg

        made = [await asyncpg.connect(dsn) for _ in range(connections)]
        try:
            yield made if connections > 1 else made[0]
        finally:
            for connection in made:
                await connection.close()

    async def copy(self, connection: Any) -> Any:
        await connection.copy_records_to_table("sink", records=COPIED, columns=["a", "b"])


class Psycopg:
    """psycopg 3 with its asynchronous pool, binary results, statements prepared at once."""

    @asynccontextmanager
    async def opened(self, dsn: str, connections: int) -> AsyncIterator[Any]:
        from psycopg_pool import AsyncConnectionPool

        options = {"prepare_threshold": 0, "autocommit": True}
        async with AsyncConnectionPool(dsn, min_size=connections, max_size=connections, kwargs=options) as pool:
            yield pool

    async def _all(self, pool: Any, sql: str, *params: Any) -> Any:
        async with pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchall()

    async def row(self, pool: Any, key: int) -> Any:
        return (await self._all(pool, ROW.replace("$1", "%s"), key))[0]

    async def rows(self, pool: Any, count: int) -> Any:
        return await self._all(pool, ROWS.replace("$1", "%s"), count)

    async def unnest(self, pool: Any) -> Any:
        async with pool.connection() as connection:
            await connection.execute(UNNEST.replace("$1", "%s").replace("$2", "%s"), (NUMBERS, TEXTS))

    async def copy(self, pool: Any) -> Any:
        async with pool.connection() as connection, connection.cursor() as cursor:
            async with cursor.copy("COPY sink (a, b) FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int4", "text"])
                for row in COPIED:
                    await copy.write_row(row)


class Psqlpy:
    """psqlpy, a driver in Rust with its own pool."""

    @asynccontextmanager
    async def opened(self, dsn: str, connections: int) -> AsyncIterator[Any]:
        from psqlpy import ConnectionPool

        pool = ConnectionPool(dsn=dsn, max_db_pool_size=max(2, connections))
        try:
            yield pool
        finally:
            pool.close()

    async def _rows(self, pool: Any, sql: str, *params: Any) -> Any:
        from psqlpy.row_factories import tuple_row

        async with pool.acquire() as connection:
            found = await connection.execute(sql, list(params))
        return found.row_factory(tuple_row)

    async def row(self, pool: Any, key: int) -> Any:
        return _in_order((await self._rows(pool, ROW, key))[0])

    async def rows(self, pool: Any, count: int) -> Any:
        return [_in_order(row) for row in await self._rows(pool, ROWS, count)]

    async def unnest(self, pool: Any) -> Any:
        async with pool.acquire() as connection:
            await connection.execute(UNNEST, [NUMBERS, TEXTS])


def _in_order(row: Any) -> tuple[Any, ...]:
    # Its tuples are of (name, value).
    return tuple(value for _, value in row)


async def from_many_tasks(peer: Any, place: Any) -> None:
    """64 tasks, each with 20 statements, on connections of their own or through a pool."""

    async def work(at: Any) -> None:
        for _ in range(20):
            await peer.row(at, random.randint(1, ITEMS))

    own = isinstance(place, list)
    await asyncio.gather(*(work(place[i] if own else place) for i in range(64)))


def one_row(peer: Any, place: Any) -> Awaitable[Any]:
    """A row by its key."""
    return peer.row(place, random.randint(1, ITEMS))


SCENARIOS: dict[str, tuple[int, int, Callable[[Any, Any], Awaitable[Any]]]] = {
    "1 row, 1 task": (1, 1, one_row),
    "1 row, 64 tasks, 64 connections": (64, 64 * 20, from_many_tasks),
    "1 row, 64 tasks, 10 connections": (10, 64 * 20, from_many_tasks),
    "100 rows": (1, 1, lambda peer, place: peer.rows(place, 100)),
    "10,000 rows": (1, 1, lambda peer, place: peer.rows(place, 10_000)),
    "unnest insert of 10,000 rows": (1, 1, lambda peer, place: peer.unnest(place)),
    "COPY in of 10,000 rows": (1, 1, lambda peer, place: peer.copy(place)),
}
"""Connections, statements in one call, and the call."""


def takes_part(peer: Any, scenario: str) -> bool:
    """Not everyone has COPY, and without a pool nothing shares ten connections."""
    if scenario.startswith("COPY"):
        return hasattr(peer, "copy")
    return not (type(peer) is AsyncpgBare and "10 connections" in scenario)


async def validated(peer: Any, place: Any, expected: list[Any] | None) -> list[Any]:
    """The same rows from everyone."""
    found = [tuple(row) for row in await peer.rows(place, 100)]
    assert expected is None or found == expected, f"{type(peer).__name__} gives other rows"
    assert tuple(await peer.row(place, 7)) == found[6]
    return found


async def timed(operation: Callable[[], Awaitable[Any]], statements: int, seconds: float) -> tuple[float, float]:
    """Wall and CPU seconds of one statement."""
    await operation()
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - wall) < seconds or count < 2:
        await operation()
        count += 1
    return spent / count / statements, (time.process_time() - cpu) / count / statements


async def run(dsn: str, rounds: int, seconds: float) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Wall and CPU of each peer in each scenario, by round."""
    makers: dict[str, Any] = {"data-bridge": Ours(), "asyncpg": AsyncpgBare(), "asyncpg pool": Asyncpg()}
    if importlib.util.find_spec("psycopg_pool"):
        makers["psycopg"] = Psycopg()
    if importlib.util.find_spec("psqlpy"):
        makers["psqlpy"] = Psqlpy()
    import asyncpg

    await prepare(dsn)
    admin = await asyncpg.connect(dsn)
    await admin.execute("DROP TABLE IF EXISTS sink; CREATE UNLOGGED TABLE sink (a int, b text)")
    results: dict[str, dict[str, list[tuple[float, float]]]] = {}
    expected: list[Any] | None = None
    for peer in makers.values():
        async with peer.opened(dsn, 1) as place:
            expected = await validated(peer, place, expected)
    for _ in range(rounds):
        # One scenario after the other, so that all peers meet the same moment of the machine.
        for scenario, (connections, statements, call) in SCENARIOS.items():
            for name, peer in makers.items():
                if not takes_part(peer, scenario):
                    continue
                await admin.execute("TRUNCATE sink")
                async with peer.opened(dsn, connections) as place:
                    figures = await timed(partial(call, peer, place), statements, seconds)
                results.setdefault(scenario, {}).setdefault(name, []).append(figures)
    await admin.close()
    return results


def report(results: dict[str, dict[str, list[tuple[float, float]]]]) -> None:
    """Prints speed against asyncpg (its pool where nothing else shares connections) and µs of CPU."""
    names = list(dict.fromkeys(name for peers in results.values() for name in peers))
    print("| speed against asyncpg (µs of client CPU) | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for scenario, peers in results.items():
        base = peers.get("asyncpg") or peers["asyncpg pool"]
        cells: list[str] = []
        for name in names:
            if name not in peers:
                cells.append("–")
                continue
            ratio = statistics.median(b[0] / p[0] for b, p in zip(base, peers[name], strict=True))
            cpu = statistics.median(p[1] for p in peers[name]) * 1e6
            cells.append(f"{ratio:.2f} ({cpu:,.0f})")
        print(f"| {scenario} | " + " | ".join(cells) + " |")


def main() -> None:
    """Runs a server of its own, or measures the one in $DATA_BRIDGE_TEST_URL."""
    import os

    from data_bridge.testing import EmbeddedServer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each scenario in each round")
    options = parser.parse_args()

    def go(dsn: str) -> None:
        if options.loop == "uvloop":
            import uvloop

            report(uvloop.run(run(dsn, options.rounds, options.seconds)))
        else:
            report(asyncio.run(run(dsn, options.rounds, options.seconds)))

    url = os.environ.get("DATA_BRIDGE_TEST_URL")
    if url:
        go(url)
    else:
        with EmbeddedServer() as server:
            go(server.dsn)


if __name__ == "__main__":
    main()
