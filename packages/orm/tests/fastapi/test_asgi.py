"""Plain ASGI: transactions by middleware, and clients that go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi.responses import JSONResponse, StreamingResponse
from orm_web import Member, at_rest, client_of, prepared
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.routing import Route

from data_bridge.postgres import (
    Database,
    current_transaction,
    execute,
)
from data_bridge.postgres.fastapi import (
    CancelOnDisconnect,
    TransactionMiddleware,
)


def starlette(**options: Any) -> Any:
    async def write(request: Request) -> JSONResponse:
        await Member(email=request.query_params["email"]).save()
        if request.query_params.get("late"):
            await execute("SELECT fail_at_commit()")
        return JSONResponse({"in": current_transaction() is not None}, int(request.query_params.get("status", 200)))

    routes = [Route("/", write, methods=["GET", "POST"])]
    return TransactionMiddleware(Starlette(routes=routes), **options)


async def test_the_middleware(isolated_db: Database) -> None:
    tables = await prepared(isolated_db)
    async with client_of(starlette()) as client:
        assert (await client.post("/?email=a")).json() == {"in": True}
        assert (await client.get("/?email=b")).json() == {"in": False}
        assert (await client.post("/?email=c&status=400")).status_code == 400
        failed = await client.post("/?email=d&late=1")
        assert (failed.status_code, failed.json()["title"]) == (503, "The transaction conflicted with another one")
        assert (await client.post("/?email=a")).status_code == 500  # the handler raised, and nobody made it a problem
        assert current_transaction() is None
    assert sorted(m.email for m in await Member.find()) == ["a", "b"]
    await at_rest(tables)


async def test_background_tasks_are_outside_of_the_transaction(isolated_db: Database) -> None:
    tables = await prepared(isolated_db)

    async def written_later() -> None:
        assert current_transaction() is None
        await Member(email="background").save()

    async def streamed(request: Request) -> StreamingResponse:
        assert current_transaction() is not None
        await Member(email="request").save()

        async def body() -> AsyncIterator[bytes]:
            yield str(await Member.count()).encode()

        return StreamingResponse(body(), background=BackgroundTask(written_later))

    app = TransactionMiddleware(Starlette(routes=[Route("/", streamed, methods=["POST"])]))
    async with client_of(app) as client:
        assert (await client.post("/")).text == "1"
    assert current_transaction() is None
    assert await Member.count() == 2
    await at_rest(tables)


async def test_a_client_that_goes_away_ends_its_statement(isolated_db: Database) -> None:
    tables = await prepared(isolated_db)
    ended: list[str] = []

    async def slow(request: Request) -> JSONResponse:
        try:
            await execute("SELECT pg_sleep(30) /* for nobody */")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return JSONResponse({})

    app = CancelOnDisconnect(Starlette(routes=[Route("/", slow, methods=["POST"])]))
    gone = asyncio.Event()
    body = [{"type": "http.request", "body": b"b"}]

    async def receive() -> Any:
        if body:
            return body.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    request = asyncio.create_task(app(scope, receive, send))
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' AND state = 'active' "
        "AND datname = current_database()"
    )
    while await tables.fetch_val(running) != 1:
        await asyncio.sleep(0.01)
    gone.set()
    async with asyncio.timeout(5):
        await request
        while await tables.fetch_val(running) != 0:
            await asyncio.sleep(0.01)
    assert ended == ["cancelled"] and sent == []


async def test_what_follows_the_response_goes_on_without_the_client() -> None:
    """Servers report a disconnect as soon as the response is complete."""
    complete = asyncio.Event()
    done: list[str] = []

    async def application_(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})
        await asyncio.sleep(0.05)
        assert await receive() == {"type": "http.disconnect"}
        done.append("background")

    async def receive() -> Any:
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            complete.set()

    await CancelOnDisconnect(application_)({"type": "http"}, receive, send)
    assert done == ["background"]


async def test_cancelling_a_request_is_not_swallowed() -> None:
    started = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    async def silent() -> Any:
        await asyncio.Event().wait()

    request = asyncio.create_task(CancelOnDisconnect(waits)({"type": "http"}, silent, silent))  # type: ignore[arg-type]
    await started.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
