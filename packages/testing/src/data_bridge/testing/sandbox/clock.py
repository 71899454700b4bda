"""NOW() of a test: stands still, is moved on by hand, or goes on from transaction to transaction.

Inside one transaction now() never moves, so that all rows of a rolled-back test are of one instant anyway; this makes
it an instant of the test's choice. Functions of the same names stand before pg_catalog in the search path and read a
setting; column defaults, which were bound to pg_catalog when they were made, are bound again; keywords such as
CURRENT_TIMESTAMP are replaced in the text of statements (`rewrite`). All of it is undone by the rollback.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from data_bridge.testing.sandbox.rewrite import CLOCK as SCHEMA

__all__ = ["LIVE", "freeze_script", "live_script", "tick_script"]

SETTING, FROZEN = "data_bridge.now", "data_bridge.frozen"
READ = f"pg_catalog.current_setting('{SETTING}')::timestamptz"
OFTEN = ("statement_timestamp", "clock_timestamp")
FUNCTIONS = ("now", "transaction_timestamp", *OFTEN)
# The keywords, as functions whose names are those of the columns that the keywords give.
KEYWORDS = {
    "current_timestamp": ("timestamptz", ""),
    "localtimestamp": ("timestamp", "::timestamp"),
    "current_date": ("date", "::date"),
    "current_time": ("timetz", "::timetz"),
    "localtime": ("time", "::time"),
}
ROUNDED = (
    "'epoch'::timestamptz + pg_catalog.round(extract(epoch FROM {read}), $1)::double precision * interval '1 second'"
)


def _function(name: str, arguments: str, returns: str, body: str) -> str:
    return (
        f'CREATE OR REPLACE FUNCTION {SCHEMA}."{name}"({arguments}) RETURNS {returns} STABLE LANGUAGE sql'
        f" AS $$ SELECT {body} $$; "
    )


INSTALL = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; "
    + "".join(_function(name, "", "timestamptz", READ) for name in FUNCTIONS if name not in OFTEN)
    + "".join(
        _function(
            name,
            "",
            "timestamptz",
            f"CASE WHEN pg_catalog.current_setting('{FROZEN}', true) = 'on' THEN {READ} ELSE pg_catalog.{name}() END",
        )
        for name in OFTEN
    )
    + "".join(
        _function(name, "", kind, f"({READ}){cast}")
        + (_function(name, "int", kind, f"({ROUNDED.format(read=READ)}){cast}") if kind != "date" else "")
        for name, (kind, cast) in KEYWORDS.items()
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
        bound := regexp_replace(found.old, '\m(pg_catalog\.)?({"|".join(FUNCTIONS)})\(\)', '{SCHEMA}.\2()', 'g');
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
    return f"{_frozen('on')}; SELECT pg_catalog.set_config('{SETTING}', '{at.isoformat()}', true); {INSTALL}{BIND_DEFAULTS}"


LIVE = f"SELECT pg_catalog.set_config('{SETTING}', pg_catalog.clock_timestamp()::text, true)"
"""Gives NOW() a new instant; sent where a transaction of the code under test begins."""


def live_script() -> str:
    """SQL that lets NOW() go on."""
    return f"{_frozen('off')}; {LIVE}; {INSTALL}{BIND_DEFAULTS}"


def _frozen(state: str) -> str:
    return f"SELECT pg_catalog.set_config('{FROZEN}', '{state}', true)"


def tick_script(by: timedelta) -> str:
    """SQL that moves a frozen NOW() on."""
    return (
        f"SELECT pg_catalog.set_config('{SETTING}', (pg_catalog.current_setting('{SETTING}')::timestamptz"
        f" + interval '{by.days} days {by.seconds} seconds {by.microseconds} microseconds')::text, true)"
    )
