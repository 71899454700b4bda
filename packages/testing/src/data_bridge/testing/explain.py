"""`explain_guard`: no sequential scan over a large table."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

from data_bridge.core import ConfigurationError, LoadPlan, current_database

from .blocking import BlockingSession
from .embedded.admin import quote_identifier, quote_literal
from .querylog import Query, QueryLog, recording
from .sandbox import Sandbox

__all__ = ["explain_guard"]

FIRST_GENERIC = 160000
"""EXPLAIN (GENERIC_PLAN) came with PostgreSQL 16; before, parameters need values."""

SETTING = "data_bridge.plan"
EXPLAIN = (
    "DO $explain$ DECLARE plan json; BEGIN EXECUTE {explain} INTO plan;"
    f" PERFORM pg_catalog.set_config('{SETTING}', plan::text, false); END $explain$"
)
Ask = Callable[[str], Any]


@contextmanager
def explain_guard(*, max_seq_rows: int = 10_000) -> Generator[None]:
    """Assert that no statement of the block reads a table of more than `max_seq_rows` rows from end to end.

    Statements are explained when the block ends, with sequential scans made unattractive: what is still one has no
    index that could serve it. Small tables never fail, so fill the table first.

    Raises:
        AssertionError: with the statement, the table and its number of rows.
        ConfigurationError: on a server before PostgreSQL 16.
    """
    with recording(QueryLog()) as log:
        yield
    chosen = {query.sql: query for query in log if query.kind in ("select", "update", "delete") and not query.error}
    if not chosen:
        return
    with _asking() as ask:
        if int(ask("SELECT current_setting('server_version_num')")) < FIRST_GENERIC:
            raise ConfigurationError("explain_guard needs PostgreSQL 16 or later")
        problems = [problem for query in chosen.values() for problem in _scans(ask, query, max_seq_rows)]
    if problems:
        raise AssertionError("\n".join(problems))


def _scans(ask: Ask, query: Query, limit: int) -> Iterator[str]:
    explain = quote_literal(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON, VERBOSE) {query.sql}")
    # Through a block, as the extended protocol would ask for the values of the parameters.
    ask(EXPLAIN.format(explain=explain.replace("$explain$", "")))
    for node in _nodes(json.loads(ask(f"SELECT pg_catalog.current_setting('{SETTING}')"))[0]["Plan"]):
        if node["Node Type"] not in ("Seq Scan", "Parallel Seq Scan"):
            continue
        table = f"{quote_identifier(node['Schema'])}.{quote_identifier(node['Relation Name'])}"
        rows = int(ask(f"SELECT count(*) FROM {table}"))
        if rows > limit:
            condition = f" for {node['Filter']}" if "Filter" in node else ""
            yield (
                f"all {rows:,} rows of {table} are read{condition}\n  {query.sql}\n  at {query.place}"
                "\nhint: add an index that serves the condition, or a limit"
            )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


@contextmanager
def _asking() -> Generator[Ask]:
    """Ask the database of the test and get the first value; sequential scans are made unattractive meanwhile."""
    database = current_database()
    if isinstance(database, Sandbox):
        with database.aside() as wait:
            value = LoadPlan.scalars(many=False)
            wait("script", "SET LOCAL enable_seqscan = off")
            yield lambda sql: wait("run", ("text", sql), (), value)
        return
    with closing(BlockingSession(database.dsn)) as session:
        session.run("SET enable_seqscan = off")

        def ask(sql: str) -> Any:
            rows = session.run(sql)
            return rows[0][0] if rows else None

        yield ask
