"""MERGE, TRUNCATE and EXPLAIN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from data_bridge.core import Compiled, Statement

from .._compile import compile as compile_
from .._compile import statement_of
from ..expressions.node import Node
from ..expressions.sources import Source, source_of
from .disambiguation import apart
from .dml_base import Write, assignments_of, cell, column_of, target_of
from .joins import conditions_of

__all__ = ["Explain", "Merge", "Truncate", "When", "explain", "merge", "truncate"]


class Merge(Write):
    """A MERGE; made by `merge`."""

    __slots__ = ("_on", "_p", "_source", "_source_p", "_whens")

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self._source: Source | None = None
        self._source_p: tuple[Any, ...] = ()
        self._on: tuple[Any, ...] = ()
        self._whens: tuple[Any, ...] = ()
        self._p: tuple[Any, ...] = ()

    def using(self, source: Any, on: Node[bool] | list[Node[bool]]) -> Merge:
        """The rows to merge, and when one of them is the same as one of the table.

        >>> from data_bridge.query import merge, table, column
        >>> t, new = table("t", column("id", int)), table("new", column("id", int))
        >>> merge(t).using(new, t.id == new.id).when_matched().delete().sql().sql
        'MERGE INTO "t" USING "new" ON "t"."id" = "new"."id" WHEN MATCHED THEN DELETE'
        """
        found = source_of(source)
        conditions = conditions_of(on)
        made = self._with(_source=found, _source_p=found.p, _on=tuple(c.s for c in conditions))
        return made._with(_p=tuple(v for c in conditions for v in c.p))._add_source(found)

    def when_matched(self, condition: Node[bool] | None = None) -> When:
        """WHEN MATCHED [AND condition]: update(…), delete() or do_nothing().

        >>> from data_bridge.query import merge, table, column
        >>> t, new = table("t", column("id", int), column("n", int)), table("new", column("id", int), column("n", int))
        >>> merge(t).using(new, t.id == new.id).when_matched(t.n < new.n).update({t.n: new.n}).sql().sql
        'MERGE INTO "t" USING "new" ON "t"."id" = "new"."id" WHEN MATCHED AND "t"."n" < "new"."n" THEN UPDATE SET "n" = "new"."n"'
        """
        return When(self, "matched", condition)

    def when_not_matched(self, condition: Node[bool] | None = None) -> When:
        """WHEN NOT MATCHED [AND condition]: insert(…) or do_nothing().

        >>> from data_bridge.query import merge, table, column
        >>> t, new = table("t", column("id", int)), table("new", column("id", int))
        >>> merge(t).using(new, t.id == new.id).when_not_matched().insert({t.id: new.id}).sql().sql
        'MERGE INTO "t" USING "new" ON "t"."id" = "new"."id" WHEN NOT MATCHED THEN INSERT ("id") VALUES ("new"."id")'
        """
        return When(self, "not matched", condition)

    def when_not_matched_by_source(self, condition: Node[bool] | None = None) -> When:
        """WHEN NOT MATCHED BY SOURCE (PostgreSQL 17): rows of the table without a partner.

        >>> from data_bridge.query import merge, table, column
        >>> t, new = table("t", column("id", int)), table("new", column("id", int))
        >>> merge(t).using(new, t.id == new.id).when_not_matched_by_source().delete().sql().sql
        'MERGE INTO "t" USING "new" ON "t"."id" = "new"."id" WHEN NOT MATCHED BY SOURCE THEN DELETE'
        """
        return When(self, "not matched by source", condition)

    def __statement__(self) -> Statement:
        if self._source is None or not self._whens:
            raise ValueError(f"merge({self._table.label}) needs using(…) and at least one when_…")
        extras, extras_p = self._extra_tuple()
        ir = ("merge", self._table.s, self._source.s, self._on, self._whens, self._returning.s or None, extras)
        ir = apart(ir, (self._table, self._source))
        return Statement(ir, self._source_p + self._p + self._returning.p + extras_p)


class When:
    """One WHEN of a MERGE, waiting for its action."""

    __slots__ = ("_condition", "_kind", "_merge")

    def __init__(self, merge: Merge, kind: str, condition: Node[bool] | None) -> None:
        self._merge = merge
        self._kind = kind
        self._condition = condition

    def _then(self, action: Any, p: tuple[Any, ...] = ()) -> Merge:
        s, condition_p = (None, ()) if self._condition is None else (self._condition.s, self._condition.p)
        merge = self._merge
        return merge._with(_whens=(*merge._whens, (self._kind, s, action)), _p=merge._p + condition_p + p)

    def update(self, values: Mapping[Any, Any] | None = None, /, **named: Any) -> Merge:
        """THEN UPDATE SET …; see `Update.set`."""
        s, p = assignments_of(self._merge._table, values, named)
        return self._then(("update", s), p)

    def insert(self, values: Mapping[Any, Any] | None = None, /, **named: Any) -> Merge:
        """THEN INSERT …; no values: a row of defaults."""
        structures: list[Any] = []
        names: list[str] = []
        params: tuple[Any, ...] = ()
        for key, value in [*(values or {}).items(), *named.items()]:
            column = column_of(self._merge._table, key)
            s, p = cell(column, value)
            names.append(column.__column__.name)
            structures.append(s)
            params += p
        return self._then(("insert", tuple(names) or None, tuple(structures) or None), params)

    def delete(self) -> Merge:
        """THEN DELETE."""
        return self._then("delete")

    def do_nothing(self) -> Merge:
        """THEN DO NOTHING."""
        return self._then("nothing")


def merge(table: Any) -> Merge:
    """A MERGE into a table (PostgreSQL 15; RETURNING from 17).

    >>> from data_bridge.query import merge, table, column
    >>> t, new = table("t", column("id", int)), table("new", column("id", int))
    >>> merge(t).using(new, t.id == new.id).when_matched().do_nothing().sql().sql
    'MERGE INTO "t" USING "new" ON "t"."id" = "new"."id" WHEN MATCHED THEN DO NOTHING'
    """
    return Merge(table)


class _Plain:
    """A statement that is ready."""

    __slots__ = ("_statement",)

    def __init__(self, statement: Statement) -> None:
        self._statement = statement

    def __statement__(self) -> Statement:
        return self._statement

    def sql(self, *, pretty: bool = False) -> Compiled:
        """Text and parameters.

        >>> from data_bridge.query import truncate, table, column
        >>> truncate(table("t", column("id", int))).sql().sql
        'TRUNCATE "t"'
        """
        return compile_(self, pretty=pretty)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.sql().sql}>"


class Truncate(_Plain):
    """A TRUNCATE; made by `truncate`."""

    __slots__ = ()


class Explain(_Plain):
    """An EXPLAIN; made by `explain`."""

    __slots__ = ()


def truncate(*tables: Any, restart_identity: bool = False, cascade: bool = False) -> Truncate:
    """TRUNCATE: all rows of the tables, at once. `cascade` empties tables that reference them too.

    >>> from data_bridge.query import truncate, table, column
    >>> truncate(table("t", column("id", int)), restart_identity=True).sql().sql
    'TRUNCATE "t" RESTART IDENTITY'
    """
    if not tables:
        raise TypeError("truncate() takes at least one table")
    names = tuple(target_of(table).s for table in tables)
    return Truncate(
        Statement(("truncate", names, "restart" if restart_identity else None, "cascade" if cascade else None))
    )


def explain(
    query: Any,
    *,
    analyze: bool = False,
    verbose: bool = False,
    buffers: bool = False,
    format: Literal["text", "json", "xml", "yaml"] = "text",  # noqa: A002
) -> Explain:
    """EXPLAIN of a statement. With `analyze` it is run.

    >>> from data_bridge.query import explain, select, table, column
    >>> explain(select(table("t", column("id", int)).id), format="json").sql().sql
    'EXPLAIN (FORMAT JSON) SELECT "t"."id" FROM "t"'
    """
    if format not in ("text", "json", "xml", "yaml"):
        raise ValueError(f"format is text, json, xml or yaml, got {format!r}")
    flags = [name for name, on in (("analyze", analyze), ("verbose", verbose), ("buffers", buffers)) if on]
    if format != "text":
        flags.append(f"format {format}")
    statement = statement_of(query)
    return Explain(Statement(("explain", tuple(flags) or None, statement.ir), statement.params))
