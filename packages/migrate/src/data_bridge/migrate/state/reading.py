"""A database as a schema, by the catalog reader of data-bridge-query."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.migrate._config import TABLE
from data_bridge.migrate._sql_names import quote_identifier
from data_bridge.query import catalog
from data_bridge.query.catalog import Schema

__all__ = ["DEFAULT_SCHEMA", "read_schema"]

DEFAULT_SCHEMA = "public"
_TUPLES = LoadPlan.rows(tuple)


async def read_schema(
    database: Any, schemas: Collection[str], *, history: str = TABLE, default: str = DEFAULT_SCHEMA
) -> Schema:
    """What is in these schemas and in the default one, but for the history of migrations.

    The search path is the default schema alone, so that the server prints the same text whatever the session has set.
    """
    async with pg_transaction(using=database, isolation="REPEATABLE READ", read_only=True) as tx:
        # The planner's guesses for large catalogs are high enough for compiling, which takes longer than the query.
        await tx.execute("SET LOCAL jit = off")
        await tx.execute(f"SET LOCAL search_path = {quote_identifier(default)}")
        wanted = sorted({default, *schemas})
        rows = {
            name: await tx.run(statement.ir, statement.params, _TUPLES)
            for name, statement in catalog.queries(wanted).items()
        }
    found = catalog.read(rows)
    # Every database has plpgsql; what else an extension brings is not read.
    return replace(
        found,
        tables={key: table for key, table in found.tables.items() if table.name != history},
        extensions={
            name: made.replace(version=None, schema=None)
            for name, made in found.extensions.items()
            if name != "plpgsql"
        },
    )
