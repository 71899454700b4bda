"""Table classes by the names of their tables, held weakly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from data_bridge.core.errors import ConfigurationError

if TYPE_CHECKING:
    from data_bridge.orm.entity import Entity

_classes: WeakSet[Any] = WeakSet()


def add(cls: Any) -> None:
    """Remembers a class that maps a table."""
    _classes.add(cls)


def all_tables() -> list[Any]:
    """The classes that map a table, in the order of their definition."""
    return sorted((c for c in _classes if c.__db__ is not None), key=lambda c: c.__db__.number)


def with_table(name: str, schema: str | None = None) -> Entity | None:
    """The class that maps a table.

    Raises:
        ConfigurationError: when there are several.
    """
    found = [
        c
        for c in all_tables()
        if c.__db__.definition.name == name and (schema is None or c.__db__.definition.schema == schema)
    ]
    if len(found) > 1:
        raise ConfigurationError(
            f"{len(found)} classes map the table {name!r}: {', '.join(sorted(c.__qualname__ for c in found))}"
        )
    return found[0].__db__ if found else None


def with_class(name: str) -> Any:
    """The class of this name, or None; several are an error."""
    found = [c for c in all_tables() if c.__name__ == name]
    if len(found) > 1:
        raise ConfigurationError(f"{len(found)} Table classes are called {name!r}: use the class instead of its name")
    return found[0] if found else None
