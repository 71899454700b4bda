"""UPDATE in batches by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_bridge.core.errors import MigrationError
from data_bridge.migrate._sql_names import quote_identifier, quote_path

_KEY = """
    SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, greatest(c.reltuples, 0)::bigint AS rows
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.attrelid = pg_catalog.to_regclass($1::text) AND a.attname = $2
"""


def batch_sql(table: str, assignments: str, where: str, key: str, key_type: str = "bigint") -> str:
    """One batch: $1 is the last key of the batch before (NULL at the start), $2 the size; returns the last key and the count."""
    k, t = quote_identifier(key), quote_path(table)
    return (
        f"WITH batch AS (SELECT {k} FROM {t} WHERE ($1::text IS NULL OR {k} > $1::text::{key_type}) AND ({where}) "
        f"ORDER BY {k} LIMIT $2::bigint), "
        f"done AS (UPDATE {t} SET {assignments} WHERE {k} IN (SELECT {k} FROM batch) RETURNING 1) "
        f"SELECT (SELECT {k}::text FROM batch ORDER BY {k} DESC LIMIT 1) AS last, (SELECT count(*) FROM done) AS rows"
    )


@dataclass(frozen=True, slots=True)
class Batches:
    """What is known of a backfill before it starts.

    Attributes:
        key_type: of the key column.
        expected: rows of the table by the planner's statistics: an upper bound for the progress bar.
    """

    key_type: str
    expected: int

    @classmethod
    async def of(cls, connection: Any, table: str, key: str, where: str) -> Batches:
        """Asks the catalog.

        Raises:
            MigrationError: when there is no such table or key.
        """
        rows = await connection.fetch(_KEY, quote_path(table), key)
        if not rows:
            raise MigrationError(f"backfill(): there is no table {table} with a column {key!r}")
        return cls(rows[0]["type"], rows[0]["rows"])
