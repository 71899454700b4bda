"""What a reader sees while replicas lag, fail, come back and are promoted: its own writes, always."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from replication_kit import settled

from data_bridge.core import (
    ConnectError,
    ConnectionLost,
    Database,
    DataBridgeError,
    ReplicatedDatabase,
    consistency,
    pg_transaction,
    read_your_writes,
)
from data_bridge.core.replication.consistency import Session
from data_bridge.testing import EmbeddedCluster

WHERE = "SELECT pg_is_in_recovery()"


@asynccontextmanager
async def lagging(cluster: EmbeddedCluster, rng: random.Random) -> AsyncIterator[None]:
    """Replicas that stop and go on replaying at random."""

    async def disturb() -> None:
        while True:
            replica = rng.choice(cluster.replicas)
            await asyncio.to_thread(cluster.pause, replica)
            await asyncio.sleep(rng.random() * 0.6)
            await asyncio.to_thread(cluster.resume, replica)
            await asyncio.sleep(rng.random() * 0.3)

    task = asyncio.create_task(disturb())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for replica in cluster.replicas:
            cluster.resume(replica)


async def test_nobody_reads_older_rows_than_its_own(db: ReplicatedDatabase, cluster: EmbeddedCluster) -> None:
    """Sessions that write and read, also carried by tokens over several databases of one process, as over several processes."""
    await db.execute_script("DROP TABLE IF EXISTS own; CREATE TABLE own (who int PRIMARY KEY, version int)")
    await settled(db, cluster)
    rng = random.Random(3)
    on_replicas = stale = reads = 0
    async with ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns, alias=db.alias) as other:

        async def user(who: int) -> None:
            nonlocal on_replicas, stale, reads
            token: str | None = None
            version = 0
            for _ in range(30):
                server = rng.choice([db, other])
                async with read_your_writes(token) as session:
                    if rng.random() < 0.3:
                        version += 1
                        sql = "INSERT INTO own VALUES ($1, $2) ON CONFLICT (who) DO UPDATE SET version = $2"
                        if rng.random() < 0.5:
                            await server.execute(sql, who, version)
                        else:
                            async with server.transaction():
                                await server.execute(sql, who, version)
                    sql = "SELECT version, pg_is_in_recovery() FROM own WHERE who = $1"
                    if rng.random() < 0.3:
                        async with server.transaction(read_only=True) as tx:
                            found = await tx.fetch_one(sql, who, as_=tuple)
                    else:
                        found = await server.fetch_one(sql, who, as_=tuple)
                    seen, was_replica = found or (0, False)
                    assert seen == version, (who, seen, version, was_replica)
                    reads += 1
                    on_replicas += was_replica
                    async with consistency("eventual"):
                        stale += (await server.fetch_val("SELECT version FROM own WHERE who = $1", who) or 0) < version
                    token = await session.token()
                await asyncio.sleep(rng.random() * 0.4)

        async with asyncio.timeout(90), lagging(cluster, rng):
            await asyncio.gather(*(user(n) for n in range(12)))
    assert reads == 360
    assert on_replicas > 50  # else replicas would serve nobody
    assert stale > 5  # else nothing would have lagged


async def test_a_replica_that_lags_leaves_the_rotation(cluster: EmbeddedCluster) -> None:
    first, second = cluster.replicas
    async with ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns, max_lag=0.5) as db:
        cluster.catch_up()
        cluster.pause(first)
        try:
            await db.execute_script("DROP TABLE IF EXISTS lags; CREATE TABLE lags (n int)")
            async with consistency("eventual"), asyncio.timeout(20):
                while (lag := db.replicas[0].lag) is None or lag < 0.6:
                    await db.execute("INSERT INTO lags VALUES (1)")
                    await asyncio.sleep(0.05)
                ports = {await db.fetch_val("SELECT current_setting('port')") for _ in range(20)}
            assert ports == {second.socket.name.rpartition(".")[2]}
        finally:
            cluster.resume(first)
        async with asyncio.timeout(20):
            while (db.replicas[0].lag or 9.0) > 0.5 and db.replicas[0].lag != 0.0:
                await asyncio.sleep(0.05)


async def test_a_replica_that_dies_is_not_noticed(db: ReplicatedDatabase, cluster: EmbeddedCluster) -> None:
    """Readers go on at another server, and come back to it; nobody is cancelled."""
    await db.execute_script("DROP TABLE IF EXISTS dies; CREATE TABLE dies (n int); INSERT INTO dies VALUES (1)")
    await settled(db, cluster)
    ended = False
    served = {True: 0, False: 0}

    async def read() -> None:
        while not ended:
            found = await db.fetch_one("SELECT n, pg_is_in_recovery() FROM dies", as_=tuple)
            assert found is not None
            assert found[0] == 1
            served[found[1]] += 1
            assert [row async for row in db.stream("SELECT n FROM dies", as_=tuple)] == [(1,)]
            with suppress(ConnectionLost):  # in the middle of a transaction nobody else can go on
                async with pg_transaction(read_only=True) as tx:
                    assert await tx.fetch_val("SELECT n FROM dies") == 1

    readers = [asyncio.create_task(read()) for _ in range(6)]
    try:
        for replica in cluster.replicas:
            await asyncio.to_thread(replica.stop_postmaster, "immediate")
            await asyncio.sleep(0.3)
        before = served[False]
        await asyncio.sleep(0.3)
        assert served[False] > before
        for replica in cluster.replicas:
            await asyncio.to_thread(replica.start_postmaster)
        await settled(db, cluster)
        before = served[True]
        await asyncio.sleep(0.3)
        assert served[True] > before
    finally:
        ended = True
    async with asyncio.timeout(20):
        await asyncio.gather(*readers)


async def test_cancelled_reads_leave_every_pool_whole(db: ReplicatedDatabase, cluster: EmbeddedCluster) -> None:
    rng = random.Random(5)

    async def read() -> None:
        for _ in range(40):
            task = asyncio.create_task(db.fetch_val("SELECT pg_sleep(0.002)"))
            await asyncio.sleep(rng.random() * 0.004)
            task.cancel()
            with suppress(asyncio.CancelledError, DataBridgeError):
                await task

    await asyncio.gather(*(read() for _ in range(8)))
    async with asyncio.timeout(10):
        while any(pool.pool_stats().used for pool in (db, *db._replicas)):
            await asyncio.sleep(0.01)
        assert await asyncio.gather(*(db.fetch_val(WHERE) for _ in range(20))) == [True] * 20


async def test_close_ends_the_thread(cluster: EmbeddedCluster) -> None:
    def threads() -> int:
        return sum(thread.name == "data-bridge-replicas" for thread in threading.enumerate())

    before = threads()
    db = ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns)
    await db.connect()
    assert threads() == before + 1
    await db.close()
    await db.close()
    assert threads() == before
    forgotten = ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns)
    await forgotten.connect()
    pools = [forgotten._pool, *(replica._pool for replica in forgotten._replicas)]
    reference = weakref.ref(forgotten)
    del forgotten
    gc.collect()
    assert reference() is None
    async with asyncio.timeout(10):
        while threads() > before:
            await asyncio.sleep(0.02)
    for pool in pools:
        await pool.close()


async def test_replicas_that_are_away_from_the_start(cluster: EmbeddedCluster) -> None:
    away = "postgresql://postgres@127.0.0.1:1/postgres"
    async with ReplicatedDatabase(cluster.dsn, replicas=[away]) as db:
        assert [replica.is_up for replica in db.replicas] == [False]
        assert await db.fetch_val(WHERE) is False
    with pytest.raises(ConnectError):
        async with ReplicatedDatabase(away, replicas=cluster.replica_dsns):
            pass


@pytest.mark.parametrize(
    "token",
    ["", "x", "default", "default=", "default=xyz", "a=1&", "default=" + "F" * 17, "é=1", "a=1&" * 30, "default=-1"],
)
async def test_a_token_that_is_not_one_is_ignored(token: str) -> None:
    assert await Session(token).token() is None


async def test_tokens_are_kept_and_grow(db: ReplicatedDatabase) -> None:
    async with read_your_writes("other%20one=A") as session:
        assert await session.token() == "other%20one=A"
        await db.execute("SELECT 1")
        assert await session.token() == "other%20one=A"
        await db.execute_script("SELECT 1")
        token = await session.token()
        assert token is not None
        assert token.startswith("other%20one=A&replicated=")


async def test_promotion() -> None:
    """The primary dies; a replica becomes it; writes resume by the names of the hosts, and reads stay right."""
    with EmbeddedCluster(replicas=2) as cluster:
        dsn = cluster.hosts_dsn
        async with ReplicatedDatabase(dsn, replicas="hosts", connect_timeout=3) as db:
            await db.execute_script("CREATE TABLE promoted (n int)")
            await settled(db, cluster, all_up=False)
            assert sorted(replica.is_up for replica in db.replicas) == [False, True, True]
            assert await db.fetch_val(WHERE) is True
            await db.execute("INSERT INTO promoted VALUES (1)")
            cluster.catch_up()
            await asyncio.to_thread(cluster.promote, cluster.replicas[0])
            async with asyncio.timeout(30):
                while True:
                    try:
                        await db.execute("INSERT INTO promoted VALUES (2)")
                        break
                    except DataBridgeError:
                        await asyncio.sleep(0.1)
                assert await db.fetch_val("SELECT count(*) FROM promoted") == 2
                await settled(db, cluster, all_up=False)
                while sorted(replica.is_up for replica in db.replicas) != [False, False, True]:
                    await asyncio.sleep(0.05)
                assert await db.fetch_one("SELECT count(*), pg_is_in_recovery() FROM promoted", as_=tuple) == (2, True)
        async with Database(cluster.dsn) as now:
            assert await now.fetch_val(WHERE) is False
