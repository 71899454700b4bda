"""The conditions of CHECK constraints that can be decided without a server: read from SQL text, and evaluated.

Read are comparisons, BETWEEN, IN, LIKE, IS NULL, AND, OR, NOT, arithmetic, constants and a few functions of text. For
everything else `read` raises `Unreadable`; only PostgreSQL knows what it means.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from data_bridge.testing._sql_tokens import words

__all__ = ["Condition", "Unreadable", "read"]

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
CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
KEYWORDS = {"AND", "OR", "NOT", "BETWEEN", "IN", "IS", "LIKE", "ILIKE", "CASE", "ANY", "ALL", "SELECT"}


class Unreadable(Exception):
    """Only the server can decide this condition."""


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
            return _plain(values[self.name])
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


def _plain(value: Any) -> Any:
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


def read(sql: str, params: Sequence[Any] = ()) -> Condition:
    """The condition of a text; `$1` stands for the first of the parameters.

    Raises:
        Unreadable: it holds what only the server can decide.

    >>> read("age BETWEEN 0 AND 150 AND length(name) > 2").evaluate({"age": 30, "name": "Al"})
    False
    """
    return _Reader(sql, params).whole()


class _Reader:
    """Reads tokens from left to right, the weakest operator first."""

    def __init__(self, sql: str, params: Sequence[Any]) -> None:
        self._tokens = list(words(sql))
        self._params = params
        self._at = 0

    def whole(self) -> Condition:
        found = self._or()
        if self._at < len(self._tokens):
            raise Unreadable
        return found

    def _peek(self) -> str:
        if self._at == len(self._tokens):
            return ""
        kind, text = self._tokens[self._at]
        return text.upper() if kind == "name" else text if kind == "sign" else ""

    def _take(self, *wanted: str) -> str:
        found = self._peek()
        if found and found in wanted:
            self._at += 1
            return found
        return ""

    def _must(self, wanted: str) -> None:
        if not self._take(wanted):
            raise Unreadable

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._take("OR"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Condition("or", parts=tuple(parts))

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._take("AND"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Condition("and", parts=tuple(parts))

    def _not(self) -> Condition:
        return Condition("not", parts=(self._not(),)) if self._take("NOT") else self._predicate()

    def _predicate(self) -> Condition:
        left = self._sum()
        if found := self._take(*COMPARISONS):
            if self._take("ANY"):
                if found != "=":
                    raise Unreadable
                return Condition("in", parts=(left, *self._members()))
            return Condition("compare", found, (left, self._sum()))
        if self._take("IS"):
            negated = bool(self._take("NOT"))
            self._must("NULL")
            found_null = Condition("null", parts=(left,))
            return Condition("not", parts=(found_null,)) if negated else found_null
        negated = bool(self._take("NOT"))
        if self._take("BETWEEN"):
            low = self._sum()
            self._must("AND")
            made = Condition("between", parts=(left, low, self._sum()))
        elif self._take("IN"):
            made = Condition("in", parts=(left, *self._list()))
        elif self._take("LIKE"):
            made = Condition("like", parts=(left, self._sum()))
        elif negated:
            raise Unreadable
        else:
            return left
        return Condition("not", parts=(made,)) if negated else made

    def _list(self) -> list[Condition]:
        self._must("(")
        found = [self._sum()]
        while self._take(","):
            found.append(self._sum())
        self._must(")")
        return found

    def _members(self) -> list[Condition]:
        (given,) = self._list()
        if given.operation != "constant" or not isinstance(given.value, list | tuple):
            raise Unreadable
        members: list[Any] = list(given.value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        return [Condition("constant", value=_plain(value)) for value in members]

    def _sum(self) -> Condition:
        left = self._product()
        while name := self._take("+", "-"):
            left = Condition("arithmetic", name, (left, self._product()))
        return left

    def _product(self) -> Condition:
        left = self._unary()
        while name := self._take("*", "%"):
            left = Condition("arithmetic", name, (left, self._unary()))
        return left

    def _unary(self) -> Condition:
        if self._take("-"):
            return Condition("arithmetic", "-", (Condition("constant", value=0), self._unary()))
        found = self._primary()
        while self._take("::"):
            if found.operation != "constant":
                raise Unreadable  # a cast of a column may change its value
            self._type()
        return found

    def _type(self) -> None:
        if self._at == len(self._tokens) or self._tokens[self._at][0] != "name":
            raise Unreadable
        self._at += 1

    def _primary(self) -> Condition:
        if self._take("("):
            found = self._or()
            self._must(")")
            return found
        if self._at == len(self._tokens):
            raise Unreadable
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return Condition("constant", value=int(text) if text.isdecimal() else _number(text))
        if kind == "string" and text.startswith("'"):
            return Condition("constant", value=text[1:-1].replace("''", "'"))
        if kind == "parameter" and int(text[1:]) <= len(self._params):
            return Condition("constant", value=_plain(self._params[int(text[1:]) - 1]))
        if kind != "name" or text.upper() in KEYWORDS:
            raise Unreadable
        if text.upper() in CONSTANTS:
            return Condition("constant", value=CONSTANTS[text.upper()])
        return self._named(text)

    def _named(self, text: str) -> Condition:
        """A column, a function, or a constant behind the name of its type."""
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "string":
            return self._primary()
        if self._peek() == "(":
            arguments = self._list()
            if text.lower() not in FUNCTIONS or len(arguments) != 1:
                raise Unreadable
            return Condition("call", text.lower(), tuple(arguments))
        while self._take("."):
            if self._at == len(self._tokens) or self._tokens[self._at][0] != "name":
                raise Unreadable
            text = self._tokens[self._at][1]
            self._at += 1
        return Condition("column", text[1:-1].replace('""', '"') if text.startswith('"') else text.lower())


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Unreadable from None
