"""ReadYourWrites: a client reads its own writes through replicas that lag, whichever process serves it."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from fastapi import FastAPI
from orm_web import client_of

from data_bridge.postgres import (
    Col,
    Column,
    ConnectError,
    ReplicatedDatabase,
    Table,
    consistency,
    create_all,
    use_database,
)
from data_bridge.postgres.asgi import ReadYourWrites, TransactionMiddleware
from data_bridge.postgres.fastapi import Tx
from data_bridge.testing import EmbeddedCluster

WHERE = "SELECT pg_is_in_recovery()"


class Profile(Table):
    id: Col[int] = Column(primary_key=True)
    version: Col[int]


def application(db: ReplicatedDatabase, *, carries: bool = True) -> Any:
    """An application on one database, as one process of several; without the token, a client is somebody else each time."""
    app = FastAPI()

    class OnDatabase:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async with use_database(db):
                await self.inner(scope, receive, send)

    @app.put("/alone/{who}/{version}")
    async def alone(who: int, version: int) -> None:
        await Profile.upsert(Profile(id=who, version=version), conflict=[Profile.id])

    @app.put("/together/{who}/{version}")
    async def together(who: int, version: int, tx: Tx) -> None:
        await Profile.upsert(Profile(id=who, version=version), conflict=[Profile.id])

    @app.get("/{who}")
    async def read(who: int) -> tuple[int, bool]:
        row = await Profile.find(Profile.id == who).first()
        return (row.version if row else 0), await db.fetch_val(WHERE)

    app.add_middleware(TransactionMiddleware, methods=("PUT",))
    app.add_middleware(ReadYourWrites, cookie="p" if carries else None, header="x-position" if carries else "x-none")
    return OnDatabase(app)


@pytest.mark.parametrize("carries", [True, False])
async def test_through_replicas_that_lag(carries: bool) -> None:
    rng = random.Random(11)
    stale = on_replicas = 0
    with EmbeddedCluster(replicas=2) as cluster:
        async with AsyncExitStack() as stack:
            dbs = [
                await stack.enter_async_context(ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns))
                for _ in range(2)
            ]
            async with use_database(dbs[0]):
                await create_all(Profile)
            await asyncio.to_thread(cluster.catch_up)
            apps = [application(db, carries=carries) for db in dbs]

            async def disturb() -> None:
                while True:
                    replica = rng.choice(cluster.replicas)
                    await asyncio.to_thread(cluster.pause, replica)
                    await asyncio.sleep(rng.random())
                    await asyncio.to_thread(cluster.resume, replica)
                    await asyncio.sleep(rng.random() * 0.5)

            async def user(who: int) -> None:
                nonlocal stale, on_replicas
                headers: dict[str, str] = {}
                clients = [await stack.enter_async_context(client_of(app)) for app in apps]
                for version in range(1, 26):
                    client = rng.choice(clients)
                    answer = await client.put(f"/{rng.choice(['alone', 'together'])}/{who}/{version}", headers=headers)
                    assert answer.status_code == 200
                    client.cookies.clear()  # the two clients are one browser
                    if "p" in answer.cookies:
                        headers["cookie"] = f"p={answer.cookies['p']}"
                    for _ in range(2):
                        await asyncio.sleep(rng.random() * 0.2)
                        seen, was_replica = (await rng.choice(clients).get(f"/{who}", headers=headers)).json()
                        stale += seen < version
                        on_replicas += was_replica

            disturbing = asyncio.create_task(disturb())
            async with asyncio.timeout(90):
                await asyncio.gather(*(user(n) for n in range(8)))
            disturbing.cancel()
            with suppress(asyncio.CancelledError):
                await disturbing
    assert on_replicas > 20
    if carries:
        assert stale == 0
    else:
        assert stale > 5  # what the middleware prevents


async def test_the_cookie() -> None:
    with EmbeddedCluster(replicas=1) as cluster:
        async with ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns) as db:
            async with use_database(db):
                await create_all(Profile)
            await asyncio.to_thread(cluster.catch_up)
            async with client_of(application(db)) as client:
                assert "set-cookie" not in (await client.get("/1")).headers
                answer = await client.put("/alone/1/1")
                assert answer.headers["set-cookie"].startswith("p=default=")
                assert answer.headers["set-cookie"].endswith("; Max-Age=60; Path=/; HttpOnly; SameSite=Lax")
                assert answer.headers["x-position"] in answer.headers["set-cookie"]
                for bad in ("", "x", "default=FFFF", "%", "default=" + "F" * 16, "a=1&b"):
                    client.cookies.clear()
                    assert (await client.get("/1", headers={"x-position": bad})).status_code == 200
                assert (await client.get("/1", headers={"x-position": "default=" + "F" * 16})).json()[1] is False
            await asyncio.to_thread(cluster.catch_up)
            await asyncio.to_thread(cluster.primary.stop_postmaster, "immediate")
            async with client_of(application(db)) as client:
                assert (await client.get("/1")).json() == [1, True]


async def test_the_primary_is_lost_behind_a_write() -> None:
    """The next reads fail, instead of reading on a replica without the write; for each database by itself."""
    with EmbeddedCluster(replicas=1) as lost, EmbeddedCluster(replicas=1) as kept:
        async with (
            ReplicatedDatabase(lost.dsn, replicas=lost.replica_dsns, alias="reports", max_lag=60) as reports,
            ReplicatedDatabase(kept.dsn, replicas=kept.replica_dsns) as db,
        ):
            for database in (reports, db):
                await database.execute("CREATE TABLE seen (n int)")
            await asyncio.to_thread(lost.catch_up)
            await asyncio.to_thread(kept.catch_up)
            # The definition of a table sends reads to the primary until its functions are known again.
            async with asyncio.timeout(10), consistency("eventual"):
                while not await reports.fetch_val(WHERE):
                    await asyncio.sleep(0.1)

            async def app(scope: Any, receive: Any, send: Any) -> None:
                if scope["method"] == "PUT":
                    await db.execute("INSERT INTO seen VALUES (1)")
                    await asyncio.to_thread(lost.pause, lost.replicas[0])
                    await reports.execute("INSERT INTO seen VALUES (1)")
                    await asyncio.to_thread(lost.primary.stop_postmaster, "immediate")
                database = reports if scope["path"] == "/reports" else db
                try:
                    body = await database.fetch_val("SELECT count(*) || '/' || pg_is_in_recovery() FROM seen")
                    status = 200
                except ConnectError:
                    body, status = "", 503
                await send({"type": "http.response.start", "status": status, "headers": []})
                await send({"type": "http.response.body", "body": body.encode()})

            async with client_of(ReadYourWrites(app)) as client:
                answer = await client.put("/")
                assert answer.text in ("1/false", "1/true")
                named = dict(part.split("=") for part in answer.headers["data-bridge-position"].split("&"))
                assert named["reports"] == "F" * 16
                assert named["default"] != "F" * 16
                assert (await client.get("/reports")).status_code == 503
                await asyncio.to_thread(kept.catch_up)
                await asyncio.sleep(0.5)
                assert (await client.get("/")).text == "1/true"
                # Without the cookie the replica answers, although it does not have the row.
                client.cookies.clear()
                assert (await client.get("/reports")).text == "0/true"
