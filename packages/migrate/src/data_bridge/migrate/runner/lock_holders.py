"""Who holds the locks that a migration waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_bridge.migrate._sql_names import quote_path

_HOLDERS = """
    SELECT DISTINCT a.pid, a.application_name AS name, a.state, l.relation::regclass::text AS relation, l.mode,
        coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8 AS age, left(a.query, 200) AS query
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
    WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid() AND l.locktype = 'relation'
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      AND l.relation = ANY(SELECT pg_catalog.to_regclass(n)::oid FROM unnest($1::text[]) n)
    ORDER BY age DESC LIMIT 10
"""


async def lock_holders(connection: Any, relations: Sequence[str]) -> list[str]:
    """A line for each session that holds a lock on one of the relations, the oldest transaction first."""
    rows = await connection.fetch(_HOLDERS, [quote_path(r) for r in relations])
    return [
        f"{r['relation']} is held ({r['mode']}) by process {r['pid']} ({r['name'] or 'no name'}, {r['state']}), "
        f"its transaction {r['age']:.1f} s old: {' '.join(r['query'].split())}"
        for r in rows
    ]
