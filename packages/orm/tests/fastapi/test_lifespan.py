"""Databases that are open for as long as the application runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from orm_web import Team

from data_bridge.postgres import (
    create_all,
    get_database,
    is_connected,
)
from data_bridge.postgres.fastapi import (
    lifespan,
)


@pytest.mark.db_real
async def test_a_lifespan_opens_and_closes(postgres_dsn: str) -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def inner(app: Any) -> AsyncIterator[dict[str, int]]:
        assert is_connected() and is_connected("stats")
        steps.append("in")
        yield {"answer": 42}
        assert is_connected() and is_connected("stats")
        steps.append("out")

    both = lifespan(
        postgres_dsn, inner, databases={"stats": {"dsn": postgres_dsn, "max_connections": 2}}, max_connections=3
    )
    app = FastAPI(lifespan=both)
    for _ in range(2):
        async with app.router.lifespan_context(app) as state:
            assert state == {"answer": 42}
            assert (get_database().pool_stats().max, get_database("stats").pool_stats().max) == (3, 2)
        assert not is_connected() and not is_connected("stats")
    assert steps == ["in", "out"] * 2


@pytest.mark.db_real
async def test_a_database_that_cannot_be_reached_ends_the_start(postgres_dsn: str) -> None:
    from data_bridge.postgres import ConnectError

    unreachable = {"dsn": "postgresql://127.0.0.1:1/x", "connect_timeout": 1.0}
    app = FastAPI(lifespan=lifespan(postgres_dsn, databases={"far": unreachable}))
    with pytest.raises(ConnectError):
        async with app.router.lifespan_context(app):
            pass
    assert not is_connected()


async def test_a_lifespan_in_a_test_gets_the_tests_database(db: Any) -> None:
    app = FastAPI(lifespan=lifespan("postgresql://nobody@127.0.0.1:1/nothing"))
    async with app.router.lifespan_context(app):
        assert get_database() is db
        await create_all(Team)
        assert await Team.count() == 0
