"""A page of rows."""

from __future__ import annotations

import base64
import json
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from data_bridge.core.errors import ConfigurationError

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """Rows of a query, and how to get to the others. Usable as a response model of FastAPI.

    Attributes:
        items: the rows of this page.
        next: cursor of the page behind, or None.
        prev: cursor of the page before, or None.
        total: rows of the whole query, if it was counted.
    """

    items: list[T]
    next: str | None = None
    prev: str | None = None
    total: int | None = None


def cursor_of(values: list[Any]) -> str:
    """An opaque cursor for the sort keys of a row."""
    return (
        base64.urlsafe_b64encode(json.dumps(values, default=str, separators=(",", ":")).encode()).decode().rstrip("=")
    )


def values_of(cursor: str, count: int) -> list[Any]:
    """The sort keys in a cursor.

    Raises:
        ConfigurationError: for a text that is not a cursor of this query.
    """
    try:
        values: Any = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        values = None
    if type(values) is not list or len(values) != count:  # pyright: ignore[reportUnknownArgumentType]
        raise ConfigurationError("this is not a cursor of this query")
    return values  # pyright: ignore[reportUnknownVariableType]
