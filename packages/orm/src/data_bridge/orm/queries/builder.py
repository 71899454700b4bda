"""QueryBuilder: a SELECT of a Table that runs when it is awaited and returns instances."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from data_bridge.core import AtLevel, LoadPlan, Statement, resolve
from data_bridge.core.errors import ConfigurationError, MultipleRowsFound, RowNotFound
from data_bridge.orm import _events
from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.mapping.row_values import plain_plans
from data_bridge.orm.queries import dml
from data_bridge.orm.queries.dml_statement import WriteQuery
from data_bridge.orm.queries.pagination import PagedQuery
from data_bridge.orm.queries.prepared import Prepared
from data_bridge.orm.queries.result_types import QueryPlan
from data_bridge.orm.relations import loading
from data_bridge.query import Expr, Node, Select, func
from data_bridge.query.spi import build, clauses, columns_of, read

if TYPE_CHECKING:
    from typing import Self

    from data_bridge.core import ArrowNumeric, ArrowTable, Consistency

T = TypeVar("T")
A = TypeVar("A")
N = TypeVar("N", Decimal, float, timedelta)

_SCALARS = LoadPlan.scalars()
_SCALAR = LoadPlan.scalars(many=False)
_COUNTED = (func.count().s,)
_MERGING = ("distinct", "distinct_on", "group")
"""Clauses that make one row of several."""


class QueryBuilder(PagedQuery[T], Generic[T]):
    """A query over a Table. Immutable: every method returns a new one. `await q` is to_list(), `async for` streams.

    >>> async def adults(User) -> list:
    ...     return await User.find(User.age >= 18).order_by(-User.created_at).limit(10)
    """

    __slots__ = ()

    # ------------------------------------------------------------------------------------------------------- running
    def _run(self, plan: LoadPlan) -> Any:
        statement = self.__statement__()
        return resolve(self._using).run(statement.ir, statement.params, plan, timeout=self._timeout)

    async def to_list(self) -> list[T]:
        """All rows."""
        self._instances()
        if self._links is not None:
            return await loading.load(self, self._links)
        statement = self.__statement__()
        executor = resolve(self._using)
        rows: list[Any] = await executor.run(statement.ir, statement.params, self._plan, timeout=self._timeout)
        if self._entity.load_hooked and self._plan in self._entity.load_hooked:
            await _events.loaded_as(self._entity, self._plan, rows)
        return rows if self._model is None else [self._model.model_validate(r) for r in rows]

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self.to_list().__await__()

    async def arrow(self, *, numeric: ArrowNumeric = "text") -> ArrowTable:
        """The rows as columns of Arrow under the names of the fields, without an object for any value.

        The values are those of the database: no validator, no converter and no function for Load sees them.

        Args:
            numeric: what a numeric without a declared precision becomes: `"text"`, `"float"`, or `(precision, scale)`.

        Raises:
            ConfigurationError: two columns have one name, or the query loads relations.
            DecodeError: a column has a type or a value that Arrow does not have.

        >>> async def frame(Order):
        ...     return (await Order.find(Order.total > 100).arrow()).to_polars()
        """
        self._instances()
        statement = self._as_columns().__statement__()
        executor = resolve(self._using)
        return await executor.run_arrow(statement.ir, statement.params, numeric=numeric, timeout=self._timeout)

    async def first(self) -> T | None:
        """The first row by the stated order, else by key; or None."""
        keys = () if clauses.order_of(self) else self._key_order()
        limit = clauses.limit_of(self)
        rows = await clauses.with_order_and_limit(self, keys, 1 if limit is None else min(limit, 1)).to_list()
        return rows[0] if rows else None

    first_or_none = first

    async def last(self) -> T | None:
        """The last row by the stated order, else by key; or None."""
        query = self if clauses.order_of(self) else self._ordered_by_key()
        if clauses.is_cut(query):  # the last of just these rows
            rows = await query.to_list()
            return rows[-1] if rows else None
        turned = [read.sort_key(s).turned() for s in clauses.order_of(query)]
        rows = await clauses.with_order(query, turned).limit(1).to_list()
        return rows[0] if rows else None

    def _ordered_by_key(self) -> Self:
        keys = self._key_order()
        return clauses.with_order(self, keys) if keys else self

    def _key_order(self) -> tuple[Any, ...]:
        """The columns of the key, where the rows have one."""
        entity = self._entity
        if clauses.source_of(self) is not entity.source or not entity.pk_names or self._grouped:
            return ()
        return tuple(build.column(entity.source.name, n) for n in entity.pk_names)

    async def one(self) -> T:
        """The only row.

        Raises:
            RowNotFound: without a row.
            MultipleRowsFound: with several.
        """
        row = await self.one_or_none()
        if row is None:
            raise RowNotFound(f"no {self._entity.label} matches")
        return row

    async def one_or_none(self) -> T | None:
        """The only row, or None.

        Raises:
            MultipleRowsFound: with several.
        """
        limit = clauses.limit_of(self)
        rows = await self.limit(2 if limit is None else min(limit, 2)).to_list()
        if len(rows) > 1:
            raise MultipleRowsFound(f"more than one {self._entity.label} matches")
        return rows[0] if rows else None

    async def count(self) -> int:
        """The number of rows; honours limit and offset."""
        if not self._entity.paths and clauses.is_bare(self):
            return int(await self._answer(clauses.bare_statement(self, _COUNTED)))
        if not clauses.is_cut(self) and not clauses.has_clause(self, *_MERGING, "locking"):
            return int(await self._value(clauses.without_order(self.columns(func.count()))))
        inner = self._copy()
        inner._said = None  # the rows that to_list() returns are counted
        return int(await self._value(Select(columns_of((func.count(),))).from_(inner.subquery("counted"))))

    async def exists(self) -> bool:
        """Whether there is a row."""
        if not self._entity.paths and clauses.is_bare(self):
            statement = clauses.bare_statement(self, ())  # a row without columns exists as well
        elif clauses.has_clause(self, *_MERGING):
            statement = self.__statement__()
        else:
            statement = clauses.without_result(clauses.without_order(self)).__statement__()
        found: bool = await self._answer(Statement(build.select_exists(statement.ir), statement.params))
        return found

    async def _value(self, query: Any, plan: LoadPlan = _SCALAR) -> Any:
        return await self._answer(query.__statement__(), plan)

    def _answer(self, statement: Statement, plan: LoadPlan = _SCALAR) -> Awaitable[Any]:
        return resolve(self._using).run(statement.ir, statement.params, plan, timeout=self._timeout)

    async def _aggregated(self, made: Expr[Any]) -> Any:
        if clauses.is_cut(self):
            raise ConfigurationError("an aggregate over a limited query needs a subquery: q.subquery() and its .c")
        query = clauses.without_order(self.columns(made))
        return await self._value(query, plain_plans(self._entity, None, (made,), (_SCALARS, _SCALAR))[1])

    @overload
    async def sum(self, column: Node[int] | Node[int | None]) -> int | None: ...  # type: ignore[overload-overlap]
    @overload
    async def sum(self, column: Node[N] | Node[N | None]) -> N | None: ...
    @overload
    async def sum(self, column: Node[Any]) -> Any: ...
    async def sum(self, column: Node[Any]) -> Any:
        """The sum, or None without a row."""
        return await self._aggregated(func.sum(column))

    @overload
    async def avg(self, column: Node[int] | Node[int | None]) -> Decimal | None: ...  # type: ignore[overload-overlap]
    @overload
    async def avg(self, column: Node[N] | Node[N | None]) -> N | None: ...
    @overload
    async def avg(self, column: Node[Any]) -> Any: ...
    async def avg(self, column: Node[Any]) -> Any:
        """The mean, or None without a row."""
        return await self._aggregated(func.avg(column))

    async def min(self, column: Node[A]) -> A | None:
        """The least value, or None."""
        found: A | None = await self._aggregated(func.min(column))
        return found

    async def max(self, column: Node[A]) -> A | None:
        """The greatest value, or None."""
        found: A | None = await self._aggregated(func.max(column))
        return found

    def consistency(self, level: Consistency) -> Self:
        """How old the rows may be, where the database has replicas: see `consistency()`.

        Args:
            level: "primary", "read_your_writes" or "eventual".

        Raises:
            ConfigurationError: another level.

        >>> def report(Order):
        ...     return Order.find().consistency("eventual").count()
        """
        new = self._copy()
        new._using = AtLevel(self._using, level)
        return new

    def prepare(self) -> Prepared[T]:
        """A handle for hot paths: the statement as it is now, with param("name") where values come with each call.

        Raises:
            ConfigurationError: for a query with fetch_links() or project().
        """
        return Prepared(self)

    # -------------------------------------------------------------------------------------------------------- writes
    async def update(self, values: Mapping[Any, Any] | None = None, /, *operators: Any, **kw: Any) -> int:
        """Updates every matching row; returns their number.

        Raises:
            UnfilteredWrite: without a filter; update_all() is the explicit form.
        """
        return await self._write(_events.BulkUpdate, dml.update(self, values, operators, kw, None))

    async def delete(self) -> int:
        """Deletes every matching row; returns their number.

        Raises:
            UnfilteredWrite: without a filter; delete_all() is the explicit form.
        """
        return await self._write(_events.BulkDelete, dml.delete(self, None))

    async def hard_delete(self) -> int:
        """Deletes every matching row for good, also where delete() only marks them."""
        query = self._copy()
        query._hard = True
        return await query.delete()

    async def restore(self) -> int:
        """Takes the mark of a soft deletion from every matching row that has it; returns their number.

        Raises:
            TypeError: for a table without soft deletion.
        """
        query = self.only_deleted()
        query._unfiltered = True
        assert query._entity.soft is not None
        return await query.update({query._entity.soft.key: None})

    async def _write(self, event: Any, statement: Any) -> int:
        timeout = self._timeout
        executor = resolve(self._using)
        if self._entity.hooks is None:
            ir, params = statement
            count: int = await executor.run(ir, params, dml.COUNT, timeout=timeout)
            return count
        done: int = await dml.happening_to(
            self,
            event,
            lambda e: e.run(*statement, dml.COUNT, timeout=timeout),  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType]
            executor,
        )
        return done

    def update_query(self, values: Mapping[Any, Any] | None = None, /, *operators: Any, **kw: Any) -> WriteQuery:
        """The UPDATE of every matching row as a statement that is not run: for .cte() and .sql(); see returning()."""
        return WriteQuery(self, dml.update(self, values, operators, kw, None))

    def delete_query(self) -> WriteQuery:
        """The DELETE of every matching row as a statement that is not run: for .cte() and .sql(); see returning()."""
        return WriteQuery(self, dml.delete(self, None))

    def returning(self, *columns: Any) -> dml.Returning[T]:
        """update() and delete() return the rows: instances, or partial ones of these columns."""
        return dml.Returning(self.select(*columns) if columns else self)

    async def explain(self, *, analyze: bool = False, format: str = "text") -> Any:  # noqa: A002
        """Returns the server's plan as text, or as the parsed JSON. `analyze` runs the query."""
        if format not in ("text", "json"):
            raise ConfigurationError(f"format={format!r} is not text or json")
        compiled = self.sql()
        options = f"(FORMAT {format.upper()}{', ANALYZE' if analyze else ''})"
        lines = await resolve(self._using).run(
            build.text(f"EXPLAIN {options} {compiled.sql}"), compiled.params, _SCALARS
        )
        return lines[0] if format == "json" else QueryPlan("\n".join(lines))


Entity.make_query = QueryBuilder.of
