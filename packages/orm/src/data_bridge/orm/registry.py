"""The Table classes of the process, held weakly."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

_classes: WeakSet[Any] = WeakSet()
_declared: WeakSet[Any] = WeakSet()
"""Also those that wait for others to be defined."""


def add(cls: Any) -> None:
    """Remembers a class that maps a table."""
    _classes.add(cls)


def declare(cls: Any) -> None:
    """Remembers a class by its name."""
    _declared.add(cls)


def named(name: str, module: str, qualname: str) -> Any:
    """The class that a name in a class body means: defined beside it, else in its module, else the only one; or None."""
    found = [c for c in _declared if c.__name__ == name]
    beside = qualname.rpartition(".")[0]
    for near in (
        [c for c in found if c.__module__ == module and c.__qualname__.rpartition(".")[0] == beside],
        [c for c in found if c.__module__ == module],
        found,
    ):
        if len(near) == 1:
            return near[0]
        if near and near is not found:  # a class that was defined anew
            return max(near, key=lambda c: c.__db_number__)
    return None


def all_tables() -> list[Any]:
    """The classes that map a table, in the order of their definition; tables between others behind them."""
    for cls in list(_classes):
        if cls.__db__ is not None:
            cls.__db__.make_through_tables()
    return sorted((c for c in _classes if c.__db__ is not None), key=lambda c: c.__db__.number)


_through: WeakSet[Any] = WeakSet()


def add_through(cls: Any) -> None:
    """Remembers a table that a many-to-many relation made."""
    _through.add(cls)


def through_tables() -> list[Any]:
    """The tables that many-to-many relations made."""
    return list(_through)
