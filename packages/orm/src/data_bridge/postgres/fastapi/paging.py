"""Query parameters of pages."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field, model_validator

from data_bridge.orm import Page, QueryBuilder

__all__ = ["CursorPaging", "CursorParams", "NumberPaging", "NumberParams"]

T = TypeVar("T")


class NumberParams(BaseModel):
    """`?page=2&size=20`: pages by number, with the total.

    >>> from data_bridge.postgres import Col, IdMixin, Page
    >>> from data_bridge.postgres.fastapi import NumberPaging
    >>> class User(IdMixin):
    ...     name: Col[str]
    >>> async def users(paging: NumberPaging) -> Page[User]:
    ...     return await paging.of(User.find().order_by(User.name))
    """

    page: Annotated[int, Field(ge=1, description="The number of the page, from 1")] = 1
    size: Annotated[int, Field(ge=1, le=100, description="Rows on a page")] = 20

    async def of(self, query: QueryBuilder[T]) -> Page[T]:
        """The page of a query."""
        return await query.page(self.page, self.size)


class CursorParams(BaseModel):
    """`?size=20&after=…`: pages by cursor, equally fast at any depth.

    >>> from data_bridge.postgres import Col, IdMixin, Page
    >>> from data_bridge.postgres.fastapi import CursorPaging
    >>> class User(IdMixin):
    ...     name: Col[str]
    >>> async def users(paging: CursorPaging) -> Page[User]:
    ...     return await paging.of(User.find().order_by(User.name))
    """

    size: Annotated[int, Field(ge=1, le=100, description="Rows on a page")] = 20
    after: Annotated[str | None, Field(description="`next` of the page before")] = None
    before: Annotated[str | None, Field(description="`prev` of the page behind")] = None

    _both: ClassVar[str] = "give after or before, not both"

    @model_validator(mode="after")
    def _one_direction(self) -> Any:
        if self.after is not None and self.before is not None:
            raise ValueError(self._both)
        return self

    async def of(self, query: QueryBuilder[T]) -> Page[T]:
        """The page of a query.

        Raises:
            InvalidCursor: for a cursor of another query, or a text that is none; it becomes 400.
        """
        return await query.paginate(self.size, after=self.after, before=self.before)


NumberPaging: TypeAlias = Annotated[NumberParams, Query()]
"""The parameters of pages by number, as a parameter of a route."""
CursorPaging: TypeAlias = Annotated[CursorParams, Query()]
"""The parameters of pages by cursor, as a parameter of a route."""
