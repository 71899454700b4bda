"""Assertions about SQL: how many statements, which ones, and how they grow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from data_bridge.core import compile as compile_statement
from data_bridge.testing.assertions.query_log import Query, QueryLog, numbered, recording

__all__ = ["assert_no_n_plus_one", "assert_queries", "assert_sql"]


@contextmanager
def assert_queries(
    n: int | None = None, *, at_most: int | None = None, table: str | None = None, kind: str | None = None
) -> Generator[QueryLog]:
    """Assert how many statements the block runs.

    Only statements of the code under test count: no BEGIN, COMMIT or savepoint, no preparation, nothing that other
    tasks run beside the test.

    Args:
        n: exactly so many.
        at_most: not more.
        table: count statements on this table only.
        kind: count only select, insert, update, delete or ddl.

    Raises:
        AssertionError: with every statement and the line it came from.

    >>> from data_bridge import core
    >>> from data_bridge.testing import assert_queries
    >>> async def check() -> None:
    ...     with assert_queries(1, table="users"):
    ...         await core.fetch("SELECT * FROM users")
    """
    if (n is None) == (at_most is None):
        raise TypeError("assert_queries takes a number, or at_most=")
    with recording(QueryLog()) as log:
        yield log
    counted = log.matching(table=table, kind=kind)
    if len(counted) == n if n is not None else len(counted) <= (at_most or 0):
        return
    wanted = f"{n}" if n is not None else f"at most {at_most}"
    what = "".join([f" of kind {kind}" if kind else "", f" on table {table}" if table else ""])
    message = f"{wanted} statement(s){what} expected, {len(counted)} run:\n{numbered(counted)}"
    if len(counted) != len(log):
        message += f"\nall {len(log)} statements:\n{numbered(log)}"
    raise AssertionError(message)


@contextmanager
def assert_no_n_plus_one(threshold: int = 5, *, allow: Sequence[str] = ()) -> Generator[None]:
    """Assert that no line runs the same statement again and again.

    Args:
        threshold: so many runs of one statement from one line are too many.
        allow: parts of SQL texts or places (`"jobs"`, `"importer.py"`) that may.

    Raises:
        AssertionError: with statement, line and number.
    """
    with recording(QueryLog()) as log:
        yield
    groups: defaultdict[tuple[str, str], list[Query]] = defaultdict(list)
    for query in log:
        groups[query.normalised, query.place].append(query)
    loops = [
        (sql, place, len(queries))
        for (sql, place), queries in groups.items()
        if len(queries) >= threshold and not any(part in sql or part in place for part in allow)
    ]
    if loops:
        lines = [f"  {count} times at {place}\n    {sql}" for sql, place, count in loops]
        raise AssertionError(
            "the same statement runs once per row:\n"
            + "\n".join(lines)
            + "\nhint: fetch the rows together: fetch_links=True for relations, column.in_([…]) for keys, insert_many"
        )


def assert_sql(statement: Any, expected: str) -> None:
    """Assert what a statement compiles to; white space does not matter.

    Args:
        statement: a query, a builder, a statement: whatever has `__statement__()`.
        expected: the SQL text with `$1`, `$2` … for its parameters.

    Raises:
        AssertionError: with both texts.
    """
    compiled = " ".join(compile_statement(statement).sql.split())
    wanted = " ".join(expected.split())
    if compiled != wanted:
        same = next((at for at, (a, b) in enumerate(zip(compiled, wanted, strict=False)) if a != b), None)
        at = min(len(compiled), len(wanted)) if same is None else same
        raise AssertionError(
            f"the statement compiles to\n  {compiled}\nand not to\n  {wanted}\n  {' ' * at}^ here they part"
        )
