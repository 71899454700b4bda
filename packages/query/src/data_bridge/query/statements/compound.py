"""Set operations and lists of values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from data_bridge.core import Statement

from ..expressions import coercion
from ..expressions.sources import Source
from ..types.sql_types import SQLType
from .base import Query, merged

__all__ = ["Compound", "Values", "values"]


class Compound(Query):
    """UNION, INTERSECT or EXCEPT of queries. Order and limit belong to the whole."""

    __slots__ = ("_op", "_parts")

    _op: str
    _parts: tuple[Query, ...]

    def __init__(self, op: str, parts: tuple[Query, ...]) -> None:
        self._empty()
        if len(parts) < 2:
            raise TypeError("a set operation needs another query")
        self._op = op
        found: list[Query] = []
        for part in parts:
            if not isinstance(part, Query):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"a set operation takes queries, got {type(part).__name__}")
            # WITH stands in front of the whole.
            self._ctes = merged(self._ctes, part._ctes)
            bare = part._inside()._copy()
            bare._ctes = ()
            found.append(bare)
        self._parts = tuple(found)

    def _copy(self) -> Compound:
        new = super()._copy()
        new._op, new._parts = self._op, self._parts
        return new

    def _names(self) -> list[tuple[str, SQLType | None]]:
        return self._parts[0]._names()

    def __statement__(self) -> Statement:
        structures: list[Any] = []
        p: tuple[Any, ...] = ()
        for part in self._parts:
            statement = part._part()
            structures.append(statement.ir)
            p += statement.params
        limit, offset = self._limit, self._offset
        p += self._order_p + (() if limit is None else (limit,)) + (() if offset is None else (offset,))
        extras, extras_p = self._extra_tuple()
        ends = (self._order, None if limit is None else "$", None if offset is None else "$", extras)
        return Statement(("compound", self._op, tuple(structures), *ends), p + extras_p)


Query._combine = Compound


class Values(Query):
    """VALUES (…), (…): rows that stand in no table."""

    __slots__ = ("_columns", "_rows", "_rows_p")

    _columns: tuple[tuple[str, SQLType | None], ...]
    _rows: tuple[Any, ...]
    _rows_p: tuple[Any, ...]

    def __init__(
        self, rows: tuple[Any, ...], p: tuple[Any, ...], columns: tuple[tuple[str, SQLType | None], ...]
    ) -> None:
        self._empty()
        self._rows, self._rows_p, self._columns = rows, p, columns

    def _copy(self) -> Values:
        new = super()._copy()
        new._rows, new._rows_p, new._columns = self._rows, self._rows_p, self._columns
        return new

    def _names(self) -> list[tuple[str, SQLType | None]]:
        return list(self._columns)

    def table(self, alias: str) -> Source:
        """The rows as a table, with ``.c`` for its columns.

        >>> from data_bridge.query import select, values
        >>> v = values([(1, "a"), (2, "b")], columns=["id", "name"]).table("v")
        >>> select(v.c.name).sql().sql
        'SELECT "v"."name" FROM (VALUES ($1::integer, $2::text), ($3::integer, $4::text)) AS "v" ("id", "name")'
        """
        source = Source(alias, ("values", self._rows, alias, tuple(name for name, _ in self._columns)), self._rows_p)
        for name, of in self._columns:
            source._add(name, of)
        return source

    def __statement__(self) -> Statement:
        limit, offset = self._limit, self._offset
        p = self._rows_p + self._order_p + (() if limit is None else (limit,)) + (() if offset is None else (offset,))
        extras, extras_p = self._extra_tuple()
        ends = (self._order, None if limit is None else "$", None if offset is None else "$", extras)
        return Statement(("values", self._rows, *ends), p + extras_p)


def values(
    rows: Iterable[Sequence[Any]], *, columns: Sequence[str] | None = None, types: Sequence[SQLType] | None = None
) -> Values:
    """A list of rows as a query; ``.table("v")`` makes it a table.

    Every value is a typed parameter. `types` says them where values do not (None, text that stands for a date …).

    >>> from data_bridge.query import values
    >>> values([(1, "a"), (2, None)]).sql().sql
    'VALUES ($1::integer, $2::text), ($3::integer, NULL)'
    """
    structures: list[Any] = []
    params: list[Any] = []
    kinds: list[SQLType | None] = list(types) if types else []
    width = None
    for row in rows:
        cells = tuple(row)
        if width is None:
            width = len(cells)
            kinds = kinds or [None] * width
        if len(cells) != width:
            raise ValueError(f"the rows must have one width: {width} and {len(cells)}")
        line: list[Any] = []
        for i, cell in enumerate(cells):
            of = types[i] if types else None
            if of is not None and not coercion.is_node(cell) and cell is not None:
                line.append(("$", of.name))
                params.append(of.bind(cell, f"column {i + 1} of values()"))
                continue
            s, p, found = coercion.argument(cell, text=True)
            line.append(s)
            params += p
            kinds[i] = kinds[i] or found
        structures.append(tuple(line))
    if not structures or not width:
        raise ValueError("values() needs at least one row with one value")
    names = list(columns) if columns else [f"column{i + 1}" for i in range(width)]
    if len(names) != width:
        raise ValueError(f"{len(names)} names for {width} columns")
    return Values(tuple(structures), tuple(params), tuple(zip(names, kinds, strict=True)))
