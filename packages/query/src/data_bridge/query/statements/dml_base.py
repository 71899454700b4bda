"""What INSERT, UPDATE, DELETE and MERGE have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from data_bridge.core import Compiled, Statement

from .._compile import compile as compile_
from ..expressions import coercion
from ..expressions.column import ColumnProxy
from ..expressions.document_path import DocumentPath
from ..expressions.document_update import place_of, with_parts
from ..expressions.node import Node
from ..expressions.sources import Cte, QuerySource, Source, TableSource, source_of
from ..types.sql_types import SQLType
from .base import cte_of, merged, with_clause
from .results import EMPTY, Columns, columns_of

__all__ = ["Default", "Write", "assignments_of", "cell", "column_of", "default", "refuse_view", "target_of"]

W = TypeVar("W", bound="Write")


class Default:
    """The marker of a column's default in VALUES: `default`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "default"


default = Default()
"""Stands for a column's server default: ``insert(t).values(a=1, b=default)``, ``update(t).set(b=default)``."""

Extras = dict[str, tuple[Any, tuple[Any, ...]]]


class Write:
    """An immutable statement that changes rows: every method returns a new one."""

    __slots__ = ("_ctes", "_extras", "_returning", "_table")

    _table: Source
    _returning: Columns
    _extras: Extras
    _ctes: tuple[Cte, ...]

    def __init__(self, table: Any) -> None:
        self._table = target_of(table)
        self._returning = EMPTY
        self._extras = {}
        self._ctes = ()

    def _copy(self) -> Self:
        new = object.__new__(type(self))
        for cls in type(self).__mro__:
            for slot in getattr(cls, "__slots__", ()):
                setattr(new, slot, getattr(self, slot))
        return new

    def _with(self, **slots: Any) -> Self:
        new = self._copy()
        for name, value in slots.items():
            setattr(new, name, value)
        return new

    def _appended(self, tag: str, s: tuple[Any, ...], p: tuple[Any, ...]) -> Self:
        before_s, before_p = self._extras.get(tag, ((tag,), ()))
        return self._with(_extras={**self._extras, tag: ((*before_s, *s), before_p + p)})

    def _add_source(self, source: Source) -> Self:
        return self._with(_ctes=merged(self._ctes, source.ctes)) if isinstance(source, QuerySource) else self

    def _extra_tuple(self) -> tuple[Any, tuple[Any, ...]]:
        extras = {**self._extras, "ctes": with_clause(self._ctes)} if self._ctes else self._extras
        tags = sorted(extras)
        return tuple(extras[tag][0] for tag in tags) or None, tuple(v for tag in tags for v in extras[tag][1])

    def __statement__(self) -> Statement:
        raise TypeError(f"{type(self).__name__} is not a statement")  # pragma: no cover - every kind is one

    def _names(self) -> list[tuple[str, SQLType | None]]:
        return list(self._returning.names)

    def returning(self, *columns: Any) -> Self:
        """RETURNING these columns, expressions or whole tables of the written rows.

        >>> from data_bridge.query import delete, table, column
        >>> t = table("t", column("id", int))
        >>> delete(t).where(t.id == 1).returning(t.id).sql().sql
        'DELETE FROM "t" WHERE "t"."id" = $1 RETURNING "t"."id"'
        """
        return self._with(_returning=columns_of(columns))

    def with_(self, *ctes: QuerySource) -> Self:
        """Adds common table expressions that no clause mentions.

        >>> from data_bridge.query import delete, select, table, column
        >>> t = table("t", column("id", int))
        >>> c = select(t.id).cte("c")
        >>> delete(t).with_(c).where(t.id.in_(select(c.c.id))).sql().sql
        'WITH "c" AS (SELECT "t"."id" FROM "t") DELETE FROM "t" WHERE "t"."id" IN (WITH "c" AS (SELECT "t"."id" FROM "t") SELECT "c"."id" FROM "c")'
        """  # noqa: E501
        found = self._ctes
        for cte in ctes:
            found = merged(found, cte.ctes)
        return self._with(_ctes=found)

    def cte(self, name: str, *, materialized: bool | None = None) -> QuerySource:
        """The statement as a common table expression; its columns are those of `returning`.

        >>> from data_bridge.query import delete, insert, select, table, column
        >>> t, log = table("t", column("id", int)), table("log", column("id", int))
        >>> gone = delete(t).where(t.id == 1).returning(t.id).cte("gone")
        >>> insert(log).from_select(select(gone.c.id), ["id"]).sql().sql
        'WITH "gone" AS (DELETE FROM "t" WHERE "t"."id" = $1 RETURNING "t"."id") INSERT INTO "log" ("id") SELECT "gone"."id" FROM "gone"'
        """
        return cte_of(self, name, materialized=materialized)

    def tag(self, text: str) -> Self:
        """A comment in front of the text; see `Query.tag`.

        >>> from data_bridge.query import delete, table, column
        >>> t = table("t", column("id", int))
        >>> delete(t).where(t.id == 1).tag("cleanup").sql().sql
        '/* cleanup */ DELETE FROM "t" WHERE "t"."id" = $1'
        """
        return self._with(_extras={**self._extras, "tag": (("tag", text), ())})

    def sql(self, *, pretty: bool = False) -> Compiled:
        """Text and parameters, without a connection.

        >>> from data_bridge.query import delete, table, column
        >>> t = table("t", column("id", int))
        >>> delete(t).where(t.id == 1).sql().params
        (1,)
        """
        return compile_(self, pretty=pretty)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.sql().sql}>"


