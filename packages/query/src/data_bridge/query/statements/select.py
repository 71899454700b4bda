"""SELECT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from data_bridge.core import Statement

from ..expressions.expr import Built
from ..expressions.filters import added
from ..expressions.node import Node
from ..expressions.origins import sources_in
from ..expressions.sources import QuerySource, Source, source_of
from ..expressions.window import Window, order_structure
from ..types.sql_types import Boolean, SQLType
from .base import Query, with_clause
from .disambiguation import apart, embedded
from .joins import How, join_structure
from .locking import Locking
from .parameter_sharing import shared
from .results import EMPTY, Columns, columns_of

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Select", "select"]

_blank = object.__new__

R = TypeVar("R")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")


class Select(Query, Locking, Generic[R]):
    """A SELECT whose rows are R. Made by `select`; every method returns a new one.

    >>> from data_bridge.query import select, table, column
    >>> users = table("users", column("id", int), column("age", int))
    >>> select(users.id).where(users.age > 25).order_by(-users.age).limit(10).sql().sql
    'SELECT "users"."id" FROM "users" WHERE "users"."age" > $1 ORDER BY "users"."age" DESC LIMIT $2'
    """

    __slots__ = ("_columns", "_groups", "_keys", "_source", "_sources", "_where", "_where_p")

    _columns: Columns
    _source: Source | None
    _sources: tuple[Source, ...]
    _where: tuple[Any, ...]
    _where_p: tuple[Any, ...]
    _groups: tuple[Any, ...]
    """Expressions PostgreSQL compares with others: they share parameters."""
    _keys: tuple[Any, ...]

    def __init__(self, columns: Columns = EMPTY, source: Source | None = None) -> None:
        self._order = self._limit = self._offset = self._extras = None
        self._columns = columns
        self._order_p = self._ctes = self._where = self._where_p = self._groups = self._keys = ()
        self._source = source
        self._sources = () if source is None else (source,)
        if type(source) is QuerySource:
            self._ctes = source.ctes

    def _copy(self) -> Self:
        new = _blank(type(self))
        new._order = self._order
        new._order_p = self._order_p
        new._limit = self._limit
        new._offset = self._offset
        new._extras = self._extras
        new._ctes = self._ctes
        new._columns = self._columns
        new._source = self._source
        new._sources = self._sources
        new._where = self._where
        new._where_p = self._where_p
        new._groups = self._groups
        new._keys = self._keys
        return new

    def _names(self) -> list[tuple[str, SQLType | None]]:
        return list(self._columns.names)

    def _column_named(self, name: str) -> Any:
        # A name of the result is an ordinal, anything else a column of the tables.
        for position, s in enumerate(self._columns.s, 1):
            if s[0] == "label" and s[2] == name and not any(c[0] == "cols" for c in self._columns.s[:position]):
                return ("ordinal", position)
        for source in self._sources:
            for column in source.columns.values():
                if name in (column.__column__.name, column.__column__.key):
                    return column.s
        if self._source is not None:
            return self._source.column(name).s
        return super()._column_named(name)

    # -------------------------------------------------------------------------------------------- columns and tables
    def columns(self, *columns: Any) -> Select[Any]:
        """The same query with other result columns.

        >>> from data_bridge.query import func, select, table, column
        >>> t = table("t", column("a", int))
        >>> select(t.a).columns(func.count()).sql().sql
        'SELECT count(*) FROM "t"'
        """
        new: Select[Any] = self._copy()
        new._columns = columns_of(columns)
        return new

    def from_(self, source: Any) -> Self:
        """The table, subquery or expression to select from, where the columns do not tell.

        >>> from data_bridge.query import func, select, table, column
        >>> select(func.count()).from_(table("t", column("a", int))).sql().sql
        'SELECT count(*) FROM "t"'
        """
        found = source_of(source)
        new = self._copy()
        new._source = found
        new._sources = (found, *self._sources[1:])
        return new._add_ctes(found.ctes) if isinstance(found, QuerySource) else new

    def join(
        self,
        table: Any,
        on: Node[bool] | Sequence[Node[bool]] | None = None,
        *,
        how: How = "inner",
        using: Sequence[str] | str | None = None,
    ) -> Self:
        """Joins a table; without `on` by the only foreign key between it and the tables before.

        `how` is inner, left, right, full, cross or natural; `using` names columns of both sides. Lateral subqueries and
        functions are joined with ``on=sql("true")`` or ``how="cross"``. Raises TypeError when no single key decides.

        >>> from data_bridge.query import select, table, column
        >>> users = table("users", column("id", int, primary_key=True))
        >>> posts = table("posts", column("id", int), column("author_id", int, references="users.id"))
        >>> select(users.id, posts.id).join(posts, how="left").sql().sql
        'SELECT "users"."id", "posts"."id" FROM "users" LEFT JOIN "posts" ON "posts"."author_id" = "users"."id"'
        """
        source = source_of(table)
        if self._source is None:
            raise TypeError("join() needs a table before it: call from_() first")
        s, p = join_structure(source, on, how, using, self._sources)
        new = self._copy()
        before = None if self._extras is None else self._extras.get("joins")
        joins = (("joins", s), p) if before is None else ((*before[0], s), before[1] + p)
        new._extras = {"joins": joins} if self._extras is None else {**self._extras, "joins": joins}
        new._sources = (*self._sources, source)
        return new._add_ctes(source.ctes) if isinstance(source, QuerySource) else new

    # ---------------------------------------------------------------------------------------------------- conditions
    def where(self, *conditions: Node[bool] | Mapping[Any, Any], **equals: Any) -> Self:
        """Adds conditions, joined by AND: expressions, mappings {column or name: value}, or name=value.

        A bool or None is refused: it never is what was meant.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> select(t.a).where(t.a > 1, b=2).sql().sql
        'SELECT "t"."a" FROM "t" WHERE "t"."a" > $1 AND "t"."b" = $2'
        """
        return self._copy()._narrow(conditions, equals)

    def _narrow(self, conditions: tuple[Any, ...], equals: Mapping[str, Any]) -> Self:
        """Adds conditions to this query in place, before it is shared."""
        s, p = self._where, self._where_p
        for condition in conditions:
            # What comparisons give; everything else takes the long way.
            if type(condition) is Built and condition.t is Boolean:
                s += (condition.s,)
                p += condition.p
            else:
                s, p = added(s, p, (condition,), {}, self._source)  # pyright: ignore[reportUnknownArgumentType]
        if equals:
            s, p = added(s, p, (), equals, self._source)
        self._where = s
        self._where_p = p
        if self._source is None and (found := sources_in(s)) is not None:
            # count(*) of a table has no column in its result, but one in its condition.
            return self.from_(found)
        return self

    find = where

    def group_by(self, *keys: Any, distinct: bool = False) -> Self:
        """GROUP BY columns, expressions, labels, ``func.rollup(…)``, ``func.cube(…)``, ``func.grouping_sets(…)``.

        >>> from data_bridge.query import func, select, table, column
        >>> t = table("t", column("a", int))
        >>> select(t.a, func.count()).group_by(t.a).sql().sql
        'SELECT "t"."a", count(*) FROM "t" GROUP BY "t"."a"'
        """
        structures: list[Any] = []
        params: tuple[Any, ...] = ()
        for key in keys:
            if isinstance(key, str):
                structures.append(self._column_named(key))
            elif isinstance(key, Node):
                structures.append(key.s)
                params += key.p
            else:
                raise TypeError(f"group_by() takes columns, expressions or names, got {type(key).__name__}")
        new = self._appended("group", tuple(structures), params, ("distinct",) if distinct else (None,))
        new._groups = (*self._groups, *((key.s, key.p) for key in keys if isinstance(key, Node) and key.p))
        return new

    def having(self, *conditions: Node[bool]) -> Self:
        """Conditions on groups, joined by AND.

        >>> from data_bridge.query import func, select, table, column
        >>> t = table("t", column("a", int))
        >>> select(t.a).group_by(t.a).having(func.count() > 1).sql().sql
        'SELECT "t"."a" FROM "t" GROUP BY "t"."a" HAVING count(*) > $1'
        """
        s, p = added((), (), conditions, {}, None)
        return self._appended("having", s, p)

    def distinct(self) -> Self:
        """SELECT DISTINCT.

        >>> from data_bridge.query import select, table, column
        >>> select(table("t", column("a", int)).a).distinct().sql().sql
        'SELECT DISTINCT "t"."a" FROM "t"'
        """
        return self._with_extra("distinct", ("distinct",))

    def distinct_on(self, *keys: Node[Any]) -> Self:
        """DISTINCT ON: the first row of each group by the stated order, which must begin with these expressions.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> select(t.a, t.b).distinct_on(t.a).order_by(t.a, -t.b).sql().sql
        'SELECT DISTINCT ON ("t"."a") "t"."a", "t"."b" FROM "t" ORDER BY "t"."a", "t"."b" DESC'
        """
        s = ("distinct_on", *(key.s for key in keys))
        new = self._with_extra("distinct_on", s, tuple(value for key in keys for value in key.p))
        new._groups = (*self._groups, *((key.s, key.p) for key in keys if key.p))
        return new

    def window(self, **windows: Window) -> Self:
        """Named windows for ``over("name")``.

        >>> from data_bridge.query import func, select, table, column, window
        >>> t = table("t", column("a", int))
        >>> select(func.sum(t.a).over("w")).window(w=window(order_by=t.a)).sql().sql
        'SELECT sum("t"."a") OVER "w" FROM "t" WINDOW "w" AS (ORDER BY "t"."a")'
        """
        s = tuple((name, made.s) for name, made in windows.items())
        return self._appended("windows", s, tuple(v for made in windows.values() for v in made.p))

    def _ordered_by(self, keys: tuple[Any, ...]) -> None:
        found = [(_bare(order_structure(key)), key.p) for key in keys if not isinstance(key, str) and key.p]
        self._keys = (*self._keys, *found)

    # ----------------------------------------------------------------------------------------------------- statement
    def _part(self) -> Statement:
        statement = self._inside().__statement__()
        return Statement(embedded(statement.ir, self._sources), statement.params)

    def __statement__(self) -> Statement:
        if len(self._sources) > 1:
            made = self._made()
            return Statement(apart(made.ir, self._sources), made.params)
        return self._made()

    def _made(self) -> Statement:
        columns, source = self._columns, self._source
        if source is None:
            source = columns.source
            source_s, p = (None, ()) if source is None else (source.s, source.p)
        else:
            source_s, p = source.s, source.p
        limit, offset = self._limit, self._offset
        extras_s, extras_p = self._extra_tuple() if self._extras or self._ctes else (None, ())
        if self._groups or (self._keys and self._extras and "distinct" in self._extras):
            return self._shared(source_s, p, extras_s)
        p = p + columns.p + self._where_p + self._order_p
        if limit is not None:
            p = (*p, limit)
        if offset is not None:
            p = (*p, offset)
        return Statement(
            (
                "select",
                source_s,
                columns.s,
                self._where or None,
                self._order,
                None if limit is None else "$",
                None if offset is None else "$",
                extras_s,
            ),
            p + extras_p,
        )

    def _shared(self, source_s: Any, source_p: tuple[Any, ...], extras_s: Any) -> Statement:
        """The statement with the parameters of grouped expressions written once."""
        limits: list[tuple[Any, tuple[Any, ...]]] = [
            (None, ()) if value is None else ("$", (value,)) for value in (self._limit, self._offset)
        ]
        extras = dict(self._extras or {})
        if self._ctes:
            extras["ctes"] = with_clause(self._ctes)
        tags = sorted(extras)
        head = [
            (self._columns.s, self._columns.p),
            (self._where or None, self._where_p),
            (self._order, self._order_p),
            *limits,
        ]
        tail = [extras[tag] for tag in tags]
        keys = [*self._groups, *self._keys]
        done = shared(
            [*head, *tail],
            keys,
            len(source_p),
            opaque=[*(False for _ in head), *(tag in ("ctes", "joins") for tag in tags)],
        )
        s = [region for region, _ in done]
        p = source_p
        for _, values in done:
            p += values
        ends = tuple(s[len(head) :]) or None
        return Statement(("select", source_s, *s[: len(head)], ends), p)


def _bare(s: Any) -> Any:
    return s[1] if type(s) is tuple and s and s[0] in ("asc", "desc") else s  # pyright: ignore[reportUnknownVariableType]


@overload
def select(a: type[T1] | Node[T1], /) -> Select[tuple[T1]]: ...
@overload
def select(a: type[T1] | Node[T1], b: type[T2] | Node[T2], /) -> Select[tuple[T1, T2]]: ...
@overload
def select(a: type[T1] | Node[T1], b: type[T2] | Node[T2], c: type[T3] | Node[T3], /) -> Select[tuple[T1, T2, T3]]: ...
@overload
def select(
    a: type[T1] | Node[T1], b: type[T2] | Node[T2], c: type[T3] | Node[T3], d: type[T4] | Node[T4], /
) -> Select[tuple[T1, T2, T3, T4]]: ...
@overload
def select(
    a: type[T1] | Node[T1],
    b: type[T2] | Node[T2],
    c: type[T3] | Node[T3],
    d: type[T4] | Node[T4],
    e: type[T5] | Node[T5],
    /,
) -> Select[tuple[T1, T2, T3, T4, T5]]: ...
@overload
def select(
    a: type[T1] | Node[T1],
    b: type[T2] | Node[T2],
    c: type[T3] | Node[T3],
    d: type[T4] | Node[T4],
    e: type[T5] | Node[T5],
    f: type[T6] | Node[T6],
    /,
) -> Select[tuple[T1, T2, T3, T4, T5, T6]]: ...
@overload
def select(
    a: type[T1] | Node[T1],
    b: type[T2] | Node[T2],
    c: type[T3] | Node[T3],
    d: type[T4] | Node[T4],
    e: type[T5] | Node[T5],
    f: type[T6] | Node[T6],
    g: type[T7] | Node[T7],
    /,
) -> Select[tuple[T1, T2, T3, T4, T5, T6, T7]]: ...
@overload
def select(
    a: type[T1] | Node[T1],
    b: type[T2] | Node[T2],
    c: type[T3] | Node[T3],
    d: type[T4] | Node[T4],
    e: type[T5] | Node[T5],
    f: type[T6] | Node[T6],
    g: type[T7] | Node[T7],
    h: type[T8] | Node[T8],
    /,
) -> Select[tuple[T1, T2, T3, T4, T5, T6, T7, T8]]: ...
@overload
def select(*columns: Any) -> Select[tuple[Any, ...]]: ...
def select(*columns: Any) -> Select[Any]:
    """A SELECT of columns, expressions and whole tables. The table is that of the first column, or
    `Select.from_`.

    >>> from data_bridge.query import select, table, column
    >>> users = table("users", column("id", int), column("name", str))
    >>> select(users).sql().sql
    'SELECT "users"."id", "users"."name" FROM "users"'
    """
    made = columns_of(columns)
    return Select(made, made.source)


def _over(source: Source) -> Select[Any]:
    return Select(columns_of(tuple(source.columns.values()))).from_(source)  # pyright: ignore[reportUnknownVariableType]


Source.make_query = _over
