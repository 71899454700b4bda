"""UPDATE and DELETE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

from data_bridge.core import Statement, UnfilteredWrite

from ..expressions.filters import added
from ..expressions.node import Node
from ..expressions.sources import Source, source_of
from ..expressions.truth import filters_rows
from .disambiguation import apart
from .dml_base import Write, assignments_of
from .joins import How, join_structure

__all__ = ["Delete", "Update", "delete", "update"]

F = TypeVar("F", bound="_Filtered")


class _Filtered(Write):
    """A write that chooses its rows. Without a filter it is refused, unless `all_rows` says so."""

    __slots__ = ("_all", "_sources", "_where", "_where_p")

    _from_tag = "from"

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self._where: tuple[Any, ...] = ()
        self._where_p: tuple[Any, ...] = ()
        self._all = False
        self._sources: tuple[Source, ...] = ()

    def where(self, *conditions: Node[bool] | Mapping[Any, Any], **equals: Any) -> Self:
        """Adds conditions, joined by AND; see `Select.where`.

        >>> from data_bridge.query import delete, table, column
        >>> t = table("t", column("a", int))
        >>> delete(t).where(t.a > 5).sql().sql
        'DELETE FROM "t" WHERE "t"."a" > $1'
        """
        s, p = added(self._where, self._where_p, conditions, equals, self._table)
        return self._with(_where=s, _where_p=p)

    def all_rows(self) -> Self:
        """Every row of the table is meant.

        >>> from data_bridge.query import delete, table, column
        >>> delete(table("t", column("a", int))).all_rows().sql().sql
        'DELETE FROM "t"'
        """
        return self._with(_all=True)

    def _other(self, tables: tuple[Any, ...]) -> Self:
        new = self
        for table in tables:
            source = source_of(table)
            new = new._appended(self._from_tag, (source.s,), source.p)._add_source(source)
            new = new._with(_sources=(*new._sources, source))
        return new

    def join(
        self,
        table: Any,
        on: Node[bool] | Sequence[Node[bool]] | None = None,
        *,
        how: How = "inner",
        using: Sequence[str] | str | None = None,
    ) -> Self:
        """Joins a table. The first one joins the written table itself, so its condition stands in WHERE.

        >>> from data_bridge.query import delete, table, column
        >>> users = table("users", column("id", int, primary_key=True), column("banned", bool))
        >>> posts = table("posts", column("author_id", int, references="users.id"))
        >>> delete(posts).join(users).where(users.banned).sql().sql
        'DELETE FROM "posts" USING "users" WHERE "posts"."author_id" = "users"."id" AND "users"."banned"'
        """
        source = source_of(table)
        s, p = join_structure(source, on, how, using, (self._table, *self._sources))
        if self._sources:
            new = self._appended("joins", (s,), p)._add_source(source)
            return new._with(_sources=(*self._sources, source))
        if how != "inner" or using is not None:
            raise TypeError("the first table joins the written one: only an inner join with a condition can do that")
        new = self._other((source,))
        return new._with(_where=(*self._where, *s[2]), _where_p=self._where_p + p[len(source.p) :])

    def _checked(self) -> None:
        if not self._all and not filters_rows(self._where, self._where_p):
            verb = type(self).__name__.lower()
            what = "a where() that is TRUE for every row" if self._where else "no where()"
            raise UnfilteredWrite(f"{verb}({self._table.label}) has {what}: say all_rows() if every row is meant")


class Update(_Filtered):
    """An UPDATE; made by `update`."""

    __slots__ = ("_set", "_set_p")

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self._set: tuple[Any, ...] = ()
        self._set_p: tuple[Any, ...] = ()

    def set(self, values: Mapping[Any, Any] | None = None, /, **named: Any) -> Update:
        """New values by column, by name, or by keyword; expressions may use the old ones.

        A tuple of columns takes a row or a subquery; ``t.tags[1]`` and ``t.data["a"]`` are elements of arrays and
        jsonb. An unknown name, a wrong value or the same column twice is an error.

        >>> from data_bridge.query import update, table, column
        >>> t = table("t", column("id", int), column("n", int))
        >>> update(t).set({t.n: t.n + 1}).where(t.id == 5).sql().sql
        'UPDATE "t" SET "n" = "t"."n" + $1 WHERE "t"."id" = $2'
        """
        s, p = assignments_of(self._table, values, named)
        known = {name for name, *_ in self._set}
        twice = next((name for name, *_ in s if name in known), None)
        if twice is not None:
            raise ValueError(f"{self._table.label}.{twice} is set twice")
        return self._with(_set=self._set + s, _set_p=self._set_p + p)

    def from_(self, *tables: Any) -> Update:
        """UPDATE … FROM other tables, subqueries or expressions; where() says how their rows belong together.

        >>> from data_bridge.query import update, table, column
        >>> a, b = table("a", column("id", int), column("n", int)), table("b", column("id", int), column("n", int))
        >>> update(a).set({a.n: b.n}).from_(b).where(a.id == b.id).sql().sql
        'UPDATE "a" SET "n" = "b"."n" FROM "b" WHERE "a"."id" = "b"."id"'
        """
        return self._other(tables)

    def __statement__(self) -> Statement:
        self._checked()
        if not self._set:
            raise ValueError(f"update({self._table.label}) has no set()")
        extras, extras_p = self._extra_tuple()
        ir = ("update", self._table.s, self._set, self._where or None, self._returning.s or None, extras)
        ir = apart(ir, (self._table, *self._sources))
        return Statement(ir, self._set_p + self._where_p + self._returning.p + extras_p)


class Delete(_Filtered):
    """A DELETE; made by `delete`."""

    __slots__ = ()

    _from_tag = "using"

    def using(self, *tables: Any) -> Delete:
        """DELETE … USING other tables; where() says how their rows belong together.

        >>> from data_bridge.query import delete, table, column
        >>> a, b = table("a", column("id", int)), table("b", column("id", int))
        >>> delete(a).using(b).where(a.id == b.id).sql().sql
        'DELETE FROM "a" USING "b" WHERE "a"."id" = "b"."id"'
        """
        return self._other(tables)

    def __statement__(self) -> Statement:
        self._checked()
        extras, extras_p = self._extra_tuple()
        ir = ("delete", self._table.s, self._where or None, self._returning.s or None, extras)
        ir = apart(ir, (self._table, *self._sources))
        return Statement(ir, self._where_p + self._returning.p + extras_p)


def update(table: Any) -> Update:
    """An UPDATE. Without where() it is refused with UnfilteredWrite when it is compiled; all_rows() allows it.

    >>> from data_bridge.query import update, table, column
    >>> t = table("t", column("a", int))
    >>> update(t).set(a=1).all_rows().sql().sql
    'UPDATE "t" SET "a" = $1'
    """
    return Update(table)


def delete(table: Any) -> Delete:
    """A DELETE. Without where() it is refused with UnfilteredWrite when it is compiled; all_rows() allows it.

    >>> from data_bridge.query import delete, table, column
    >>> t = table("t", column("a", int))
    >>> delete(t).where(a=1).sql().sql
    'DELETE FROM "t" WHERE "t"."a" = $1'
    """
    return Delete(table)
