"""Prepared: a query whose structure is made once and whose values come with each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from data_bridge.core import Statement, resolve
from data_bridge.core.errors import ConfigurationError, MultipleRowsFound, RowNotFound
from data_bridge.query import Expr
from data_bridge.query.spi import Built, build

if TYPE_CHECKING:
    from data_bridge.orm.queries.builder import QueryBuilder

T = TypeVar("T")


class Parameter:
    """The place of a value that comes later."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"param({self.name!r})"


def param(name: str) -> Expr[Any]:
    """Stands for a value in a query that is prepared: `User.email == param("email")`."""
    return Built(build.PLACE, (Parameter(name),), None)


class Prepared(Generic[T]):
    """Made by `prepare()`. A call takes the values of its parameters and runs: no expression is built any more.

    >>> from data_bridge.postgres import param
    >>> async def hot(User, emails) -> list:
    ...     by_email = User.find(User.email == param("email")).prepare()
    ...     return [await by_email.first(email=e) for e in emails]
    """

    __slots__ = ("_ir", "_label", "_params", "_places", "_plan", "_query")

    def __init__(self, query: QueryBuilder[T]) -> None:
        if query._links is not None or query._model is not None or query._plan in query._entity.load_hooked:
            raise ConfigurationError("prepare() takes a query without fetch_links(), project() and functions for Load")
        query._instances()
        statement = query.__statement__()
        self._query = query
        self._ir = statement.ir
        self._params = statement.params
        self._plan = query._plan
        self._label = query._entity.label
        self._places: dict[str, list[int]] = {}
        for i, value in enumerate(statement.params):
            if isinstance(value, Parameter):
                self._places.setdefault(value.name, []).append(i)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._places)

    def __statement__(self) -> Statement:
        return Statement(self._ir, self._params)

    def _run(self, values: dict[str, Any]) -> Any:
        if values.keys() != self._places.keys():
            raise TypeError(
                f"this query takes {', '.join(self._places) or 'no values'}, not {', '.join(values) or 'none'}"
            )
        params = list(self._params)
        for name, value in values.items():
            for i in self._places[name]:
                params[i] = value
        return resolve(self._query._using).run(self._ir, tuple(params), self._plan, timeout=self._query._timeout)

    async def __call__(self, **values: Any) -> list[T]:
        """All rows.

        Raises:
            TypeError: when the names are not those of the parameters.
            EncodeError: for a value that does not fit.
        """
        rows: list[T] = await self._run(values)
        return rows

    async def first(self, **values: Any) -> T | None:
        """The first row, or None; the query should have a limit."""
        rows: list[T] = await self._run(values)
        return rows[0] if rows else None

    async def one(self, **values: Any) -> T:
        """The only row.

        Raises:
            RowNotFound: without a row.
            MultipleRowsFound: with several.
        """
        rows: list[T] = await self._run(values)
        if not rows:
            raise RowNotFound(f"no {self._label} matches")
        if len(rows) > 1:
            raise MultipleRowsFound(f"more than one {self._label} matches")
        return rows[0]
