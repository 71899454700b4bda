"""A page of rows."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """Rows of a query, and how to get to the others. Usable as a response model of FastAPI.

    Attributes:
        items: the rows of this page.
        next: the cursor of the next page, or None.
        prev: the cursor of the previous page, or None.
        total: the number of rows of the whole query, if it was counted.
    """

    items: list[T]
    next: str | None = None
    prev: str | None = None
    total: int | None = None
