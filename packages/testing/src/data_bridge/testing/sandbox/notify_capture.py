"""NOTIFY of the code under test, its triggers and its functions: recorded by a function that stands in for pg_notify().

PostgreSQL delivers nothing from a transaction that is rolled back, and does not show pending notifications. The stand-in calls the
real one, for its checks, and keeps a list in a setting of the transaction: a rollback to a savepoint takes back what was
sent since, exactly as PostgreSQL does.
"""

from __future__ import annotations

import json

from data_bridge.core import LoadPlan
from data_bridge.testing.databases.source import Session
from data_bridge.testing.sandbox.statements import NOTIFY, body

__all__ = ["READ_SENT", "TAKE", "VALUE", "prepare", "read"]

SCHEMA = NOTIFY.partition(".")[0]
SETTING = "data_bridge.notified"
VALUE = LoadPlan.scalars(many=False)
TAKE = (
    f"SELECT heard, pg_catalog.set_config('{SETTING}', '', true) FROM"
    f" (SELECT pg_catalog.current_setting('{SETTING}', true) AS heard) AS notified"
)
KEEP_IN_SETTING = f"""
    PERFORM pg_catalog.set_config('{SETTING}', pg_catalog.concat(
        pg_catalog.current_setting('{SETTING}', true),
        pg_catalog.jsonb_build_array($1, coalesce($2, '')), E'\\n'), true);
"""
SENT = f"{SCHEMA}.sent"
KEEP_IN_TABLE = f"""
    IF pg_catalog.current_setting('transaction_read_only') = 'off' THEN
        INSERT INTO {SENT} (channel, payload) VALUES ($1, coalesce($2, '')) ON CONFLICT DO NOTHING;
    END IF;
"""
TABLE = f"""
    CREATE TABLE {SENT} (n bigint GENERATED ALWAYS AS IDENTITY, transaction xid8 DEFAULT pg_catalog.pg_current_xact_id(),
        channel text, payload text, UNIQUE (transaction, channel, payload))
"""
READ_SENT = f"SELECT n, channel, payload FROM {SENT} WHERE n > {{after}} ORDER BY n"
INSTALL = """
    CREATE SCHEMA IF NOT EXISTS {schema};
    GRANT USAGE ON SCHEMA {schema} TO PUBLIC;
    {table};
    CREATE OR REPLACE FUNCTION {notify}(text, text) RETURNS void LANGUAGE plpgsql {rights} AS $body$
    BEGIN
        PERFORM pg_catalog.pg_notify($1, $2);
        {keep}
    END $body$
"""
SENDERS = """
    SELECT pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosrc ~* 'notify' AND p.prokind IN ('f', 'p') AND n.nspname !~ '^(pg_|information_schema|data_bridge_)'
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""


def prepare(session: Session, *, commits: bool = False) -> bool:
    """Make a database, which is a copy of ours, ready to be heard; returns whether anything in it sends by itself.

    Args:
        commits: whether its transactions are real: then what they send is kept in a table, which `READ_SENT` reads.
    """
    table, keep, rights = (TABLE, KEEP_IN_TABLE, "SECURITY DEFINER") if commits else ("", KEEP_IN_SETTING, "")
    session.script(INSTALL.format(schema=SCHEMA, notify=NOTIFY, table=table, keep=keep, rights=rights))
    sends = False
    for (definition,) in session.run(SENDERS):
        changed = body("$" + (definition or ""))[1:]
        if changed != definition:
            session.script(changed)
            sends = True
    return sends


def read(heard: str | None) -> list[tuple[str, str]]:
    """Channels and payloads in order; what is sent twice in one transaction is delivered once."""
    found = [json.loads(line) for line in (heard or "").splitlines()]
    return list(dict.fromkeys((str(channel), str(payload)) for channel, payload in found))
