"""The base of migrations written as classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal
from weakref import WeakSet

from data_bridge.core.errors import IrreversibleMigration, MigrationError
from data_bridge.migrate.operations import online
from data_bridge.migrate.operations.declared import Backfill
from data_bridge.migrate.operations.inverse import inverse_of
from data_bridge.migrate.operations.methods import Operations
from data_bridge.migrate.operations.recorder import NeedsDatabase, Recorder, Sink
from data_bridge.migrate.operations.step import Step, of_sql
from data_bridge.migrate.sources.declared_lines import declared_lines
from data_bridge.query import ddl
from data_bridge.query.spi import path_of

imported: WeakSet[type[Migration]] = WeakSet()


class Migration(Operations):
    """A change of the schema, and the way back. Subclasses set `version` and write `up()`, and `down()` where it cannot be derived.

    >>> from data_bridge.migrate import Migration
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
    _down_source: ClassVar[Path | None] = None
    """The file of the down migration, if it is separate."""
    _text_digest: ClassVar[str] = ""
    """Of the text of its file, as it was read: a file that changes afterwards is not what ran."""
    irreversible: ClassVar[str] = ""
    """Why the migration is irreversible: down() then refuses, and the linter does not ask for it."""
    lock_timeout: ClassVar[str | None] = None
    """Instead of the configured step_lock_timeout, as PostgreSQL writes it."""
    statement_timeout: ClassVar[str | None] = None
    """Stops a statement that takes longer, as PostgreSQL writes it."""
    operations: ClassVar[Sequence[Any]] = ()
    """Instead of up(): operations of data_bridge.query.ddl, RunSQL and Backfill, undone in reverse order."""
    down_operations: ClassVar[Sequence[Any] | None] = None
    """Instead of down(): the operations of the way back, in the order in which they run; None derives them."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "version" in cls.__dict__:
            imported.add(cls)

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._made: set[str] = set()

    @classmethod
    def _file(cls, direction: str) -> Path | None:
        """The file that says what runs in a direction."""
        if direction == "down" and cls._down_source is not None:
            return cls._down_source
        return cls.source / "up.sql" if cls.source is not None and cls.source.is_dir() else cls.source

    @classmethod
    def title(cls) -> str:
        """The name in the history."""
        return cls.name or cls.__name__

    async def up(self) -> None:
        """The change."""
        if not self.operations:
            raise MigrationError(f"{type(self).__name__} has neither up() nor operations")
        await self._apply_all("operations", self.operations)

    async def down(self) -> None:
        """The way back; by default `down_operations`, or the known inverses of all steps of up(), in reverse order.

        Raises:
            IrreversibleMigration: `irreversible` says why there is no way back, or a step has no inverse.
        """
        if self.down_operations is not None:
            await self._apply_all("down_operations", self.down_operations)
            return
        if self.irreversible:
            raise IrreversibleMigration(f"{self.version} {self.title()} is irreversible: {self.irreversible}")
        recorder = Recorder()
        try:
            await type(self)(recorder).up()
        except NeedsDatabase:
            raise IrreversibleMigration(
                f"{self.version} {self.title()}: write down(), because up() asks the database what to do"
            ) from None
        for step in reversed(recorder.steps):
            if step.inverse is None:
                raise IrreversibleMigration(
                    f"{self.version} {self.title()}: write down(), because this step has no known inverse: {step.sql}"
                )
            for back in step.inverse:
                await self._sink.step(back)

    # -------------------------------------------------------------------------------------------------------- anything
    async def apply(self, operation: Any) -> None:
        """Runs a DDL operation of data_bridge.query.ddl; its inverse is known where there is one.

        On a table in use it is done as the method of its name does it: in steps that block other sessions only briefly (`online`).
        """
        # An index is dropped by its own name, so that its table is not known.
        table = _name(operation.table) if hasattr(operation, "table") else ""
        if isinstance(operation, ddl.CreateTable) and not operation.if_not_exists:
            self._made.add(table.removeprefix("public."))
        is_online = self._is_online(table)
        if isinstance(operation, Backfill):
            o = operation
            await self._sink.backfill(table, o.assignments, o.where, o.key, 1000, 0.0, is_undone=True)
        elif is_online and isinstance(operation, ddl.AddColumn) and online.rewrites(operation):
            await self.add_column(table, operation.column)
        elif is_online and (steps := online.instead_of(operation)) is not None:
            await self._all(steps)
        else:
            await self._do(operation, inverse_of(operation))

    async def _apply_all(self, attribute: str, operations: Sequence[Any]) -> None:
        lines = declared_lines(type(self), attribute) if isinstance(self._sink, Recorder) else []
        for i, operation in enumerate(operations):
            if isinstance(self._sink, Recorder):
                self._sink.line = lines[i] if i < len(lines) else None
            await self.apply(operation)

    async def execute(self, sql: str, *params: Any) -> int:
        """Runs one statement, or without parameters several; returns the affected rows."""
        return await self._sink.step(of_sql(sql, params))

    async def fetch(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Rows of a query. A migration that asks cannot be previewed."""
        return await self._sink.fetch(sql, params)


def _name(table: Any) -> str:
    path = path_of(table)
    return path if isinstance(path, str) else ".".join(path)


__all__ = ["Migration", "Step", "imported"]
