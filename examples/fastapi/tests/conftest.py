"""The application on the test's database, and a client that calls it."""

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture
def client() -> Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]:
    """`async with client() as http:` starts the application, which gets the database of the test."""
    from shop.main import make_app
    from shop.settings import Settings

    @asynccontextmanager
    async def started() -> Any:
        app = make_app(Settings(database="postgresql://not-used", token="test"))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://shop",
                headers={"Authorization": "Bearer test"},
            ) as http,
        ):
            yield http

    return started
