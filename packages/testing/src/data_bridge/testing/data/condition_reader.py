"""Reads the text of a CHECK constraint into a condition; whatever it does not know is `Unreadable`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from data_bridge.testing._sql_tokens import words
from data_bridge.testing.data.conditions import COMPARISONS, FUNCTIONS, Condition, plain

__all__ = ["Unreadable", "read"]

CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
KEYWORDS = {"AND", "OR", "NOT", "BETWEEN", "IN", "IS", "LIKE", "ILIKE", "CASE", "ANY", "ALL", "SELECT"}


class Unreadable(Exception):
    """Only the server can decide this condition."""


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
        return [Condition("constant", value=plain(value)) for value in members]

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
            return Condition("constant", value=plain(self._params[int(text[1:]) - 1]))
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
