"""create_all() and drop_all(): tables from classes, for tests and first steps; migrations are for databases that live on."""

from __future__ import annotations

from typing import Any

from data_bridge.core import LoadPlan, pg_transaction, quote_identifier, resolve
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import registry
from data_bridge.orm.registry import entity_of
from data_bridge.query import TableDef, ViewDef
from data_bridge.query.ddl import (
    AddConstraint,
    CreateDomain,
    CreateEnum,
    DropTable,
    DropView,
    create_table_operations,
    create_type_operations,
    create_view_operations,
    tables_in_order,
    without_later_keys,
)
from data_bridge.query.spi import build

_COUNT = LoadPlan.affected()
_VALUE = LoadPlan.scalars(many=False)


def in_order(definitions: list[TableDef]) -> list[TableDef]:
    """Tables before those that point to them, as `ddl.tables_in_order` puts them.

    Raises:
        ConfigurationError: for two classes of one table.
    """
    names = [(d.schema, d.name) for d in definitions]
    twice = next((name for path in names if names.count(path) > 1 for name in path[1:]), None)
    if twice is not None:
        raise ConfigurationError(f"two classes map the table {twice!r}: name the ones to create")
    return tables_in_order(definitions)


def _definitions(tables: tuple[Any, ...]) -> list[TableDef | ViewDef]:
    if not tables:
        return [c.__db__.view or c.__db__.definition for c in registry.all_tables()]
    found = [entity_of(t).view or entity_of(t).definition for t in tables]
    for t in tables:  # the tables between these and others are theirs
        found += [c.__db__.definition for c in entity_of(t).make_through_tables()]
    return list({(d.schema, d.name, id(d)): d for d in found}.values())


def _by_database(tables: tuple[Any, ...], using: Any) -> list[tuple[Any, list[TableDef | ViewDef]]]:
    """The tables and views of these classes, or of all, by the database that each is in."""
    if using is not None:
        return [(using, _definitions(tables))]
    classes = tables or tuple(registry.all_tables())
    found: dict[Any, list[Any]] = {}
    for cls in classes:
        found.setdefault(entity_of(cls).settings.using, []).append(cls)
    return [(database, _definitions(tuple(there))) for database, there in found.items()] or [(None, [])]


async def create_all(*tables: Any, checkfirst: bool = True, using: Any = None) -> None:
    """Makes the tables of these classes, or of all, before them their enums and domains, and then their views in the order
    in which the classes are given or were defined.

    Args:
        tables: classes; each table is made in the database of its class (Settings.using).
        checkfirst: leave tables that exist alone, whatever they look like.
        using: the database for all of them. In one database, all tables are made or none.

    >>> import asyncio
    >>> from data_bridge.postgres import Col, IdMixin, close, create_all, init
    >>> class Moon(IdMixin):
    ...     name: Col[str]
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     await create_all(Moon)
    ...     print(await Moon.count())
    ...     await close()
    >>> asyncio.run(main())
    0
    """
    for database, definitions in _by_database(tables, using):
        await _create(definitions, checkfirst, database)


def _split(definitions: list[TableDef | ViewDef]) -> tuple[list[TableDef], list[ViewDef]]:
    """Tables in the order in which they are made, and views in the order of their classes."""
    views = [d for d in definitions if isinstance(d, ViewDef)]
    return in_order([d for d in definitions if isinstance(d, TableDef)]), views


async def _create(definitions: list[TableDef | ViewDef], checkfirst: bool, using: Any) -> None:
    async with pg_transaction(using=resolve(using)) as tx:
        tables, views = _split(definitions)
        ordered, later = without_later_keys(tables)
        await _create_types(tx, ordered)
        there: set[Any] = set()
        for definition in ordered:
            if checkfirst and await _is_there(tx, definition):
                there.add((definition.schema, definition.name))
                continue
            for operation in create_table_operations(definition):
                statement = operation.__statement__()
                await tx.run(statement.ir, statement.params, _COUNT)
        for definition, key in later:
            if (definition.schema, definition.name) not in there:
                path = (definition.schema, definition.name) if definition.schema else definition.name
                statement = AddConstraint(path, key).__statement__()
                await tx.run(statement.ir, statement.params, _COUNT)

        for view in views:
            if checkfirst and await _is_there(tx, view):
                continue
            for operation in create_view_operations(view):
                statement = operation.__statement__()
                await tx.run(statement.ir, statement.params, _COUNT)


async def _is_there(tx: Any, definition: TableDef | ViewDef) -> bool:
    name = ".".join(quote_identifier(part) for part in (definition.schema, definition.name) if part)
    return bool(await tx.run(build.text("SELECT pg_catalog.to_regclass($1) IS NOT NULL"), (name,), _VALUE))


async def _create_types(tx: Any, definitions: list[TableDef]) -> None:
    """Makes the enums and domains of columns that are not there; those that are stay as they are."""
    for operation in create_type_operations(*definitions):
        if not await tx.run(_IS_TYPE, (_spelled(operation),), _VALUE):
            statement = operation.__statement__()
            await tx.run(statement.ir, statement.params, _COUNT)


async def _drop_types(tx: Any, definitions: list[TableDef]) -> None:
    """Drops the enums and domains of columns that nothing else has."""
    for operation in reversed(create_type_operations(*definitions)):
        name = _spelled(operation)
        if await tx.run(_IS_UNUSED_TYPE, (name,), _VALUE):
            kind = "TYPE" if isinstance(operation, CreateEnum) else "DOMAIN"
            await tx.run(build.text(f"DROP {kind} {name}"), (), _COUNT)


def _spelled(operation: Any) -> str:
    if isinstance(operation, CreateDomain):
        schema, name = operation.domain.schema, operation.domain.name
    else:
        schema, name = operation.name
    return ".".join(quote_identifier(part) for part in (schema, name) if part)


_IS_TYPE = build.text("SELECT pg_catalog.to_regtype($1) IS NOT NULL")
_IS_UNUSED_TYPE = build.text(
    "SELECT pg_catalog.to_regtype($1) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
    "JOIN pg_catalog.pg_type t ON t.oid = pg_catalog.to_regtype($1) WHERE d.refclassid = 'pg_catalog.pg_type'::regclass "
    "AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n')"
)


async def drop_all(*tables: Any, using: Any = None) -> None:
    """Drops the views and tables of these classes, or of all, if they exist, and the enums and domains that only they have;
    each in the database of its class, unless `using` names one.
    """
    for database, definitions in _by_database(tables, using):
        await _drop(*_split(definitions), database)


async def _drop(definitions: list[TableDef], views: list[ViewDef], using: Any) -> None:
    async with pg_transaction(using=resolve(using)) as tx:
        for view in reversed(views):
            statement = DropView(
                (view.schema, view.name), materialized=view.materialized, if_exists=True, cascade=True
            ).__statement__()
            await tx.run(statement.ir, statement.params, _COUNT)
        for definition in reversed(definitions):
            statement = DropTable(
                (definition.schema, definition.name) if definition.schema else definition.name,
                if_exists=True,
                cascade=True,
            ).__statement__()
            await tx.run(statement.ir, statement.params, _COUNT)

        await _drop_types(tx, definitions)


__all__ = ["create_all", "drop_all", "in_order"]
