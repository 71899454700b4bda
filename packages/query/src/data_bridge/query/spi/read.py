"""Structures read: what a sort key, a result or a call says, for packages that must know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..expressions.node import Structure
from ..types.sql_types import Jsonb, SQLType, Text
from ..types.typemap import parse_type


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

    def of(self, expression: Structure) -> Structure:
        """The key with the same direction, of another expression."""
        ends = () if self.nulls is None else (self.nulls,)
        return (self.direction or "asc", expression, *ends)

    def turned(self) -> Structure:
        """The key the other way round."""
        direction = "asc" if self.direction == "desc" else "desc"
        if self.nulls is None:
            return (direction, self.expression)
        return (direction, self.expression, "last" if self.nulls == "first" else "first")


def _is(s: Structure, tag: str) -> bool:
    return bool(type(s) is tuple and s and s[0] == tag)  # pyright: ignore[reportUnknownArgumentType]


def sort_key(s: Structure) -> SortKey:
    """What a structure in ORDER BY says; unary minus means DESC there."""
    if _is(s, "neg"):
        return SortKey(s[1], "desc", None)
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


def text_of(s: Structure) -> str | None:
    """The text of an expression that `sql()` made; None for any other one."""
    return s[1] if type(s) is tuple and s and s[0] == "raw" else None  # pyright: ignore[reportUnknownVariableType]


def ordinal_of(s: Structure) -> int | None:
    """The position of a result column that a sort key names; None for another expression."""
    return s[1] if type(s) is tuple and s and s[0] == "ordinal" else None  # pyright: ignore[reportUnknownVariableType]


def unlabelled(s: Structure) -> Structure:
    """A result column without its label."""
    return s[1] if type(s) is tuple and s and s[0] == "label" else s  # pyright: ignore[reportUnknownVariableType]


def is_member(s: Structure) -> bool:
    """Whether a structure is a part of a JSON document, perhaps cast."""
    if type(s) is tuple and s and s[0] == "cast":
        s = s[1]  # pyright: ignore[reportUnknownVariableType]
    return type(s) is tuple and bool(s) and s[0] in ("->", "->>", "#>>")  # pyright: ignore[reportUnknownArgumentType]


class MemberOf(NamedTuple):
    """A part of a JSON document."""

    column: Structure
    """The column that the document is in."""
    type: SQLType
    """What the part is read as."""


def member_of(s: Structure) -> MemberOf | None:
    """The column and the type of a part of a document; None for another structure."""
    if not is_member(s):
        return None
    is_cast = s[0] == "cast"
    inner: Structure = s[1] if is_cast else s
    of = parse_type(s[2]) if is_cast else Jsonb if inner[0] == "->" else Text
    while type(inner) is tuple and inner and inner[0] in ("->", "->>", "#>>"):  # pyright: ignore[reportUnknownArgumentType]
        inner = inner[1]  # pyright: ignore[reportUnknownVariableType]
    return MemberOf(inner, of)


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
