"""The Table classes of the process, held weakly."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

_classes: WeakSet[Any] = WeakSet()


def add(cls: Any) -> None:
    """Remembers a class that maps a table."""
    _classes.add(cls)


def all_tables() -> list[Any]:
    """The classes that map a table, in the order of their definition."""
    return sorted((c for c in _classes if c.__db__ is not None), key=lambda c: c.__db__.number)
