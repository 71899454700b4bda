"""What went wrong: which step of which file, and what the server said."""

from __future__ import annotations

from typing import Any

from data_bridge.core.errors import DatabaseError
from data_bridge.migrate._sql_lexer import UnclosedError, split
from data_bridge.migrate.operations.step import Step

_LONG = 12
_OF_DATA = ("22", "23")
"""Classes of SQLSTATE whose messages quote values: data exceptions and violated constraints."""


def explain(migration: Any, sink: Any, error: BaseException) -> str:
    """The failing step, its place, and the server's message with detail, hint and position.

    The text is logged and stored in the history: values of rows, which errors of data quote, are not in it.
    """
    step: Step | None = sink.current
    text = f"step {len(sink.digests) + 1} failed"
    position = error.position if isinstance(error, DatabaseError) else None
    if step is not None:
        text += f"{_place(migration, step, position)}: {_statement(step, position)}"
    if not isinstance(error, DatabaseError):
        return f"{text}\n{error}"
    text += f"\n{error.message_without_values} [{error.sqlstate}]"
    if error.detail and error.sqlstate.startswith(_OF_DATA):
        text += "\nDetail: left out, as it quotes values of rows; the server's log and the DatabaseError in __cause__ have it"
    elif error.detail:
        text += f"\nDetail: {error.detail}"
    if error.hint:
        text += f"\nHint: {error.hint}"
    if position and step is not None:
        text += f"\n{_pointed(step.sql, position)}"
    return text


def _place(migration: Any, step: Step, position: int | None) -> str:
    if step.line is None or migration.source is None:
        return ""
    line = step.line + (step.sql.count("\n", 0, position - 1) if position else 0)
    return f" in line {line}"


def _statement(step: Step, position: int | None) -> str:
    """The statement at the position, where a step has several."""
    sql = step.sql
    try:
        statements = split(sql)
    except UnclosedError:
        statements = []
    if len(statements) > 1:
        inside = [s for s in statements if position is not None and s.start < position <= s.end + 1]
        sql = inside[0].sql if inside else f"one of {len(statements)} statements, beginning with {statements[0].sql}"
    lines = sql.splitlines()
    return sql if len(lines) <= _LONG else "\n".join([*lines[:_LONG], f"… {len(lines) - _LONG} more lines"])


def _pointed(sql: str, position: int) -> str:
    """The line of the position with a mark under the place."""
    before = sql[: position - 1]
    start = before.rfind("\n") + 1
    line = sql[start:].split("\n", 1)[0]
    mark = "".join(c if c == "\t" else " " for c in sql[start : position - 1])
    return f"At character {position}:\n  {line}\n  {mark}^"
