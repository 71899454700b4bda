"""The changes of one column that is there before and afterwards, and new columns of a table in use."""

from __future__ import annotations

import re

from data_bridge.migrate._sql_names import quote_identifier, quote_literal
from data_bridge.migrate.diff.decisions import Decisions, loses_data
from data_bridge.migrate.diff.enum_changes import conversion
from data_bridge.migrate.diff.renames import Key, text_of
from data_bridge.migrate.diff.script import Script
from data_bridge.migrate.operations.declared import Backfill, RunSQL
from data_bridge.migrate.operations.online import rewrites
from data_bridge.migrate.state.facts import quoted, spelled
from data_bridge.query import ColumnDef, Node, SQLType, TableDef, ddl, sql

__all__ = ["ColumnChange"]

_LENGTH = re.compile(r"\([0-9, -]+\)")


class ColumnChange:
    """A column before and after, under its new name.

    Attributes:
        is_retyped: whether its type or its collation changes.
        is_converted: whether its values become values of another kind.
        is_remade: whether it is dropped and added again: a generated column has its values from others.
    """

    def __init__(
        self, script: Script, path: Key, old_table: TableDef, new_table: TableDef, old: ColumnDef, new: ColumnDef,
        decisions: Decisions, rebuilt: set[Key],
    ) -> None:  # fmt: skip
        self.script, self.path = script, path
        self.old_table, self.new_table = old_table, new_table
        self.old, self.new = old, new
        self.decisions = decisions
        element = new.type.name.removesuffix("[]")
        self.enum = next((key for key in rebuilt if quoted(spelled(*key)) == element), None)
        was_rebuilt = any(quoted(spelled(*key)) == old.type.name.removesuffix("[]") for key in rebuilt)
        self.is_retyped = old.type != new.type or old.collation != new.collation or was_rebuilt
        self.is_converted = was_rebuilt or _family(old.type) != _family(new.type)
        generated = [None if c.generated is None else text_of(c.generated) for c in (old, new)]
        both = old.generated is not None and new.generated is not None
        self.is_remade = loses_data(old, new) or (
            both and (generated[0] != generated[1] or old.stored != new.stored or self.is_retyped)
        )

    def apply(self, *, becomes_key: bool) -> None:
        """Adds the operations to the script."""
        old, new, name = self.old, self.new, self.new.name
        if self.is_remade:
            self.script.add("columns" if old.generated is None else "loosen", ddl.DropColumn(self.path, name))
            ColumnChange.added(self.script, self.path, self.old_table, new, self.decisions)
            return
        if old.generated is not None and new.generated is None:
            self._do(ddl.DropExpression(self.path, name))
        if old.identity is not None and new.identity is None:
            # Its sequence may have the name that a new one gets.
            self.script.add("loosen", ddl.DropIdentity(self.path, name))
        self._default_and_type()
        if old.nullable and not new.nullable and not becomes_key:
            self._not_null()
        elif new.nullable and not old.nullable:
            self._do(ddl.DropNotNull(self.path, name))
        if new.identity is not None and old.identity != new.identity:
            self._identity()

    def _do(self, *operations: ddl.Operation, note: str = "") -> None:
        self.script.add("columns", *operations, note=note)

    def _default_and_type(self) -> None:
        old, new, name = self.old, self.new, self.new.name
        # The expression of a generated column does not become the default of a plain one.
        before = None if old.default is None else text_of(old.default)
        after = None if new.default is None else text_of(new.default)
        if self.is_retyped:
            if old.default is not None:
                self._do(ddl.DropDefault(self.path, name))
            self._do(self._retype(), note=self._type_note())
            if new.default is not None:
                self._do(ddl.SetDefault(self.path, name, new.default))
        elif before != after:
            self._do(
                ddl.DropDefault(self.path, name)
                if new.default is None
                else ddl.SetDefault(self.path, name, new.default)
            )

    def _retype(self) -> ddl.Operation:
        new = self.new
        given = self.decisions.using.get((self.path, new.name))
        using: Node[str] | None = None if given is None else sql(given)
        if using is None and self.enum is not None and self.old.type == new.type:
            using = conversion(new.name, new.type.name, self.enum, self.decisions)
        elif using is None and self.is_converted:
            using = sql(_cast(quote_identifier(new.name), self.old.type, new.type))
        return ddl.AlterColumnType(self.path, new.name, new.type, using=using, collation=new.collation)

    def _type_note(self) -> str:
        if not self.is_converted or self.enum is not None:
            return ""
        return f"was {self.old.type.name}: values that do not fit stop the migration"

    def _not_null(self) -> None:
        name = self.new.name
        fill = self.decisions.fills.get((self.path, name))
        note = ""
        if fill is not None:
            self._fill(fill)
        else:
            note = "stops where rows have NULL here: --fill sets a value first"
        self._do(ddl.SetNotNull(self.path, name), note=note)

    def _fill(self, value: str) -> None:
        self._do(*_filled(self.path, self.old_table, self.new.name, value))

    def _identity(self) -> None:
        new, name = self.new, self.new.name
        table, column = quoted(spelled(*self.path)), quote_identifier(name)
        if self.old.identity is not None or new.identity is None:
            mode = str(new.identity).upper()
            self._do(RunSQL(f"ALTER TABLE {table} ALTER COLUMN {column} SET GENERATED {mode}"))
            return
        of = f"pg_get_serial_sequence({quote_literal(table).lstrip()}, {quote_literal(name).lstrip()})"
        self._do(
            ddl.AddIdentity(self.path, name, mode="always" if new.identity == "always" else "by default"),
            RunSQL(f"SELECT setval({of}, coalesce(max({column}), 0) + 1, false) FROM {table}"),
        )

    # ------------------------------------------------------------------------------------------------------ new columns
    @staticmethod
    def added(script: Script, path: Key, table: TableDef, column: ColumnDef, decisions: Decisions) -> None:
        """Adds a column to a table in use: rows that are there get its default, or the value that was given for them."""
        fill = decisions.fills.get((path, column.name))
        made = column.replace(comment=None)
        if fill is not None:
            made = made.replace(default=sql(fill))
        add = ddl.AddColumn(path, made)
        note = ""
        if not column.nullable and made.default is None and column.identity is None and column.generated is None:
            note = "fails where the table has rows, which have no value for it"
        elif column.identity is not None or (column.generated is not None and column.stored):
            note = "rewrites the whole table and blocks reads and writes of it"
        if column.generated is not None:
            script.add("generated", add, note=note)
        elif made.default is None or not rewrites(add):
            script.add("columns", add, note=note)
        else:
            script.add("columns", ddl.AddColumn(path, made.replace(default=None, nullable=True)))
            script.add("columns", ddl.SetDefault(path, column.name, made.default))
            script.add("columns", *_filled(path, table, column.name, "DEFAULT"))
            if not column.nullable:
                script.add("columns", ddl.SetNotNull(path, column.name))
        if fill is not None:
            script.add("columns", ddl.DropDefault(path, column.name))


