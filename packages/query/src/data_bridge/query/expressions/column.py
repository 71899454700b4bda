"""Columns: expressions whose comparisons are made of structures that exist already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..types.sql_types import Boolean, SQLType
from .expr import Built, Expr
from .node import T_co
from .origins import remember

if TYPE_CHECKING:
    from .sources import Source

__all__ = ["ColumnInfo", "ColumnProxy"]


class _NoValue:
    """The class of no value."""


class ColumnInfo(NamedTuple):
    """What a column is. In one attribute of the column, `__column__`, because the fields of a JSON document are attributes
    of its column too, and may be called `name` or `key`.
    """

    source: Source
    name: str
    """The name in the database."""
    key: str
    """The Python attribute, where that differs from the column's name."""
    nullable: bool
    owner: str
    """How messages call it: "User.age"."""


class ColumnProxy(Expr[T_co]):
    """A column of a table: ``User.age`` or ``users.age``. One object per table and column, so it serves as a dict key.

    `__column__` says which column it is.

    >>> from data_bridge.query import table, column
    >>> users = table("users", column("age", int))
    >>> users.age.__column__.name, users.age.__column__.owner, users.age.t
    ('age', 'users.age', BigInt)
    """

    __slots__ = (
        "__column__",
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
    )

    __column__: ColumnInfo

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
        remember(s, source)
        self._owner = owner or f"{source.name}.{name}"
        self.__column__ = ColumnInfo(source, name, key or name, nullable, self._owner)
        # A class no value has, when every value must be looked at.
        self._python: Any = _NoValue if type is None or type.python is None or type.family == "other" else type.python
        self._eq, self._ne = ("=", s, "$"), ("<>", s, "$")
        self._lt, self._le, self._gt, self._ge = ("<", s, "$"), ("<=", s, "$"), (">", s, "$"), (">=", s, "$")
        self._null: Expr[bool] = Built(("is", s, "null"), (), Boolean)
        self._neg: Expr[Any] = Built(("neg", s), (), type)

    @property
    def __owner__(self) -> str:
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
