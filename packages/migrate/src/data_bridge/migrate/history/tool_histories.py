"""The histories that other migration tools keep in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_bridge.migrate._sql_names import quote_identifier

__all__ = ["ToolHistory", "find_tool_histories"]

_TABLES = """
SELECT n.nspname::text AS schema, c.relname::text AS name,
    array_agg(a.attname::text || ' ' || pg_catalog.format_type(a.atttypid, NULL)) AS columns
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relname = ANY($1::text[]) AND n.nspname = ANY($2::text[])
GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class ToolHistory:
    """The table in which another tool records its migrations.

    Attributes:
        tool: its name.
        schema: of the table.
        table: its name.
        versions: what the tool has applied, in its order.
        failed: what it has begun and not finished.
    """

    tool: str
    schema: str
    table: str
    versions: tuple[str, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Format:
    tool: str
    table: str
    columns: frozenset[str]
    """Columns with their types that a table of this name needs in order to be the history of this tool."""
    rows: str
    """Returns each version, and whether it is finished."""


def _format(tool: str, table: str, columns: str, rows: str) -> _Format:
    return _Format(tool, table, frozenset(columns.split(", ")), rows)


_FORMATS = (
    _format("Alembic", "alembic_version", "version_num character varying",
            "SELECT version_num::text AS version, true AS done FROM {} ORDER BY 1"),
    _format("Django", "django_migrations", "app character varying, name character varying, applied timestamp with time zone",
            "SELECT app || '.' || name AS version, true AS done FROM {} ORDER BY id"),
    _format("Aerich", "aerich", "app character varying, version character varying",
            "SELECT app || '.' || version AS version, true AS done FROM {} ORDER BY id"),
    _format("Flyway", "flyway_schema_history", "installed_rank integer, version character varying, success boolean",
            "SELECT version::text AS version, success AS done FROM {} WHERE version IS NOT NULL ORDER BY installed_rank"),
    _format("Prisma", "_prisma_migrations",
            "migration_name character varying, finished_at timestamp with time zone, rolled_back_at timestamp with time zone",
            "SELECT migration_name::text AS version, finished_at IS NOT NULL AS done FROM {} WHERE rolled_back_at IS NULL "
            "ORDER BY started_at"),
    _format("golang-migrate", "schema_migrations", "version bigint, dirty boolean",
            "SELECT version::text AS version, NOT dirty AS done FROM {}"),
    # Rails has the same table, so that the name of the tool is that of both.
    _format("dbmate or Rails", "schema_migrations", "version character varying",
            "SELECT version::text AS version, true AS done FROM {} ORDER BY 1"),
)  # fmt: skip


async def find_tool_histories(database: Any, schemas: Sequence[str]) -> list[ToolHistory]:
    """The histories of Alembic, Django, Aerich, Flyway, Prisma, golang-migrate and dbmate in these schemas.

    A table counts when its name and its columns are those of the tool: an application may have a table `aerich` of its own.
    """
    tables = await database.fetch(_TABLES, sorted({f.table for f in _FORMATS}), list(schemas))
    found: list[ToolHistory] = []
    for table in tables:
        known = (f for f in _FORMATS if f.table == table["name"] and f.columns <= set(table["columns"]))
        if (form := next(known, None)) is None:
            continue
        path = f"{quote_identifier(table['schema'])}.{quote_identifier(table['name'])}"
        rows = await database.fetch(form.rows.format(path))
        versions = tuple(row["version"] for row in rows if row["done"])
        failed = tuple(row["version"] for row in rows if not row["done"])
        found.append(ToolHistory(form.tool, table["schema"], table["name"], versions, failed))
    return found
