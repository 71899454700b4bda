"""Operators for update(): `User.find(…).update(Inc({User.visits: 1}))`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data_bridge.query import ColumnProxy, func

__all__ = ["CurrentDate", "Inc", "Max", "Min", "Mul", "Operator", "Pull", "Push", "Set", "Unset"]


class Operator:
    """An update of some fields; several combine, the same field twice is an error."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Mapping[Any, Any]) -> None:
        self.pairs = pairs

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """The new value of `column`."""
        return value


class Set(Operator):
    """Sets fields to values."""


class Inc(Operator):
    """Adds to numbers."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """`column + value`."""
        return column + value


class Mul(Operator):
    """Multiplies numbers."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """`column * value`."""
        return column * value


class Min(Operator):
    """Lowers to the value where it is lower."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """`least(column, value)`."""
        return func.least(column, column.bind(value))


class Max(Operator):
    """Raises to the value where it is higher."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """`greatest(column, value)`."""
        return func.greatest(column, column.bind(value))


class Push(Operator):
    """Appends to arrays."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """`array_append(column, value)`."""
        return func.array_append(column, value)


class Pull(Operator):
    """Removes every such element from arrays."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """`array_remove(column, value)`."""
        return func.array_remove(column, value)


class Unset(Operator):
    """Sets fields to NULL: `Unset({User.nick: None})`."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """NULL."""
        return None


class CurrentDate(Operator):
    """Sets fields to the time of the transaction: `CurrentDate({User.seen_at: True})`."""

    def expression(self, column: ColumnProxy[Any], value: Any) -> Any:
        """`now()`."""
        return func.now()
