"""The order in which tables and views are made: what others point to or read comes first."""

from __future__ import annotations

from collections.abc import Iterable

from ..definitions.tables import ConstraintDef, TableDef, ViewDef

__all__ = ["tables_in_order", "views_in_order", "without_later_keys"]


def tables_in_order(tables: Iterable[TableDef]) -> list[TableDef]:
    """Tables before those whose foreign keys point to them. In a circle, the first table comes first; `without_later_keys`
    says which foreign keys have to wait.

    >>> from data_bridge.query import ColumnDef, ConstraintDef, TableDef, ddl, types
    >>> key = ConstraintDef("foreign_key", columns=("b",), references=(None, "b"), references_columns=("id",))
    >>> a = TableDef("a", (ColumnDef("b", types.BigInt),), constraints=(key,))
    >>> b = TableDef("b", (ColumnDef("id", types.BigInt),))
    >>> print(*(table.name for table in ddl.tables_in_order([a, b])))
    b a
    """
    left = {(table.schema, table.name): table for table in tables}
    made: list[TableDef] = []
    while left:
        free = [
            table
            for key, table in left.items()
            if all(target == key or target not in left for _, target, _ in table.foreign_keys)
        ]
        for table in free or [next(iter(left.values()))]:
            made.append(table)
            del left[table.schema, table.name]
    return made


def without_later_keys(ordered: list[TableDef]) -> tuple[list[TableDef], list[tuple[TableDef, ConstraintDef]]]:
    """The tables without the foreign keys to tables that come after them, and these keys, to be added at the end.

    >>> from data_bridge.query import ColumnDef, ConstraintDef, TableDef, ddl, types
    >>> def pair(one: str, other: str) -> TableDef:
    ...     key = ConstraintDef("foreign_key", columns=("x",), references=(None, other), references_columns=("id",))
    ...     return TableDef(one, (ColumnDef("x", types.BigInt),), constraints=(key,))
    >>> tables, later = ddl.without_later_keys(ddl.tables_in_order([pair("a", "b"), pair("b", "a")]))
    >>> [len(table.constraints) for table in tables], [table.name for table, key in later]
    ([0, 1], ['a'])
    """
    names = [(table.schema, table.name) for table in ordered]
    made: list[TableDef] = []
    later: list[tuple[TableDef, ConstraintDef]] = []
    for i, table in enumerate(ordered):
        waiting = [c for c in table.constraints if c.kind == "foreign_key" and c.references in names[i + 1 :]]
        later += [(table, c) for c in waiting]
        made.append(
            table.replace(constraints=tuple(c for c in table.constraints if c not in waiting)) if waiting else table
        )
    return made, later


def views_in_order(views: Iterable[ViewDef]) -> list[ViewDef]:
    """Views behind those that they read; by name where the order is free, or where what they read is not known.

    >>> from data_bridge.query import ViewDef, ddl
    >>> from data_bridge.query.definitions.tables import Use
    >>> a = ViewDef("a", "SELECT n FROM b", uses=(Use("column", None, "b", "n"),))
    >>> print(*(view.name for view in ddl.views_in_order([a, ViewDef("b", "SELECT 1 AS n")])))
    b a
    """
    left = {(view.schema, view.name): view for view in sorted(views, key=lambda v: (v.schema or "", v.name))}
    made: list[ViewDef] = []
    while left:
        free = [view for view in left.values() if not any((use.schema, use.name) in left for use in view.uses)]
        for view in free or list(left.values()):
            made.append(view)
            del left[view.schema, view.name]
    return made
