"""What FROM takes: tables, aliases, subqueries, common table expressions, functions and lists of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from .._names import unknown
from ..types.sql_types import SQLType
from . import coercion
from .column import ColumnProxy
from .document_path import column_class
from .origins import remember

if TYPE_CHECKING:
    from ..definitions.tables import TableDef
    from .node import Params, Structure

__all__ = ["Columns", "Cte", "FunctionSource", "QuerySource", "Source", "TableSource", "source_of"]


class Columns:
    """The columns of a source by name: ``users.c.name``, ``users.c["odd name"]``."""

    __slots__ = ("_source",)

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getattr__(self, name: str) -> ColumnProxy[Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._source.column(name)

    def __getitem__(self, name: str) -> ColumnProxy[Any]:
        return self._source.column(name)

    def __iter__(self) -> Any:
        return iter(self._source.columns.values())

    def __dir__(self) -> Iterable[str]:
        return self._source.columns


class Source:
    """Something with a name and columns that can stand in FROM or JOIN."""

    __slots__ = ("__weakref__", "_all", "columns", "foreign_keys", "home", "label", "name", "p", "s")

    make_query: ClassVar[Callable[[Any], Any]]
    """How a query over a source is made. Select, which is built on sources, sets it, and the ORM, whose queries run."""

    name: str
    """What qualifies its columns."""
    columns: dict[str, ColumnProxy[Any]]
    s: Structure
    p: Params
    label: str
    """How messages call it."""
    foreign_keys: tuple[tuple[tuple[str, ...], tuple[str | None, str], tuple[str, ...]], ...]

    def __init__(self, name: str, s: Structure, p: Params = (), label: str | None = None) -> None:
        self.name = name
        self.s = s
        self.p = p
        self.label = label or name
        self.columns = {}
        self.foreign_keys = ()
        self.home: Any = None
        """The database that the query of a subquery asks, where it said one."""
        self._all: Structure = None

    @property
    def all_columns(self) -> Structure:
        """All columns as a part of a result; one object as long as no column is added."""
        if self._all is None or len(self._all) != len(self.columns) + 2:
            self._all = remember(("cols", self.name, *self.columns), self)
        return self._all

    @property
    def c(self) -> Columns:
        """The columns by name.

        >>> from data_bridge.query import table, column
        >>> table("users", column("id", int)).c.id
        <ColumnProxy "users"."id">
        """
        return Columns(self)

    def column(self, name: str) -> ColumnProxy[Any]:
        """The column called `name`; AttributeError with a near match when there is none.

        >>> from data_bridge.query import table, column
        >>> table("users", column("name", str)).column("names")
        Traceback (most recent call last):
        AttributeError: users has no column 'names': did you mean 'name'?
        """
        found = self.columns.get(name)
        if found is None:
            for column in self.columns.values():
                if column.__column__.key == name:
                    return column
            raise AttributeError(unknown(name, "column", self.columns, self.label))
        return found

    # Where a table has columns of these names, it does not have the methods: QueryTable looks for columns only.
    def find(self, *conditions: Any, **equals: Any) -> Any:
        """A query of the rows for which the conditions are true.

        >>> from data_bridge.query import func
        >>> n = func.generate_series(1, 9).table("n")
        >>> n.find(n.c.n > 5).sql().sql
        'SELECT "n"."n" FROM generate_series($1::integer, $2::integer) AS "n" WHERE "n"."n" > $3'
        """
        query = Source.make_query(self)
        return query.where(*conditions, **equals) if conditions or equals else query

    def join(self, table: Any, on: Any = None, *, how: Any = "inner", using: Any = None) -> Any:
        """A query of the rows with those of another table; see `Select.join`.

        >>> from data_bridge.query import func, table, column
        >>> n, t = func.generate_series(1, 9).table("n"), table("t", column("id", int))
        >>> n.join(t, t.id == n.c.n).sql().sql
        'SELECT "n"."n" FROM generate_series($1::integer, $2::integer) AS "n" JOIN "t" ON "t"."id" = "n"."n"'
        """
        return Source.make_query(self).join(table, on, how=how, using=using)

    def group_by(self, *keys: Any, distinct: bool = False) -> Any:
        """A query of the rows in groups; see `Select.group_by`."""
        return Source.make_query(self).group_by(*keys, distinct=distinct)

    def order_by(self, *keys: Any) -> Any:
        """A query of the rows in this order; see `Select.order_by`."""
        return Source.make_query(self).order_by(*keys)

    def _add(self, name: str, type: SQLType | None, *, nullable: bool = True, key: str | None = None) -> None:  # noqa: A002
        owner = f"{self.label}.{key or name}"
        self.columns[name] = column_class(type)(self, name, type, nullable=nullable, owner=owner, key=key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"


coercion.register_source(Source)


class TableSource(Source):
    """A table of a definition, or an alias of one."""

    __slots__ = ("__table_def__",)

    __table_def__: TableDef

    def __init__(
        self,
        definition: TableDef,
        alias: str | None = None,
        *,
        owner: str | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """Makes the source of a definition; `keys` maps column names to Python attributes for messages."""
        label = owner or definition.owner or definition.name
        super().__init__(alias or definition.name, ("table", definition.schema, definition.name, alias), (), label)
        self.__table_def__ = definition
        for column in definition.columns:
            self._add(column.name, column.type, nullable=column.nullable, key=keys.get(column.name) if keys else None)
        self.foreign_keys = definition.foreign_keys


def like(source: Source, s: Structure, p: Params) -> Source:
    """The same columns under the same name, from another structure."""
    made = Source(source.name, s, p, source.label)
    made.columns = source.columns
    made.foreign_keys = source.foreign_keys
    return made


class Cte(NamedTuple):
    """A common table expression as a statement carries it."""

    name: str
    s: Structure
    p: Params
    recursive: bool


class QuerySource(Source):
    """A subquery or common table expression: its columns are those the query selects. As an operand it is the scalar
    subquery.
    """

    __slots__ = ("ctes", "query", "query_p")

    def __init__(
        self,
        name: str,
        s: Structure,
        p: Params,
        columns: Iterable[tuple[str, SQLType | None]],
        query: Structure,
        query_p: Params,
        ctes: tuple[Cte, ...] = (),
    ) -> None:
        super().__init__(name, s, p)
        for column, type_ in columns:
            self._add(column, type_)
        self.query = query
        self.query_p = query_p
        self.ctes = ctes

    def __operand__(self) -> tuple[Structure, Params]:
        return ("query", self.query), self.query_p

    def alias(self, name: str) -> QuerySource:
        """The same common table expression under another name.

        >>> from data_bridge.query import table, column, select
        >>> c = select(table("t", column("id", int)).id).cte("c")
        >>> c.alias("d").c.id
        <ColumnProxy "d"."id">
        """
        columns = [(c.__column__.name, c.t) for c in self.columns.values()]
        if self.s[0] == "table":
            return QuerySource(name, ("table", None, self.s[2], name), (), columns, self.query, self.query_p, self.ctes)
        return QuerySource(name, (*self.s[:2], name, *self.s[3:]), self.p, columns, self.query, self.query_p)


class FunctionSource(Source):
    """A set-returning function in FROM: made by ``func.name(…).table("alias", …)``."""

    __slots__ = ()

    def __init__(
        self,
        name: str,
        call: Structure,
        p: Params,
        columns: Iterable[tuple[str, SQLType | None]],
        options: tuple[str, ...],
        *,
        typed: bool,
        tag: str = "func",
    ) -> None:
        found = list(columns)
        names = tuple((n, None if t is None else t.name) if typed else n for n, t in found)
        super().__init__(name, (tag, call, name, names or None, options or None), p)
        for column, type_ in found or [(name, None)]:
            self._add(column, type_)


def source_of(thing: Any) -> Source:
    """The source something stands for: a Source, a Table class, an alias, a TableDef.

    Raises TypeError for anything else.

    >>> from data_bridge.query import table, column, source_of
    >>> t = table("t", column("id", int))
    >>> source_of(t)
    <TableSource t>
    """
    found = getattr(thing, "__table_source__", None)
    if isinstance(found, Source):
        return found
    if isinstance(thing, Source):
        return thing
    definition = getattr(thing, "__table_def__", thing)
    made = getattr(definition, "source", None)
    if isinstance(made, Source):
        return made
    raise TypeError(f"expected a table, an alias, a subquery or a cte, got {type(thing).__name__}")
