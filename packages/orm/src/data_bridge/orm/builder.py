"""QueryBuilder: a SELECT that knows its Table, runs itself and gives instances."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from data_bridge.core import LoadPlan, RowStream, resolve
from data_bridge.core.errors import ConfigurationError, MultipleRowsFound, RowNotFound
from data_bridge.orm import writes
from data_bridge.orm.optional import Optional_
from data_bridge.orm.page import Page, cursor_of, values_of
from data_bridge.orm.projection import chosen_columns, loaded_columns
from data_bridge.query import ColumnProxy, Expr, func
from data_bridge.query.nodes import Node
from data_bridge.query.results import EMPTY, Columns, columns_of
from data_bridge.query.select import Select

if TYPE_CHECKING:
    from typing import Self

    from data_bridge.orm.entity import Entity

T = TypeVar("T")
M = TypeVar("M")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

_DICTS = LoadPlan.rows(dict)
_DICT = LoadPlan.rows(dict, many=False)
_TUPLES = LoadPlan.rows(tuple)
_SCALARS = LoadPlan.scalars()
_SCALAR = LoadPlan.scalars(many=False)


class QueryBuilder(Select[T], Generic[T]):
    """A query over a Table. Immutable: every method returns a new one. `await q` is to_list(), `async for` streams.

    >>> async def adults(User) -> list:
    ...     return await User.find(User.age >= 18).order_by(-User.created_at).limit(10)
    """

    __slots__ = ("_entity", "_grouped", "_model", "_one", "_plan", "_timeout", "_unfiltered", "_using")

    _entity: Entity
    _plan: LoadPlan
    _one: LoadPlan | None
    _model: Any
    _using: Any
    _timeout: float | None
    _unfiltered: bool
    _grouped: tuple[Any, ...]

    @classmethod
    def of(cls, entity: Entity, source: Any = None) -> QueryBuilder[Any]:
        """All rows of a table."""
        new: QueryBuilder[Any] = object.__new__(cls)
        new._order = new._limit = new._offset = new._extras = None
        new._order_p = new._ctes = new._where = new._where_p = new._groups = new._keys = ()
        chosen = entity.source if source is None else source
        new._source = chosen
        new._sources = (chosen,)
        new._columns = loaded_columns(entity, chosen)
        new._entity = entity
        new._plan = entity.plan()
        new._one = None
        new._model = None
        new._using = entity.settings.using
        new._timeout = None
        new._unfiltered = False
        new._grouped = ()
        return new

    def _copy(self) -> Self:
        new = super()._copy()
        new._entity = self._entity
        new._plan = self._plan
        new._one = self._one
        new._model = self._model
        new._using = self._using
        new._timeout = self._timeout
        new._unfiltered = self._unfiltered
        new._grouped = self._grouped
        return new

    def _shaped(
        self, columns: Columns, plan: LoadPlan, one: LoadPlan | None = None, model: Any = None
    ) -> QueryBuilder[Any]:
        new: QueryBuilder[Any] = self._copy()
        new._columns, new._plan, new._one, new._model = columns, plan, one, model
        return new

    # ------------------------------------------------------------------------------------------------- where it runs
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

    # ------------------------------------------------------------------------------------------- what it gives back
    def select(self, *columns: Any) -> Self:
        """Partial instances: only these columns are loaded, and the key; another one raises ColumnNotLoaded.

        Raises:
            TypeError: for an expression; values() and tuples() take those.
        """
        keys: list[str] = list(self._entity.pk_keys)
        for c in columns:
            if isinstance(c, (str, ColumnProxy)):
                key = self._entity.field(c).key
            else:
                raise TypeError("select() loads columns into instances; expressions go into values() or tuples()")
            if key not in keys:
                keys.append(key)
        return self._partial(tuple(k for k in self._entity.keys if k in keys))

    only = select

    def defer(self, *columns: Any) -> Self:
        """Partial instances without these columns."""
        out = {self._entity.field(c).key for c in columns} - set(self._entity.pk_keys)
        return self._partial(tuple(f.key for f in self._entity.loaded if f.key not in out))

    def _partial(self, keys: tuple[str, ...]) -> Self:
        entity = self._entity
        new = self._copy()
        new._columns = chosen_columns([entity.by_key[k] for k in keys], self._source)
        new._plan, new._one = entity.plan(keys), entity.plan(keys, many=False)
        return new

    def values(self, *columns: Any) -> QueryBuilder[dict[str, Any]]:
        """Rows as dicts: of these columns and labelled expressions, or of all columns."""
        chosen = columns_of(tuple(self._named(c) for c in columns)) if columns else self._columns
        return self._shaped(chosen, _DICTS, _DICT)

    @overload
    def tuples(self, a: type[A] | Node[A], /) -> QueryBuilder[tuple[A]]: ...
    @overload
    def tuples(self, a: type[A] | Node[A], b: type[B] | Node[B], /) -> QueryBuilder[tuple[A, B]]: ...
    @overload
    def tuples(
        self, a: type[A] | Node[A], b: type[B] | Node[B], c: type[C] | Node[C], /
    ) -> QueryBuilder[tuple[A, B, C]]: ...
    @overload
    def tuples(
        self, a: type[A] | Node[A], b: type[B] | Node[B], c: type[C] | Node[C], d: type[D] | Node[D], /
    ) -> QueryBuilder[tuple[A, B, C, D]]: ...
    @overload
    def tuples(self, *columns: Any) -> QueryBuilder[tuple[Any, ...]]: ...
    def tuples(self, *columns: Any) -> QueryBuilder[Any]:
        """Rows as tuples of columns, expressions and whole tables: `tuples(User, Order.total)`."""
        parts: list[tuple[Entity | None, int, bool]] = []
        things: list[Any] = []
        for c in columns:
            optional = isinstance(c, Optional_)
            table = c.table if isinstance(c, Optional_) else c
            entity = getattr(table, "__db__", None)
            if entity is None or isinstance(table, Node):
                parts.append((None, 1, False))
                things.append(self._named(c))
                continue
            source = table.__table_source__
            parts.append((entity, len(entity.loaded), optional))
            things += [source.columns[f.name] for f in entity.loaded]
        if all(p[0] is None for p in parts):
            return self._shaped(columns_of(tuple(things)), _TUPLES, LoadPlan.rows(tuple, many=False))
        return self._shaped(columns_of(tuple(things)), self._entity.mixed(parts), self._entity.mixed(parts, many=False))

    def scalars(self, column: type[A] | Node[A]) -> QueryBuilder[A]:
        """The values of one column or expression."""
        return self._shaped(columns_of((self._named(column),)), _SCALARS, _SCALAR)

    def project(self, model: type[M]) -> QueryBuilder[M]:
        """Rows as instances of a Pydantic model; only its fields are selected, by name."""
        fields = getattr(model, "__pydantic_fields__", None)
        if fields is None:
            raise TypeError("project() takes a Pydantic model")
        chosen = columns_of(
            tuple(self._entity.columns[k].label(k) if k in self._entity.columns else self._named(k) for k in fields)
        )
        return self._shaped(chosen, _DICTS, _DICT, model)

    def _named(self, column: Any) -> Any:
        return self._entity.source.column(column) if isinstance(column, str) else column

    def aggregate(self, **named: Any) -> QueryBuilder[dict[str, Any]]:
        """Rows as dicts with a key for each group and each of these expressions."""
        groups = [_labelled(k) for k in self._grouped]
        chosen = columns_of((*groups, *(e.label(name) for name, e in named.items())))
        return self._shaped(chosen, _DICTS, _DICT)

    def group_by(self, *keys: Any, distinct: bool = False) -> Self:
        """Groups rows; aggregate() says what is wanted of each group."""
        nodes = tuple(self._named(k) for k in keys)
        new = super().group_by(*(getattr(n, "expression", n) for n in nodes), distinct=distinct)
        new._grouped = (*self._grouped, *nodes)
        return new

    # ------------------------------------------------------------------------------------------------------- running
    def _run(self, plan: LoadPlan) -> Any:
        statement = self.__statement__()
        return resolve(self._using).run(statement.ir, statement.params, plan, timeout=self._timeout)

    async def to_list(self) -> list[T]:
        """All rows."""
        statement = self.__statement__()
        executor = resolve(self._using)
        rows: list[Any] = await executor.run(statement.ir, statement.params, self._plan, timeout=self._timeout)
        for entity in self._entity.mixed_of.get(self._plan, ()):
            await entity.learn(executor)
        return rows if self._model is None else [self._model.model_validate(r) for r in rows]

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self.to_list().__await__()

    async def first(self) -> T | None:
        """The first row by the stated order, else by key; or None."""
        query = self if self._order else self._ordered_by_key()
        limit = 1 if query._limit is None else min(query._limit, 1)
        rows = await query.limit(limit).to_list()
        return rows[0] if rows else None

    first_or_none = first

    async def last(self) -> T | None:
        """The last row by the stated order, else by key; or None."""
        query = self if self._order else self._ordered_by_key()
        if query._limit is not None or query._offset is not None:  # the last of just these rows
            rows = await query.to_list()
            return rows[-1] if rows else None
        new = query._copy()
        new._order = tuple(_reversed(s) for s in query._order or ())
        rows = await new.limit(1).to_list()
        return rows[0] if rows else None

    def _ordered_by_key(self) -> Self:
        if self._source is not self._entity.source or not self._entity.pk_names or self._grouped:
            return self
        new = self._copy()
        new._order = tuple(("col", self._entity.source.name, n) for n in self._entity.pk_names)
        return new

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
        rows = await self.limit(2 if self._limit is None else min(self._limit, 2)).to_list()
        if len(rows) > 1:
            raise MultipleRowsFound(f"more than one {self._entity.label} matches")
        return rows[0] if rows else None

    async def count(self) -> int:
        """The number of rows; honours limit and offset."""
        if (
            self._limit is None
            and self._offset is None
            and not (self._extras or {}).keys() & {"distinct", "distinct_on", "group"}
        ):
            query: Select[Any] = self.columns(func.count())
            query._order, query._order_p = None, ()
            return int(await self._value(query))
        inner = self._copy()
        return int(await self._value(Select(columns_of((func.count(),))).from_(inner.subquery("counted"))))

    async def exists(self) -> bool:
        """Whether there is a row."""
        bare = self._copy()
        if not (self._extras or {}).keys() & {"distinct", "distinct_on", "group"}:
            bare._order, bare._order_p = None, ()
            bare._columns = EMPTY  # a row without columns exists as well
        statement = bare.__statement__()
        ir = ("select", None, (("exists", statement.ir),), None, None, None, None, None)
        found: bool = await resolve(self._using).run(ir, statement.params, _SCALAR, timeout=self._timeout)
        return found

    async def _value(self, query: Any) -> Any:
        statement = query.__statement__()
        return await resolve(self._using).run(statement.ir, statement.params, _SCALAR, timeout=self._timeout)

    async def _aggregated(self, made: Expr[Any]) -> Any:
        if self._limit is not None or self._offset is not None:
            raise ConfigurationError("an aggregate over a limited query needs a subquery: q.subquery() and its .c")
        query = self.columns(made)
        query._order, query._order_p = None, ()
        return await self._value(query)

    async def sum(self, column: Node[Any]) -> Any:
        """The sum, or None without a row."""
        found = await self._aggregated(func.sum(column))
        # PostgreSQL sums up bigint as numeric.
        is_int = isinstance(column, Expr) and column.t is not None and column.t.family == "int"
        return int(found) if is_int and found is not None else found

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

    # ------------------------------------------------------------------------------------------------------- streams
    def stream(self, batch: int = 1000) -> RowStream[T]:
        """Rows by a cursor on the server, in bounded memory; a block that gives the connection back at once."""
        model = self._model

        def validated(rows: list[Any]) -> list[Any]:
            return [model.model_validate(r) for r in rows]

        convert = None if model is None else validated
        compiled = self.sql()
        return RowStream(resolve(self._using), compiled.sql, compiled.params, self._plan, batch, convert)

    def __aiter__(self) -> AsyncIterator[T]:
        return self.stream().__aiter__()

    async def batches(self, size: int) -> AsyncIterator[list[T]]:
        """Lists of at most `size` rows, by a cursor on the server."""
        async with self.stream(size) as rows:
            batch: list[T] = []
            async for row in rows:
                batch.append(row)
                if len(batch) == size:
                    yield batch
                    batch = []
            if batch:
                yield batch

    # --------------------------------------------------------------------------------------------------------- pages
    async def page(self, number: int, size: int, *, total: bool = True) -> Page[T]:
        """Page `number` (from 1) of `size` rows; without a stated order, by key."""
        if number < 1 or size < 1:
            raise ConfigurationError(f"page({number}, {size}): pages are counted from 1 and have at least one row")
        query = self if self._order else self._ordered_by_key()
        items = await query.limit(size).offset((number - 1) * size).to_list()
        counted = await self.count() if total else None
        return Page[Any].model_construct(items=items, next=None, prev=None, total=counted)

    async def paginate(self, size: int, *, after: str | None = None, before: str | None = None) -> Page[T]:
        """A page by the values of its sort keys instead of an offset: equally fast however far back.

        The key breaks ties, NULLs stand where the order puts them. Sort keys are columns of the table.

        Raises:
            ConfigurationError: for a cursor of another query, or sort keys that are no columns.
        """
        from data_bridge.orm.keyset import Keyset

        if after is not None and before is not None:
            raise ConfigurationError("paginate() takes after= or before=, not both")
        if size < 1:
            raise ConfigurationError(f"paginate({size}): a page has at least one row")
        keyset = Keyset(self)
        given = after if after is not None else before
        query = keyset.query(
            self, values_of(given, len(keyset.keys)) if given is not None else None, backwards=before is not None
        )
        rows = await query.limit(size + 1).to_list()
        more = len(rows) > size
        items = rows[:size]
        if before is not None:
            items.reverse()
        first, last = (cursor_of(keyset.values(r)) for r in (items[0], items[-1])) if items else (None, None)
        has_next = more if before is None else True
        has_prev = more if before is not None else after is not None
        return Page[Any].model_construct(
            items=items, next=last if has_next else None, prev=first if has_prev else None, total=None
        )

    # -------------------------------------------------------------------------------------------------------- writes
    async def update(self, values: Mapping[Any, Any] | None = None, /, *operators: Any, **kw: Any) -> int:
        """Updates every matching row; gives their number.

        Raises:
            UnfilteredWrite: without a filter; update_all() is the explicit form.
        """
        statement = writes.update(self, values, operators, kw, None)
        count: int = await resolve(self._using).run(*statement, writes.COUNT, timeout=self._timeout)
        return count

    async def delete(self) -> int:
        """Deletes every matching row; gives their number.

        Raises:
            UnfilteredWrite: without a filter; delete_all() is the explicit form.
        """
        statement = writes.delete(self, None)
        count: int = await resolve(self._using).run(*statement, writes.COUNT, timeout=self._timeout)
        return count

    def returning(self, *columns: Any) -> writes.Returning[T]:
        """update() and delete() give the rows: instances, or partial ones of these columns."""
        return writes.Returning(self.select(*columns) if columns else self)

    async def explain(self, *, analyze: bool = False, format: str = "text") -> Any:  # noqa: A002
        """The server's plan; `analyze` runs the query. Text, or the parsed JSON."""
        if format not in ("text", "json"):
            raise ConfigurationError(f"format={format!r} is not text or json")
        compiled = self.sql()
        options = f"(FORMAT {format.upper()}{', ANALYZE' if analyze else ''})"
        lines = await resolve(self._using).run(("text", f"EXPLAIN {options} {compiled.sql}"), compiled.params, _SCALARS)
        return lines[0] if format == "json" else "\n".join(lines)


def _labelled(key: Any) -> Any:
    return key if hasattr(key, "name") else key.label("group")


def _reversed(s: Any) -> Any:
    if s[0] in ("asc", "desc"):
        direction, expression, *nulls = s
        turned = ["last" if n == "first" else "first" for n in nulls]
        return ("desc" if direction == "asc" else "asc", expression, *turned)
    return ("desc", s)
