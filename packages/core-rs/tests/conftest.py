"""Fixtures of the engine's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from data_bridge.core import Database

Test = Callable[[Database], Coroutine[Any, Any, None]]
Rows = Callable[..., tuple[Any, ...]]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, postgres_dsn: str) -> Callable[..., Any]:
    """Runs a coroutine function with an open database, on both event loops."""

    def go(test: Test, **options: Any) -> Any:
        async def main() -> Any:
            async with Database(postgres_dsn, **options) as database:
                return await test(database)

        if request.param == "uvloop":
            import uvloop

            return uvloop.run(main())
        return asyncio.run(main())

    return go


@pytest.fixture
def rows(postgres_dsn: str) -> Iterator[Rows]:
    """Runs a statement and gives its only row, from tests that are no coroutines."""
    with asyncio.Runner() as runner:
        opened = Database(postgres_dsn)
        runner.run(opened.connect())
        yield lambda sql, *params: runner.run(opened.fetch_one(sql, *params, as_=tuple))
        runner.run(opened.close())


@pytest.fixture
def extension(postgres_dsn: str) -> Callable[[str], None]:
    """Creates an extension in the session's database, or skips the test where the server does not bring it."""

    async def create(name: str) -> bool:
        async with Database(postgres_dsn, max_connections=1) as database:
            sql = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)"
            if not await database.fetch_val(sql, name):
                return False
            await database.execute_script(f"CREATE EXTENSION IF NOT EXISTS {name}")
            return True

    def needed(name: str) -> None:
        if not asyncio.run(create(name)):
            pytest.skip(f"this server brings no {name}")

    return needed