def _filled(path: Key, table: TableDef, column: str, value: str) -> list[ddl.Operation]:
    """An UPDATE of the rows without a value: in batches where the table has a key to go by."""
    name = quote_identifier(column)
    if len(table.primary_key) == 1:
        return [Backfill(path, f"{name} = {value}", f"{name} IS NULL", table.primary_key[0])]
    return [RunSQL(f"UPDATE {quoted(spelled(*path))} SET {name} = {value} WHERE {name} IS NULL")]


_NUMBERS = frozenset({"int", "float", "numeric"})
_MOMENTS = frozenset({"datetime", "time"})


def _cast(name: str, old: SQLType, new: SQLType) -> str:
    """An expression that converts a column, by way of text where PostgreSQL knows no direct way.

    The length of the new type is left away: a cast to varchar(5) cuts what is longer, where the assignment refuses it.
    """
    target = "varbit" if new.family == "bit" else _LENGTH.sub("", new.name)
    kinds = {old.family, new.family}
    if old.family == "bool" and new.family in _NUMBERS:
        return f"{name}::integer::{target}"
    if kinds <= _NUMBERS or kinds <= _MOMENTS or kinds == {"json"} or "text" in kinds:
        return f"{name}::{target}"
    return f"{name}::text{'[]' if {old.family, new.family} == {'array'} else ''}::{target}"


def _family(of: SQLType) -> str:
    return f"{_family(of.of)}[]" if of.family == "array" and of.of is not None else _kind(of)


def _kind(of: SQLType) -> str:
    """Types of one kind are converted by assignment, without a loss that PostgreSQL does not refuse."""
    return of.name if of.family in ("other", "enum", "json", "datetime", "time") else of.family
