"""Databases that are open for as long as the application runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

from data_bridge.core import ConfigurationError, close, init

__all__ = ["Lifespan", "lifespan"]

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]
"""What Starlette and FastAPI take as `lifespan=`."""


def lifespan(
    dsn: str | None = None,
    *others: Lifespan,
    databases: Mapping[str, str | Mapping[str, Any]] | None = None,
    **options: Any,
) -> Lifespan:
    """Opens databases when the application starts and closes them when it ends.

    Args:
        dsn: the default database; None reads $DATABASE_URL, unless only `databases` are wanted.
        others: further lifespans, entered with the databases open and left before they are closed; what they yield is
            merged into the state of requests.
        databases: more databases by alias: a connection string, or the options of `init()` with `dsn` among them.
        options: those of `init()` for the default database.

    Raises:
        ConnectError: at start-up, when a database cannot be reached; those opened before are closed.

    >>> from data_bridge.postgres.fastapi import lifespan
    >>> from fastapi import FastAPI
    >>> app = FastAPI(lifespan=lifespan("postgresql://localhost/shop", databases={"stats": "postgresql://stats/stats"}))
    """
    extra = dict(databases or {})
    if "default" in extra and (dsn is not None or options):
        raise ConfigurationError("lifespan() is given the default database twice: by dsn and in databases")
    if "alias" in options:
        raise ConfigurationError("lifespan(alias=…): name further databases in databases={alias: dsn}")

    @asynccontextmanager
    async def opened(app: Any) -> AsyncGenerator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            if dsn is not None or options or not extra:
                await init(dsn, **options)
                stack.push_async_callback(close, "default")
            for alias, given in extra.items():
                more: dict[str, Any] = {"dsn": given} if isinstance(given, str) else dict(given)
                await init(alias=alias, **more)
                stack.push_async_callback(close, alias)
            state: dict[str, Any] = {}
            for other in others:
                state.update(await stack.enter_async_context(other(app)) or {})
            yield state

    return opened
