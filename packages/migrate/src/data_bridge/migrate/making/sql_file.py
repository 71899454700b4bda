"""The text of a migration in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from data_bridge.migrate._sql_lexer import terminated
from data_bridge.migrate.operations.step import Step

__all__ = ["written_sql"]


def written_sql(title: str, up: Sequence[Step], down: Sequence[Step]) -> str:
    """The text of the file: every statement is committed for itself, as steps that run online have to be."""
    heading = " ".join(title.split())
    lines = [f"-- {heading}", "-- no-transaction"]
    for mark, steps in (("up", up), ("down", down)):
        lines += ["", f"-- {mark}", *(terminated(step.sql) for step in steps)]
    return "\n".join(lines) + "\n"
