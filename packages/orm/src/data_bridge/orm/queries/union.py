"""UnionQuery: UNION, INTERSECT and EXCEPT of queries over Tables, with the rows of the first of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from data_bridge.core import LoadPlan, RowStream, resolve
from data_bridge.core.errors import ConfigurationError, MultipleRowsFound
from data_bridge.orm import _events
from data_bridge.orm._page import Page
from data_bridge.orm.queries.base import RowQuery
from data_bridge.orm.queries.union_pages import union_page
from data_bridge.orm.queries.with_home import WithHome
from data_bridge.query import Compound, Node, Order, Select, func
from data_bridge.query.spi import build, clauses, columns_of, read

if TYPE_CHECKING:
    from data_bridge.core import ArrowNumeric, ArrowTable

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

    def order_by(self, *keys: Any) -> Self:
        """Adds sort keys: columns of the result, by their names, the names of fields, or as the first query has them.

        Raises:
            LookupError: for what is not in the result.
        """
        return super().order_by(*(self._of_result(k) for k in keys))

    def _of_result(self, key: Any) -> Any:
        """A sort key as the whole has it, whose columns have no table."""
        first: Any = clauses.parts_of(self)[0]
        names = clauses.names_of(self)
        if isinstance(key, str):
            sign, name = ("-", key[1:]) if key[:1] == "-" else ("", key.removeprefix("+"))
            field = first._entity.by_key.get(name) if name not in names else None
            return key if field is None else sign + field.name
        if not isinstance(key, Node | Order):
            return key
        given: Any = key  # pyright: ignore[reportUnknownVariableType]
        said = read.sort_key(given.s)
        if read.ordinal_of(said.expression) is not None:
            return given
        results = [read.unlabelled(s) for s in read.single_columns(clauses.result_of(first).s)]
        if said.expression not in results:
            raise LookupError(f"a {clauses.operation_of(self)} is sorted by columns of its result: {', '.join(names)}")
        place = build.ordinals(len(results))[results.index(said.expression)]
        return Order(said.of(place))

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

    def _plan(self, first: Any) -> LoadPlan:
        """How rows become what the first query says: partial instances have just the columns that select() named."""
        plan: LoadPlan = first._plan
        if plan not in first._entity.instance_plans:
            return plan
        columns = first._entity.source.columns
        keys = tuple(columns[name].__column__.key for name in clauses.names_of(self))
        return plan if len(keys) == len(first._entity.loaded) else first._entity.plan(keys)

    async def to_list(self) -> list[T]:
        """All rows.

        Raises:
            TypeError: for instances of different tables.
        """
        first = self._first
        plan = self._plan(first)
        statement = self.__statement__()
        rows: list[Any] = await resolve(self._using).run(statement.ir, statement.params, plan, timeout=self._timeout)
        entity = first._entity
        if entity.load_hooked and plan in entity.load_hooked:
            await _events.loaded_as(entity, plan, rows)
        return rows if first._model is None else [first._model.model_validate(r) for r in rows]

    async def arrow(self, *, numeric: ArrowNumeric = "text") -> ArrowTable:
        """The rows as columns of Arrow, without an object for any value; see `QueryBuilder.arrow`.

        Raises:
            DecodeError: a column has a type or a value that Arrow does not have, or two columns have one name.
        """
        first = self._first
        names = clauses.names_of(self)
        if first._plan in first._entity.instance_plans:
            columns = first._entity.source.columns
            names = [columns[name].__column__.key for name in names]
        statement = self.__statement__()
        executor = resolve(self._using)
        return await executor.run_arrow(
            statement.ir, statement.params, numeric=numeric, names=names, timeout=self._timeout
        )

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self.to_list().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        first = self._first
        if first._model is not None or first._hooked():
            raise ConfigurationError("rows that are validated or wait for Load come in lists: await the query")
        compiled = self.sql()
        return RowStream(resolve(self._using), compiled.sql, compiled.params, self._plan(first), 1000, None).__aiter__()  # pyright: ignore[reportUnknownVariableType]

    def _at_most(self, n: int) -> Self:
        limit = clauses.limit_of(self)
        return self.limit(n if limit is None else min(limit, n))

    def _in_total_order(self) -> Self:
        """With what decides between equal rows behind the order: the key of instances, or all columns."""
        first = self._first
        names = clauses.names_of(self)
        own = first._entity.pk_names if first._plan in first._entity.instance_plans else ()
        if own and {*own} <= {*names}:
            return self.order_by(*own)
        # By position, as columns may be without a name; the rows of select() may be without a key.
        width = read.width_of(clauses.result_of(first).s)
        return self.order_by(*map(Order, build.ordinals(width)))

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

    async def paginate(self, size: int, *, after: str | None = None, before: str | None = None) -> Page[T]:
        """A page by the values of the sort keys, and then of the key of instances or of all columns.

        Raises:
            InvalidCursor: for a text that is not a cursor of this query, as a client may send it.
            ConfigurationError: for UNION ALL and its like, whose rows may be equal, and for sort keys that a cursor cannot carry.

        >>> async def two_pages(User, Guest) -> None:
        ...     known = User.find().tuples(User.name).union(Guest.find().tuples(Guest.name)).order_by("name")
        ...     first = await known.paginate(20)
        ...     second = await known.paginate(20, after=first.next)
        """
        return await union_page(self, size, after, before)


RowQuery._combine = UnionQuery
