"""A Table class on another database: a subclass with the same table, so that whatever the class can do, it does there."""

from __future__ import annotations

import copyreg
from collections.abc import MutableMapping
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel

from data_bridge.core import Transaction, current_transaction
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.relation import Relation
from data_bridge.orm.models.metaclass import TableMeta
from data_bridge.orm.registry import entity_of

T = TypeVar("T")


def bound_table(table: type[T], database: Any) -> type[T]:
    """The class on this database: an alias, a Database, or that of the current transaction. One class for each pair.

    Raises:
        ConfigurationError: for a transaction that is not the current one, as the class outlives it.
    """
    if isinstance(database, Transaction):
        database = _database_of(table, database)
    base: Any = base_of(table)
    entity = entity_of(base)
    known: MutableMapping[Any, Any] = base.__dict__.get("__db_bound_here__", _NOTHING)
    if known is _NOTHING:
        known = {}
        type.__setattr__(base, "__db_bound_here__", known)
        type.__setattr__(base, "__db_bound_there__", WeakValueDictionary())
    at: Any = database
    if not isinstance(database, str):
        # The class keeps its database: no other one has its number meanwhile.
        known, at = base.__dict__["__db_bound_there__"], id(database)
    found: Any = known.get(at)
    if found is None:
        ns = {  # pyright: ignore[reportUnknownVariableType]
            "__module__": base.__module__,
            "__qualname__": base.__qualname__,
            "__doc__": base.__doc__,
            "__annotations__": {},
            "__db_bound__": database,
            **({"__eq__": _equal, "__hash__": base.__hash__} if base.__eq__ is BaseModel.__eq__ else {}),
        }
        make: Any = TableMeta
        found = make(base.__name__, (base,), ns)
        type.__setattr__(found, "__db__", entity.bound(found, database))
        known[at] = found
    return found  # type: ignore[no-any-return]


def _database_of(table: Any, transaction: Transaction) -> Any:
    database = transaction.database
    if current_transaction(using=database) is not transaction:
        raise ConfigurationError(
            f"{table.__name__}.using(tx): tx is not the current transaction of its database, which the class would run in; "
            "pass tx=tx to the method"
        )
    return database


_NOTHING: dict[Any, Any] = {}


def base_of(table: Any) -> Any:
    """The class that a bound one stands for; any other class itself."""
    return table.__mro__[1] if "__db_bound__" in table.__dict__ else table


def _equal(self: Any, other: Any) -> Any:
    """Rows are equal by what they hold, wherever they are."""
    if not isinstance(other, base_of(type(self))):
        return NotImplemented
    return (
        self.__dict__ == other.__dict__
        and self.__pydantic_private__ == other.__pydantic_private__
        and self.__pydantic_extra__ == other.__pydantic_extra__
    )


def _reduced(cls: Any) -> Any:
    """How pickle finds a class: by its name, a bound one by that of its base and the alias of its database."""
    database = cls.__dict__.get("__db_bound__")
    if database is None:
        return cls.__qualname__
    alias = database if isinstance(database, str) else getattr(database, "alias", None)
    if not isinstance(alias, str):
        raise ConfigurationError(
            f"rows of {cls.__name__}.using(…) are pickled with the alias of their database, which has none"
        )
    return bound_table, (base_of(cls), alias)


copyreg.pickle(TableMeta, _reduced)
Relation.bind_table = staticmethod(bound_table)
__all__ = ["base_of", "bound_table"]
