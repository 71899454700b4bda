"""The conditions of CHECK constraints that can be decided without a server.

They are comparisons, BETWEEN, IN, LIKE, IS NULL, AND, OR, NOT, arithmetic, constants and a few functions of text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

__all__ = ["COMPARISONS", "FUNCTIONS", "Condition", "plain"]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "length": len,
    "char_length": len,
    "character_length": len,
    "cardinality": len,
    "lower": str.lower,
    "upper": str.upper,
    "trim": lambda text: text.strip(" "),
    "btrim": lambda text: text.strip(" "),
    "abs": abs,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A node: its operation, and what it is applied to.

    Operations: column (a name), constant (a value), call, arithmetic, compare, between, in, like, null, and, or, not.
    """

    operation: str
    name: str = ""
    parts: tuple[Condition, ...] = ()
    value: Any = None

    def columns(self) -> set[str]:
        """The columns that it reads."""
        own = {self.name} if self.operation == "column" else set[str]()
        return own.union(*(part.columns() for part in self.parts))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Its value for one row; None is NULL.

        Raises:
            LookupError: a column has no value yet.
            TypeError: values of these types have no order here.
        """
        if self.operation == "constant":
            return self.value
        if self.operation == "column":
            return plain(values[self.name])
        found = [part.evaluate(values) for part in self.parts]
        if self.operation in ("and", "or"):
            deciding = self.operation == "or"
            return deciding if deciding in found else None if None in found else not deciding
        if self.operation == "null":
            return found[0] is None
        if self.operation == "in":
            same = [_compared("=", found[0], other) for other in found[1:]]
            return True if True in same else None if None in same else False
        if None in found:
            return None
        return self._of_known(found)

    def _of_known(self, found: list[Any]) -> Any:
        if self.operation == "not":
            return not found[0]
        if self.operation == "compare":
            return _compared(self.name, found[0], found[1])
        if self.operation == "between":
            return _compared(">=", found[0], found[1]) and _compared("<=", found[0], found[2])
        if self.operation == "like":
            return re.fullmatch(_pattern(str(found[1])), str(found[0]), re.DOTALL) is not None
        if self.operation == "call":
            return FUNCTIONS[self.name](found[0])
        left, right = (Decimal(str(value)) if isinstance(value, float) else value for value in found)
        if self.name == "%":
            if isinstance(left, int) and isinstance(right, int):
                return abs(left) % abs(right) * (-1 if left < 0 else 1)  # the sign of the dividend, as in SQL
            raise TypeError("% of numbers that are not integers")
        return ARITHMETIC[self.name](left, right)


def plain(value: Any) -> Any:
    """The value that the database holds for a member of an Enum; any other value is its own."""
    return value.value if isinstance(value, Enum) else value


def _compared(name: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    return COMPARISONS[name](_aligned(left, right), _aligned(right, left))


def _aligned(value: Any, other: Any) -> Any:
    """A constant in quotes as the type that it is compared with."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(other, str) or not isinstance(value, str):
        return value
    try:
        if isinstance(other, datetime):
            read = datetime.fromisoformat(value)
            return read.replace(tzinfo=UTC) if read.tzinfo is None and other.tzinfo is not None else read
        if isinstance(other, date):
            return date.fromisoformat(value)
        return Decimal(value)
    except (ValueError, InvalidOperation):
        raise TypeError(f"{value!r} is not comparable with {type(other).__name__}") from None


def _pattern(like: str) -> str:
    return "".join({"%": ".*", "_": "."}.get(letter) or re.escape(letter) for letter in like)
