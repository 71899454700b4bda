"""create_all() and drop_all(): tables from classes, for tests and first steps; migrations are for databases that live on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from data_bridge.core import LoadPlan, pg_transaction, quote_identifier, resolve
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import registry
from data_bridge.orm.registry import entity_of
from data_bridge.query import FunctionDef, TableDef, ViewDef
from data_bridge.query.ddl import (
    AddConstraint,
    CreateDomain,
    CreateEnum,
    DropFunction,
    DropTable,
    DropView,
    Operation,
    create_function_operations,
    create_grant_operations,
    create_policy_operations,
    create_table_operations,
    create_trigger_operations,
    create_type_operations,
    create_view_operations,
    functions_of,
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


Definition: TypeAlias = TableDef | ViewDef | FunctionDef


def _definitions(tables: tuple[Any, ...]) -> list[Definition]:
    if not tables:
        return [c.__db__.view or c.__db__.definition for c in registry.all_tables()]
    found: list[Definition] = [t for t in tables if isinstance(t, FunctionDef)]
    classes = [entity_of(t) for t in tables if not isinstance(t, FunctionDef)]
    found += [entity.view or entity.definition for entity in classes]
    for entity in classes:  # the tables between these and others are theirs
        found += [c.__db__.definition for c in entity.make_through_tables()]
    return list({(d.schema, d.name, id(d)): d for d in found}.values())


def _by_database(tables: tuple[Any, ...], using: Any) -> list[tuple[Any, list[Definition]]]:
    """The tables and views of these classes, or of all, by the database that each is in."""
    if using is not None:
        return [(using, _definitions(tables))]
    classes = tables or tuple(registry.all_tables())
    found: dict[Any, list[Any]] = {}
    for cls in classes:
        database = None if isinstance(cls, FunctionDef) else entity_of(cls).settings.using
        found.setdefault(database, []).append(cls)
    return [(database, _definitions(tuple(there))) for database, there in found.items()] or [(None, [])]


async def create_all(*tables: Any, checkfirst: bool = True, using: Any = None) -> None:
    """Makes the tables of these classes, or of all, before them their enums and domains, and then the functions of their
    triggers, their views in the order in which the classes are given or were defined, and their
    triggers and policies.

    Args:
        tables: classes and functions; each table is made in the database of its class (Settings.using).
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


def _split(definitions: list[Definition]) -> tuple[list[TableDef], list[FunctionDef], list[ViewDef]]:
    """Tables in the order in which they are made, functions, also those of triggers, and views in the order of their classes."""
    tables = in_order([d for d in definitions if isinstance(d, TableDef)])
    functions = [d for d in definitions if isinstance(d, FunctionDef)]
    functions += [f for f in functions_of(*tables) if f not in functions]
    return tables, functions, [d for d in definitions if isinstance(d, ViewDef)]


async def _create(definitions: list[Definition], checkfirst: bool, using: Any) -> None:
    async with pg_transaction(using=resolve(using)) as tx:
        tables, functions, views = _split(definitions)
        ordered, later = without_later_keys(tables)
        await _create_types(tx, ordered)
        there: set[Any] = set()
        for definition in ordered:
            if checkfirst and await _is_there(tx, definition):
                there.add((definition.schema, definition.name))
                continue
            await _run(tx, create_table_operations(definition))
        for definition, key in later:
            if (definition.schema, definition.name) not in there:
                path = (definition.schema, definition.name) if definition.schema else definition.name
                await _run(tx, [AddConstraint(path, key)])

        for function in functions:
            if not (checkfirst and await tx.run(_IS_FUNCTION, (_name_of(function),), _VALUE)):
                await _run(tx, create_function_operations(function))
        for view in views:
            if checkfirst and await _is_there(tx, view):
                continue
            await _run(tx, create_view_operations(view))
        for definition in tables:
            if (definition.schema, definition.name) not in there:
                await _run(tx, create_trigger_operations(definition))
                await _run(tx, create_policy_operations(definition))
                await _run(tx, create_grant_operations(definition))


async def _run(tx: Any, operations: Iterable[Operation]) -> None:
    for operation in operations:
        statement = operation.__statement__()
        await tx.run(statement.ir, statement.params, _COUNT)


def _name_of(definition: Definition) -> str:
    return ".".join(quote_identifier(part) for part in (definition.schema, definition.name) if part)


async def _is_there(tx: Any, definition: TableDef | ViewDef) -> bool:
    is_there = build.text("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
    return bool(await tx.run(is_there, (_name_of(definition),), _VALUE))


async def _create_types(tx: Any, definitions: list[TableDef]) -> None:
    """Makes the enums and domains of columns that are not there; those that are stay as they are."""
    for operation in create_type_operations(*definitions):
        if not await tx.run(_IS_TYPE, (_spelled(operation),), _VALUE):
            await _run(tx, [operation])


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
_IS_FUNCTION = build.text("SELECT pg_catalog.to_regproc($1) IS NOT NULL")
_IS_UNUSED_FUNCTION = build.text(
    "SELECT pg_catalog.to_regproc($1) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
    "WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = pg_catalog.to_regproc($1) AND d.deptype = 'n')"
)
_IS_UNUSED_TYPE = build.text(
    "SELECT pg_catalog.to_regtype($1) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
    "JOIN pg_catalog.pg_type t ON t.oid = pg_catalog.to_regtype($1) WHERE d.refclassid = 'pg_catalog.pg_type'::regclass "
    "AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n')"
)


async def drop_all(*tables: Any, using: Any = None) -> None:
    """Drops the views and tables of these classes, or of all, if they exist, and the enums, domains and functions of triggers
    that only they have; each in the database of its class, unless `using` names one.
    """
    for database, definitions in _by_database(tables, using):
        await _drop(*_split(definitions), database)


async def _drop(definitions: list[TableDef], functions: list[FunctionDef], views: list[ViewDef], using: Any) -> None:
    async with pg_transaction(using=resolve(using)) as tx:
        for view in reversed(views):
            path = (view.schema, view.name)
            await _run(tx, [DropView(path, materialized=view.materialized, if_exists=True, cascade=True)])
        for definition in reversed(definitions):
            await _run(tx, [DropTable((definition.schema, definition.name), if_exists=True, cascade=True)])
        for function in functions:
            if await tx.run(_IS_UNUSED_FUNCTION, (_name_of(function),), _VALUE):
                await _run(tx, [DropFunction((function.schema, function.name), kind=function.kind)])
        await _drop_types(tx, definitions)


__all__ = ["create_all", "drop_all", "in_order"]
