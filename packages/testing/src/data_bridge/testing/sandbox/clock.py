"""NOW() of a test: stands still, is moved on by hand, or goes on from transaction to transaction.

Inside one transaction now() never moves, so that all rows of a rolled-back test are of one instant anyway; this makes
it an instant of the test's choice. Functions of the same names stand before pg_catalog in the search path and read a
setting; column defaults, which were bound to pg_catalog when they were made, are bound again; keywords such as
CURRENT_TIMESTAMP are replaced in the text of statements (`statements`). All of it is undone by the rollback.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from data_bridge.core import TransactionBusy
from data_bridge.testing.sandbox.lock import ConnectionLock
from data_bridge.testing.sandbox.statements import CLOCK as SCHEMA

__all__ = ["BIND_DEFAULTS", "RENEW", "UNIT", "Timekeeper", "aware", "functions", "interval"]

UNIT = "data_bridge_statement"
RENEW = f"RELEASE SAVEPOINT {UNIT}; SAVEPOINT {UNIT}"
WAIT = 30.0

SETTING, FROZEN = "data_bridge.now", "data_bridge.frozen"
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


def functions(read: str, frozen: str) -> str:
    """SQL that makes the functions of the clock.

    Args:
        read: the expression of the instant.
        frozen: the condition under which the functions that PostgreSQL evaluates again and again stand still too.
    """
    return (
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; "
        + "".join(_function(name, "", "timestamptz", read) for name in FUNCTIONS if name not in OFTEN)
        + "".join(
            _function(name, "", "timestamptz", f"CASE WHEN {frozen} THEN {read} ELSE pg_catalog.{name}() END")
            for name in OFTEN
        )
        + "".join(
            _function(name, "", kind, f"({read}){cast}")
            + (_function(name, "int", kind, f"({ROUNDED.format(read=read)}){cast}") if kind != "date" else "")
            for name, (kind, cast) in KEYWORDS.items()
        )
    )


INSTALL = (
    functions(
        f"pg_catalog.current_setting('{SETTING}')::timestamptz",
        f"pg_catalog.current_setting('{FROZEN}', true) = 'on'",
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


def aware(at: datetime) -> datetime:
    """The instant itself.

    Raises:
        ValueError: for a naive datetime; which instant it is depends on the reader.
    """
    if at.tzinfo is None:
        raise ValueError("freeze() takes a datetime with a time zone: datetime(…, tzinfo=UTC)")
    return at


def interval(by: timedelta) -> str:
    """A duration as a constant of SQL."""
    return f"interval '{by.days} days {by.seconds} seconds {by.microseconds} microseconds'"


def freeze_script(at: datetime) -> str:
    """SQL that makes NOW() this instant for the rest of the transaction."""
    # The setting comes first: a default that is looked at while it is bound may call the function.
    return f"{_frozen('on')}; SELECT pg_catalog.set_config('{SETTING}', '{aware(at).isoformat()}', true); {INSTALL}{BIND_DEFAULTS}"


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
        f" + {interval(by)})::text, true)"
    )


class Timekeeper:
    """The part of a sandbox that synchronous code of a test uses: the clock, and statements of the harness in between."""

    lease_handle: Any
    schema_changed: bool
    turn: ConnectionLock
    _names: itertools.count[int]
    _renew: str

    def begin_if_new(self) -> Any:
        """Open the transaction of the test; the sandbox knows how."""
        raise TypeError(f"{type(self).__name__} must define begin_if_new()")

    def freeze(self, at: datetime) -> None:
        """Make NOW() this instant, in statements and in column defaults, until the test ends or `tick` moves it.

        Covered are now(), transaction_timestamp(), statement_timestamp(), clock_timestamp() and the keywords
        (CURRENT_TIMESTAMP, LOCALTIMESTAMP, CURRENT_DATE, CURRENT_TIME, LOCALTIME), in statements and column defaults.
        Views, and keywords inside of functions, keep the time of the server.

        Raises:
            ValueError: for a datetime without a time zone.
        """
        self._set_clock(freeze_script(at), RENEW)

    def unfreeze(self) -> None:
        """Let NOW() go on as in production: each transaction of the code under test has an instant of its own.

        Without it all statements of a test see the instant at which the test began; also
        `@pytest.mark.db(clock="live")`.
        """
        self._set_clock(live_script(), f"{RENEW}; {LIVE}")

    def _set_clock(self, script: str, renew: str) -> None:
        self.schema_changed = True
        with self.aside(undo=False) as wait:
            wait("script", script)
        self._renew = renew
        self.lease_handle.frozen = True

    def tick(self, by: timedelta) -> None:
        """Move NOW() on; it stands still afterwards."""
        if not self.lease_handle.frozen or self._renew != RENEW:
            self.freeze(datetime.now(UTC))
        with self.aside(undo=False) as wait:
            wait("script", tick_script(by))

    @contextmanager
    def aside(self, *, undo: bool = True) -> Generator[Callable[..., Any]]:
        """Statements of the harness between those of the test, from synchronous code: `wait("script", sql)`.

        They wait behind what runs on the connection. With `undo` nothing of them stays.
        """
        self.begin_if_new()
        handle = self.lease_handle.native
        name = f"data_bridge_aside_{next(self._names)}"

        def wait(step: str, *arguments: Any) -> Any:
            return handle.bridge.wait(getattr(handle, step)(*arguments), WAIT)

        if isinstance(self.turn.holder, str):
            raise TransactionBusy(f"the connection of the test is busy with {self.turn.holder}; await it first")
        wait("script", f"SAVEPOINT {name}")
        failed = True
        try:
            yield wait
            failed = False
        finally:
            if failed or undo:
                wait("rollback_to", f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            else:
                wait("script", f"RELEASE SAVEPOINT {name}")
