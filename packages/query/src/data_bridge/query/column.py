"""Columns: expressions whose comparisons are made of structures that exist already."""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from .expr import Built, Expr
from .nodes import T_co
from .types import Boolean, SQLType

if TYPE_CHECKING:
    from .source import Source

__all__ = ["ColumnProxy"]

_SOURCES: WeakValueDictionary[int, Source] = WeakValueDictionary()
"""Sources by the identity of their columns' structures, which live exactly as long."""


def remember(structure: Any, source: Source) -> Any:
    """The structure, which from now on is known to be this source's own. The source must keep it."""
    _SOURCES[id(structure)] = source
    return structure


def source_of_column(structure: Any) -> Source | None:
    """The source whose own structure this is: of one of its columns, or of all of them."""
    found = _SOURCES.get(id(structure))
    if found is None:
        return None
    # A structure that is gone leaves its number behind, which another tuple may get.
    if structure[0] == "cols":
        return found if found.all_columns is structure else None
    column = found.columns.get(structure[2])
    return found if column is not None and column.s is structure else None


def sources_in(structure: Any) -> Source | None:
    """The source of the first column in a structure: an expression such as ``count(users.id)`` knows its table so."""
    if type(structure) is not tuple:
        return None
    if structure and structure[0] == "col":
        return source_of_column(structure)
    if structure and structure[0] in ("query", "exists", "array_query"):
        return None
    for child in structure:
        found = sources_in(child)
        if found is not None:
            return found
    return None


class _NoValue:
    """The class of no value."""


class ColumnProxy(Expr[T_co]):
    """A column of a table: ``User.age`` or ``users.age``. One object per table and column, so it serves as a dict key.

    `owner` is how messages call it; `key` is the Python attribute, where that differs from the column's name.

    >>> from data_bridge.query import table, column
    >>> users = table("users", column("age", int))
    >>> users.age.name, users.age.owner, users.age.t
    ('age', 'users.age', BigInt)
    """

    __slots__ = (
        "_eq",
        "_ge",
        "_gt",
        "_le",
        "_lt",
        "_ne",
        "_neg",
        "_null",
        "_owner",
        "_python",
        "key",
        "name",
        "nullable",
        "source",
    )

    source: Source
    name: str
    key: str
    nullable: bool

    def __init__(
        self,
        source: Source,
        name: str,
        type: SQLType | None,  # noqa: A002
        *,
        nullable: bool = True,
        owner: str | None = None,
        key: str | None = None,
    ) -> None:
        """Makes the column of a source; `type` None means: values are not checked."""
        s = ("col", source.name, name)
        super().__init__(s, (), type)
        self.source = source
        remember(s, source)
        self.name = name
        self.key = key or name
        self.nullable = nullable
        self._owner = owner or f"{source.name}.{name}"
        # A class no value has, when every value must be looked at.
        self._python: Any = _NoValue if type is None or type.python is None else type.python
        self._eq, self._ne = ("=", s, "$"), ("<>", s, "$")
        self._lt, self._le, self._gt, self._ge = ("<", s, "$"), ("<=", s, "$"), (">", s, "$"), (">=", s, "$")
        self._null: Expr[bool] = Built(("is", s, "null"), (), Boolean)
        self._neg: Expr[Any] = Built(("neg", s), (), type)

    @property
    def owner(self) -> str:
        """How messages call it: "User.age"."""
        return self._owner

    def bind(self, value: Any) -> Any:
        """The value as it is sent for this column; EncodeError naming the column when it does not fit.

        >>> from data_bridge.query import table, column
        >>> table("users", column("age", int)).age.bind("42")
        42
        """
        return value if self.t is None else self.t.bind(value, self._owner)

    __hash__ = object.__hash__

    if not TYPE_CHECKING:
        # The operators of everyday filters: a value of the type's own class costs one comparison and one small object.
        # Checkers see the overloads of Node, which say more.

        def __eq__(self, other):
            if type(other) is self._python:
                return Built(self._eq, (other,), Boolean)
            if type(other) is ColumnProxy:
                return Built(("=", self.s, other.s), (), Boolean)
            if other is None:
                return self._null
            return self._compare("=", other)

        def __ne__(self, other):
            if type(other) is self._python:
                return Built(self._ne, (other,), Boolean)
            if other is None:
                return self.is_not_null()
            return self._compare("<>", other)

        def __lt__(self, other):
            return Built(self._lt, (other,), Boolean) if type(other) is self._python else self._compare("<", other)

        def __le__(self, other):
            return Built(self._le, (other,), Boolean) if type(other) is self._python else self._compare("<=", other)

        def __gt__(self, other):
            return Built(self._gt, (other,), Boolean) if type(other) is self._python else self._compare(">", other)

        def __ge__(self, other):
            return Built(self._ge, (other,), Boolean) if type(other) is self._python else self._compare(">=", other)

        def __neg__(self):
            return self._neg
