"""What selects, set operations and VALUES have in common: order, limits, names, combination."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from data_bridge.core import Compiled, Statement

from .._compile import compile as compile_
from .._names import unknown
from ..expressions.expr import Built
from ..expressions.node import Node
from ..expressions.order import Order
from ..expressions.sources import Cte, QuerySource
from ..types.sql_types import SQLType

if TYPE_CHECKING:
    from ..expressions.expr import Expr, Label
    from .compound import Compound

__all__ = ["Query"]

Q = TypeVar("Q", bound="Query")
Extras = dict[str, tuple[Any, tuple[Any, ...]]]


class Query:
    """An immutable query: every method returns a new one."""

    __slots__ = ("_ctes", "_extras", "_limit", "_offset", "_order", "_order_p")

    if TYPE_CHECKING:
        _combine: ClassVar[type[Compound]]
        """How queries are combined. Compound, which is a Query itself, sets it."""

    _order: tuple[Any, ...] | None
    _order_p: tuple[Any, ...]
    _limit: int | None
    _offset: int | None
    _extras: Extras | None
    _ctes: tuple[Cte, ...]

    def _copy(self) -> Self:
        """A copy. Subclasses copy their own slots on top."""
        new = object.__new__(type(self))
        new._order = self._order
        new._order_p = self._order_p
        new._limit = self._limit
        new._offset = self._offset
        new._extras = self._extras
        new._ctes = self._ctes
        return new

    def _empty(self) -> None:
        self._order = self._limit = self._offset = self._extras = None
        self._order_p = self._ctes = ()

    # ---------------------------------------------------------------------------------------- what subclasses give
    def _names(self) -> list[tuple[str, SQLType | None]]:
        """Names and types of the columns of the result, as far as they have names."""
        raise TypeError(f"the columns of {type(self).__name__} have no names")  # pragma: no cover - every kind has them

    def __statement__(self) -> Statement:
        raise TypeError(f"{type(self).__name__} is not a statement")  # pragma: no cover - every kind is one

    def _column_named(self, name: str) -> Any:
        """The structure a string in order_by() means."""
        names = [known for known, _ in self._names()]
        if name in names:
            return ("ordinal", names.index(name) + 1)
        raise LookupError(unknown(name, "column", names, "the query"))

    # ------------------------------------------------------------------------------------------------------ extras
    def _with_extra(self, tag: str, s: Any, p: tuple[Any, ...] = ()) -> Self:
        new = self._copy()
        new._extras = {**(self._extras or {}), tag: (s, p)}
        return new

    def _appended(self, tag: str, s: tuple[Any, ...], p: tuple[Any, ...], head: tuple[Any, ...] = ()) -> Self:
        """Adds items to a clause; `head` is what stands between its tag and the items."""
        before_s, before_p = (self._extras or {}).get(tag, ((tag, *head), ()))
        return self._with_extra(tag, (*before_s, *s), before_p + p)

    def _add_ctes(self, ctes: tuple[Cte, ...]) -> Self:
        if not ctes:
            return self
        new = self._copy()
        new._ctes = merged(self._ctes, ctes)
        return new

    def _extra_tuple(self) -> tuple[Any, tuple[Any, ...]]:
        extras = self._extras
        if self._ctes:
            extras = {**(extras or {}), "ctes": with_clause(self._ctes)}
        if not extras:
            return None, ()
        p: tuple[Any, ...] = ()
        if len(extras) == 1:
            ((s, only_p),) = extras.values()
            return (s,), only_p
        tags = sorted(extras)
        for tag in tags:
            p += extras[tag][1]
        return tuple([extras[tag][0] for tag in tags]), p

    # ------------------------------------------------------------------------------------------------ order, limits
    def order_by(self, *keys: Any) -> Self:
        """Adds sort keys: columns, ``-column`` for DESC, Orders, names of the result ("-age" for DESC); None clears.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> select(t.a).order_by(-t.b, t.a).sql().sql
        'SELECT "t"."a" FROM "t" ORDER BY "t"."b" DESC, "t"."a"'
        """
        new = self._copy()
        if len(keys) == 1 and keys[0] is None:
            new._order, new._order_p = None, ()
            return new
        structures: tuple[Any, ...] = self._order or ()
        params = self._order_p
        for key in keys:
            if isinstance(key, Node):
                s = key.s
                # Unary minus means DESC here.
                structures += (("desc", s[1]) if s[0] == "neg" else s,)
                params += key.p
            elif isinstance(key, Order):
                structures = (*structures, key.s)
                params = params + key.p
            elif isinstance(key, str):
                s = self._column_named(key[1:] if key[:1] in ("-", "+") else key)
                structures = (*structures, ("desc", s) if key[:1] == "-" else s)
            else:
                raise TypeError(f"order_by() takes columns, expressions or names, got {type(key).__name__}")
        new._order, new._order_p = structures or None, params
        if params is not self._order_p:
            new._ordered_by(keys)
        return new

    def _ordered_by(self, keys: tuple[Any, ...]) -> None:
        """Notes sort keys that hold parameters."""

    def limit(self, n: int | None) -> Self:
        """At most n rows; 0 returns no rows, None removes the limit.

        >>> from data_bridge.query import select, table, column
        >>> select(table("t", column("a", int)).a).limit(10).sql().sql
        'SELECT "t"."a" FROM "t" LIMIT $1'
        """
        new = self._copy()
        new._limit = _count(n, "limit")
        return new

    def offset(self, n: int | None) -> Self:
        """Skips n rows.

        >>> from data_bridge.query import select, table, column
        >>> select(table("t", column("a", int)).a).offset(20).sql().sql
        'SELECT "t"."a" FROM "t" OFFSET $1'
        """
        new = self._copy()
        new._offset = _count(n, "offset")
        return new

    def with_ties(self) -> Self:
        """FETCH FIRST n ROWS WITH TIES: rows equal to the last one by the stated order come along.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int))
        >>> select(t.a).order_by(t.a).limit(3).with_ties().sql().sql
        'SELECT "t"."a" FROM "t" ORDER BY "t"."a" FETCH FIRST $1 ROWS WITH TIES'
        """
        return self._with_extra("ties", ("ties",))

    def tag(self, text: str) -> Self:
        """A comment in front of the text, to find the statement in the server's views. It must not come from users.

        >>> from data_bridge.query import select, table, column
        >>> select(table("t", column("a", int)).a).tag("checkout").sql().sql
        '/* checkout */ SELECT "t"."a" FROM "t"'
        """
        return self._with_extra("tag", ("tag", text))

    # -------------------------------------------------------------------------------------------------- combination
    def with_(self, *ctes: QuerySource) -> Self:
        """Adds common table expressions that no FROM mentions: those that write. Mentioned ones come by themselves.

        >>> from data_bridge.query import delete, select, table, column
        >>> t = table("t", column("a", int))
        >>> gone = delete(t).where(t.a > 5).returning(t.a).cte("gone")
        >>> select(t.a).with_(gone).sql().sql
        'WITH "gone" AS (DELETE FROM "t" WHERE "t"."a" > $1 RETURNING "t"."a") SELECT "t"."a" FROM "t"'
        """
        new = self
        for cte in ctes:
            new = new._add_ctes(cte.ctes)
        return new

    def union(self, *others: Query, all: bool = False) -> Compound:  # noqa: A002
        """UNION of this query and others; ``all=True`` keeps duplicates.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> select(t.a).union(select(t.b)).sql().sql
        'SELECT "t"."a" FROM "t" UNION SELECT "t"."b" FROM "t"'
        """
        return self._combined("union", others, all)

    def union_all(self, *others: Query) -> Compound:
        """UNION ALL.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> select(t.a).union_all(select(t.b)).sql().sql
        'SELECT "t"."a" FROM "t" UNION ALL SELECT "t"."b" FROM "t"'
        """
        return self._combined("union", others, True)

    def intersect(self, *others: Query, all: bool = False) -> Compound:  # noqa: A002
        """INTERSECT.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> select(t.a).intersect(select(t.b)).sql().sql
        'SELECT "t"."a" FROM "t" INTERSECT SELECT "t"."b" FROM "t"'
        """
        return self._combined("intersect", others, all)

    def except_(self, *others: Query, all: bool = False) -> Compound:  # noqa: A002
        """EXCEPT.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> select(t.a).except_(select(t.b)).sql().sql
        'SELECT "t"."a" FROM "t" EXCEPT SELECT "t"."b" FROM "t"'
        """
        return self._combined("except", others, all)

    def _combined(self, word: str, others: tuple[Query, ...], all_: bool) -> Compound:
        return self._combine(f"{word} all" if all_ else word, (self, *others))

    def _inside(self) -> Query:
        """The query as a part of a statement, where its result has the columns that were named, and no others."""
        return self

    def _part(self) -> Statement:
        """The statement as a part of another one."""
        return self._inside().__statement__()

    def __operand__(self) -> tuple[Any, tuple[Any, ...]]:
        statement = self._part()
        return ("query", statement.ir), statement.params

    def scalar(self) -> Expr[Any]:
        """The query as a value: one column of one row, NULL without a row.

        >>> from data_bridge.query import func, select, table, column
        >>> t = table("t", column("a", int))
        >>> t.a == select(func.max(t.a)).scalar()
        <Expr "t"."a" = (SELECT max("t"."a") FROM "t")>
        """
        names = self._inside()._names()
        s, p = self.__operand__()
        return Built(s, p, names[0][1] if len(names) == 1 else None)

    def label(self, name: str) -> Label[Any]:
        """The query as a named column of another one's result.

        >>> from data_bridge.query import func, select, table, column
        >>> users, posts = table("users", column("id", int)), table("posts", column("author_id", int))
        >>> n = select(func.count()).from_(posts).where(posts.author_id == users.id).label("n")
        >>> select(users.id, n).order_by("-n").sql().sql
        'SELECT "users"."id", (SELECT count(*) FROM "posts" WHERE "posts"."author_id" = "users"."id") AS "n" FROM "users" ORDER BY 2 DESC'
        """
        return self.scalar().label(name)

    def subquery(self, name: str | None = None, *, lateral: bool = False) -> QuerySource:
        """The query as a table: ``.c.NAME`` has its columns. As an operand it is the scalar subquery.

        `lateral` lets it use columns of the tables before it in FROM.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int))
        >>> s = select(t.a).subquery("s")
        >>> select(s.c.a).sql().sql
        'SELECT "s"."a" FROM (SELECT "t"."a" FROM "t") AS "s"'
        """
        statement = self._part()
        name = name or "subquery"
        s = ("subquery", statement.ir, name, "lateral") if lateral else ("subquery", statement.ir, name)
        return QuerySource(name, s, statement.params, self._inside()._names(), statement.ir, statement.params)

    def cte(
        self,
        name: str,
        *,
        recursive: Callable[[QuerySource], Query] | None = None,
        all: bool = True,  # noqa: A002
        materialized: bool | None = None,
        suffix: str | None = None,
    ) -> QuerySource:
        """The query as a common table expression: a table that WITH defines, wherever it is used.

        `recursive` gets the expression itself and returns the query that is repeated (``all=False`` drops duplicates).
        `suffix` is trusted text behind it: a SEARCH or CYCLE clause.

        >>> from data_bridge.query import literal, select
        >>> n = select(literal(1).label("n")).cte("n", recursive=lambda r: select((r.c.n + 1).label("n")).where(r.c.n < 5))
        >>> select(n.c.n).sql().sql
        'WITH RECURSIVE "n" AS (SELECT $1::integer AS "n" UNION ALL SELECT "n"."n" + $2 AS "n" FROM "n" WHERE "n"."n" < $3) SELECT "n"."n" FROM "n"'
        """  # noqa: E501
        return cte_of(self, name, recursive=recursive, all_=all, materialized=materialized, suffix=suffix)

    def sql(self, *, pretty: bool = False) -> Compiled:
        """Text and parameters, without a connection; `pretty` formats for humans.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int))
        >>> print(select(t.a).where(t.a > 5).sql(pretty=True).sql)
        SELECT "t"."a"
        FROM "t"
        WHERE "t"."a" > $1
        """
        return compile_(self, pretty=pretty)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.sql().sql}>"


def _count(n: Any, what: str) -> int | None:
    if n is None:
        return None
    if type(n) is not int:
        raise TypeError(f"{what}() takes an int or None, got {type(n).__name__}")
    if n < 0:
        raise ValueError(f"{what}() takes an int >= 0, got {n}")
    return n


def cte_of(
    query: Any,
    name: str,
    *,
    recursive: Callable[[QuerySource], Query] | None = None,
    all_: bool = True,
    materialized: bool | None = None,
    suffix: str | None = None,
) -> QuerySource:
    """A common table expression of any statement with columns."""
    deps, statement = _without_ctes(query)
    ir, params = statement.ir, statement.params
    columns = (query._inside() if isinstance(query, Query) else query)._names()
    if recursive is not None:
        reference = QuerySource(name, ("table", None, name, None), (), columns, ir, params)
        step_deps, step = _without_ctes(recursive(reference))
        deps += step_deps
        ir = ("compound", "union all" if all_ else "union", (ir, step.ir), None, None, None, None)
        params = params + step.params
    word = None if materialized is None else "materialized" if materialized else "not materialized"
    s: tuple[Any, ...] = (name, None, ir, word) if word else (name, None, ir)
    if suffix is not None:
        s = (name, None, ir, word, (suffix,))
    own = Cte(name, s, params, recursive is not None)
    return QuerySource(name, ("table", None, name, None), (), columns, ir, params, (*deps, own))


def _without_ctes(query: Any) -> tuple[tuple[Cte, ...], Statement]:
    """The expressions a query brings along move up to the statement that uses it."""
    if not isinstance(query, Query):
        return (), query.__statement__()
    if not query._ctes:
        return (), query._part()
    bare = query._copy()
    bare._ctes = ()
    return query._ctes, bare._part()


def merged(known: tuple[Cte, ...], more: tuple[Cte, ...]) -> tuple[Cte, ...]:
    """Common table expressions of both, each once; ValueError when two different ones share a name."""
    result = known
    for cte in more:
        same = next((item for item in result if item.name == cte.name), None)
        if same is None:
            result = (*result, cte)
        elif same is not cte and same.s != cte.s:
            raise ValueError(f"two different common table expressions are called {cte.name!r}")
    return result


def with_clause(ctes: tuple[Cte, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The WITH clause as an extra of a statement."""
    recursive = "recursive" if any(cte.recursive for cte in ctes) else None
    return ("ctes", recursive, *(cte.s for cte in ctes)), tuple(value for cte in ctes for value in cte.p)