def target_of(table: Any) -> Source:
    """The table a statement writes to."""
    source = source_of(table)
    if not isinstance(source, TableSource):
        raise TypeError(f"only tables are written, {source.label} is none")
    refuse_view(source)
    return source


def refuse_view(source: TableSource) -> None:
    """Refuses the source of a view as the target of a statement.

    Raises:
        TypeError: naming the view.
    """
    if source.__table_def__.is_view:
        raise TypeError(f"{source.label} is a view: its rows are only read")


def column_of(source: Source, key: Any) -> ColumnProxy[Any]:
    """The column a key of an assignment names."""
    if isinstance(key, str):
        try:
            return source.column(key)
        except AttributeError as error:
            raise LookupError(str(error)) from None
    if isinstance(key, ColumnProxy):
        found = source.columns.get(key.__column__.name)
        if found is None or key.__column__.source.s[1:3] != source.s[1:3]:
            raise LookupError(f"{key.__owner__} is not a column of {source.label}")
        return found
    raise TypeError(f"a key is a column or its name, got {type(key).__name__}")


def assignments_of(
    source: Source, values: Mapping[Any, Any] | None, named: Mapping[str, Any]
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """``column = value`` for every item; the same column twice is an error."""
    structures: list[Any] = []
    params: tuple[Any, ...] = ()
    seen: set[str] = set()
    parts: dict[str, list[tuple[DocumentPath[Any], Any]]] = {}
    for key, value in [*(values or {}).items(), *named.items()]:
        if isinstance(key, tuple):
            # Several columns from one row or subquery.
            columns = [column_of(source, item) for item in key]  # pyright: ignore[reportUnknownVariableType]
            s, p = coercion.operand(value, None, None)
            structures.append((tuple(c.__column__.name for c in columns), s))
            names = [c.__column__.name for c in columns]
        elif isinstance(key, DocumentPath) and key.t is not None and key.t.shape is not None:
            root, _ = place_of(key)  # pyright: ignore[reportUnknownArgumentType]
            parts.setdefault(column_of(source, root).__column__.name, []).append((key, value))  # pyright: ignore[reportUnknownArgumentType]
            continue
        elif isinstance(key, Node) and key.s[0] in _SUBSCRIPTS:
            name, subscripts = _place(source, key.s)
            s, p = coercion.operand(value, key.t, f"{source.label}.{name}")
            structures.append((name, s, subscripts))
            # The structure has the value before its place; a column may have several places.
            p += key.p
            names = []
        else:
            column = column_of(source, key)
            s, p = cell(column, value)
            structures.append((column.__column__.name, s))
            names = [column.__column__.name]
        params += p
        for name in names:
            if name in seen:
                raise ValueError(f"{source.label}.{name} is set twice")
            seen.add(name)
    for name, set_parts in parts.items():
        if name in seen:
            raise ValueError(f"{source.label}.{name} is set twice")
        s, p = with_parts(source.columns[name].s, set_parts)
        structures.append((name, s))
        params += p
    return tuple(structures), params


_SUBSCRIPTS = ("[]", "->")


def _place(source: Source, s: Any) -> tuple[str, tuple[Any, ...]]:
    """Column and subscripts of an element: ``t.tags[1]``, ``t.data["a"]["b"]``."""
    subscripts: tuple[Any, ...] = ()
    while s[0] in _SUBSCRIPTS:
        subscripts = (s[2], *subscripts)
        s = s[1]
    if s[0] != "col" or s[1] != source.name:
        raise LookupError(f"an element is set in a column of {source.label}")
    return column_of(source, s[2]).__column__.name, subscripts


def cell(column: ColumnProxy[Any], value: Any) -> tuple[Any, tuple[Any, ...]]:
    """The value of a column in VALUES or SET; None is NULL, a parameter like any other value."""
    if value is None or type(value) is column._python:
        return "$", (value,)
    if value is default:
        return ("default",), ()
    if isinstance(value, Node) or (hasattr(value, "__operand__") and not isinstance(value, type)):
        return coercion.operand(value, column.t, column.__owner__)
    return "$", (column.bind(value),)
