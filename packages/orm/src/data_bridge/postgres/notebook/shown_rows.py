"""What of a list of rows is shown: names of columns, and the text of each value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple, cast

from pydantic import BaseModel

__all__ = ["LIMIT", "ShownRows", "shown_rows"]

LIMIT = 50
"""Rows that are shown of a longer list."""
_TEXT = 200
"""Characters that are shown of a longer value."""
_NUMBERS = (int, float, Decimal)


class ShownRows(NamedTuple):
    """The part of a list of rows that is shown.

    Attributes:
        names: of the columns.
        cells: the texts of the values, by row; None is NULL.
        numbers: the positions of columns that hold numbers.
        total: how many rows the list has.
    """

    names: list[str]
    cells: list[list[str | None]]
    numbers: frozenset[int]
    total: int

    def summary(self) -> str:
        """How many rows there are, and how many of them are shown."""
        rows = f"{self.total:,} {'row' if self.total == 1 else 'rows'}"
        return rows if self.total == len(self.cells) else f"{rows}, the first {len(self.cells)} are shown"


def shown_rows(values: Sequence[Any], limit: int = LIMIT) -> ShownRows | None:
    """Returns what is shown of a list of rows; None for an empty list, and for a list of anything else.

    Rows are instances of one Pydantic model, such as a Table, or dicts with the same names in the same order. Fields with
    `repr=False` are left out, as from `repr()`.
    """
    if not values:
        return None
    first = values[0]
    if isinstance(first, BaseModel):
        kind = type(first)
        if any(type(value) is not kind for value in values):
            return None
        shown: list[dict[str, Any]] = [
            {str(name): value for name, value in row.__repr_args__()} for row in values[:limit]
        ]
    elif isinstance(first, dict):
        rows: Sequence[Any] = values
        known = [*cast(Any, first)]
        if not known or not all(isinstance(name, str) for name in known):
            return None
        if any(not isinstance(row, dict) or [*cast(Any, row)] != known for row in rows):
            return None
        shown = [*rows[:limit]]
    else:
        return None
    names = list(dict.fromkeys(name for row in shown for name in row))
    numbers = frozenset(at for at, name in enumerate(names) if _are_numbers(row.get(name) for row in shown))
    return ShownRows(names, [[_cell(row, name) for name in names] for row in shown], numbers, len(values))


def _are_numbers(values: Iterable[Any]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in given)


def _cell(row: Mapping[str, Any], name: str) -> str | None:
    if name not in row:  # not loaded in this row
        return "…"
    value = row[name]
    if value is None:
        return None
    text = _text(value)
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, BaseModel):
        key = getattr(value, "pk", None)
        return repr(value) if key is None else f"{type(value).__name__} {key}"
    if isinstance(value, list | tuple):
        items = cast(Sequence[Any], value)
        # A value that is too long to be shown is not put into text as a whole.
        return "[" + ", ".join("NULL" if item is None else _text(item) for item in items[:_TEXT]) + "]"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
