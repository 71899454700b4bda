"""DDL operations on tables, their columns and constraints."""

from __future__ import annotations

from typing import Any, Literal

from data_bridge.core import Statement

from .._compile import compile as compile_
from ..definitions.base import Definition, field
from ..definitions.tables import ColumnDef, ConstraintDef, TableDef
from ..expressions.node import Node
from .nodes import Path, column_node, constraint_node, flags, literal_structure, named, path_of


class RawColumn(Definition):
    """A column whose definition is trusted SQL text: ``RawColumn("id", "SERIAL PRIMARY KEY")``."""

    name: str
    definition: str


class Operation(Definition):
    """What every operation is: a statement without parameters."""

    def _ir(self) -> tuple[Any, ...]:
        raise TypeError(f"{type(self).__name__} is not an operation")  # pragma: no cover - every kind is one

    def __statement__(self) -> Statement:
        return Statement(self._ir(), ())

    def __str__(self) -> str:
        return compile_(self).sql


# --------------------------------------------------------------------------------------------------------------- tables
class CreateTable(Operation):
    """CREATE TABLE with its columns and constraints; indexes and comments are operations of their own.

    `columns` replaces the columns of the definition, for definitions given as SQL text.

    >>> from data_bridge.query import ddl
    >>> print(ddl.CreateTable("t", columns=(ddl.RawColumn("id", "SERIAL PRIMARY KEY"),)))
    CREATE TABLE "t" (
        "id" SERIAL PRIMARY KEY
    )
    """

    table: Path
    if_not_exists: bool = field(default=False, kw_only=True)
    columns: tuple[ColumnDef | RawColumn, ...] | None = field(default=None, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        table = self.table
        columns = self.columns
        constraints: tuple[ConstraintDef, ...] = ()
        name = table if isinstance(table, str) else table.name if isinstance(table, TableDef) else table[1]
        if isinstance(table, TableDef):
            columns = table.columns if columns is None else columns
            constraints = table.constraints
        elements = (*map(_column, columns or ()), *(constraint_node(name, c) for c in constraints))
        return ("create_table", path_of(table), elements or None, flags(if_not_exists=self.if_not_exists), None)


def _column(column: ColumnDef | RawColumn) -> tuple[Any, ...]:
    return ("column_sql", column.name, column.definition) if isinstance(column, RawColumn) else column_node(column)


class _Drop(Operation):
    name: Path
    if_exists: bool = field(default=False, kw_only=True)
    cascade: bool = field(default=False, kw_only=True)

    def _kind(self) -> str:
        return "table"

    def _ir(self) -> tuple[Any, ...]:
        options = flags(if_exists=self.if_exists, cascade=self.cascade)
        return ("drop", self._kind(), (path_of(self.name),), options)


class DropTable(_Drop):
    """DROP TABLE."""


class DropSequence(_Drop):
    """DROP SEQUENCE."""

    def _kind(self) -> str:
        return "sequence"


class DropEnum(_Drop):
    """DROP TYPE."""

    def _kind(self) -> str:
        return "type"


class DropDomain(_Drop):
    """DROP DOMAIN."""

    def _kind(self) -> str:
        return "domain"


class DropSchema(_Drop):
    """DROP SCHEMA."""

    def _kind(self) -> str:
        return "schema"


class DropExtension(_Drop):
    """DROP EXTENSION."""

    def _kind(self) -> str:
        return "extension"


class DropView(_Drop):
    """DROP VIEW."""

    materialized: bool = field(default=False, kw_only=True)

    def _kind(self) -> str:
        return "materialized view" if self.materialized else "view"


class DropFunction(_Drop):
    """DROP FUNCTION, or DROP PROCEDURE, of the only one that has this name."""

    kind: Literal["function", "procedure"] = field(default="function", kw_only=True)

    def _kind(self) -> str:
        return self.kind


class DropIndex(_Drop):
    """DROP INDEX; `concurrently` cannot run inside a transaction."""

    concurrently: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        options = flags(concurrently=self.concurrently, if_exists=self.if_exists, cascade=self.cascade)
        return ("drop", "index", (path_of(self.name),), options)


class RenameTable(Operation):
    """ALTER TABLE … RENAME TO."""

    table: Path
    to: str

    def _ir(self) -> tuple[Any, ...]:
        return ("rename", "table", path_of(self.table), self.to)


class RenameIndex(Operation):
    """ALTER INDEX … RENAME TO."""

    index: Path
    to: str

    def _ir(self) -> tuple[Any, ...]:
        return ("rename", "index", path_of(self.index), self.to)


class SetSchema(Operation):
    """ALTER … SET SCHEMA, of a table, view, sequence, type, domain or extension."""

    name: Path
    to: str
    kind: Literal["table", "view", "materialized view", "sequence", "type", "domain", "extension"] = field(
        default="table", kw_only=True
    )

    def _ir(self) -> tuple[Any, ...]:
        return ("set_schema", self.kind, path_of(self.name), self.to)


# -------------------------------------------------------------------------------------------------------------- columns
class _Alter(Operation):
    """ALTER TABLE with one action."""

    table: Path

    def _action(self) -> tuple[Any, ...]:
        raise TypeError(f"{type(self).__name__} is not an operation")  # pragma: no cover - every kind has one

    def _ir(self) -> tuple[Any, ...]:
        return ("alter_table", path_of(self.table), (self._action(),))


class AddColumn(_Alter):
    """ADD COLUMN."""

    column: ColumnDef | RawColumn
    if_not_exists: bool = field(default=False, kw_only=True)

    def _action(self) -> tuple[Any, ...]:
        return ("add_column", _column(self.column), flags(if_not_exists=self.if_not_exists))


class _AlterNamed(_Alter):
    name: str


class DropColumn(_AlterNamed):
    """DROP COLUMN."""

    if_exists: bool = field(default=False, kw_only=True)
    cascade: bool = field(default=False, kw_only=True)

    def _action(self) -> tuple[Any, ...]:
        return ("drop_column", self.name, flags(if_exists=self.if_exists, cascade=self.cascade))


class RenameColumn(_AlterNamed):
    """RENAME COLUMN."""

    to: str

    def _action(self) -> tuple[Any, ...]:
        return ("rename_column", self.name, self.to)


class AlterColumnType(_AlterNamed):
    """ALTER COLUMN … TYPE; `using` converts old values."""

    to: Any
    using: Node[Any] | None = field(default=None, kw_only=True)
    collation: str | None = field(default=None, kw_only=True)

    def _action(self) -> tuple[Any, ...]:
        using = None if self.using is None else literal_structure(self.using)
        return ("set_type", self.name, self.to if isinstance(self.to, str) else self.to.name, using, self.collation)


class SetDefault(_AlterNamed):
    """ALTER COLUMN … SET DEFAULT."""

    value: Node[Any]

    def _action(self) -> tuple[Any, ...]:
        return ("set_default", self.name, literal_structure(self.value))


class DropDefault(_AlterNamed):
    """ALTER COLUMN … DROP DEFAULT."""

    def _action(self) -> tuple[Any, ...]:
        return ("drop_default", self.name)


class SetNotNull(_AlterNamed):
    """ALTER COLUMN … SET NOT NULL."""

    def _action(self) -> tuple[Any, ...]:
        return ("set_not_null", self.name)


class DropNotNull(_AlterNamed):
    """ALTER COLUMN … DROP NOT NULL."""

    def _action(self) -> tuple[Any, ...]:
        return ("drop_not_null", self.name)


class AddIdentity(_AlterNamed):
    """ALTER COLUMN … ADD GENERATED … AS IDENTITY."""

    mode: Literal["always", "by default"] = field(default="by default", kw_only=True)

    def _action(self) -> tuple[Any, ...]:
        return ("add_identity", self.name, self.mode)


class DropIdentity(_AlterNamed):
    """ALTER COLUMN … DROP IDENTITY."""

    if_exists: bool = field(default=False, kw_only=True)

    def _action(self) -> tuple[Any, ...]:
        return ("drop_identity", self.name, flags(if_exists=self.if_exists))


class DropExpression(_AlterNamed):
    """ALTER COLUMN … DROP EXPRESSION: a generated column becomes an ordinary one."""

    def _action(self) -> tuple[Any, ...]:
        return ("drop_expression", self.name)


# ---------------------------------------------------------------------------------------------------------- constraints
class AddConstraint(_Alter):
    """ADD CONSTRAINT; `not_valid` leaves existing rows to ValidateConstraint, under a weaker lock."""

    constraint: ConstraintDef
    not_valid: bool = field(default=False, kw_only=True)

    def _action(self) -> tuple[Any, ...]:
        return ("add_constraint", constraint_node(named(self.table), self.constraint, not_valid=self.not_valid))


class AddConstraintUsingIndex(_AlterNamed):
    """ADD CONSTRAINT … PRIMARY KEY (or UNIQUE) USING INDEX."""

    kind: Literal["primary key", "unique"]
    index: str

    def _action(self) -> tuple[Any, ...]:
        return ("add_using_index", self.name, self.kind, self.index)


class DropConstraint(_AlterNamed):
    """DROP CONSTRAINT."""

    if_exists: bool = field(default=False, kw_only=True)
    cascade: bool = field(default=False, kw_only=True)

    def _action(self) -> tuple[Any, ...]:
        return ("drop_constraint", self.name, flags(if_exists=self.if_exists, cascade=self.cascade))


class RenameConstraint(_AlterNamed):
    """RENAME CONSTRAINT."""

    to: str

    def _action(self) -> tuple[Any, ...]:
        return ("rename_constraint", self.name, self.to)


class ValidateConstraint(_AlterNamed):
    """VALIDATE CONSTRAINT."""

    def _action(self) -> tuple[Any, ...]:
        return ("validate_constraint", self.name)
