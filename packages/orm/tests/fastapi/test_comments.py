"""RouteComments: the statements of a request name its route, and those of others do not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from orm_web import Member, client_of, prepared
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from data_bridge.core.connection import observer as registered
from data_bridge.postgres import (
    Database,
    add_annotator,
    add_observer,
    execute,
    fetch_val,
    remove_annotator,
    remove_observer,
)
from data_bridge.postgres.asgi import RouteComments, comments
from data_bridge.postgres.otel import traceparent


@pytest.fixture
def sent() -> Iterator[list[str]]:
    texts: list[str] = []

    class Heard:
        def started(self, event: Any) -> None:
            texts.append(event.sql)

        def finished(self, token: Any, event: Any) -> None: ...

    heard = Heard()
    add_observer(heard)
    yield texts
    remove_observer(heard)
    if comments._is_added:
        comments._is_added = False
        remove_annotator(comments._of_request)
    assert registered.annotators == []


async def test_fastapi(isolated_db: Database, sent: list[str]) -> None:
    await prepared(isolated_db)
    app = FastAPI()
    app.add_middleware(RouteComments)
    RouteComments(app)  # a second one adds no second annotator

    @app.get("/members/{email}")
    async def read_member(email: str) -> int:
        return await Member.find(Member.email == email).count()

    @app.get("/slow")
    async def slow() -> None:
        await execute("SELECT pg_sleep(0.05)")

    sent.clear()
    async with client_of(app) as client:
        await asyncio.gather(client.get("/slow"), client.get("/members/a"), client.get("/members/b"))
        await fetch_val("SELECT 1")
    told = [text.partition("/*")[2] for text in sent]
    assert sorted(filter(None, told)) == [
        "action='read_member',route='%2Fmembers%2F%7Bemail%7D'*/",
        "action='read_member',route='%2Fmembers%2F%7Bemail%7D'*/",
        "action='slow',route='%2Fslow'*/",
    ]
    assert sent[-1] == "SELECT 1"


async def test_starlette(isolated_db: Database, sent: list[str]) -> None:
    async def index(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(await fetch_val("SELECT 1")))

    async with client_of(RouteComments(Starlette(routes=[Route("/", index)]))) as client:
        assert (await client.get("/")).text == "1"
    assert "action='index'" in sent[-1]


async def test_traceparent(isolated_db: Database, sent: list[str]) -> None:
    add_annotator(traceparent, once=True)
    try:
        with TracerProvider().get_tracer("t").start_as_current_span("request") as span:
            assert await fetch_val("SELECT 1 + $1::int", 1) == 2
            trace_id = span.get_span_context().trace_id
        assert sent[-1].endswith(("-01'*/", "-03'*/")) and f"traceparent='00-{trace_id:032x}-" in sent[-1]
        with TracerProvider(sampler=ALWAYS_OFF).get_tracer("t").start_as_current_span("request"):
            await fetch_val("SELECT 1 + $1::int", 1)
        assert sent[-1] == "SELECT 1 + $1::int"
        await fetch_val("SELECT 1 + $1::int", 1)
        assert sent[-1] == "SELECT 1 + $1::int"
    finally:
        remove_annotator(traceparent)
