"""The queries over the system catalogs. Each returns plain text, bools, ints and arrays of text; ``$1`` is text[]
or NULL. A column that came with PostgreSQL 15 is read by its name from the row, so that 14 takes the text too.
"""

from __future__ import annotations

__all__ = ["OF_SCHEMA", "TEXTS", "own"]

OF_SCHEMA = "n.nspname = ANY(COALESCE($1::text[], current_schemas(false)::text[]))"


def own(catalog: str, row: str) -> str:
    """Objects of extensions belong to their extension."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '{catalog}'::regclass AND x.objid = {row}.oid"
        f" AND x.deptype = 'e')"
    )


_VIEW = f"c.relkind IN ('v', 'm') AND {OF_SCHEMA} AND {own('pg_class', 'c')}"
_FUNCTION = f"""p.prokind IN ('f', 'p') AND {OF_SCHEMA} AND {own("pg_proc", "p")} AND NOT EXISTS (SELECT FROM pg_proc o
            WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname AND o.oid <> p.oid)"""
_TRIGGER = "NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled = 'O'"
_TABLE = f"c.relkind IN ('r', 'p') AND NOT c.relispartition AND {OF_SCHEMA} AND {own('pg_class', 'c')}"

TEXTS: dict[str, str] = {
    "server": "SELECT COALESCE(current_schema()::text, 'public'), current_setting('server_version_num')::int",
    "tables": f"""
        SELECT n.nspname::text, c.relname::text, obj_description(c.oid, 'pg_class'),
            CASE WHEN c.relrowsecurity THEN CASE WHEN c.relforcerowsecurity THEN 'forced' ELSE 'enabled' END END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_TABLE}
        ORDER BY 1, 2""",
    "columns": f"""
        SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
            en.nspname::text, e.typname::text, a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
            a.attidentity::text, NULLIF(a.attgenerated::text, ''),
            CASE WHEN a.attcollation <> t.typcollation THEN col.collname::text END,
            col_description(c.oid, a.attnum)
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_type e ON e.oid = CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE t.oid END
            AND e.typtype = 'e'
        LEFT JOIN pg_namespace en ON en.oid = e.typnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        LEFT JOIN pg_collation col ON col.oid = a.attcollation
        WHERE ({_TABLE}) OR ({_VIEW})
        ORDER BY 1, 2, a.attnum""",
    # Not-null constraints (18 lists them too) are properties of their columns.
    "constraints": f"""
        SELECT n.nspname::text, c.relname::text, k.conname::text, k.contype::text,
            (SELECT array_agg(a.attname::text ORDER BY o.i) FROM unnest(k.conkey) WITH ORDINALITY o(num, i)
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.num),
            pg_get_expr(k.conbin, k.conrelid), fn.nspname::text, f.relname::text,
            (SELECT array_agg(a.attname::text ORDER BY o.i) FROM unnest(k.confkey) WITH ORDINALITY o(num, i)
                JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = o.num),
            k.confdeltype::text, k.confupdtype::text, k.condeferrable, k.condeferred, k.convalidated,
            (to_jsonb(ix) ->> 'indnullsnotdistinct')::bool,
            (SELECT array_agg(a.attname::text ORDER BY o.i) FROM unnest(ix.indkey::int2[]) WITH ORDINALITY o(num, i)
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.num WHERE o.i > ix.indnkeyatts),
            am.amname::text,
            (SELECT array_agg(pg_get_indexdef(ix.indexrelid, i, true) ORDER BY i)
                FROM generate_series(1, ix.indnkeyatts::int) i),
            (SELECT array_agg(op.oprname::text ORDER BY o.i) FROM unnest(k.conexclop) WITH ORDINALITY o(id, i)
                JOIN pg_operator op ON op.oid = o.id),
            pg_get_expr(ix.indpred, ix.indrelid), obj_description(k.oid, 'pg_constraint')
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_class f ON f.oid = k.confrelid
        LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
        LEFT JOIN pg_index ix ON ix.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
        LEFT JOIN pg_class ic ON ic.oid = ix.indexrelid
        LEFT JOIN pg_am am ON am.oid = ic.relam
        WHERE k.contype IN ('p', 'u', 'c', 'f', 'x') AND {_TABLE}
        ORDER BY 1, 2, array_position('{{p,u,f,c,x}}'::text[], k.contype::text), k.conname""",
    "indexes": f"""
        SELECT n.nspname::text, c.relname::text, i.relname::text, ix.indisunique, am.amname::text,
            (SELECT array_agg(pg_get_indexdef(ix.indexrelid, s, true) ORDER BY s)
                FROM generate_series(1, ix.indnkeyatts::int) s),
            (SELECT array_agg(o.v::int ORDER BY o.i) FROM unnest(ix.indoption::int2[]) WITH ORDINALITY o(v, i)),
            (SELECT array_agg(CASE WHEN oc.opcdefault THEN NULL ELSE oc.opcname::text END ORDER BY o.i)
                FROM unnest(ix.indclass::oid[]) WITH ORDINALITY o(id, i) JOIN pg_opclass oc ON oc.oid = o.id),
            (SELECT array_agg(CASE WHEN CASE WHEN a.attnum IS NOT NULL THEN o.id <> 0 AND o.id <> a.attcollation
                        -- An expression has the collation of what is in it: only a written one counts.
                        ELSE position(pg_get_indexdef(ix.indexrelid, o.i::int, true) || ' COLLATE '
                            IN pg_get_indexdef(ix.indexrelid, 0, true)) > 0 END
                    THEN cl.collname::text END
                    ORDER BY o.i)
                FROM unnest(ix.indcollation::oid[]) WITH ORDINALITY o(id, i)
                LEFT JOIN pg_collation cl ON cl.oid = o.id
                LEFT JOIN pg_attribute a ON a.attrelid = ix.indrelid
                    AND a.attnum = (ix.indkey::int2[])[o.i::int - 1 + array_lower(ix.indkey::int2[], 1)]
                    AND a.attnum > 0),
            (SELECT array_agg(a.attname::text ORDER BY o.i) FROM unnest(ix.indkey::int2[]) WITH ORDINALITY o(num, i)
                JOIN pg_attribute a ON a.attrelid = ix.indrelid AND a.attnum = o.num WHERE o.i > ix.indnkeyatts),
            pg_get_expr(ix.indpred, ix.indrelid), (to_jsonb(ix) ->> 'indnullsnotdistinct')::bool, ix.indisvalid, i.reloptions,
            obj_description(i.oid, 'pg_class')
        FROM pg_index ix
        JOIN pg_class i ON i.oid = ix.indexrelid
        JOIN pg_class c ON c.oid = ix.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_am am ON am.oid = i.relam
        WHERE (({_TABLE}) OR ({_VIEW}))
            AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = ix.indexrelid AND k.contype IN ('p', 'u',
            'x')) ORDER BY 1, 2, 3""",
    "views": f"""
        SELECT n.nspname::text, c.relname::text, c.relkind = 'm', btrim(pg_get_viewdef(c.oid), ' ;'), c.reloptions,
            obj_description(c.oid, 'pg_class')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_VIEW}
        ORDER BY 1, 2""",
    # What the query of a view needs: tables and views, their columns and constraints, types and functions.
    "uses": f"""
        SELECT DISTINCT n.nspname::text, c.relname::text,
            CASE WHEN a.attname IS NOT NULL THEN 'column' WHEN k.oid IS NOT NULL THEN 'constraint'
                WHEN rc.oid IS NOT NULL THEN 'relation' WHEN t.oid IS NOT NULL THEN 'type' ELSE 'function' END,
            un.nspname::text, COALESCE(rc.relname, t.typname, p.proname)::text, COALESCE(a.attname, k.conname)::text
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_rewrite r ON r.ev_class = c.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid <> c.oid
        LEFT JOIN pg_constraint k ON d.refclassid = 'pg_constraint'::regclass AND k.oid = d.refobjid
        LEFT JOIN pg_class rc ON rc.oid = CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid
            WHEN 'pg_constraint'::regclass THEN k.conrelid END
        LEFT JOIN pg_attribute a ON d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
            AND a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
        LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
        JOIN pg_namespace un ON un.oid = COALESCE(rc.relnamespace, t.typnamespace, p.pronamespace)
        WHERE {_VIEW} AND un.nspname NOT IN ('pg_catalog', 'information_schema')
        ORDER BY 1, 2, 3, 4, 5, 6""",
    # Overloaded functions have no definition: a name stands for one.
    "functions": f"""
        SELECT n.nspname::text, p.proname::text, p.prokind = 'p',
            rtrim(substr(pg_get_functiondef(p.oid), length(format('CREATE OR REPLACE %s %I.%I',
                CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname, p.proname)) + 1), E'\n '),
            EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
                AND d.classid = ANY(ARRAY['pg_attrdef', 'pg_constraint', 'pg_class']::regclass[])),
            obj_description(p.oid, 'pg_proc')
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_FUNCTION}
        ORDER BY 1, 2""",
    "function_uses": f"""
        SELECT DISTINCT n.nspname::text, p.proname::text,
            CASE WHEN a.attname IS NOT NULL THEN 'column' WHEN rc.oid IS NOT NULL THEN 'relation'
                WHEN t.oid IS NOT NULL THEN 'type' ELSE 'function' END,
            un.nspname::text, COALESCE(rc.relname, t.typname, f.proname)::text, a.attname::text
        FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        LEFT JOIN pg_type dt ON d.refclassid = 'pg_type'::regclass AND dt.oid = d.refobjid
        LEFT JOIN pg_type t ON t.oid = CASE WHEN dt.typelem <> 0 AND dt.typlen = -1 THEN dt.typelem ELSE dt.oid END
        LEFT JOIN pg_class rc ON rc.oid = CASE WHEN d.refclassid = 'pg_class'::regclass THEN d.refobjid
            ELSE NULLIF(t.typrelid, 0) END
        LEFT JOIN pg_attribute a ON d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
            AND a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        LEFT JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
        JOIN pg_namespace un ON un.oid = COALESCE(rc.relnamespace, t.typnamespace, f.pronamespace)
        WHERE {_FUNCTION} AND un.nspname NOT IN ('pg_catalog', 'information_schema')
        ORDER BY 1, 2, 3, 4, 5, 6""",
    # What stands before and behind the table in CREATE TRIGGER.
    "triggers": f"""
        SELECT n.nspname::text, c.relname::text, t.tgname::text, t.tgconstraint <> 0,
            split_part(m.text, m.mark, 1), substr(m.text, position(m.mark IN m.text) + length(m.mark)),
            obj_description(t.oid, 'pg_trigger')
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (SELECT format(' ON %I.%I ', n.nspname, c.relname) AS mark,
            substr(pg_get_triggerdef(t.oid), length(format('CREATE %sTRIGGER %I ',
                CASE WHEN t.tgconstraint <> 0 THEN 'CONSTRAINT ' ELSE '' END, t.tgname)) + 1) AS text) m
        WHERE {_TRIGGER} AND {_TABLE}
        ORDER BY 1, 2, 3""",
    "policies": f"""
        SELECT n.nspname::text, c.relname::text, o.polname::text, o.polcmd::text, o.polpermissive,
            ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.oid = ANY(o.polroles) ORDER BY 1),
            pg_get_expr(o.polqual, o.polrelid), pg_get_expr(o.polwithcheck, o.polrelid),
            obj_description(o.oid, 'pg_policy')
        FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_TABLE}
        ORDER BY 1, 2, 3""",
    # What roles other than the owner may do. PostgreSQL calls every role 0.
    "grants": f"""
        SELECT n.nspname::text, c.relname::text, COALESCE(r.rolname::text, 'public'),
            array_agg(DISTINCT a.privilege_type::text)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE (({_TABLE}) OR ({_VIEW})) AND a.grantee <> c.relowner AND NOT a.is_grantable
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
    "enums": f"""
        SELECT n.nspname::text, t.typname::text,
            (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
            obj_description(t.oid, 'pg_type')
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype = 'e' AND {OF_SCHEMA} AND {own("pg_type", "t")}
        ORDER BY 1, 2""",
    "domains": f"""
        SELECT n.nspname::text, t.typname::text, format_type(t.typbasetype, t.typtypmod), t.typdefault, t.typnotnull,
            (SELECT array_agg(k.conname::text ORDER BY k.conname) FROM pg_constraint k
                WHERE k.contypid = t.oid AND k.contype = 'c'),
            (SELECT array_agg(pg_get_expr(k.conbin, 0) ORDER BY k.conname) FROM pg_constraint k
                WHERE k.contypid = t.oid AND k.contype = 'c')
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype = 'd' AND {OF_SCHEMA} AND {own("pg_type", "t")}
        ORDER BY 1, 2""",
    "sequences": f"""
        SELECT n.nspname::text, c.relname::text, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement,
            s.seqmin, s.seqmax, s.seqcache, s.seqcycle, oc.relname::text, oa.attname::text
        FROM pg_sequence s
        JOIN pg_class c ON c.oid = s.seqrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_depend dep ON dep.classid = 'pg_class'::regclass AND dep.objid = c.oid
            AND dep.refclassid = 'pg_class'::regclass AND dep.deptype IN ('a', 'i')
        LEFT JOIN pg_class oc ON oc.oid = dep.refobjid
        LEFT JOIN pg_attribute oa ON oa.attrelid = dep.refobjid AND oa.attnum = dep.refobjsubid
        WHERE {OF_SCHEMA} AND dep.deptype IS DISTINCT FROM 'i' AND {own("pg_class", "c")}
        ORDER BY 1, 2""",
    # What definitions have no word for: its kind, its schema and name, and a digest of what it says.
    "unmodelled": f"""
        SELECT CASE c.relkind WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table' ELSE 'partition' END,
            n.nspname::text, c.relname::text,
            md5(COALESCE(pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), ''))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (c.relkind IN ('f', 'p') OR (c.relispartition AND c.relkind = 'r')) AND {OF_SCHEMA}
            AND {own("pg_class", "c")}
        UNION ALL SELECT CASE p.prokind WHEN 'p' THEN 'overloaded procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN
                'window function' ELSE 'overloaded function' END,
            n.nspname::text, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
            md5(CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {OF_SCHEMA} AND {own("pg_proc", "p")} AND NOT ({_FUNCTION})
        UNION ALL SELECT CASE WHEN c.relkind = 'v' THEN 'trigger of the view' WHEN t.tgenabled <> 'O' THEN
                'trigger that is disabled or fires on replicas' ELSE 'trigger' END,
            n.nspname::text, c.relname || '.' || t.tgname, md5(pg_get_triggerdef(t.oid))
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND NOT ({_TRIGGER} AND {_TABLE}) AND {OF_SCHEMA}
            AND {own("pg_class", "c")}
        UNION ALL SELECT 'policy', n.nspname::text, c.relname || '.' || o.polname,
            md5(concat_ws(' ', o.polcmd, o.polpermissive, o.polroles, pg_get_expr(o.polqual, o.polrelid),
                pg_get_expr(o.polwithcheck, o.polrelid)))
        FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OF_SCHEMA} AND NOT ({_TABLE})
        UNION ALL SELECT 'privileges on the ' || CASE WHEN c.relkind = 'S' THEN 'sequence' ELSE 'table, with grant option,' END,
            n.nspname::text, c.relname::text, md5(string_agg(a::text, ' ' ORDER BY a::text))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE a.grantee <> c.relowner AND (a.is_grantable OR c.relkind = 'S') AND {OF_SCHEMA} AND {own("pg_class", "c")}
        GROUP BY 1, 2, 3
        UNION ALL SELECT 'privileges on the column', n.nspname::text, c.relname || '.' || a.attname, md5(a.attacl::text)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND {OF_SCHEMA} AND {own("pg_class", "c")}
        UNION ALL SELECT 'privileges on the function', n.nspname::text, p.proname::text, md5(p.proacl::text)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proacl IS NOT NULL AND {OF_SCHEMA} AND {own("pg_proc", "p")}
        UNION ALL SELECT 'row-level security', n.nspname::text, c.relname::text, md5(c.relforcerowsecurity::text)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OF_SCHEMA} AND {own("pg_class", "c")} AND CASE WHEN {_TABLE} THEN c.relforcerowsecurity AND NOT c.relrowsecurity
            ELSE c.relrowsecurity OR c.relforcerowsecurity END
        UNION ALL SELECT 'rule', n.nspname::text, c.relname || '.' || r.rulename, md5(pg_get_ruledef(r.oid))
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (c.relkind IN ('r', 'p') OR r.rulename <> '_RETURN') AND {OF_SCHEMA} AND {own("pg_class", "c")}
        UNION ALL SELECT 'storage of the materialized view', n.nspname::text, c.relname::text,
            md5(concat_ws(' ', c.reloptions, c.reltablespace))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'm' AND (c.reloptions IS NOT NULL OR c.reltablespace <> 0) AND {_VIEW}
        UNION ALL SELECT 'default of the view column', n.nspname::text, c.relname || '.' || a.attname,
            md5(pg_get_expr(f.adbin, f.adrelid))
        FROM pg_attrdef f JOIN pg_class c ON c.oid = f.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.adnum
        WHERE {_VIEW}
        UNION ALL SELECT CASE t.typtype WHEN 'c' THEN 'composite type' ELSE 'range type' END, n.nspname::text,
            t.typname::text, md5(COALESCE((SELECT string_agg(a.attname || format_type(a.atttypid, a.atttypmod), ',' ORDER BY
                a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND NOT a.attisdropped), ''))
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE (t.typtype = 'r' OR (t.typtype = 'c' AND c.relkind = 'c')) AND {OF_SCHEMA} AND {own("pg_type", "t")}
        ORDER BY 1, 2, 3""",
    "extensions": """
        SELECT e.extname::text, e.extversion, n.nspname::text
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        ORDER BY 1""",
}
