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
