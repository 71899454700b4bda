"""TableClass: the source of one class, before it is text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from data_bridge.query import ConstraintDef, TableDef, ViewDef

__all__ = ["EnumClass", "FieldLine", "Key", "TableClass"]

Key: TypeAlias = tuple[str | None, str]
"""Schema (None: the default one) and name."""


@dataclass(slots=True)
class FieldLine:
    """A field or a relation.

    Attributes:
        name: of the attribute.
        annotation: as it is written.
        call: Column, BackLink or ManyToMany.
        arguments: of the call, as they are written; the key "" is the one without a name.
        column: the column in the database; None for a relation without one.
        key: of a Link, the foreign key behind it.
    """

    name: str
    annotation: str
    call: str = "Column"
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    column: str | None = None
    key: ConstraintDef | None = None


@dataclass(slots=True)
class EnumClass:
    """An enum type of the database.

    Attributes:
        name: of the class.
        type_name: of the type.
        schema: of the type; None is the default one.
        members: names of the members and their labels.
    """

    name: str
    type_name: str
    schema: str | None
    members: list[tuple[str, str]]


@dataclass(slots=True)
class TableClass:
    """A table or a view.

    Attributes:
        name: of the class.
        table: as the database has it; of a view, its columns.
        view: as the database has it; None for a table.
        fields: in the order of the columns, relations behind them.
        settings: lines of Settings by their key, as they are written.
        indexes: items of Settings.indexes.
        constraints: items of Settings.constraints.
        imports: module and name of what the class uses.
        unsaid: what the database has and the class cannot say.
        is_association: whether the table only joins two others.
    """

    name: str
    table: TableDef
    view: ViewDef | None = None
    fields: list[FieldLine] = field(default_factory=list[FieldLine])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    indexes: list[str] = field(default_factory=list[str])
    constraints: list[str] = field(default_factory=list[str])
    imports: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    unsaid: list[str] = field(default_factory=list[str])
    is_association: bool = False

    @property
    def key(self) -> Key:
        """Schema and name of the table."""
        return self.table.schema, self.table.name

    @property
    def names(self) -> set[str]:
        """The attributes so far."""
        return {f.name for f in self.fields}

    def attribute(self, column: str) -> str:
        """The field of a column."""
        return next(f.name for f in self.fields if f.column == column)
