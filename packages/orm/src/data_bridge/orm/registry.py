"""The Table classes of the process, held weakly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from data_bridge.core.errors import ConfigurationError

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

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
        if near and near is not found:  # a class that was defined again
            return max(near, key=lambda c: c.__db_number__)
    return None


def entity_of(cls: Any) -> Entity:
    """The entity of a class.

    Raises:
        ConfigurationError: for an abstract class, or one with open forward references.
    """
    entity: Entity | None = cls.__dict__.get("__db__")
    if entity is not None:
        return entity
    if not cls.__pydantic_complete__:
        cls.model_rebuild(raise_errors=True)
        entity = cls.__dict__.get("__db__")
        if entity is not None:
            return entity
    raise ConfigurationError(f"{cls.__name__} maps no table: it is abstract, or a generic that needs its parameters")


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
