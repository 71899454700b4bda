"""Tables for people who use no ORM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from ..definitions.tables import Action, ColumnDef, ConstraintDef, IndexDef, TableDef
from ..expressions.column import ColumnProxy
from ..expressions.node import Node
from ..expressions.sources import Columns, Source, TableSource, like, source_of
from ..types.typemap import type_of

__all__ = ["QueryTable", "aliased", "column", "table"]


class QueryTable:
    """A table whose columns are attributes: what `table` makes.

    A column may be called like a method (``alias``): the column wins, and `aliased` is the method as a function.
    ``users.c["odd name"]`` has every column.
    """

    __table_source__: TableSource
    __table_def__: TableDef
    c: Columns

    def __init__(self, source: TableSource) -> None:
        """Makes the face of a source."""
        attributes = self.__dict__
        attributes["__table_source__"] = source
        attributes["__table_def__"] = source.__table_def__
        attributes["c"] = source.c
        attributes.update(source.columns)

    def __getattr__(self, name: str) -> ColumnProxy[Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__table_source__.column(name)

    def alias(self, name: str) -> QueryTable:
        """The same table under another name, for self-joins.

        >>> from data_bridge.query import table, column
        >>> table("users", column("id", int)).alias("u").id
        <ColumnProxy "u"."id">
        """
        return QueryTable(TableSource(self.__table_def__, name, owner=name))

    def only(self) -> Source:
        """``ONLY table``: without the rows of inheriting tables.

        >>> from data_bridge.query import table, column, select
        >>> t = table("t", column("id", int))
        >>> select(t.id).from_(t.only()).sql().sql
        'SELECT "t"."id" FROM ONLY "t"'
        """
        source = self.__table_source__
        return like(source, ("only", source.s), ())

    def tablesample(self, percent: float, *, method: str = "bernoulli", seed: float | None = None) -> Source:
        """``TABLESAMPLE``: about this percentage of the rows, the same ones for the same `seed`.

        >>> from data_bridge.query import table, column, select
        >>> t = table("t", column("id", int))
        >>> select(t.id).from_(t.tablesample(10)).sql().sql
        'SELECT "t"."id" FROM "t" TABLESAMPLE bernoulli ($1)'
        """
        return sampled(self.__table_source__, percent, method, seed)

    def __repr__(self) -> str:
        return f"<QueryTable {self.__table_source__.label}>"


def sampled(source: Source, percent: float, method: str, seed: float | None) -> Source:
    """TABLESAMPLE of any table."""
    s = ("sample", source.s, method, ("$",), None if seed is None else "$")
    return like(source, s, (float(percent),) if seed is None else (float(percent), float(seed)))


def aliased(thing: Any, name: str) -> Any:
    """Another name for a table, subquery or common table expression, for self-joins.

    >>> from data_bridge.query import aliased, table, column
    >>> aliased(table("users", column("id", int)), "u").id
    <ColumnProxy "u"."id">
    """
    if isinstance(thing, QueryTable):
        return QueryTable(TableSource(thing.__table_def__, name, owner=name))
    source = source_of(thing)
    if isinstance(source, TableSource):
        return TableSource(source.__table_def__, name, owner=name)
    make = getattr(source, "alias", None)
    if make is None:
        raise TypeError(f"{source.label} cannot be given another name")
    return make(name)


class _Column(NamedTuple):
    definition: ColumnDef
    primary_key: bool
    unique: bool
    references: tuple[str | None, str, str] | None
    on_delete: Action | None


def column(
    name: str,
    type: Any,  # noqa: A002
    *,
    nullable: bool | None = None,
    primary_key: bool = False,
    unique: bool = False,
    default: Node[Any] | None = None,
    identity: Literal["always", "by default", "serial"] | None = None,
    references: str | Node[Any] | None = None,
    on_delete: Action | None = None,
    comment: str | None = None,
) -> Any:
    """A column for `table`: `type` is a Python type or one of `data_bridge.query.types`.

    `references` is "table.column", "schema.table.column" or another table's column.

    >>> from data_bridge.query import column, table, types
    >>> table("users", column("id", int, primary_key=True), column("code", types.Varchar(3))).code.t
    Varchar(3)
    """
    definition = ColumnDef(
        name,
        type_of(type),
        nullable=not primary_key if nullable is None else nullable,
        default=default,
        identity=identity,
        comment=comment,
    )
    return _Column(definition, primary_key, unique, _target(references), on_delete)


def _target(references: Any) -> tuple[str | None, str, str] | None:
    if references is None:
        return None
    if isinstance(references, str):
        parts = references.split(".")
        if len(parts) == 2:
            return None, parts[0], parts[1]
        if len(parts) == 3:
            return parts[0], parts[1], parts[2]
        raise ValueError(f"references is 'table.column' or 'schema.table.column', got {references!r}")
    definition: TableDef = references.source.__table_def__
    return definition.schema, definition.name, references.name


def table(
    name: str, *columns: Any, schema: str | None = None, comment: str | None = None, indexes: Iterable[IndexDef] = ()
) -> QueryTable:
    """A table for programs without the ORM: its columns are attributes (and ``.c`` has them under any name).

    >>> from data_bridge.query import column, select, table
    >>> users = table("users", column("id", int, primary_key=True), column("age", int))
    >>> select(users.id).where(users.age > 25).sql().sql
    'SELECT "users"."id" FROM "users" WHERE "users"."age" > $1'
    """
    made: list[_Column] = [c if isinstance(c, _Column) else _Column(c, False, False, None, None) for c in columns]
    constraints: list[ConstraintDef] = []
    key = tuple(c.definition.name for c in made if c.primary_key)
    if key:
        constraints.append(ConstraintDef("primary_key", columns=key))
    for c in made:
        if c.unique:
            constraints.append(ConstraintDef("unique", columns=(c.definition.name,)))
        if c.references:
            schema_name, target, target_column = c.references
            constraints.append(
                ConstraintDef(
                    "foreign_key",
                    columns=(c.definition.name,),
                    references=(schema_name, target),
                    references_columns=(target_column,),
                    on_delete=c.on_delete,
                )
            )
    definitions = tuple(c.definition for c in made)
    definition = TableDef(
        name, definitions, schema=schema, constraints=tuple(constraints), comment=comment, indexes=tuple(indexes)
    )
    return QueryTable(definition.source)
