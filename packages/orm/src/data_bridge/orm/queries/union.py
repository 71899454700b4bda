"""UnionQuery: UNION, INTERSECT and EXCEPT of queries over Tables, with the rows that the first of them gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any, Generic, Self, TypeVar

from data_bridge.core import LoadPlan, RowStream, resolve
from data_bridge.core.errors import ConfigurationError, MultipleRowsFound
from data_bridge.orm import _events
from data_bridge.orm._page import Page
from data_bridge.orm.queries.base import RowQuery
from data_bridge.orm.queries.with_home import WithHome
from data_bridge.query import Compound, Select, func
from data_bridge.query.spi import build, clauses, columns_of

T = TypeVar("T")
_SCALAR = LoadPlan.scalars(many=False)


class UnionQuery(WithHome, Compound, Generic[T]):
    """A set operation that runs itself; `await q` is to_list(). It is a part of other queries like any query: `in_(q)`,
    `q.subquery("both").find(…)`.

    >>> async def known(User, Guest) -> list:
    ...     return await User.find().tuples(User.name).union(Guest.find().tuples(Guest.name)).order_by("name").limit(10)
    """

    __slots__ = ("_timeout", "_using")

    def __init__(self, op: str, parts: tuple[Any, ...]) -> None:
        super().__init__(op, parts)
        self._using = parts[0]._using
        self._timeout = parts[0]._timeout

    def _copy(self) -> Self:
        new: Any = super()._copy()
        new._using, new._timeout = self._using, self._timeout
        return new  # type: ignore[no-any-return]

    def using(self, database: Any) -> Self:
        """Runs on another database: an alias, a Database or a Transaction."""
        new = self._copy()
        new._using = database
        return new

    def timeout(self, seconds: float) -> Self:
        """Cancels the statement on the server after this time."""
        new = self._copy()
        new._timeout = seconds
        return new

    @property
    def _first(self) -> Any:
        """The query that says what rows become; the others must have rows like its own.

        Raises:
            TypeError: for instances of different tables, or of different columns.
        """
        first: Any = clauses.parts_of(self)[0]
        if first._plan in first._entity.instance_plans:
            shape = clauses.result_of(first).s
            for part in clauses.parts_of(self)[1:]:
                other: Any = part
                same = isinstance(part, RowQuery) and other._entity.source is first._entity.source
                if not same or clauses.result_of(other).s != shape:
                    raise TypeError(
                        f"a {clauses.operation_of(self)} of instances takes queries of {first._entity.label} with the same columns: "
                        "give all of them the same tuples(…) or values(…)"
                    )
        return first

    async def to_list(self) -> list[T]:
        """All rows.

        Raises:
            TypeError: for instances of different tables.
        """
        first = self._first
        statement = self.__statement__()
        rows: list[Any] = await resolve(self._using).run(
            statement.ir, statement.params, first._plan, timeout=self._timeout
        )
        entity = first._entity
        if entity.load_hooked and first._plan in entity.load_hooked:
            await _events.loaded_as(entity, first._plan, rows)
        return rows if first._model is None else [first._model.model_validate(r) for r in rows]

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self.to_list().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        first = self._first
        if first._model is not None or first._hooked():
            raise ConfigurationError("rows that are validated or wait for Load come in lists: await the query")
        compiled = self.sql()
        return RowStream(resolve(self._using), compiled.sql, compiled.params, first._plan, 1000, None).__aiter__()  # pyright: ignore[reportUnknownVariableType]

    def _at_most(self, n: int) -> Self:
        limit = clauses.limit_of(self)
        return self.limit(n if limit is None else min(limit, n))

    def _in_total_order(self) -> Self:
        """With what decides between equal rows behind the order: the key of instances, or all columns."""
        first = self._first
        if first._plan in first._entity.instance_plans and first._entity.pk_names:
            return self.order_by(*first._entity.pk_names)
        return self.order_by(*clauses.names_of(self))

    async def first(self) -> T | None:
        """The first row by the stated order, else by key or by all columns; or None."""
        query = self if clauses.order_of(self) else self._in_total_order()
        rows = await query._at_most(1).to_list()
        return rows[0] if rows else None

    first_or_none = first

    async def one_or_none(self) -> T | None:
        """The only row, or None.

        Raises:
            MultipleRowsFound: with several.
        """
        rows = await self._at_most(2).to_list()
        if len(rows) > 1:
            raise MultipleRowsFound(f"more than one row of the {clauses.operation_of(self)} matches")
        return rows[0] if rows else None

    async def _value(self, query: Any) -> Any:
        statement = query.__statement__()
        return await resolve(self._using).run(statement.ir, statement.params, _SCALAR, timeout=self._timeout)

    async def count(self) -> int:
        """The number of rows; honours limit and offset."""
        return int(await self._value(Select(columns_of((func.count(),))).from_(self.subquery("counted"))))

    async def exists(self) -> bool:
        """Whether there is a row."""
        statement = self.__statement__()
        ir = build.select_exists(statement.ir)
        found: bool = await resolve(self._using).run(ir, statement.params, _SCALAR, timeout=self._timeout)
        return found

    async def page(self, number: int, size: int, *, total: bool = True) -> Page[T]:
        """Page `number` (from 1) of `size` rows, by the stated order and then by key or by all columns."""
        if number < 1 or size < 1:
            raise ConfigurationError(f"page({number}, {size}): pages are counted from 1 and have at least one row")
        items = await self._in_total_order().limit(size).offset((number - 1) * size).to_list()
        counted = await self.count() if total else None
        return Page[Any].model_construct(items=items, next=None, prev=None, total=counted)

    async def paginate(self, *_: Any, **__: Any) -> Any:
        """Not for set operations: a key does not tell their rows apart.

        Raises:
            ConfigurationError: always, with the way to go.
        """
        raise ConfigurationError(f"a {clauses.operation_of(self)} has no key to go by: page(number, size) pages it")


RowQuery._combine = UnionQuery
