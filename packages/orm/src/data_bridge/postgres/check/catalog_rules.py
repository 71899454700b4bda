"""Rules over the catalogs and statistics of a database: indexes, keys, sequences and transaction ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_bridge.core import Database
from data_bridge.postgres.check.finding import Finding

__all__ = ["catalog_findings"]

_MANUAL = "https://www.postgresql.org/docs/current"

# Tables of the application: not of the system, not of extensions, and of partitioned tables only the parent.
_OWN = """
    n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND NOT t.relispartition
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')
"""
_TABLE = "pg_catalog.format('%I.%I', n.nspname, t.relname)"
_FROM_TABLE = "pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace"
_INDEX = "pg_catalog.format('%I.%I', n.nspname, x.relname)"
_FROM_INDEX = f"""
    pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN {_FROM_TABLE} ON t.oid = i.indrelid
"""
# The columns of a foreign key are the first of an index, in any order.
_COVERS = """
    i.indrelid = c.conrelid AND i.indpred IS NULL AND
    (i.indkey::int2[])[0:pg_catalog.cardinality(c.conkey) - 1] @> c.conkey
"""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A query whose rows, an object and a message, are findings."""

    name: str
    severity: Literal["error", "warning"]
    hint: str
    sql: str


_RULES = (
    _Rule(
        "foreign-key-without-index",
        "warning",
        "create an index on these columns: deleting a referenced row reads the whole table",
        f"""
        SELECT {_TABLE}, pg_catalog.format('no index begins with the columns of the foreign key %I (%s)', c.conname,
            (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY k.n)
             FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY k (attnum, n)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum))
        FROM pg_catalog.pg_constraint c JOIN {_FROM_TABLE} ON t.oid = c.conrelid
        WHERE c.contype = 'f' AND {_OWN} AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE {_COVERS} AND i.indisvalid)
        ORDER BY 1, 2
        """,
    ),
    _Rule(
        "invalid-index",
        "error",
        "REINDEX INDEX CONCURRENTLY, or drop it: queries do not use it, and writes maintain it",
        f"SELECT {_INDEX}, 'the index is invalid' FROM {_FROM_INDEX} WHERE NOT i.indisvalid AND {_OWN} ORDER BY 1",
    ),
    _Rule(
        "duplicate-index",
        "warning",
        "drop one of them: each write maintains both",
        f"""
        SELECT {_INDEX}, pg_catalog.format('the index is a copy of %I', y.relname)
        FROM {_FROM_INDEX}
        JOIN pg_catalog.pg_index j ON j.indrelid = i.indrelid AND j.indexrelid <> i.indexrelid
            AND j.indkey::text = i.indkey::text AND j.indclass::text = i.indclass::text
            AND j.indcollation::text = i.indcollation::text AND j.indoption::text = i.indoption::text
            AND j.indpred::text IS NOT DISTINCT FROM i.indpred::text
            AND j.indexprs::text IS NOT DISTINCT FROM i.indexprs::text
        JOIN pg_catalog.pg_class y ON y.oid = j.indexrelid AND y.relam = x.relam
        WHERE {_OWN} AND (i.indisunique::int, -i.indexrelid::bigint) < (j.indisunique::int, -j.indexrelid::bigint)
        ORDER BY 1
        """,
    ),
    _Rule(
        "unused-index",
        "warning",
        "drop it, if no replica and no rare report uses it",
        # Constraints need theirs, and so do foreign keys when referenced rows are deleted.
        f"""
        SELECT {_INDEX}, pg_catalog.format('no query has used the index, while the table was read %s times', u.reads)
        FROM {_FROM_INDEX}
        JOIN pg_catalog.pg_stat_user_indexes s ON s.indexrelid = i.indexrelid
        JOIN LATERAL (SELECT a.seq_scan + COALESCE(a.idx_scan, 0) AS reads
                      FROM pg_catalog.pg_stat_user_tables a WHERE a.relid = i.indrelid) u ON u.reads >= 1000
        WHERE s.idx_scan = 0 AND NOT i.indisunique AND NOT i.indisexclusion AND i.indisvalid AND {_OWN}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.contype = 'f' AND {_COVERS})
        ORDER BY 1
        """,
    ),
    _Rule(
        "no-primary-key",
        "warning",
        "add one: logical replication and tools that repair data need it",
        f"""
        SELECT {_TABLE}, 'the table has no primary key' FROM {_FROM_TABLE}
        WHERE t.relkind IN ('r', 'p') AND t.relpersistence <> 't' AND {_OWN}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = t.oid AND c.contype = 'p')
        ORDER BY 1
        """,
    ),
    _Rule(
        "sequence-near-its-end",
        "error",
        "change the column to bigint, and the sequence with it",
        # The type of the column may be narrower than that of its sequence.
        """
        SELECT pg_catalog.format('%I.%I', s.schemaname, s.sequencename),
               pg_catalog.format('the sequence has used %s %% of its numbers', (100 * s.last_value::numeric / l.max)::bigint)
        FROM pg_catalog.pg_sequences s
        JOIN LATERAL (
            SELECT LEAST(s.max_value, min(CASE a.atttypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 END))::numeric AS max
            FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
              AND d.objid = pg_catalog.format('%I.%I', s.schemaname, s.sequencename)::regclass
        ) l ON s.last_value::numeric / l.max >= 0.8
        WHERE s.increment_by > 0 AND NOT s.cycle
        ORDER BY 1
        """,
    ),
    _Rule(
        "transaction-id-age",
        "error",
        f"find what holds VACUUM back: {_MANUAL}/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND",
        """
        SELECT datname, pg_catalog.format('the oldest transaction id is %s transactions old', pg_catalog.age(datfrozenxid))
        FROM pg_catalog.pg_database
        WHERE datname = pg_catalog.current_database() AND pg_catalog.age(datfrozenxid)
            > 1.5 * pg_catalog.current_setting('autovacuum_freeze_max_age')::bigint
        """,
    ),
)


async def catalog_findings(database: Database) -> list[Finding]:
    """What the rules find in the database, without a look at any class."""
    return [
        Finding(rule.name, rule.severity, name, message, rule.hint)
        for rule in _RULES
        for name, message in await database.fetch(rule.sql, as_=tuple)
    ]
