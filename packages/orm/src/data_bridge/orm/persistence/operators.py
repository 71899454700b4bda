"""Operators for update(): `User.find(…).update(Inc({User.visits: 1}))`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from data_bridge.query import ColumnProxy, DocumentPath, func
from data_bridge.query.spi import Built, appended, removed
from data_bridge.query.types import Jsonb

__all__ = ["CurrentDate", "Inc", "Max", "Min", "Mul", "Operator", "Pull", "Push", "Set", "Unset"]


Operand: TypeAlias = "ColumnProxy[Any] | DocumentPath[Any]"
"""What operators change: columns, and parts of JSON documents."""


class Operator:
    """An update of some fields; several combine, the same field twice is an error."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Mapping[Any, Any]) -> None:
        self.pairs = pairs

    def expression(self, column: Operand, value: Any) -> Any:
        """The new value of `column`."""
        return value


class Set(Operator):
    """Sets fields to values."""


class Inc(Operator):
    """Adds to numbers."""

    def expression(self, column: Operand, value: Any) -> Any:
        """`column + value`."""
        return column + value


class Mul(Operator):
    """Multiplies numbers."""

    def expression(self, column: Operand, value: Any) -> Any:
        """`column * value`."""
        return column * value


class Min(Operator):
    """Lowers to the value where it is lower."""

    def expression(self, column: Operand, value: Any) -> Any:
        """`least(column, value)`."""
        return func.least(column, column.bind(value))


class Max(Operator):
    """Raises to the value where it is higher."""

    def expression(self, column: Operand, value: Any) -> Any:
        """`greatest(column, value)`."""
        return func.greatest(column, column.bind(value))


class Push(Operator):
    """Appends to arrays and to JSON lists."""

    def expression(self, column: Operand, value: Any) -> Any:
        """`array_append(column, value)`, of a JSON list `column || [value]`."""
        if column.t is not None and column.t.family == "json":
            made: Built[Any] = Built(*appended(column, value), Jsonb)
            return made
        return func.array_append(column, value)


class Pull(Operator):
    """Removes every such element from arrays and JSON lists."""

    def expression(self, column: Operand, value: Any) -> Any:
        """`array_remove(column, value)`; of a JSON list, a query of its other elements."""
        if column.t is not None and column.t.family == "json":
            made: Built[Any] = Built(*removed(column, value), Jsonb)
            return made
        return func.array_remove(column, value)


class Unset(Operator):
    """Sets fields to NULL: `Unset({User.nick: None})`."""

    def expression(self, column: Operand, value: Any) -> Any:
        """NULL."""
        return None


class CurrentDate(Operator):
    """Sets fields to the time of the transaction: `CurrentDate({User.seen_at: True})`."""

    def expression(self, column: Operand, value: Any) -> Any:
        """`now()`."""
        return func.now()
