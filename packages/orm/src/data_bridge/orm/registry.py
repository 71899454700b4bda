"""The Table classes of the process, held weakly."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from data_bridge.core.errors import ConfigurationError

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

_classes: WeakSet[Any] = WeakSet()
_declared: WeakSet[Any] = WeakSet()
"""Also those that wait for others to be defined."""
_by_place: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
"""The last class of a module with a name."""
_replaced: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""By each class that was defined again, the class that replaced it."""


def add(cls: Any) -> None:
    """Remembers a class that maps a table. A class of a module that was defined again, as in a cell of a notebook that ran twice,
    replaces the one before: what points to that one points to the new one from now on.
    """
    _classes.add(cls)
    if "<locals>" in cls.__qualname__:  # a function that makes classes makes others each time
        return
    before = _by_place.get((cls.__module__, cls.__qualname__))
    _by_place[cls.__module__, cls.__qualname__] = cls
    if before is None or before is cls or before.__db__.table != cls.__db__.table:
        return
    _replaced[before] = cls
    for known in _classes:
        for relation in known.__db__.relations.values() if known.__db__ is not None else ():
            relation.forget()


def latest(cls: Any) -> Any:
    """The class that has replaced a class, or the class itself."""
    while cls in _replaced:
        cls = _replaced[cls]
    return cls


def declare(cls: Any) -> None:
    """Remembers a class by its name."""
    _declared.add(cls)


def named(name: str, module: str, qualname: str, *, is_final: bool = True) -> Any:
    """The class that a name in a class body means: defined beside it, else in its module, else the only one; or None.

    Until the answer is final, a class of another module is not one: the module of the name may still define its own.
    """
    found = [c for c in _declared if c.__name__ == name]
    beside = qualname.rpartition(".")[0]
    for near in (
        [c for c in found if c.__module__ == module and c.__qualname__.rpartition(".")[0] == beside],
        [c for c in found if c.__module__ == module],
        found if is_final and not _is_being_imported(module) else [],
    ):
        if len(near) == 1:
            return near[0]
        if near and near is not found:  # a class that was defined again
            return max(near, key=lambda c: c.__db_number__)
    return None


def places_of(name: str) -> list[str]:
    """Where the classes of this name are defined: `shop.models.User`."""
    return sorted({f"{c.__module__}.{c.__qualname__}" for c in _declared if c.__name__ == name})


def _is_being_imported(module: str) -> bool:
    return bool(getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False))


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


def entity_if_table(thing: Any) -> Entity | None:
    """The entity of a Table class or of an alias, also of a class that waits for others; None for anything else."""
    found: Entity | None = getattr(thing, "__db__", None)
    if found is None and isinstance(thing, type) and not thing.__dict__.get("__pydantic_complete__", True):
        return entity_of(thing) if "__db_declared__" in thing.__dict__ else None
    return found


def all_tables() -> list[Any]:
    """The classes that map a table, in the order of their definition; tables between others behind them.

    Classes that waited for others to be defined are completed, where the others are there by now. Of a class that was
    defined again, as in a cell of a notebook that ran twice, only the last one counts.
    """
    for cls in waiting():
        cls.model_rebuild(raise_errors=False)
    for cls in list(_classes):
        if cls.__db__ is not None:
            cls.__db__.make_through_tables()
    found = sorted((c for c in _classes if c.__db__ is not None), key=lambda c: c.__db__.number)
    return list({(c.__module__, c.__qualname__, c.__db__.table): c for c in found}.values())


def waiting() -> list[Any]:
    """The classes whose links point to names that were not defined yet, in the order of their definition."""
    found = [c for c in _declared if not c.__dict__.get("__pydantic_complete__", True)]
    return sorted(found, key=lambda c: c.__db_number__)


_through: WeakSet[Any] = WeakSet()


def add_through(cls: Any) -> None:
    """Remembers a table that a many-to-many relation made."""
    _through.add(cls)


def through_tables() -> list[Any]:
    """The tables that many-to-many relations made."""
    return list(_through)
