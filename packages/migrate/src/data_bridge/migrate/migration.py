"""The base of migrations written as classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast
from weakref import WeakSet

from data_bridge.core.errors import IrreversibleMigration, MigrationError
from data_bridge.migrate.step import Step, of_operation, of_sql
from data_bridge.query import ConstraintDef, IndexDef, sql
from data_bridge.query import ddl as o
from data_bridge.query.ddl_nodes import constraint_name
from data_bridge.query.nodes import Node
from data_bridge.query.schema import ColumnDef, TableDef, default_name
from data_bridge.query.typemap import parse_type

if TYPE_CHECKING:
    from data_bridge.migrate.sink import Sink

imported: WeakSet[type[Migration]] = WeakSet()


def _path(name: str) -> Any:
    """ "schema.table" or "table"."""
    schema, dot, table = name.rpartition(".")
    return (schema, table) if dot else name


def _plain(name: str) -> str:
    return name.rpartition(".")[2]


class Migration:
    """A change of the schema, and the way back. Subclasses set `version` and write `up()`, and `down()` where it cannot be derived.

    >>> class CreateUsers(Migration):
    ...     version = "001"
    ...     async def up(self) -> None:
    ...         await self.create_table("users", {"id": "bigint PRIMARY KEY", "email": "text NOT NULL"})
    ...         await self.create_index("users", ["email"], unique=True)
    """

    version: ClassVar[str] = ""
    name: ClassVar[str] = ""
    atomic: ClassVar[bool | Literal["auto"]] = "auto"
    depends_on: ClassVar[Sequence[str]] = ()
    source: ClassVar[Path | None] = None
    """The file or folder that it was read from."""
    sections: ClassVar[tuple[str, str | None] | None] = None
    """The SQL of a file: up and down."""
    irreversible: ClassVar[str] = ""
    """Why there is no way back; said once, nobody asks for down() again."""
    lock_timeout: ClassVar[str | None] = None
    """Instead of the configured step_lock_timeout, as PostgreSQL writes it."""
    statement_timeout: ClassVar[str | None] = None
    """Stops a statement that takes longer, as PostgreSQL writes it."""
    operations: ClassVar[Sequence[Any]] = ()
    """Instead of up(): DDL operations of data_bridge.query.ddl, undone in reverse order."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "version" in cls.__dict__:
            imported.add(cls)

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    @classmethod
    def title(cls) -> str:
        """The name in the history."""
        return cls.name or cls.__name__

    async def up(self) -> None:
        """The change."""
        if not self.operations:
            raise MigrationError(f"{type(self).__name__} has neither up() nor operations")
        for operation in self.operations:
            await self.apply(operation)

    async def down(self) -> None:
        """The way back; by default the known inverses of all steps of up(), in reverse order.

        Raises:
            IrreversibleMigration: when a step has none.
        """
        from data_bridge.migrate.sink import Recorder

        recorder = Recorder()
        await type(self)(recorder).up()
        for step in reversed(recorder.steps):
            if step.inverse is None:
                raise IrreversibleMigration(
                    f"{self.version} {self.title()}: write down(), because nobody knows the way back from: {step.sql}"
                )
            for back in step.inverse:
                await self._sink.step(back)

    # -------------------------------------------------------------------------------------------------------- anything
    async def _do(self, operation: Any, inverse: Any = None) -> None:
        await self._sink.step(of_operation(operation, inverse))

    async def apply(self, operation: Any) -> None:
        """Runs a DDL operation of data_bridge.query.ddl; its inverse is known where there is one."""
        from data_bridge.migrate.inverse import inverse_of

        await self._do(operation, inverse_of(operation))

    async def execute(self, sql: str, *params: Any) -> int:
        """Runs one statement, or without parameters several; gives the affected rows."""
        return await self._sink.step(of_sql(sql, params))

    async def fetch(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Rows of a query. A migration that asks cannot be previewed."""
        return await self._sink.fetch(sql, params)

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
            for i, operation in enumerate(operations):
                await self._do(operation, o.DropTable(_path(name)) if i == 0 else ())
            return
        if isinstance(columns, Mapping):
            made: tuple[Any, ...] = tuple(o.RawColumn(k, v) for k, v in cast(Mapping[str, str], columns).items())
        else:
            made = tuple(cast(Sequence[Any], columns))
        await self._do(
            o.CreateTable(_path(name), columns=made, if_not_exists=if_not_exists),
            None if if_not_exists else o.DropTable(_path(name)),
        )

    async def drop_table(self, name: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """DROP TABLE."""
        await self._do(o.DropTable(_path(name), if_exists=if_exists, cascade=cascade))

    async def rename_table(self, name: str, to: str) -> None:
        """ALTER TABLE … RENAME TO."""
        await self._do(o.RenameTable(_path(name), to), o.RenameTable(_renamed(name, to), _plain(name)))

    # --------------------------------------------------------------------------------------------------------- columns
    async def add_column(self, table: str, column: Any, definition: str | None = None) -> None:
        """ALTER TABLE … ADD COLUMN: ("name", "TYPE …"), "name TYPE …", {name: SQL} or a ColumnDef."""
        made = _column(column, definition)
        await self._do(o.AddColumn(_path(table), made), o.DropColumn(_path(table), made.name))

    async def drop_column(self, table: str, column: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """ALTER TABLE … DROP COLUMN."""
        await self._do(o.DropColumn(_path(table), column, if_exists=if_exists, cascade=cascade))

    async def rename_column(self, table: str, column: str, to: str) -> None:
        """ALTER TABLE … RENAME COLUMN."""
        await self._do(o.RenameColumn(_path(table), column, to), o.RenameColumn(_path(table), to, column))

    async def alter_column(
        self, table: str, column: str, *, type: str | None = None, using: str | None = None, nullable: bool | None = None,  # noqa: A002
        default: str | Node[Any] | None = None, drop_default: bool = False,
    ) -> None:  # fmt: skip
        """Changes type, nullability or default of a column; SQL text is trusted."""
        path = _path(table)
        if drop_default:
            await self._do(o.DropDefault(path, column))
        if type is not None:
            await self._do(o.AlterColumnType(path, column, parse_type(type), using=sql(using) if using else None))
        if default is not None:
            await self._do(o.SetDefault(path, column, sql(default) if isinstance(default, str) else default))
        if nullable is True:
            await self._do(o.DropNotNull(path, column), o.SetNotNull(path, column))
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
        """CREATE INDEX over columns and expressions; `concurrently` builds it without stopping writers, outside a transaction."""
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
        back = o.DropIndex((schema, chosen) if schema else chosen, concurrently=bool(concurrently))
        await self._do(
            o.CreateIndex(_path(table), index, concurrently=bool(concurrently), if_not_exists=if_not_exists), back
        )

    async def drop_index(self, name: str, *, if_exists: bool = False, concurrently: bool = False) -> None:
        """DROP INDEX."""
        await self._do(o.DropIndex(_path(name), if_exists=if_exists, concurrently=concurrently))

    # ----------------------------------------------------------------------------------------------------- constraints
    async def add_constraint(self, table: str, constraint: ConstraintDef, *, not_valid: bool = False) -> None:
        """ALTER TABLE … ADD CONSTRAINT."""
        name = constraint.name or constraint_name(_plain(table), constraint)
        await self._do(
            o.AddConstraint(_path(table), constraint, not_valid=not_valid), o.DropConstraint(_path(table), name)
        )

    async def drop_constraint(self, table: str, name: str, *, if_exists: bool = False, cascade: bool = False) -> None:
        """ALTER TABLE … DROP CONSTRAINT."""
        await self._do(o.DropConstraint(_path(table), name, if_exists=if_exists, cascade=cascade))

    async def validate_constraint(self, table: str, name: str) -> None:
        """ALTER TABLE … VALIDATE CONSTRAINT."""
        await self._do(o.ValidateConstraint(_path(table), name), ())

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
        await self._do(o.CreateEnum(_path(name), tuple(values)), o.DropEnum(_path(name)))

    async def add_enum_value(
        self, name: str, value: str, *, before: str | None = None, after: str | None = None
    ) -> None:
        """ALTER TYPE … ADD VALUE. The value can be used only after its transaction: the runner commits before the next step."""
        await self._do(o.AddEnumValue(_path(name), value, before=before, after=after))
        await self._sink.barrier()

    alter_enum = add_enum_value

    async def rename_enum_value(self, name: str, value: str, to: str) -> None:
        """ALTER TYPE … RENAME VALUE."""
        await self._do(o.RenameEnumValue(_path(name), value, to), o.RenameEnumValue(_path(name), to, value))

    async def drop_enum(self, name: str, *, if_exists: bool = False) -> None:
        """DROP TYPE."""
        await self._do(o.DropEnum(_path(name), if_exists=if_exists))

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
    if isinstance(column, ColumnDef):
        return column
    if isinstance(column, Mapping):
        named = cast(Mapping[str, str], column)
        if len(named) != 1:
            raise MigrationError("add_column() takes one column: {name: 'TYPE …'}")
        column, definition = next(iter(named.items()))
    elif isinstance(column, (tuple, list)):
        column, definition = cast(tuple[str, str], column)
    elif definition is None:
        column, _, definition = str(column).strip().partition(" ")
    if not definition:
        raise MigrationError(f"add_column() needs the type of {column!r}")
    return o.RawColumn(column, definition)


__all__ = ["Migration", "Step", "imported"]
