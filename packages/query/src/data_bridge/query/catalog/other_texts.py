"""The query for objects that definitions have no word for and that are no tables, views or functions."""

from __future__ import annotations

from .sql_texts import OF_SCHEMA, own

__all__ = ["OTHERS"]


def _named(kind: str, catalog: str, name: str, says: str, row: str = "o") -> str:
    """The objects of a catalog with a name and a schema."""
    return (
        f"SELECT '{kind}', n.nspname::text, {row}.{name}::text, md5({says}) FROM {catalog} {row}"
        f" JOIN pg_namespace n ON n.oid = {row}.{name.removesuffix('name')}namespace"
        f" WHERE {OF_SCHEMA} AND {own(catalog, row)}"
    )


OTHERS = (
    "\n        UNION ALL ".join(
        [
            _named("statistics", "pg_statistic_ext", "stxname", "pg_get_statisticsobjdef(o.oid)"),
            _named(
                "collation", "pg_collation", "collname", "concat_ws(' ', o.collprovider, o.collcollate, o.collctype)"
            ),
            _named("operator", "pg_operator", "oprname", "concat_ws(' ', o.oprleft, o.oprright, o.oprcode)"),
            _named("operator class", "pg_opclass", "opcname", "concat_ws(' ', o.opcintype, o.opcdefault)"),
            _named("conversion", "pg_conversion", "conname", "o.conproc::text"),
            _named("text search configuration", "pg_ts_config", "cfgname", "o.cfgparser::text"),
            _named("text search dictionary", "pg_ts_dict", "dictname", "COALESCE(o.dictinitoption, '')"),
            f"""SELECT CASE WHEN c.relpersistence = 'u' THEN 'unlogged table' ELSE 'storage of the table' END,
            n.nspname::text, c.relname::text, md5(concat_ws(' ', c.reloptions, c.reltablespace, c.relpersistence))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND (c.reloptions IS NOT NULL OR c.reltablespace <> 0 OR c.relpersistence = 'u')
            AND {OF_SCHEMA} AND {own("pg_class", "c")}""",
            f"""SELECT 'inheritance of the table', n.nspname::text, c.relname::text, md5(i.inhparent::regclass::text)
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND NOT c.relispartition AND {OF_SCHEMA}""",
            f"""SELECT 'privileges on the schema', n.nspname::text, n.nspname::text, md5(n.nspacl::text)
        FROM pg_namespace n LEFT JOIN pg_init_privs i ON i.objoid = n.oid AND i.classoid = 'pg_namespace'::regclass
        WHERE n.nspacl IS DISTINCT FROM i.initprivs AND n.nspacl IS NOT NULL AND {OF_SCHEMA}""",
            f"""SELECT 'default privileges', n.nspname::text, d.defaclobjtype::text, md5(d.defaclacl::text)
        FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE {OF_SCHEMA}""",
            # A publication and an event trigger belong to the database.
            """SELECT 'publication', NULL, p.pubname::text,
            md5(concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
                (SELECT string_agg(t.schemaname || '.' || t.tablename, ',' ORDER BY t.schemaname, t.tablename)
                    FROM pg_publication_tables t WHERE t.pubname = p.pubname)))
        FROM pg_publication p""",
            f"""SELECT 'event trigger', NULL, e.evtname::text, md5(concat_ws(' ', e.evtevent, e.evtfoid::regproc, e.evtenabled))
        FROM pg_event_trigger e WHERE {own("pg_event_trigger", "e")}""",
        ]
    )
    + "\n        ORDER BY 1, 2, 3"
)
