"""create_all() and drop_all(): tables from classes, for tests and first steps; migrations are for databases that live on."""

from __future__ import annotations

from typing import Any

from data_bridge.core import LoadPlan, pg_transaction, resolve
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import registry
from data_bridge.orm.meta import entity_of
from data_bridge.query import TableDef
from data_bridge.query.ddl import DropTable, create_table_operations

_COUNT = LoadPlan.affected()
_VALUE = LoadPlan.scalars(many=False)


def in_order(definitions: list[TableDef]) -> list[TableDef]:
    """Tables before those that point to them.

    Raises:
        ConfigurationError: when foreign keys form a circle.
    """
    left = {(d.schema, d.name): d for d in definitions}
    if len(left) < len(definitions):
        twice = next(
            d.name for d in definitions if sum(o.name == d.name and o.schema == d.schema for o in definitions) > 1
        )
        raise ConfigurationError(f"two classes map the table {twice!r}: name the ones to create")
    made: list[TableDef] = []
    while left:
        free = [
            d for key, d in left.items() if all(target == key or target not in left for _, target, _ in d.foreign_keys)
        ]
        if not free:
            raise ConfigurationError(
                f"foreign keys form a circle between {', '.join(sorted(n for _, n in left))}: add one of them by a migration"
            )
        for d in free:
            made.append(d)
            del left[(d.schema, d.name)]
    return made


def _definitions(tables: tuple[Any, ...]) -> list[TableDef]:
    return [entity_of(t).definition for t in tables] if tables else [c.__db__.definition for c in registry.all_tables()]


async def create_all(*tables: Any, checkfirst: bool = True, using: Any = None) -> None:
    """Makes the tables of these classes, or of all; all or none.

    Args:
        checkfirst: leave tables that exist alone, whatever they look like.

    >>> async def main() -> None:
    ...     await create_all()
    """
    async with pg_transaction(using=resolve(using)) as tx:
        for definition in in_order(_definitions(tables)):
            if checkfirst:
                name = ".".join(
                    '"' + part.replace('"', '""') + '"' for part in (definition.schema, definition.name) if part
                )
                if await tx.run(("text", "SELECT pg_catalog.to_regclass($1) IS NOT NULL"), (name,), _VALUE):
                    continue
            for operation in create_table_operations(definition):
                statement = operation.__statement__()
                await tx.run(statement.ir, statement.params, _COUNT)


async def drop_all(*tables: Any, using: Any = None) -> None:
    """Drops the tables of these classes, or of all, if they exist."""
    async with pg_transaction(using=resolve(using)) as tx:
        for definition in reversed(in_order(_definitions(tables))):
            statement = DropTable(
                (definition.schema, definition.name) if definition.schema else definition.name,
                if_exists=True,
                cascade=True,
            ).__statement__()
            await tx.run(statement.ir, statement.params, _COUNT)


__all__ = ["create_all", "drop_all", "in_order"]
