"""Databases that the code under test opens by init(), and that it must close before the test ends."""

from __future__ import annotations

from functools import partial
from typing import Any

from data_bridge.core import Database
from data_bridge.core.connection import context
from data_bridge.testing._blocking import run_elsewhere

__all__ = ["OpenedDatabases"]


class OpenedDatabases:
    """What a test function or a fixture opens, and has to close.

    Args:
        claimed: the databases that a fixture inside of this one has opened; shared by all of a run.
    """

    def __init__(self, claimed: list[Any]) -> None:
        self._claimed = claimed
        self._before = context.registered()
        self._opened: dict[str, Database] = {}

    def claim(self) -> None:
        """The function has run: what has been opened meanwhile is its own."""
        for alias, database in context.registered().items():
            known = self._before.get(alias) is database or any(other is database for other in self._claimed)
            if not known and not context.is_test_database(database):
                self._opened[alias] = database
                self._claimed.append(database)

    def close_forgotten(self, end: str) -> list[str]:
        """Close what is still open, and say so."""
        problems: list[str] = []
        for alias, database in self._opened.items():
            self._claimed[:] = [other for other in self._claimed if other is not database]
            if context.registered().get(alias) is not database:
                continue
            context.unregister(database)
            run_elsewhere(partial(database.close, timeout=0))
            problems.append(
                f"the database {alias!r}, which init() has opened, is still open at the end of {end}; it is closed now, or later"
                " tests would write into it\nhint: `await close()` in a `finally`"
            )
        return problems
