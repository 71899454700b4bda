"""Values written into the text: where the server compares an expression with one of the catalog, a parameter never matches.

The target of ON CONFLICT is such a place. With a plan for these values the server may find the index, with a generic plan it
does not: the same statement would begin to fail after some runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from data_bridge.core import quote_literal

from .parameter_sharing import children

__all__ = ["inlined"]

Structure = Any


def inlined(s: Structure, p: tuple[Any, ...]) -> Structure:
    """The expression with its values in the text.

    Raises:
        TypeError: for a value that has no literal here.

    >>> inlined(("=", ("col", None, "kind"), "$"), ("a",))
    ('=', ('col', None, 'kind'), ('raw', "'a'"))
    """
    return _written(s, iter(p))


def _written(s: Structure, values: Iterator[Any]) -> Structure:
    if s == "$":
        return ("raw", _literal(next(values)))
    if type(s) is not tuple or not s:
        return s  # pyright: ignore[reportUnknownVariableType]
    node: tuple[Any, ...] = s  # pyright: ignore[reportUnknownVariableType]
    if node[0] == "$":
        return ("cast", ("raw", _literal(next(values))), node[1])
    inner = children(node)
    return tuple([_written(part, values) if i in inner else part for i, part in enumerate(node)])


def _literal(value: Any) -> str:
    if isinstance(value, Enum):
        return _literal(value.value)
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return f"({value})"
    if isinstance(value, str):
        return quote_literal(value).lstrip()
    if isinstance(value, UUID | date | datetime | time):
        return quote_literal(str(value)).lstrip()
    raise TypeError(
        f'a {type(value).__name__} is not written into the text of a statement: write the condition as sql("…")'
    )
