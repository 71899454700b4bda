"""`explain_guard`: no sequential scan over a large table."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

from data_bridge.core import LoadPlan, current_database
from data_bridge.core._native import quote_identifier, quote_literal
from data_bridge.testing._blocking import BlockingSession
from data_bridge.testing._sql_tokens import words
from data_bridge.testing.assertions.query_log import Query, QueryLog, recording
from data_bridge.testing.sandbox import Sandbox

__all__ = ["explain_guard"]

SETTING = "data_bridge.plan"
# The plan of a prepared statement for any values, which every supported version can explain; in a block, because the
# extended protocol would ask for the values itself.
EXPLAIN = (
    "DO $explain$ DECLARE plan json; BEGIN EXECUTE {prepare}; EXECUTE {explain} INTO plan;"
    f" DEALLOCATE data_bridge_explained; PERFORM pg_catalog.set_config('{SETTING}', plan::text, false); END $explain$"
)
UNATTRACTIVE = ("enable_seqscan = off", "plan_cache_mode = force_generic_plan")
Ask = Callable[[str], Any]


@contextmanager
def explain_guard(*, max_seq_rows: int = 10_000) -> Generator[None]:
    """Assert that no statement of the block reads a table of more than `max_seq_rows` rows from end to end.

    Statements are explained when the block ends, with sequential scans made unattractive: what is still one has no
    index that could serve it. Small tables never fail, so fill the table first.

    Raises:
        AssertionError: with the statement, the table and its number of rows.
    """
    with recording(QueryLog()) as log:
        yield
    chosen = {query.sql: query for query in log if query.kind in ("select", "update", "delete") and not query.error}
    if not chosen:
        return
    with _asking() as ask:
        problems = [problem for query in chosen.values() for problem in _scans(ask, query, max_seq_rows)]
    if problems:
        raise AssertionError("\n".join(problems))


def _scans(ask: Ask, query: Query, limit: int) -> Iterator[str]:
    count = max((int(text[1:]) for kind, text in words(query.sql) if kind == "parameter"), default=0)
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    prepare = quote_literal(f"PREPARE data_bridge_explained AS {query.sql}")
    explain = quote_literal(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE data_bridge_explained{values}")
    ask(EXPLAIN.format(prepare=prepare.replace("$explain$", ""), explain=explain))
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
            wait("script", "; ".join(f"SET LOCAL {setting}" for setting in UNATTRACTIVE))
            yield lambda sql: wait("run", ("text", sql), (), value)
        return
    with closing(BlockingSession(database.dsn)) as session:
        session.script("; ".join(f"SET {setting}" for setting in UNATTRACTIVE))

        def ask(sql: str) -> Any:
            rows = session.run(sql)
            return rows[0][0] if rows else None

        yield ask
