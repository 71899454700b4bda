"""UPDATE in batches by key."""

from __future__ import annotations


def quoted(name: str) -> str:
    """An identifier, perhaps with a schema before it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def batch_sql(table: str, assignments: str, where: str, key: str, key_type: str = "bigint") -> str:
    """One batch: $1 is the last key of the batch before (NULL at the start), $2 the size; gives the last key and the count."""
    k, t = quoted(key), quoted(table)
    return (
        f"WITH batch AS (SELECT {k} FROM {t} WHERE ($1::text IS NULL OR {k} > $1::text::{key_type}) AND ({where}) "
        f"ORDER BY {k} LIMIT $2::bigint), "
        f"done AS (UPDATE {t} SET {assignments} WHERE {k} IN (SELECT {k} FROM batch) RETURNING 1) "
        f"SELECT (SELECT {k}::text FROM batch ORDER BY {k} DESC LIMIT 1) AS last, (SELECT count(*) FROM done) AS rows"
    )
