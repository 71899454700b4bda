"""Whether a test that commits has changed more of its database than the rows of its tables."""

from __future__ import annotations

from data_bridge.testing.databases.source import Session

__all__ = ["fingerprint"]

FIRST_OID = 16384
"""The first object identifier that is not PostgreSQL's own."""
# Whatever changes a row of these catalogs gives it another xmin.
BY_ROW = (
    "pg_proc", "pg_constraint", "pg_trigger", "pg_rewrite", "pg_policy", "pg_attrdef", "pg_enum",
    "pg_extension", "pg_largeobject_metadata", "pg_publication", "pg_event_trigger", "pg_collation",
)  # fmt: skip
VISIBLE = "n.nspname !~ '^pg_(temp|toast)'"
# TRUNCATE and VACUUM change rows of pg_class, so that of tables only what DDL changes counts; of a materialized view its file,
# which REFRESH replaces.
LINES = (
    f"""
    SELECT concat_ws(' ', c.oid, c.relkind, c.relname, c.relnamespace, c.relowner, c.relacl, c.reloptions, c.relnatts,
        c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
        CASE WHEN c.relkind = 'm' THEN concat(c.relfilenode, c.relispopulated) END)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid >= {FIRST_OID} AND {VISIBLE}
    """,
    f"""
    SELECT concat_ws(' ', a.attrelid, a.attnum, a.xmin) FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attrelid >= {FIRST_OID} AND a.attnum > 0 AND {VISIBLE}
    """,
    f"SELECT concat_ws(' ', n.oid, n.xmin) FROM pg_catalog.pg_namespace n WHERE n.oid >= {FIRST_OID} AND {VISIBLE}",
    f"SELECT concat_ws(' ', seqrelid, xmin) FROM pg_catalog.pg_sequence WHERE seqrelid >= {FIRST_OID}",
    """
    SELECT concat_ws(' ', setrole, setconfig) FROM pg_catalog.pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    """,
    *(f"SELECT concat_ws(' ', '{name}', oid, xmin) FROM pg_catalog.{name} WHERE oid >= {FIRST_OID}" for name in BY_ROW),
    # Those of temporary tables come and go.
    f"""
    SELECT concat_ws(' ', 'pg_type', t.oid, t.xmin) FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid >= {FIRST_OID} AND {VISIBLE}
    """,
)
DIGEST = f"SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM ({' UNION ALL '.join(LINES)}) AS lines (line)"
# REFRESH … CONCURRENTLY, which needs a unique index, changes the rows and keeps the file.
REFRESHED_IN_PLACE = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND c.relispopulated
      AND EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique) ORDER BY 1
"""


def fingerprint(session: Session) -> str:
    """A digest of the schema, the materialized views and the large objects of a database."""
    parts = [str(session.run(DIGEST)[0][0])]
    for (view,) in session.run(REFRESHED_IN_PLACE):
        rows = f"SELECT md5(string_agg(md5(v::text), '' ORDER BY md5(v::text))) FROM {view} AS v"
        parts.append(str(session.run(rows)[0][0]))
    return " ".join(parts)
