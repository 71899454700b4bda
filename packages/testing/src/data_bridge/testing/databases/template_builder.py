"""Fills a template database from what `db_template` returned."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from data_bridge.core import Database, use_database
from data_bridge.testing._blocking import run_elsewhere
from data_bridge.testing.databases.sqlalchemy import sqlalchemy_url
from data_bridge.testing.databases.template import Content

__all__ = ["TemplateDatabase", "build_schema", "imported_models"]


def build_schema(dsn: str, content: Content) -> None:
    """Run migrations, create tables, or call the function, on a database that is new."""
    run_elsewhere(lambda: _build(dsn, content))


class TemplateDatabase(Database):
    """What a function that builds a template may take as its argument: the default database, and its URL.

    Attributes:
        dsn: for tools that connect by themselves: Alembic, psql, pg_restore.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, application_name="data-bridge-testing template")
        self.dsn = dsn

    def sqlalchemy_url(self, driver: str = "psycopg") -> str:
        """The URL as SQLAlchemy's create_engine() and Alembic want it."""
        return sqlalchemy_url(self.dsn, driver)


async def _build(dsn: str, content: Content) -> None:
    async with TemplateDatabase(dsn) as database, use_database(database):
        if isinstance(content, str | Path):
            from data_bridge.migrate import run_migrations

            await run_migrations(directory=content, using=database)
        elif callable(content) and not inspect.isclass(content):
            await _call(content, database)
        elif content:
            parts: list[Any] = list(content) if isinstance(content, list | tuple) else [content]  # pyright: ignore[reportUnknownArgumentType]
            await _create(parts, database)


async def _call(function: Callable[..., Any], database: Database) -> None:
    """Call a function with the database if it takes an argument; SQL that it returns is run."""
    arguments = [database] if inspect.signature(function).parameters else []
    if inspect.iscoroutinefunction(function):
        result = await function(*arguments)
    else:
        # In a thread, so that a function may well say asyncio.run().
        result = await asyncio.to_thread(function, *arguments)
    if inspect.isawaitable(result):
        result = await _awaited(result)
    if isinstance(result, str):
        await database.execute_script(result)


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


async def _create(parts: list[Any], database: Database) -> None:
    models = [part for part in parts if hasattr(part, "__table_def__")]
    migrations = [part for part in parts if not hasattr(part, "__table_def__")]
    if migrations:
        from data_bridge.migrate import run_migrations

        await run_migrations(migrations, using=database)
    if models:
        from data_bridge.orm import create_all

        await create_all(*models, using=database)


def imported_models() -> list[Any]:
    """The models that exist in this process, by table; nothing is imported for it."""
    if "data_bridge.orm" not in sys.modules:
        return []
    from data_bridge.orm.registry import all_tables

    found: dict[tuple[str | None, str], Any] = {}
    for model in all_tables():
        definition = model.__table_def__
        found.setdefault((definition.schema, definition.name), model)
    return list(found.values())
