"""Opens the database of a run and the session that the runner has for itself."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from data_bridge.core import Database, resolve
from data_bridge.core.errors import ConfigurationError, NotInitialized
from data_bridge.migrate._config import Config
from data_bridge.migrate.connection.session import RunnerConnection


@asynccontextmanager
async def open_database(using: Any, config: Config) -> AsyncGenerator[Any]:
    """The database that was named, else the open one, else that of the configuration or of $DATABASE_URL.

    Raises:
        NotInitialized: no database is open and none is configured.
        ConfigurationError: a transaction was named.
    """
    try:
        database = resolve(using)
    except NotInitialized:
        dsn = config.database or os.environ.get("DATABASE_URL")
        if using is not None or dsn is None:
            raise
        async with Database(dsn, max_connections=1) as own:
            yield own
        return
    if getattr(database, "is_transaction", False):
        raise ConfigurationError("migrations have transactions of their own: run them outside of pg_transaction()")
    yield database


@asynccontextmanager
async def own_session(database: Any, config: Config) -> AsyncGenerator[RunnerConnection]:
    """A session outside of the pool, closed at the end of the block."""
    connection = RunnerConnection(database, config.step_lock_timeout)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()
