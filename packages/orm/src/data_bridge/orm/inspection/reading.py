"""The catalog of a database, with what a module of classes needs of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from data_bridge.core import pg_transaction, quote_identifier
from data_bridge.orm.inspection.names import table_names
from data_bridge.orm.schema.diff import catalog_rows
from data_bridge.query import catalog
from data_bridge.query.catalog import Schema

__all__ = ["read_schema"]

_DEFAULT = "public"


async def read_schema(database: Any, schemas: Collection[str], tables: Collection[str]) -> Schema:
    """What is in these schemas, or in `public`; with `tables`, only the tables and views of these names."""
    wanted = list(schemas) or [_DEFAULT]
    async with pg_transaction(using=database, isolation="REPEATABLE READ", read_only=True) as tx:
        # The planner's guesses for large catalogs are high enough for compiling, which takes longer than the query.
        await tx.execute("SET LOCAL jit = off")
        # The server prints names without the schema only in the default one, whatever the session has set.
        await tx.execute(f"SET LOCAL search_path = {quote_identifier(_DEFAULT)}")
        found = catalog.read(await catalog_rows(tx, wanted))
    if not tables:
        return found
    names = set(tables)
    return replace(
        found,
        tables={key: t for key, t in found.tables.items() if not names.isdisjoint(table_names(found, t))},
        views={key: v for key, v in found.views.items() if not names.isdisjoint(table_names(found, v))},
    )
