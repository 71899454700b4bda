"""The CHECK constraints of a Table class: what they say of single columns, and whether a row passes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from data_bridge.core import Statement, compile
from data_bridge.testing._sql_tokens import words
from data_bridge.testing.data.condition_reader import Unreadable, read
from data_bridge.testing.data.conditions import Condition
from data_bridge.testing.data.limits import Limits

__all__ = ["Check", "checks_of", "narrowed"]

LENGTHS = ("length", "char_length", "character_length")
SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@dataclass(frozen=True, slots=True)
class Check:
    """One constraint.

    Attributes:
        shown: its SQL, for messages.
        columns: what it reads, by name of the column.
        condition: None when only the server can decide it.
    """

    shown: str
    columns: frozenset[str]
    condition: Condition | None

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Whether a row passes, or cannot be judged here."""
        if self.condition is None:
            return True
        try:
            return self.condition.evaluate(values) is not False
        except (TypeError, LookupError, AttributeError):
            return True


def checks_of(definition: Any) -> list[Check]:
    """The CHECK constraints of a table definition."""
    return [_check(definition, one.check) for one in definition.constraints if one.kind == "check"]


def _check(definition: Any, given: Any) -> Check:
    made = getattr(given, "__statement__", None)
    statement = made() if made else Statement(("select", None, (given.s,), *(None,) * 5), given.p)
    text = compile(statement).sql if made else compile(statement).sql.removeprefix("SELECT ")
    try:
        condition = read(text, statement.params)
    except Unreadable:
        names = {column.name for column in definition.columns}
        read_names = {
            word[1:-1] if word.startswith('"') else word.lower() for kind, word in words(text) if kind == "name"
        }
        return Check(text, frozenset(names & read_names), None)
    return Check(text, frozenset(condition.columns()), condition)


def narrowed(limits: Limits, column: str, checks: list[Check]) -> tuple[Limits, bool]:
    """The limits with what checks say of one column alone, and whether they refuse NULL."""
    required = False
    for part in (part for check in checks if check.condition for part in _conjuncts(check.condition)):
        if part.operation == "not" and part.parts[0] == Condition("null", parts=(Condition("column", column),)):
            required = True
        for name, left, value in _bounds(part):
            if left == Condition("column", column):
                limits = _bounded(limits, name, value)
            elif left.name in LENGTHS and left.parts == (Condition("column", column),):
                limits = _of_length(limits, name, value)
        if part.operation == "in" and part.parts[0] == Condition("column", column):
            members = [one.value for one in part.parts[1:] if one.operation == "constant" and one.value is not None]
            if len(members) == len(part.parts) - 1:
                kept = [one for one in members if not limits.choices or one in limits.choices]
                limits = replace(limits, choices=tuple(kept))
    return limits, required


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    if condition.operation == "and":
        for part in condition.parts:
            yield from _conjuncts(part)
    else:
        yield condition


def _bounds(part: Condition) -> Iterator[tuple[str, Condition, Any]]:
    """(comparison, expression, constant) of a condition on one expression."""
    if part.operation == "between":
        yield from _bounds(Condition("compare", ">=", part.parts[:2]))
        yield from _bounds(Condition("compare", "<=", (part.parts[0], part.parts[2])))
    elif part.operation == "compare" and part.name in SWAPPED:
        left, right = part.parts
        for name, one, other in ((part.name, left, right), (SWAPPED[part.name], right, left)):
            if not other.columns():
                value = other.evaluate({})
                if value is not None and not isinstance(value, bool):
                    yield name, one, value


def _bounded(limits: Limits, name: str, value: Any) -> Limits:
    if name == "=":
        return replace(limits, choices=(value,))
    if isinstance(value, str) and (isinstance(limits.low, str) or not _moment(value)):
        return limits
    bound = _moment(value) if isinstance(value, str) else value
    low, high = limits.low, limits.high
    if name in (">", ">=") and (low is None or bound >= low):
        return replace(limits, low=bound, open_low=name == ">")
    if name in ("<", "<=") and (high is None or bound <= high):
        return replace(limits, high=bound, open_high=name == "<")
    return limits


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _of_length(limits: Limits, name: str, value: Any) -> Limits:
    number = int(value)
    low = {">": number + 1, ">=": number, "=": number}.get(name, 0)
    high = {"<": number - 1, "<=": number, "=": number}.get(name)
    if high is not None and limits.max_length is not None:
        high = min(high, limits.max_length)
    return replace(
        limits, min_length=max(limits.min_length, low), max_length=limits.max_length if high is None else high
    )
