"""A schema as sorted lines of text, to be compared with another."""

from __future__ import annotations

import difflib

from data_bridge.testing.databases.source import Session

__all__ = ["difference", "schema_lines"]

OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'"
NOT_HISTORY = "c.relname NOT LIKE '\\_data\\_bridge%'"
QUERIES = (
    f"""
    SELECT format('table %I.%I column %I %s%s%s%s%s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN ' not null' ELSE '' END,
        CASE a.attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END,
        CASE a.attgenerated WHEN 's' THEN ' generated' WHEN 'v' THEN ' virtual' ELSE '' END,
        coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {OURS} AND {NOT_HISTORY}
    """,
    f"""
    SELECT format('table %I.%I constraint %s%s', n.nspname, c.relname,
        CASE WHEN current_setting('data_bridge.names') = 'on' THEN quote_ident(k.conname) || ' ' ELSE '' END,
        pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype <> 'n' AND {OURS} AND {NOT_HISTORY}
    """,
    f"""
    SELECT CASE WHEN current_setting('data_bridge.names') = 'on' THEN pg_get_indexdef(i.indexrelid)
        ELSE regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX \\S+ ON ', ' INDEX ON ') END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {OURS} AND {NOT_HISTORY}
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    """,
    f"""
    SELECT format('type %I.%I enum %s', n.nspname, t.typname, string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder))
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE {OURS} GROUP BY n.nspname, t.typname
    """,
    f"""
    SELECT format('%s %I.%I %s', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'sequence' END,
        n.nspname, c.relname, CASE WHEN c.relkind = 'S' THEN '' ELSE pg_get_viewdef(c.oid) END)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm', 'S') AND {OURS} AND {NOT_HISTORY}
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('i', 'a'))
    """,
    f"""
    SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prokind IN ('f', 'p') AND {OURS}
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """,
    f"""
    SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT g.tgisinternal AND {OURS}
    """,
    "SELECT format('extension %I', extname) FROM pg_extension WHERE extname <> 'plpgsql'",
    f"SELECT format('schema %I', n.nspname) FROM pg_namespace n WHERE n.nspname <> 'public' AND {OURS}",
)  # fmt: skip


def schema_lines(session: Session, *, names: bool = True) -> list[str]:
    """Everything that migrations make, one line each; the order of columns does not count.

    With `names` off constraints and indexes are compared by what they do.
    """
    session.run(f"SELECT set_config('data_bridge.names', '{'on' if names else 'off'}', false)")
    return sorted(str(row[0]) for query in QUERIES for row in session.run(query))


def difference(before: list[str], after: list[str], before_name: str, after_name: str) -> str:
    """What two schemas differ in, for people; empty when they are equal."""
    return "\n".join(difflib.unified_diff(before, after, before_name, after_name, lineterm="", n=0))
