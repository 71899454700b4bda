"""NOW() of a test: stands still, or is moved on by hand.

Inside one transaction now() never moves, so that all rows of a rolled-back test are of one instant anyway; this makes
it an instant of the test's choice. Functions of the same names stand before pg_catalog in the search path and read a
setting; column defaults, which were bound to pg_catalog when they were made, are bound again. All of it is undone by
the rollback.
"""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["freeze_script", "tick_script"]

SCHEMA = "data_bridge_clock"
FUNCTIONS = ("now", "transaction_timestamp", "statement_timestamp", "clock_timestamp")
SETTING = "data_bridge.now"

INSTALL = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; "
    + "".join(
        f"CREATE OR REPLACE FUNCTION {SCHEMA}.{name}() RETURNS timestamptz STABLE LANGUAGE sql"
        f" AS $$ SELECT pg_catalog.current_setting('{SETTING}')::timestamptz $$; "
        for name in FUNCTIONS
    )
    + "SELECT pg_catalog.set_config('search_path',"
    f" pg_catalog.current_setting('search_path') || ', {SCHEMA}, pg_catalog', true)"
    f" WHERE pg_catalog.current_setting('search_path') NOT LIKE '%{SCHEMA}%'; "
)
BIND_DEFAULTS = rf"""
DO $bind$
DECLARE found record; bound text;
BEGIN
    FOR found IN
        SELECT d.adrelid::regclass AS tab, a.attname AS col, pg_get_expr(d.adbin, d.adrelid) AS old
        FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        JOIN pg_class c ON c.oid = d.adrelid
        WHERE a.attgenerated = '' AND c.relkind IN ('r', 'p')
    LOOP
        bound := regexp_replace(found.old, '\m(pg_catalog\.)?({"|".join(FUNCTIONS)})\(\)', '{SCHEMA}.now()', 'g');
        bound := regexp_replace(bound, '\mCURRENT_TIMESTAMP(\(\d\))?', '{SCHEMA}.now()', 'g');
        bound := regexp_replace(bound, '\mLOCALTIMESTAMP(\(\d\))?', '({SCHEMA}.now())::timestamp', 'g');
        bound := regexp_replace(bound, '\mCURRENT_DATE\M', '({SCHEMA}.now())::date', 'g');
        IF bound <> found.old THEN
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', found.tab, found.col, bound);
        END IF;
    END LOOP;
END $bind$
"""


def freeze_script(at: datetime) -> str:
    """SQL that makes NOW() this instant for the rest of the transaction.

    Raises:
        ValueError: for a naive datetime; which instant it is depends on whoever reads it.
    """
    if at.tzinfo is None:
        raise ValueError("freeze() takes a datetime with a time zone: datetime(…, tzinfo=UTC)")
    # The setting comes first: a default that is looked at while it is bound may call the function.
    return f"SELECT pg_catalog.set_config('{SETTING}', '{at.isoformat()}', true); {INSTALL}{BIND_DEFAULTS}"


def tick_script(by: timedelta) -> str:
    """SQL that moves a frozen NOW() on."""
    return (
        f"SELECT pg_catalog.set_config('{SETTING}', (pg_catalog.current_setting('{SETTING}')::timestamptz"
        f" + interval '{by.days} days {by.seconds} seconds {by.microseconds} microseconds')::text, true)"
    )
