WITH RECURSIVE source AS MATERIALIZED (
    SELECT p.oid, p.proname, l.lanname,
           lower(coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)) AS body
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND l.lanname <> 'internal'
), edge AS (
    SELECT tgfoid AS from_oid, tgrelid AS to_oid FROM pg_catalog.pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT d.refobjid, coalesce(a.adrelid, NULLIF(c.conrelid, 0), NULLIF(c.contypid, 0), y.polrelid, w.ev_class, i.indrelid, g.aggfnoid::oid)
    FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND a.oid = d.objid
    LEFT JOIN pg_catalog.pg_constraint c ON d.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = d.objid AND c.contype <> 'f'
    LEFT JOIN pg_catalog.pg_policy y ON d.classid = 'pg_catalog.pg_policy'::regclass AND y.oid = d.objid
    LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = d.objid
    LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid
    LEFT JOIN pg_catalog.pg_aggregate g ON d.classid = 'pg_catalog.pg_proc'::regclass AND g.aggfnoid::oid = d.objid
    WHERE d.refobjid >= 16384 AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_class'::regclass)
    UNION ALL
    SELECT conrelid, confrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'
    UNION ALL
    SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits
    UNION ALL
    SELECT typbasetype, oid FROM pg_catalog.pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT atttypid, attrelid FROM pg_catalog.pg_attribute WHERE atttypid >= 16384 AND attnum > 0
), reached (oid, name) AS (
    SELECT oid, proname FROM source
    WHERE CASE
        WHEN lanname = 'c' THEN proname ~ '^(dblink|set_limit|lo_)'
        WHEN lanname NOT IN ('sql', 'plpgsql') THEN true
        ELSE body ~ '\m(set_config|pg_(try_)?advisory_lock\w*|execute|temp|temporary|pg_temp\w*|(un)?listen|reset|discard|prepare|deallocate|hold|query_to_xml\w*|ts_stat|dblink\w*|set_limit)\M|\mload\s+[''""]'
            OR regexp_replace(body, '\mupdate\M((?!\m(loop|then|begin|else)\M)[^;])*?\mset\M|\mset\s+(local|null|default|not|data)\M', ' ', 'g') ~ '\mset\M'
        END
    UNION
    SELECT next.oid, next.name FROM reached r CROSS JOIN LATERAL (
        SELECT s.oid, s.proname FROM source s WHERE strpos(s.body, lower(r.name)) > 0
        UNION ALL
        SELECT e.to_oid, coalesce(
            (SELECT relname FROM pg_catalog.pg_class WHERE oid = e.to_oid),
            (SELECT typname FROM pg_catalog.pg_type WHERE oid = e.to_oid),
            (SELECT proname FROM pg_catalog.pg_proc WHERE oid = e.to_oid))
        FROM edge e WHERE e.from_oid = r.oid AND e.to_oid IS NOT NULL
    ) next (oid, name) WHERE next.name IS NOT NULL
)
SELECT DISTINCT name::text FROM reached
UNION ALL
SELECT '*' WHERE EXISTS (
    SELECT FROM reached r JOIN pg_catalog.pg_depend d ON d.refobjid = r.oid AND d.refclassid = 'pg_catalog.pg_proc'::regclass
    WHERE d.classid IN ('pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_cast'::regclass, 'pg_catalog.pg_amproc'::regclass, 'pg_catalog.pg_type'::regclass)
)
