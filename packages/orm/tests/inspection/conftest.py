"""Classes that `data-bridge inspect` writes, imported as the module that it writes."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from data_bridge.core import Database
from data_bridge.orm.inspection.classes import classes_of
from data_bridge.orm.inspection.reading import read_schema
from data_bridge.orm.inspection.source_text import module_text
from data_bridge.postgres import Table
from data_bridge.query.catalog import Schema

_numbers = itertools.count()


class Inspected:
    """A database as classes.

    Attributes:
        schema: what the catalog says.
        text: of the module.
        classes: that the module has.
        unsaid: what the classes cannot say, by class.
        without_key: tables that are left out.
    """

    def __init__(self, schema: Schema, place: Path, **options: Any) -> None:
        self.schema = schema
        enums, classes, self.without_key = classes_of(schema, names=options.pop("names", {}), **options)
        self.text = module_text("The tables.", enums, classes)
        self.unsaid = {made.name: made.unsaid for made in classes if made.unsaid}
        self.module = self._import(place / f"inspected_{next(_numbers)}.py")
        found = [vars(self.module)[made.name] for made in classes]
        self.classes: dict[str, type[Table]] = {cls.__name__: cls for cls in found}

    def _import(self, path: Path) -> ModuleType:
        path.write_text(self.text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


@pytest.fixture
def inspect(tmp_path: Path) -> Callable[..., Any]:
    """Reads a database and imports its classes."""

    async def inspected(database: Database, *schemas: str, **options: Any) -> Inspected:
        return Inspected(await read_schema(database, schemas, options.pop("tables", ())), tmp_path, **options)

    return inspected


@pytest.fixture
def empty_database(isolated_db: Any) -> Callable[[], Any]:
    """A second database on the server of the first one, dropped at the end of the block."""

    @asynccontextmanager
    async def made() -> AsyncGenerator[Database]:
        name = f"data_bridge_inspect_{next(_numbers)}_{id(object())}"
        async with Database(isolated_db.dsn, max_connections=1) as server:
            await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            try:
                async with Database(isolated_db.dsn, database=name, max_connections=2) as database:
                    yield database
            finally:
                await server.execute(f"DROP DATABASE {name} WITH (FORCE)")

    return made
