"""What migrations can say: tables, columns, indexes, constraints, types, and rows in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

from data_bridge.core.errors import MigrationError
from data_bridge.migrate._sql_names import quote_identifier
from data_bridge.migrate.operations import online as online_steps
from data_bridge.migrate.operations.inverse import inverse_of
from data_bridge.migrate.operations.recorder import Sink
from data_bridge.migrate.operations.step import of_operation
from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    IndexDef,
    Node,
    SequenceDef,
    TableDef,
    default_name,
    parse_type,
    sql,
)
from data_bridge.query import ddl as o
from data_bridge.query.spi import constraint_name


def path_of(name: str) -> Any:
    """ "schema.table" or "table"."""
    schema, dot, table = name.rpartition(".")
    return (schema, table) if dot else name


def _plain(name: str) -> str:
    return name.rpartition(".")[2]


class Operations:
    """The operations of a migration; each is one step or several.

    On tables that this migration did not make, what would stop readers or writers for long is done in small steps instead
    (`online`): indexes are built concurrently, constraints added without a check of the rows and validated afterwards.
    """

    atomic: ClassVar[bool | Literal["auto"]] = "auto"
    online: ClassVar[bool] = True
    """Whether changes of existing tables are made in steps that block other sessions only briefly; not with atomic = True."""
    _sink: Sink
    _made: set[str]

    def _is_online(self, table: str) -> bool:
        return self.online and self.atomic is not True and table.removeprefix("public.") not in self._made

    async def _do(self, operation: Any, inverse: Any = None) -> None:
        await self._sink.step(of_operation(operation, inverse))

    async def _all(self, steps: list[online_steps.OnlineStep]) -> None:
        for step in steps:
            if step is online_steps.COMMIT:
                await self._sink.barrier()
            else:
                await self._do(step.operation, step.inverse)

    # ---------------------------------------------------------------------------------------------------------- tables
    async def create_table(
        self, name: str, columns: Mapping[str, str] | Sequence[Any] | Any = (), *, if_not_exists: bool = False
    ) -> None:
        """CREATE TABLE: columns as {name: SQL}, as a list of ColumnDef, or a Table class or TableDef, whose indexes come along."""
        definition: TableDef | None = (
            columns if isinstance(columns, TableDef) else getattr(columns, "__table_def__", None)
        )
        if definition is not None:
            operations = o.create_table_operations(definition, if_not_exists=if_not_exists)
            if not if_not_exists:
                self._made.add(name.removeprefix("public."))
            for i, operation in enumerate(operations):
                await self._do(operation, o.DropTable(path_of(name)) if i == 0 else ())
            return
        if isinstance(columns, Mapping):
            made: tuple[Any, ...] = tuple(o.RawColumn(k, v) for k, v in cast(Mapping[str, str], columns).items())
        else:
            made = tuple(cast(Sequence[Any], columns))
        if not if_not_exists:
            self._made.add(name.removeprefix("public."))
        await self._do(
            o.CreateTable(path_of(name), columns=made, if_not_exists=if_not_exists),
            None if if_not_exists else o.DropTable(path_of(name)),
        )

    async def drop_table(self, name: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """DROP TABLE."""
        await self._do(o.DropTable(path_of(name), if_exists=if_exists, cascade=cascade))

    async def rename_table(self, name: str, to: str) -> None:
        """ALTER TABLE … RENAME TO."""
        if name.removeprefix("public.") in self._made:
            schema, dot, _ = name.removeprefix("public.").rpartition(".")
            self._made.add(f"{schema}{dot}{to}")
        await self._do(o.RenameTable(path_of(name), to), o.RenameTable(_renamed(name, to), _plain(name)))

    # --------------------------------------------------------------------------------------------------------- columns
    async def add_column(self, table: str, column: Any, definition: str | None = None, *, key: str = "id") -> None:
        """ALTER TABLE … ADD COLUMN: ("name", "TYPE …"), "name TYPE …", {name: SQL} or a ColumnDef.

        A default that differs from row to row would write the whole table again. Online it is set for new rows first, and the
        old ones get theirs by backfill() along `key`.
        """
        made = _column(column, definition)
        apart = online_steps.without_default(made) if self._is_online(table) else None
        path = path_of(table)
        if apart is not None and online_steps.rewrites(o.AddColumn(path, made)):
            rest, default, required = apart
            await self._do(o.AddColumn(path, rest), o.DropColumn(path, rest.name))
            await self._do(o.SetDefault(path, rest.name, default), ())
            name = quote_identifier(rest.name)
            await self._sink.backfill(table, f"{name} = DEFAULT", f"{name} IS NULL", key, 1000, 0.0, is_undone=True)
            await self._all(online_steps.not_null(path, rest.name) if required else [])
            return
        await self._do(o.AddColumn(path_of(table), made), o.DropColumn(path_of(table), made.name))

    async def drop_column(self, table: str, column: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """ALTER TABLE … DROP COLUMN."""
        await self._do(o.DropColumn(path_of(table), column, if_exists=if_exists, cascade=cascade))

    async def rename_index(self, name: str, to: str) -> None:
        """ALTER INDEX … RENAME TO."""
        await self._do(o.RenameIndex(path_of(name), to), o.RenameIndex(_renamed(name, to), _plain(name)))

    async def rename_column(self, table: str, column: str, to: str) -> None:
        """ALTER TABLE … RENAME COLUMN."""
        await self._do(o.RenameColumn(path_of(table), column, to), o.RenameColumn(path_of(table), to, column))

    async def alter_column(
        self, table: str, column: str, *, type: str | None = None, using: str | None = None, nullable: bool | None = None,  # noqa: A002
        default: str | Node[Any] | None = None, drop_default: bool = False,
    ) -> None:  # fmt: skip
        """Changes type, nullability or default of a column; SQL text is trusted."""
        path = path_of(table)
        if drop_default:
            await self._do(o.DropDefault(path, column))
        if type is not None:
            await self._do(o.AlterColumnType(path, column, parse_type(type), using=sql(using) if using else None))
        if default is not None:
            await self._do(o.SetDefault(path, column, sql(default) if isinstance(default, str) else default))
        if nullable is True:
            await self._do(o.DropNotNull(path, column), o.SetNotNull(path, column))
        elif nullable is False and self._is_online(table):
            await self._all(online_steps.not_null(path, column))
        elif nullable is False:
            await self._do(o.SetNotNull(path, column), o.DropNotNull(path, column))

    # --------------------------------------------------------------------------------------------------------- indexes
    async def create_index(
        self,
        table: str,
        columns: Sequence[Any],
        unique: bool = False,
        *,
        name: str | None = None,
        method: str | None = None,
        where: str | Node[Any] | None = None,
        include: Sequence[str] = (),
        concurrently: bool | None = None,
        if_not_exists: bool = False,
        nulls_not_distinct: bool = False,
    ) -> None:
        """CREATE INDEX over columns and expressions.

        `concurrently` builds it without stopping writers, outside a transaction; when nothing is said, on tables that this
        migration did not make. Indexes of partitioned tables need concurrently=False.
        """
        concurrently = self._is_online(table) if concurrently is None else concurrently
        plain = [c if isinstance(c, str) else "expr" for c in columns]
        chosen = name or default_name(_plain(table), plain, "idx")
        index = IndexDef(
            chosen,
            tuple(columns),
            unique=unique,
            method=method,
            where=sql(where) if isinstance(where, str) else where,
            include=tuple(include),
            nulls_not_distinct=nulls_not_distinct,
        )
        schema = table.rpartition(".")[0]
        back = o.DropIndex((schema, chosen) if schema else chosen, concurrently=concurrently)
        await self._do(
            o.CreateIndex(path_of(table), index, concurrently=concurrently, if_not_exists=if_not_exists), back
        )

    async def drop_index(self, name: str, *, if_exists: bool = False, concurrently: bool | None = None) -> None:
        """DROP INDEX; CONCURRENTLY, when nothing is said, outside of atomic = True."""
        concurrently = self.online and self.atomic is not True if concurrently is None else concurrently
        await self._do(o.DropIndex(path_of(name), if_exists=if_exists, concurrently=concurrently))

    # ----------------------------------------------------------------------------------------------------- constraints
    async def add_constraint(self, table: str, constraint: ConstraintDef, *, not_valid: bool = False) -> None:
        """ALTER TABLE … ADD CONSTRAINT.

        On a table in use the rows are checked afterwards, without blocking writes; keys get their index concurrently.
        """
        steps = (
            online_steps.constraint(path_of(table), constraint) if self._is_online(table) and not not_valid else None
        )
        if steps is not None:
            await self._all(steps)
            return
        name = constraint.name or constraint_name(_plain(table), constraint)
        await self._do(
            o.AddConstraint(path_of(table), constraint, not_valid=not_valid), o.DropConstraint(path_of(table), name)
        )

    async def drop_constraint(self, table: str, name: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """ALTER TABLE … DROP CONSTRAINT."""
        await self._do(o.DropConstraint(path_of(table), name, if_exists=if_exists, cascade=cascade))

    async def rename_constraint(self, table: str, name: str, to: str) -> None:
        """ALTER TABLE … RENAME CONSTRAINT."""
        path = path_of(table)
        await self._do(o.RenameConstraint(path, name, to), o.RenameConstraint(path, to, name))

    async def validate_constraint(self, table: str, name: str) -> None:
        """ALTER TABLE … VALIDATE CONSTRAINT."""
        await self._do(o.ValidateConstraint(path_of(table), name), ())

    async def add_foreign_key(
        self,
        table: str,
        columns: Sequence[str] | str,
        references: str,
        references_columns: Sequence[str] = ("id",),
        *,
        name: str | None = None,
        on_delete: Any = None,
        on_update: Any = None,
        not_valid: bool = False,
    ) -> None:
        """ALTER TABLE … ADD FOREIGN KEY."""
        schema, dot, target = references.rpartition(".")
        constraint = ConstraintDef(
            "foreign_key",
            name,
            (columns,) if isinstance(columns, str) else tuple(columns),
            references=(schema if dot else None, target),
            references_columns=tuple(references_columns),
            on_delete=on_delete and on_delete.lower(),
            on_update=on_update and on_update.lower(),
        )
        await self.add_constraint(table, constraint, not_valid=not_valid)

    # ----------------------------------------------------------------------------------------------------------- enums
    async def create_enum(self, name: str, values: Sequence[str]) -> None:
        """CREATE TYPE … AS ENUM."""
        await self._do(o.CreateEnum(path_of(name), tuple(values)), o.DropEnum(path_of(name)))

    async def add_enum_value(
        self, name: str, value: str, *, before: str | None = None, after: str | None = None
    ) -> None:
        """ALTER TYPE … ADD VALUE. The value can be used only after its transaction: the runner commits before the next step."""
        await self._do(o.AddEnumValue(path_of(name), value, before=before, after=after))
        await self._sink.barrier()

    alter_enum = add_enum_value

    async def rename_enum_value(self, name: str, value: str, to: str) -> None:
        """ALTER TYPE … RENAME VALUE."""
        await self._do(o.RenameEnumValue(path_of(name), value, to), o.RenameEnumValue(path_of(name), to, value))

    async def drop_enum(self, name: str, *, if_exists: bool = False) -> None:
        """DROP TYPE."""
        await self._do(o.DropEnum(path_of(name), if_exists=if_exists))

    # ------------------------------------------------------------------------------------------------------ other objects
    async def create_sequence(self, sequence: SequenceDef | str) -> None:
        """CREATE SEQUENCE: a name, or a definition with its settings."""
        if isinstance(sequence, str):
            schema, _, name = sequence.rpartition(".")
            sequence = SequenceDef(name, schema=schema or None)
        made = o.CreateSequence(sequence)
        await self._do(made, inverse_of(made))

    async def drop_sequence(self, name: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """DROP SEQUENCE."""
        await self._do(o.DropSequence(path_of(name), if_exists=if_exists, cascade=cascade))

    async def create_schema(self, name: str, *, if_not_exists: bool = False) -> None:
        """CREATE SCHEMA."""
        await self._do(o.CreateSchema(name, if_not_exists=if_not_exists), None if if_not_exists else o.DropSchema(name))

    async def drop_schema(self, name: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """DROP SCHEMA."""
        await self._do(o.DropSchema(name, if_exists=if_exists, cascade=cascade))

    async def create_extension(self, name: str, *, if_not_exists: bool = True) -> None:
        """CREATE EXTENSION; it stays when the migration is taken back, because others may use it."""
        await self._do(o.CreateExtension(name, if_not_exists=if_not_exists), ())

    async def drop_extension(self, name: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """DROP EXTENSION."""
        await self._do(o.DropExtension(name, if_exists=if_exists, cascade=cascade))

    async def comment(self, table: str, text: str | None, *, column: str | None = None) -> None:
        """COMMENT ON TABLE, or on one of its columns; None removes it, and so does taking it back."""
        path = path_of(table)
        kind: Literal["column", "table"] = "column" if column else "table"
        await self._do(o.Comment(kind, path, text, column), o.Comment(kind, path, None, column))

    # --------------------------------------------------------------------------------------------------------- backfill
    async def backfill(
        self,
        table: str,
        assignments: str,
        where: str = "true",
        *,
        key: str = "id",
        batch: int = 1000,
        pause: float = 0.0,
    ) -> int:
        """UPDATE in batches by key, each in a transaction of its own; continues where it stopped. SQL text is trusted.

        Args:
            assignments: `full_name = first || ' ' || last`.
            where: which rows.
            key: a unique column that grows.
            batch: rows per transaction.
            pause: seconds between batches.
        """
        return await self._sink.backfill(table, assignments, where, key, batch, pause)


def _renamed(name: str, to: str) -> Any:
    schema, dot, _ = name.rpartition(".")
    return (schema, to) if dot else to


def _column(column: Any, definition: str | None) -> Any:
    if isinstance(column, (ColumnDef, o.RawColumn)):
        return column
    if isinstance(column, Mapping):
        named = cast(Mapping[str, str], column)
        if len(named) != 1:
            raise MigrationError("add_column() takes one column: {name: 'TYPE …'}")
        column, definition = next(iter(named.items()))
    elif isinstance(column, (tuple, list)):
        column, definition = cast(tuple[str, str], column)
    elif not isinstance(column, str):
        raise MigrationError(
            f"add_column() takes text, a pair, {{name: SQL}} or a ColumnDef, got {type(column).__name__}"
        )
    elif definition is None:
        column, _, definition = column.strip().partition(" ")
    if not definition:
        raise MigrationError(f"add_column() needs the type of {column!r}")
    return o.RawColumn(column, definition)
