"""The plans of slow statements: EXPLAIN with the same parameters, seldom, and only of statements that read."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from data_bridge.core._native import tokenize
from data_bridge.core.errors import DataBridgeError
from data_bridge.core.telemetry import SLOW
from data_bridge.core.telemetry.shown_sql import one_line, without_constants
from data_bridge.core.telemetry.shown_values import has_secret

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryStarted

__all__ = ["SlowPlans", "is_read_only"]

_READS = frozenset({"select", "with", "values", "table"})
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "SHARE"})
_EVERY = 60.0
"""Seconds between two plans of one statement."""
_PAUSE = 1.0
"""Seconds between two plans of a database."""
_KEPT = 1000
# "  Filter: (a = 5)" but not "  Workers Planned: 2", and not the line of a node.
_CONDITION = re.compile(r"^(\s*[A-Z][\w ]*: )(.*)$")

Explain = Callable[[str, tuple[Any, ...]], Awaitable[list[str]]]


def is_read_only(kind: str, sql: str) -> bool:
    """Whether a statement only reads: a query without INSERT, UPDATE, DELETE or MERGE, and without row locks.

    >>> is_read_only("select", "SELECT a FROM t"), is_read_only("select", "SELECT a FROM t FOR UPDATE")
    (True, False)
    """
    if kind not in _READS:
        return False
    return not any(token == "word" and sql[start:end].upper() in _WRITES for token, start, end in tokenize(sql))


class SlowPlans:
    """Runs EXPLAIN for slow statements and writes the plans to `data_bridge.slow`.

    The plan is made after the statement, on another connection: it knows no temporary tables of the transaction, and what
    ANALYZE would measure is not there. One statement is explained at most once a minute, a database at most once a second.
    """

    def __init__(self, explain: Explain, *, values: bool) -> None:
        self._explain = explain
        self._values = values
        self._next: dict[int, float] = {}
        self._free_from = 0.0
        self._running: set[asyncio.Task[None]] = set()

    def request(self, event: QueryStarted) -> None:
        """Starts EXPLAIN for a statement, unless it writes or was explained just now. Does not wait."""
        now = time.monotonic()
        if self._running or now < self._free_from or now < self._next.get(event.shape, 0.0):
            return
        if event.params is None or not is_read_only(event.kind, event.sql):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # blocking code, whose loop does not go on after the statement
            return
        if len(self._next) >= _KEPT:
            self._next.clear()
        self._next[event.shape], self._free_from = now + _EVERY, now + _PAUSE
        # Outside of the transaction of the caller, which may be over before the plan is there.
        task = loop.create_task(self._write(event.sql, event.params), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def close(self) -> None:
        """Cancels the EXPLAIN that runs."""
        for task in self._running:
            task.get_loop().call_soon_threadsafe(task.cancel)

    async def _write(self, sql: str, params: tuple[Any, ...]) -> None:
        try:
            lines = await self._explain(f"EXPLAIN {sql}", params)
        except DataBridgeError as e:
            state = getattr(e, "sqlstate", None)
            SLOW.info("no plan of %s: %s %s", one_line(sql), type(e).__name__, state or "")
            return
        if not self._values or has_secret(params):
            lines = [_masked(line) for line in lines]
        SLOW.warning(
            "plan of %s\n%s", one_line(sql), "\n".join(lines), extra={"data_bridge": {"sql": sql, "plan": lines}}
        )


def _masked(line: str) -> str:
    """A line of a plan without the values that conditions name."""
    found = _CONDITION.match(line)
    if found is None or found[2].isdigit():
        return line
    return found[1] + without_constants(found[2])
