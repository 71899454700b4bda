"""Rules over classes and queries: the server understands their SQL, and the tables are as the classes say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from data_bridge.core import Database, DatabaseError, DataBridgeError, HasStatement, compile
from data_bridge.orm import Table
from data_bridge.postgres.check.finding import Finding

__all__ = ["model_findings"]


async def model_findings(database: Database, modules: Iterable[ModuleType]) -> list[Finding]:
    """Where the classes and queries of modules do not fit the database; nothing is run."""
    found: list[Finding] = []
    lease = await database.taken()
    try:
        for name, query in _queries(modules):
            try:
                await lease.describe(compile(query).sql)
            except DatabaseError as e:
                found.append(
                    Finding(
                        "statement",
                        "error",
                        name,
                        f"the server refuses its SQL: {e.message_without_values}",
                        "migrate the database, or correct the query",
                    )
                )
            except DataBridgeError as e:
                found.append(Finding("statement", "error", name, f"{type(e).__name__}", "correct the query"))
    finally:
        await lease.give_back()
    for cls in _tables(modules):
        place, hint = f"{cls.__module__}.{cls.__qualname__}", "migrate the database, or change the class"
        different = await cls.check_schema(using=database)
        found += [Finding("schema", "error", place, str(difference), hint) for difference in different]
    return found


def _tables(modules: Iterable[ModuleType]) -> list[Any]:
    return list(
        dict.fromkeys(
            value
            for module in modules
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Table)
            and getattr(value, "__table_def__", None) is not None
        )
    )


def _queries(modules: Iterable[ModuleType]) -> Iterator[tuple[str, HasStatement]]:
    """The SELECT of every class, and the queries that stand at the level of a module."""
    modules = list(modules)
    for cls in _tables(modules):
        yield f"{cls.__module__}.{cls.__qualname__}", cls.find()
    for module in modules:
        for name, value in vars(module).items():
            if not isinstance(value, type) and isinstance(value, HasStatement):
                yield f"{module.__name__}.{name}", value
