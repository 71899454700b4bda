"""INSERT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from data_bridge.core import Statement

from ..expressions import coercion
from ..expressions.column import ColumnProxy
from ..expressions.filters import added
from ..expressions.node import Node
from .base import Query, merged
from .dml_base import Write, assignments_of, cell, column_of, default

__all__ = ["Conflict", "Insert", "insert"]

R = TypeVar("R")
DEFAULT = ("default",)
# A statement carries at most 65,535 parameters; from this many rows on, arrays are quicker too.
_UNNEST_ROWS = 50


class Insert(Write, Generic[R]):
    """An INSERT; made by `insert`."""

    __slots__ = ("_conflict", "_conflict_p", "_names_", "_rows", "_rows_p")

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self._names_: tuple[str, ...] = ()
        self._rows: Any = None
        self._rows_p: tuple[Any, ...] = ()
        self._conflict: Any = None
        self._conflict_p: tuple[Any, ...] = ()

    def values(self, rows: Mapping[Any, Any] | Iterable[Mapping[Any, Any]] | None = None, /, **named: Any) -> Insert[R]:
        """One row as a mapping or keywords, or many rows. Columns missing in a row take their default.

        Values are checked against the columns. Many plain rows travel as one array per column, so that neither the
        number of parameters nor the text depends on how many there are.

        >>> from data_bridge.query import insert, table, column
        >>> t = table("t", column("a", int), column("b", str))
        >>> insert(t).values(a=1, b="x").sql().sql
        'INSERT INTO "t" ("a", "b") VALUES ($1, $2)'
        >>> insert(t).values([{"a": 1}, {"a": 2, "b": "x"}]).sql().sql
        'INSERT INTO "t" ("a", "b") VALUES ($1, DEFAULT), ($2, $3)'
        """
        if rows is not None and not isinstance(rows, Mapping):
            if named:
                raise TypeError("values() takes rows or keywords, not both")
            return self._many(list(rows))
        source = self._table
        names: list[str] = []
        structures: list[Any] = []
        params: tuple[Any, ...] = ()
        for key, value in [*(rows or {}).items(), *named.items()]:  # pyright: ignore[reportUnknownVariableType]
            column = column_of(source, key)
            if column.__column__.name in names:
                raise ValueError(f"{column.__owner__} is given twice")
            names.append(column.__column__.name)
            s, p = (DEFAULT, ()) if value is default else cell(column, value)
            structures.append(s)
            params += p
        if not names:
            return self._with(_names_=(), _rows=None, _rows_p=())
        plain = all(s == "$" for s in structures)
        return self._with(_names_=tuple(names), _rows="$" if plain else ("values", tuple(structures)), _rows_p=params)

    def _many(self, rows: list[Mapping[Any, Any]]) -> Insert[R]:
        source = self._table
        columns: dict[str, Any] = {}
        keys: dict[Any, str] = {}
        for row in rows:
            for key in row:
                if key not in keys:
                    column = column_of(source, key)
                    keys[key] = column.__column__.name
                    columns[column.__column__.name] = column
        if not rows or not columns:
            raise ValueError("values() needs at least one row with at least one column")
        order = list(columns)
        found = list(columns.values())
        by_key: dict[str, list[Any]] = {name: [key for key, known in keys.items() if known == name] for name in order}
        uniform = all(len(row) == len(order) for row in rows) and all(len(known) == 1 for known in by_key.values())
        if (
            uniform
            and len(rows) >= _UNNEST_ROWS
            and all(c.t is not None and c.t.family not in ("array", "json") for c in found)
        ):
            lists = _columns(rows, [by_key[name][0] for name in order], found)
            if lists is not None:
                types = tuple(c.t.name for c in found)
                return self._with(_names_=tuple(order), _rows=("unnest", *types), _rows_p=lists)
        structures: list[Any] = []
        params: list[Any] = []
        for index, row in enumerate(rows):
            line: list[Any] = []
            for name, column in columns.items():
                value: Any = default
                for key in by_key[name]:
                    if key in row:
                        value = row[key]
                s, p = (DEFAULT, ()) if value is default else _row_cell(column, value, index)
                line.append(s)
                params += p
            structures.append(tuple(line))
        if all(s == "$" for line in structures for s in line):
            return self._with(_names_=tuple(order), _rows=("rows", len(rows)), _rows_p=tuple(params))
        return self._with(_names_=tuple(order), _rows=("values", *structures), _rows_p=tuple(params))

    def from_select(self, query: Any, columns: Sequence[Any] | None = None) -> Insert[R]:
        """INSERT … SELECT. Without `columns` the names of the query's result are used.

        >>> from data_bridge.query import insert, select, table, column
        >>> t, old = table("t", column("a", int)), table("old", column("a", int))
        >>> insert(t).from_select(select(old.a)).sql().sql
        'INSERT INTO "t" ("a") SELECT "old"."a" FROM "old"'
        """
        ctes = self._ctes
        if isinstance(query, Query):
            ctes = merged(ctes, query._ctes)
            bare = query._inside()._copy()
            bare._ctes = ()
            given = [name for name, _ in bare._names()]
            if columns is None:
                columns = given
            query = bare
        statement = query.__statement__()
        names = tuple(column_of(self._table, key).__column__.name for key in columns or ())
        return self._with(_names_=names, _rows=("query", statement.ir), _rows_p=statement.params, _ctes=ctes)

    def overriding(self, what: Literal["system", "user"]) -> Insert[R]:
        """OVERRIDING SYSTEM (or USER) VALUE, for identity columns.

        >>> from data_bridge.query import insert, table, column
        >>> insert(table("t", column("a", int))).values(a=1).overriding("system").sql().sql
        'INSERT INTO "t" ("a") OVERRIDING SYSTEM VALUE VALUES ($1)'
        """
        return self._with(_extras={**self._extras, "overriding": (("overriding", what), ())})

    def on_conflict(self, *columns: Any, constraint: str | None = None, where: Node[bool] | None = None) -> Conflict[R]:
        """ON CONFLICT on columns (or expressions, or a constraint; `where` names a partial index): and what to do then.

        >>> from data_bridge.query import excluded, insert, table, column
        >>> t = table("t", column("id", int), column("n", int))
        >>> insert(t).values(id=1, n=1).on_conflict(t.id).do_update({t.n: t.n + excluded(t.n)}).sql().sql
        'INSERT INTO "t" ("id", "n") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "n" = "t"."n" + "excluded"."n"'
        """
        if constraint is not None:
            if columns or where is not None:
                raise TypeError("on_conflict() takes columns or a constraint, not both")
            return Conflict(self, ("constraint", constraint), ())
        if not columns:
            if where is not None:
                raise TypeError("where= belongs to columns")
            return Conflict(self, None, ())
        structures: list[Any] = []
        params: tuple[Any, ...] = ()
        for key in columns:
            if isinstance(key, Node) and not isinstance(key, ColumnProxy):
                structures.append(key.s)
                params += key.p
            else:
                structures.append(("col", None, column_of(self._table, key).__column__.name))
        where_s, where_p = (None, ()) if where is None else ((where.s,), where.p)
        return Conflict(self, ("columns", tuple(structures), where_s), params + where_p)

    def on_conflict_do_nothing(self) -> Insert[R]:
        """ON CONFLICT DO NOTHING, whatever the conflict.

        >>> from data_bridge.query import insert, table, column
        >>> insert(table("t", column("a", int))).values(a=1).on_conflict_do_nothing().sql().sql
        'INSERT INTO "t" ("a") VALUES ($1) ON CONFLICT DO NOTHING'
        """
        return self.on_conflict().do_nothing()

    def __statement__(self) -> Statement:
        extras, extras_p = self._extra_tuple()
        ir = (
            "insert",
            self._table.s,
            self._names_ or None,
            self._rows,
            self._conflict,
            self._returning.s or None,
            extras,
        )
        return Statement(ir, self._rows_p + self._conflict_p + self._returning.p + extras_p)


class Conflict(Generic[R]):
    """What follows ON CONFLICT: `do_nothing` or `do_update`."""

    __slots__ = ("_insert", "_p", "_target")

    def __init__(self, insert: Insert[R], target: Any, p: tuple[Any, ...]) -> None:
        self._insert = insert
        self._target = target
        self._p = p

    def do_nothing(self) -> Insert[R]:
        """The proposed row is left out.

        >>> from data_bridge.query import insert, table, column
        >>> t = table("t", column("a", int))
        >>> insert(t).values(a=1).on_conflict(t.a).do_nothing().sql().sql
        'INSERT INTO "t" ("a") VALUES ($1) ON CONFLICT ("a") DO NOTHING'
        """
        return self._insert._with(_conflict=("conflict", self._target, "nothing"), _conflict_p=self._p)

    def do_update(
        self, values: Mapping[Any, Any] | Sequence[Any] | None = None, /, *, where: Any = (), **named: Any
    ) -> Insert[R]:
        """The existing row is changed: a mapping, or columns that take their proposed value; `where` limits it.

        >>> from data_bridge.query import insert, table, column
        >>> t = table("t", column("id", int), column("n", int))
        >>> insert(t).values(id=1, n=1).on_conflict(t.id).do_update([t.n], where=t.n < 5).sql().sql
        'INSERT INTO "t" ("id", "n") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "n" = "excluded"."n" WHERE "t"."n" < $3'
        """
        if self._target is None:
            raise TypeError("do_update() needs to know the conflict: on_conflict(columns) or on_conflict(constraint=…)")
        table = self._insert._table
        if values is not None and not isinstance(values, Mapping):
            names = [column_of(table, key).__column__.name for key in values]
            s: tuple[Any, ...] = tuple((name, ("col", "excluded", name)) for name in names)
            p: tuple[Any, ...] = ()
            more, more_p = assignments_of(table, None, named)
            s, p = s + more, more_p
        else:
            s, p = assignments_of(table, values, named)
        if not s:
            raise ValueError("do_update() needs at least one column")
        conditions = where if isinstance(where, tuple | list) else (where,)  # pyright: ignore[reportUnknownVariableType]
        where_s, where_p = added((), (), tuple(conditions), {}, table)  # pyright: ignore[reportUnknownArgumentType]
        action = ("update", s, where_s or None)
        return self._insert._with(_conflict=("conflict", self._target, action), _conflict_p=self._p + p + where_p)


def _columns(rows: list[Mapping[Any, Any]], keys: list[Any], columns: list[Any]) -> tuple[Any, ...] | None:
    """One list per column; None when a value is an expression."""
    lists: list[list[Any]] = []
    for key, column in zip(keys, columns, strict=True):
        cells = [row[key] for row in rows]
        python = column._python
        kinds = set(map(type, cells))
        if not kinds <= {python, type(None)}:
            if any(coercion.is_node(value) or value is default or hasattr(value, "__operand__") for value in cells):
                return None
            cells = [_bound(column, value, index) for index, value in enumerate(cells)]
        lists.append(cells)
    return tuple(lists)


def _bound(column: Any, value: Any, index: int) -> Any:
    try:
        return column.bind(value)
    except ValueError as error:
        raise _in_row(error, index) from None


def _row_cell(column: Any, value: Any, index: int) -> tuple[Any, tuple[Any, ...]]:
    try:
        return cell(column, value)
    except ValueError as error:
        raise _in_row(error, index) from None


def _in_row(error: ValueError, index: int) -> ValueError:
    """A failing row is named by its index, in the message and as ``row_index``."""
    made = type(error)(f"row {index}: {error}")
    made.row_index = index  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    return made


def insert(table: Any) -> Insert[Any]:
    """An INSERT into a table; without values() it inserts one row of defaults.

    >>> from data_bridge.query import insert, table, column
    >>> t = table("t", column("id", int), column("a", int))
    >>> insert(t).values(a=1).returning(t.id).sql().sql
    'INSERT INTO "t" ("a") VALUES ($1) RETURNING "t"."id"'
    """
    return Insert(table)
