"""Fixtures of the engine's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from data_bridge.core import Database

Test = Callable[[Database], Coroutine[Any, Any, None]]


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
