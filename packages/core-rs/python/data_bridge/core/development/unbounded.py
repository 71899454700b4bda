"""Queries without LIMIT whose results are large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_bridge.core._native import tokenize
from data_bridge.core.development.categories import Report, UnboundedResultWarning
from data_bridge.core.telemetry.shown_sql import one_line

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryFinished, QueryStarted

__all__ = ["UnboundedResults", "has_limit"]


class UnboundedResults:
    """Compares the number of rows of each query with the limit."""

    def __init__(self, limit: int, report: Report) -> None:
        self._limit = limit
        self._report = report

    def ended(self, event: QueryStarted, ended: QueryFinished) -> None:
        """Looks at a query that has ended without an error."""
        if ended.rows <= self._limit or event.kind not in ("select", "with", "values", "table") or has_limit(event.sql):
            return
        self._report(
            UnboundedResultWarning,
            f"a query without LIMIT returned {ended.rows} rows: add limit(), read pages with paginate(), or rows one after "
            f"the other with stream(). SQL: {one_line(event.sql, 200)}",
            event.site,
        )


def has_limit(sql: str) -> bool:
    """Whether a query has LIMIT or FETCH FIRST outside of its subqueries.

    >>> has_limit("SELECT a FROM t LIMIT 5"), has_limit("SELECT a FROM (SELECT a FROM t LIMIT 5) s")
    (True, False)
    """
    depth = 0
    for kind, start, end in tokenize(sql):
        text = sql[start:end]
        if kind == "symbol":
            depth += (text == "(") - (text == ")")
        elif kind == "word" and depth == 0 and text.upper() in ("LIMIT", "FETCH"):
            return True
    return False
