"""How big the tables are that a plan touches, and who would be in its way just now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from data_bridge.migrate._sql_names import quote_path
from data_bridge.migrate.runner.plan import Plan

_SIZES = """
    SELECT n AS name, greatest(c.reltuples, 0)::bigint AS rows, pg_catalog.pg_total_relation_size(c.oid) AS bytes
    FROM unnest($1::text[], $2::text[]) AS given (n, path) JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(given.path)
"""
_OLD = """
    SELECT count(*) AS n, coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS oldest
    FROM pg_catalog.pg_stat_activity
    WHERE xact_start < clock_timestamp() - $1::text::interval AND pid <> pg_catalog.pg_backend_pid() AND datname = current_database()
      AND backend_type = 'client backend'
"""


async def measure(plan: Plan, database: Any, lock_timeout: str) -> Plan:
    """The plan with sizes from the planner's statistics; reads only the catalog."""
    names = sorted({t.relation for s in plan.steps for t in s.touched})
    if not names:
        return plan
    rows = await database.fetch(_SIZES, names, [quote_path(n) for n in names])
    sizes = {r["name"]: (r["rows"], r["bytes"]) for r in rows}
    plan.steps = [
        replace(
            s,
            touched=tuple(
                replace(t, rows=sizes[t.relation][0], bytes=sizes[t.relation][1]) if t.relation in sizes else t
                for t in s.touched
            ),
        )
        for s in plan.steps
    ]
    old = (await database.fetch(_OLD, lock_timeout))[0]
    if old["n"] and any(t.blocks for s in plan.steps for t in s.touched):
        plan.warnings.append(
            f"{old['n']} transactions are older than {lock_timeout} now, the oldest {old['oldest']:.0f} s: steps with strong locks "
            "will have to try more than once"
        )
    return plan


def size(count: int) -> str:
    """Bytes for people.

    >>> size(0), size(2048), size(41 * 2**30)
    ('0 B', '2 kB', '41 GB')
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1024 or unit == "TB":
            return f"{value:.0f} {unit}"
        value /= 1024
    raise AssertionError  # pragma: no cover - the last unit takes everything
