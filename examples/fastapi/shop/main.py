"""The application: `uvicorn shop.main:app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from data_bridge.postgres import get_database, run_migrations
from data_bridge.postgres.fastapi import CancelOnDisconnect, add_exception_handlers, lifespan
from shop import orders, products
from shop.settings import MIGRATIONS, Settings


@asynccontextmanager
async def migrated(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
    """Brings the schema up to date. Workers that start together wait for one another."""
    await run_migrations(directory=MIGRATIONS)
    yield {}


def make_app(settings: Settings | None = None) -> FastAPI:
    """The application with these settings; by default those of the environment."""
    chosen = settings or Settings()
    opened = lifespan(chosen.database, migrated, max_connections=chosen.max_connections, application_name="shop")
    app = FastAPI(title="Shop", lifespan=opened)
    app.state.settings = chosen
    app.add_middleware(CancelOnDisconnect)
    add_exception_handlers(app)
    app.include_router(products.router)
    app.include_router(orders.router)

    @app.get("/health")
    async def health() -> dict[str, float]:
        return {"seconds": await get_database().ping()}

    return app


app = make_app()
