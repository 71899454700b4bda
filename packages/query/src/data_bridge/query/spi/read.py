"""Structures read: what a sort key, a result or a call says, for packages that must know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..expressions.node import Structure


class SortKey(NamedTuple):
    """A key of ORDER BY."""

    expression: Structure
    direction: str | None
    """asc or desc; None where nothing was said."""
    nulls: str | None
    """first or last; None where nothing was said."""

    @property
    def is_descending(self) -> bool:
        """Whether the greatest value comes first."""
        return self.direction == "desc"

    def turned(self) -> Structure:
        """The key the other way round."""
        direction = "asc" if self.direction == "desc" else "desc"
        if self.nulls is None:
            return (direction, self.expression)
        return (direction, self.expression, "last" if self.nulls == "first" else "first")


def sort_key(s: Structure) -> SortKey:
    """What a structure in ORDER BY says."""
    if type(s) is tuple and s and s[0] in ("asc", "desc"):
        return SortKey(s[1], s[0], s[2] if len(s) > 2 else None)  # pyright: ignore[reportUnknownArgumentType]
    return SortKey(s, None, None)


def result_of(query: Structure) -> tuple[Structure, ...]:
    """The columns of the result of a SELECT."""
    result: tuple[Structure, ...] = query[2]
    return result


def single_columns(results: Iterable[Structure]) -> list[Structure]:
    """A result in which every column stands by itself."""
    found: list[Structure] = []
    for s in results:
        if type(s) is tuple and s[0] == "cols":
            found += [("col", s[1], name) for name in s[2:]]  # pyright: ignore[reportUnknownVariableType]
        else:
            found.append(s)
    return found


def width_of(results: Iterable[Structure]) -> int:
    """The number of columns of a result."""
    return sum(len(s) - 2 if type(s) is tuple and s[0] == "cols" else 1 for s in results)  # pyright: ignore[reportUnknownArgumentType]


def column_name(s: Structure) -> str | None:
    """The name of the column that a structure is; None for another expression."""
    if type(s) is tuple and s and s[0] == "col":
        name: str = s[2]  # pyright: ignore[reportUnknownVariableType]
        return name  # pyright: ignore[reportUnknownVariableType]
    return None


def is_member(s: Structure) -> bool:
    """Whether a structure is a part of a JSON document, perhaps cast."""
    if type(s) is tuple and s and s[0] == "cast":
        s = s[1]  # pyright: ignore[reportUnknownVariableType]
    return type(s) is tuple and bool(s) and s[0] in ("->", "->>", "#>>")  # pyright: ignore[reportUnknownArgumentType]


def is_grouping_set(s: Structure) -> bool:
    """Whether a key of GROUP BY stands for several groupings."""
    return type(s) is tuple and bool(s) and s[0] in ("rollup", "cube", "sets")  # pyright: ignore[reportUnknownArgumentType]


class Call(NamedTuple):
    """A function and its arguments."""

    name: Structure
    arguments: tuple[Structure, ...]
    within: tuple[Structure, ...]
    """Of an aggregate WITHIN GROUP, what it is ordered by."""


def call_of(s: Structure) -> Call | None:
    """The function that a structure calls, also one over a window; None for other structures."""
    if type(s) is not tuple or not s:
        return None
    if s[0] == "over":
        return call_of(s[1])
    if s[0] == "call":
        return Call(s[1], s[2:], ())
    return Call(s[1], s[2], s[6] or ()) if s[0] == "agg" else None
