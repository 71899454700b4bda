"""The server ends sessions, restarts, is full, refuses, or dies between COMMIT and its answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import CommitUnknown, ConnectError, ConnectionLost, Database, PoolTimeout
from data_bridge.testing import EmbeddedServer, TestServer
from data_bridge.testing.proxy import proxied

from .conftest import whole

LOST = (ConnectionLost, ConnectError, CommitUnknown)


async def _copied_in(db: Database) -> None:
    await db.copy_in("loss", ((n,) for n in range(1_000_000_000)))


async def _copied_out(db: Database) -> None:
    async for _ in db.copy_out("SELECT g, repeat('x', 1000) FROM generate_series(1, 1000000000) g"):
        pass


async def _in_transaction(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO loss VALUES (1)")
        await tx.execute("SELECT pg_sleep(30)")


KINDS: dict[str, Callable[[Database], Awaitable[Any]]] = {
    "fetch": lambda db: db.fetch("SELECT pg_sleep(30)"),
    "script": lambda db: db.execute_script("SELECT 1; SELECT pg_sleep(30)"),
    "transaction": _in_transaction,
    "stream": lambda db: anext(db.stream("SELECT pg_sleep(30)")),  # type: ignore[arg-type]
    "copy out": _copied_out,
    "copy in": _copied_in,
}


async def terminate(admin: Database, name: str) -> int:
    """Ends the sessions of this name, and waits until they have gone."""
    return await admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1", name
    )


@pytest.mark.fault("A1", "H4")
@pytest.mark.parametrize("kind", KINDS)
async def test_ended_by_the_administrator_during_a_statement(postgres_dsn: str, kind: str) -> None:
    async with Database(postgres_dsn) as admin, Database(postgres_dsn, max_connections=2, application_name=kind) as db:
        await admin.execute_script("DROP TABLE IF EXISTS loss; CREATE TABLE loss (a int)")
        task = asyncio.ensure_future(KINDS[kind](db))
        await asyncio.sleep(0.15)
        assert not task.done()
        # One statement: asking whether it has gone and telling when would be two round trips of the same connection.
        started = time.monotonic()
        assert await terminate(admin, kind) >= 1
        with pytest.raises(ConnectionLost) as caught:
            await task
        assert time.monotonic() - started < 0.5 + 0.5, "half a second, and as much for a busy machine"
        # sqlx 0.9.0 reads on behind the error of a COPY, and tells of the end of the stream instead of it.
        assert caught.value.sqlstate in (("57P01", None) if kind.startswith("copy") else ("57P01",))
        assert not caught.value.safe_to_retry
        assert await db.fetch_val("SELECT 42") == 42
        assert await db.fetch_val("SELECT count(*) FROM loss") == 0
        await whole(db)
        await admin.execute("DROP TABLE loss")


@pytest.mark.fault("A2")
async def test_ended_while_idle(postgres_dsn: str) -> None:
    """Nobody sees it, whatever comes next, even when all connections are dead at once."""
    name = "ended while idle"
    async with Database(postgres_dsn) as admin, Database(postgres_dsn, max_connections=4, application_name=name) as db:
        await asyncio.gather(*(db.execute("SELECT pg_sleep(0.05)") for _ in range(4)))

        async def in_transaction() -> Any:
            async with db.transaction() as tx:
                return await tx.fetch_val("SELECT 1")

        nexts: list[Callable[[], Awaitable[Any]]] = [
            lambda: db.fetch_val("SELECT 1"),
            in_transaction,
            lambda: db.execute_script("SELECT 1"),
            lambda: anext(db.stream("SELECT 1", as_=tuple)),  # type: ignore[arg-type]
            lambda: asyncio.gather(*(db.fetch_val("SELECT $1::int", i) for i in range(8))),
        ]
        for use in nexts:
            assert await terminate(admin, name) >= 1
            await use()
        await whole(db)


@pytest.mark.fault("A2")
@pytest.mark.parametrize("folder", ["its own", "another"])
async def test_ended_while_idle_on_a_unix_socket(embedded_server: EmbeddedServer, tmp_path: Path, folder: str) -> None:
    name = "ended on a socket"
    dsn = embedded_server.socket_dsn_of("postgres")
    if folder == "another":  # name than that which the server gave its socket
        (tmp_path / "s").symlink_to(embedded_server.socket.parent)
        dsn = re.sub("host=[^&]*", f"host={tmp_path / 's'}", dsn)
    async with Database(dsn) as admin, Database(dsn, max_connections=4, application_name=name) as db:
        for _ in range(3):
            await asyncio.gather(*(db.execute("SELECT pg_sleep(0.2)") for _ in range(4)))
            assert await terminate(admin, name) == 4
        assert await db.fetch_val("SELECT 1") == 1


@pytest.mark.fault("A3")
@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
async def test_restarts_during_fifty_calls(own_server: TestServer, mode: Any) -> None:
    async with Database(own_server.dsn, max_connections=10, connect_timeout=5) as db:
        await db.execute_script("CREATE TABLE done (n int)")
        outcomes: dict[int, str] = {}

        async def one(n: int) -> None:
            try:
                await db.execute("INSERT INTO done SELECT $1 FROM pg_sleep(0.05)", n)
                outcomes[n] = "ok"
            except LOST as e:
                outcomes[n] = type(e).__name__

        calls = [asyncio.create_task(one(n)) for n in range(50)]
        await asyncio.sleep(0.12)
        restart = asyncio.create_task(asyncio.to_thread(own_server.restart, mode))
        async with asyncio.timeout(20):
            await asyncio.gather(*calls)
            if mode == "smart":  # which waits for the sessions: those that work end their work, then the pool lets go
                while not restart.done():
                    await db.expire()
                    await asyncio.sleep(0.01)
            await restart
        started = time.monotonic()
        while True:
            try:
                assert await db.fetch_val("SELECT 1") == 1
                break
            except LOST:
                assert time.monotonic() - started < 2
        assert time.monotonic() - started < 2 + 1
        assert len(outcomes) == 50
        rows = [r[0] for r in await db.fetch("SELECT n FROM done", as_=tuple)]
        assert len(rows) == len(set(rows)), "executed twice"
        assert {n for n, how in outcomes.items() if how == "ok"} <= set(rows)
        assert mode != "fast" or "ConnectionLost" in outcomes.values()
        await whole(db)


@pytest.mark.fault("A3")
async def test_restarts_during_work(own_server: TestServer) -> None:
    db = await Database(own_server.dsn, max_connections=5, connect_timeout=5).connect()
    await db.execute_script("CREATE TABLE done (n int)")
    outcomes: list[str] = []

    async def worker(k: int) -> None:
        for j in range(40):
            try:
                await db.execute("INSERT INTO done VALUES ($1)", k * 1000 + j)
                outcomes.append("ok")
            except LOST as e:
                outcomes.append(type(e).__name__)
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.005)

    async def restarts() -> None:
        for mode in ("immediate", "fast"):
            await asyncio.sleep(0.05)
            await asyncio.to_thread(own_server.restart, mode)

    async with asyncio.timeout(60):
        await asyncio.gather(restarts(), *(worker(k) for k in range(5)))
    # Nothing was executed twice: writes are never repeated on their own.
    assert await db.fetch_val("SELECT count(*) - count(DISTINCT n) FROM done") == 0
    assert await db.fetch_val("SELECT count(*) FROM done") >= outcomes.count("ok")
    assert outcomes.count("ok") > 50
    await whole(db)
    await db.close()


@pytest.mark.fault("A4")
async def test_too_many_clients_is_waited_for(own_server: TestServer) -> None:
    own_server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")  # a superuser would be given a reserved place
    dsn = re.sub("//[^@]*@", "//guest:guest@", own_server.dsn)
    while own_server.run("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") != [("1",)]:
        await asyncio.sleep(0.05)  # those of earlier tests are still going
    with own_server.few_connections(2):
        holders = [await Database(dsn, max_connections=1).connect() for _ in range(2)]
        waiting = Database(dsn, max_connections=1, connect_timeout=5)
        task = asyncio.create_task(waiting.connect())
        await asyncio.sleep(0.3)
        assert not task.done()
        in_vain = Database(dsn, max_connections=1, connect_timeout=0.4)
        started = time.monotonic()
        with pytest.raises(ConnectError) as caught:
            await in_vain.connect()
        assert 0.2 < time.monotonic() - started < 2
        assert (caught.value.sqlstate, caught.value.host) == ("53300", "127.0.0.1")
        assert f"127.0.0.1:{caught.value.port}" in str(caught.value) and "53300" in str(caught.value)
        await holders[0].close()
        await task
        assert await waiting.fetch_val("SELECT 1") == 1
        for db in (waiting, *holders):
            await db.close()


@pytest.mark.fault("A4")
async def test_a_role_that_may_have_fewer_connections_than_the_pool(own_server: TestServer) -> None:
    """Those that exist serve all callers in turn, also where waiting takes longer than connecting may take."""
    own_server.run("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 2")
    dsn = re.sub("//[^@]*@", "//few:few@", own_server.dsn)
    async with Database(dsn, max_connections=8, connect_timeout=0.3, acquire_timeout=20) as db:
        done = await asyncio.gather(*(db.fetch_val("SELECT pg_sleep(0.3)") for _ in range(16)))
        assert done == [None] * 16
        assert db.pool_stats().opened == 2

        async def elsewhere() -> object:
            found = await db.fetch_val("SELECT 1")
            await asyncio.sleep(0.5)  # connections that are still being made there end with their loop running
            return found

        # An idle connection of another event loop gives way.
        assert await asyncio.to_thread(lambda: asyncio.run(elsewhere())) == 1
    async with Database(dsn, max_connections=8, connect_timeout=0.2, acquire_timeout=0.6) as db:
        holders = [asyncio.create_task(db.fetch_val("SELECT pg_sleep(1.5)")) for _ in range(2)]
        await asyncio.sleep(0.3)
        with pytest.raises(PoolTimeout, match=r'more were refused: .*too many connections for role "few" \(53300\)'):
            await db.fetch_val("SELECT 1")
        await asyncio.gather(*holders)
        assert await db.fetch_val("SELECT 1") == 1


@pytest.mark.fault("A4", "I2")
@pytest.mark.parametrize(
    ("wrong", "sqlstate"), [({"password": "hunter2-wrong"}, "28P01"), ({"database": "no_such_database"}, "3D000")]
)
async def test_what_patience_does_not_mend_fails_at_once(
    postgres_dsn: str, wrong: dict[str, str], sqlstate: str
) -> None:
    with proxied(postgres_dsn) as proxy:
        db = Database(proxy.dsn, ssl="disable", connect_timeout=20, **wrong)  # type: ignore[arg-type]
        started = time.monotonic()
        with pytest.raises(ConnectError) as caught:
            await db.connect()
        assert time.monotonic() - started < 2
        assert proxy.accepted == 1, "asked again"
        e = caught.value
        assert (e.host, e.port, e.sqlstate) == (
            "127.0.0.1",
            int(proxy.dsn.rpartition(":")[2].partition("/")[0]),
            sqlstate,
        )
        assert f"{e.host}:{e.port}" in str(e) and sqlstate in str(e)
        password = re.search("//[^:]*:([^@]*)@", postgres_dsn)
        for secret in ("hunter2", password[1] if password else "hunter2"):
            assert secret not in str(e) + repr(e) + repr(db)


@pytest.mark.fault("A6", "C5")
async def test_death_between_commit_and_its_answer(postgres_dsn: str) -> None:
    """The server has committed, and nobody can know it: no retry, and the error says so."""
    with proxied(postgres_dsn) as proxy:
        async with Database(postgres_dsn) as other, Database(proxy.dsn, max_connections=2, ssl="disable") as db:
            await other.execute_script("DROP TABLE IF EXISTS doubt; CREATE TABLE doubt (a int)")
            tries = 0

            @core.pg_transaction(retries=3, using=db)
            async def work() -> None:
                nonlocal tries
                tries += 1
                await core.execute("INSERT INTO doubt VALUES (1)", using=db)
                proxy.silent = "server"

            task = asyncio.create_task(work())
            async with asyncio.timeout(10):
                while not await other.fetch_val("SELECT count(*) FROM doubt"):
                    await asyncio.sleep(0.01)
                assert not task.done()
                proxy.cut()
                with pytest.raises(CommitUnknown):
                    await task
            proxy.silent = False
            assert tries == 1
            assert await db.fetch_val("SELECT count(*) FROM doubt") == 1
            await whole(db)
            await other.execute("DROP TABLE doubt")
