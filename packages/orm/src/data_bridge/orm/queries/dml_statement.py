"""WriteQuery: a mass UPDATE or DELETE that is not run, as a part of other statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from data_bridge.core import Compiled, Statement
from data_bridge.query import compile as compile_
from data_bridge.query.spi import EMPTY, build, clauses, columns_of, cte_of

if TYPE_CHECKING:
    from data_bridge.orm.queries.builder import QueryBuilder
    from data_bridge.query import QuerySource


class WriteQuery:
    """Made by update_query() and delete_query().

    >>> from data_bridge.query import select
    >>> def moved(User, Archive):
    ...     gone = User.find(User.age > 99).delete_query().returning(User.id, User.name).cte("gone")
    ...     return Archive.insert_from(select(gone.c.id, gone.c.name), columns=["id", "name"])
    """

    __slots__ = ("_ir", "_params", "_query", "_returned")

    def __init__(self, query: QueryBuilder[Any], statement: tuple[Any, tuple[Any, ...]]) -> None:
        self._query: Any = query
        self._ir, self._params = statement
        self._returned = EMPTY

    def returning(self, *columns: Any) -> Self:
        """RETURNING these columns of the written rows; without any, all of them."""
        made = type(self)(self._query, (self._ir, self._params))
        made._returned = (
            columns_of(tuple(self._query._named(c) for c in columns)) if columns else clauses.result_of(self._query)
        )
        return made

    def _names(self) -> list[Any]:
        return list(self._returned.names)

    def __statement__(self) -> Statement:
        ir = build.with_returning(self._ir, self._returned.s or None)
        return Statement(ir, (*self._params, *self._returned.p))

    def cte(self, name: str, *, materialized: bool | None = None) -> QuerySource:
        """The statement as a common table expression: its columns are those of returning()."""
        return cte_of(self, name, materialized=materialized)

    def sql(self, *, pretty: bool = False) -> Compiled:
        """Text and parameters, without a connection."""
        return compile_(self, pretty=pretty)

    def __repr__(self) -> str:
        return f"<WriteQuery {self.sql().sql}>"
