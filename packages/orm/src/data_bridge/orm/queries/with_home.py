"""WithHome: queries whose subqueries and common table expressions know the database that they run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_bridge.query import Query
from data_bridge.query.spi import QuerySource


class WithHome(Query):
    """A query that runs on the database of `using()`, also where it is a table of another one."""

    __slots__ = ()

    if TYPE_CHECKING:
        _using: Any

    def subquery(self, name: str | None = None, *, lateral: bool = False) -> QuerySource:
        """The query as a table: `.c.NAME` has its columns, find(), join(), group_by() and order_by() query it. As an operand,
        and in tuples() and values() of a query that does not join it, it is the scalar subquery.
        """
        made = super().subquery(name, lateral=lateral)
        made.home = self._using
        return made

    def cte(
        self,
        name: str,
        *,
        recursive: Callable[[QuerySource], Query] | None = None,
        all: bool = True,  # noqa: A002
        materialized: bool | None = None,
        suffix: str | None = None,
    ) -> QuerySource:
        """The query as a common table expression, which is a table like subquery(); see Query.cte()."""
        made = super().cte(name, recursive=recursive, all=all, materialized=materialized, suffix=suffix)
        made.home = self._using
        return made
