"""check_schema(): where a class and its table in the database differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from data_bridge.core import LoadPlan, Transaction, pg_transaction, resolve
from data_bridge.query import ColumnDef, TableDef, catalog

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

_TUPLES = LoadPlan.rows(tuple)


class Difference(NamedTuple):
    """One difference; its text says what the class has and what the database."""

    kind: str
    """table, view, column, type, nullable, default, primary key, unique, foreign key or index."""
    name: str
    """The table, or "table.column"."""
    expected: Any
    """What the class says; None when it does not know the thing."""
    found: Any
    """What the database has; None when it is not there."""

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.name}: {self.kind} {self.expected} is missing in the database"
        if self.expected is None:
            return f"{self.name}: {self.kind} {self.found} is unknown to the class"
        return f"{self.name}: {self.kind} is {self.found} in the database, {self.expected} in the class"


async def differences(entity: Entity, using: Any) -> list[Difference]:
    """Reads the catalogs once for each of their parts and compares."""
    executor = resolve(using if using is not None else entity.settings.using)
    schemas = None if entity.settings.schema is None else [entity.settings.schema]
    if isinstance(executor, Transaction):
        rows = await catalog_rows(executor, schemas)
    else:
        async with pg_transaction(using=executor) as tx:
            # The planner's guesses for large catalogs are high enough for compiling, which takes longer than the query.
            await tx.execute("SET LOCAL jit = off")
            rows = await catalog_rows(tx, schemas)
    schema = catalog.read(rows)
    own = entity.definition
    key = (None if own.schema == schema.default_schema else own.schema, own.name)
    if own.is_view:
        view = schema.views.get(key)
        if view is None:
            return [Difference("view", own.name, own.name, None)]
        return list(_columns(own, view.source.__table_def__, nullable=False))
    there = schema.tables.get(key)
    if there is None:
        return [Difference("table", own.name, own.name, None)]
    return list(_compared(own, there))


async def catalog_rows(executor: Any, schemas: list[str] | None) -> dict[str, Any]:
    """The rows of each of the queries over the system catalogs."""
    queries = catalog.queries(schemas)
    return {name: await executor.run(statement.ir, statement.params, _TUPLES) for name, statement in queries.items()}


def _columns(own: TableDef, there: TableDef, *, nullable: bool) -> Iterable[Difference]:
    """Differences of columns; of a view PostgreSQL knows neither NOT NULL nor defaults."""
    found = {c.name: c for c in there.columns}
    keys = set(own.primary_key)
    for column in own.columns:
        name = f"{own.name}.{column.name}"
        other = found.pop(column.name, None)
        if other is None:
            yield Difference("column", own.name, column.name, None)
            continue
        # The server quotes the names of types only where it must.
        if column.type.name.replace('"', "") != other.type.name.replace('"', ""):
            yield Difference("type", name, column.type.name, other.type.name)
        if not nullable:
            continue
        is_null = column.nullable and column.name not in keys
        if is_null != other.nullable:
            yield Difference("nullable", name, is_null, other.nullable)
        has, had = _has_default(column), _has_default(other)
        if has != had:
            yield Difference("default", name, "a default" if has else "none", "a default" if had else "none")
    for name in found:
        yield Difference("column", own.name, None, name)


def _compared(own: TableDef, there: TableDef) -> Iterable[Difference]:
    yield from _columns(own, there, nullable=True)
    for kind in ("primary_key", "unique", "foreign_key"):
        mine, theirs = _constraints(own, kind), _constraints(there, kind)
        label = kind.replace("_", " ")
        for columns in sorted(mine - theirs):
            yield Difference(label, own.name, ", ".join(columns), None)
        for columns in sorted(theirs - mine):
            yield Difference(label, own.name, None, ", ".join(columns))
    names = {i.name for i in there.indexes}
    for index in own.indexes:
        if index.name not in names:
            yield Difference("index", own.name, index.name, None)


def _has_default(column: ColumnDef) -> bool:
    return column.default is not None or column.identity is not None or column.generated is not None


def _constraints(table: TableDef, kind: str) -> set[tuple[str, ...]]:
    return {c.columns for c in table.constraints if c.kind == kind}
