"""tenant() in a web application: by a dependency or a middleware; requests at the same time see their own rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header
from fastapi.responses import StreamingResponse
from orm_web import client_of

from data_bridge.postgres import Database, fetch_val, stream, tenant
from data_bridge.postgres.fastapi import Tx

NOW = "SELECT NULLIF(current_setting('app.tenant', true), '')"


async def of_request(x_tenant: Annotated[str, Header()]) -> AsyncGenerator[None]:
    async with tenant(x_tenant):
        yield


class TenantOfHeader:
    """An ASGI middleware: the whole request, its response included, speaks for one tenant."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = dict(scope.get("headers", ())).get(b"x-tenant")
        if name is None:
            await self.app(scope, receive, send)
            return
        with tenant(name.decode()):
            await self.app(scope, receive, send)


def routes(app: FastAPI, **options: Any) -> None:
    @app.get("/alone", **options)
    async def alone() -> Any:
        return [await fetch_val(NOW), await fetch_val(NOW)]

    @app.get("/together", **options)
    async def together(tx: Tx) -> Any:
        return [await fetch_val(NOW), await tx.fetch_val(NOW)]

    @app.get("/thread", **options)
    async def in_tasks() -> Any:
        return await asyncio.gather(fetch_val(NOW), fetch_val(NOW))


async def ask_everything(app: FastAPI) -> None:
    async with client_of(app) as client:

        async def ask(path: str, who: str) -> None:
            answer = await client.get(path, headers={"X-Tenant": who})
            assert answer.json() == [who, who]

        paths = ("/alone", "/together", "/thread")
        await asyncio.gather(*(ask(path, f"t{n}") for n in range(12) for path in paths))


async def test_a_dependency(isolated_db: Database) -> None:
    app = FastAPI()
    routes(app, dependencies=[Depends(of_request)])
    await ask_everything(app)
    assert await fetch_val(NOW) is None


async def test_a_middleware(isolated_db: Database) -> None:
    app = FastAPI()
    app.add_middleware(TenantOfHeader)
    routes(app)

    @app.get("/rows")
    async def rows() -> Any:
        async def body() -> AsyncIterator[str]:
            async for row in stream("SELECT current_setting('app.tenant') FROM generate_series(1, 2)", as_=tuple):
                yield f"{row[0]}\n"

        return StreamingResponse(body())

    await ask_everything(app)
    async with client_of(app) as client:
        answer = await client.get("/rows", headers={"X-Tenant": "acme"})
        assert answer.text.split() == ["acme", "acme"]
        assert (await client.get("/alone")).json() == [None, None]
