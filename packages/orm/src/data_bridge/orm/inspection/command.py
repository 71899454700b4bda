"""`data-bridge inspect`: writes the classes of a database."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_bridge.core import Database
from data_bridge.core.errors import ConfigurationError, DataBridgeError
from data_bridge.orm.inspection.classes import classes_of
from data_bridge.orm.inspection.columns import used_types
from data_bridge.orm.inspection.names import table_names
from data_bridge.orm.inspection.reading import read_schema
from data_bridge.orm.inspection.source_text import module_text

__all__ = ["main"]

_HISTORY = "_data_bridge_migrations"
_SETTINGS: dict[str, Any] = {"database": str, "schemas": list, "tables": list, "output": str, "classes": dict}
_EXITS = """\
exit status:
  0  the classes were written
  1  the database cannot be read
  2  the arguments or the settings are wrong, or a file is there already
  3  with --strict: the database has something that the classes cannot say

[tool.data-bridge.inspect] in pyproject.toml may hold database, schemas, tables and output, and the names of classes:
  [tool.data-bridge.inspect.classes]
  users = "Account"
"""


@dataclass(slots=True)
class _Config:
    database: str | None = None
    schemas: list[str] = field(default_factory=list[str])
    tables: list[str] = field(default_factory=list[str])
    output: str | None = None
    classes: dict[str, str] = field(default_factory=dict[str, str])


def main(argv: Sequence[str]) -> int:
    """Writes Table classes from the tables of a database."""
    options = _arguments().parse_args(list(argv))
    try:
        return asyncio.run(_run(options))
    except ConfigurationError as e:
        status, text = 2, str(e)
    except DataBridgeError as e:
        status, text = 1, str(e)
    sys.stderr.write(f"data-bridge inspect: {text}\n")
    return status


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data-bridge inspect",
        description="Writes Table classes from the tables and views of a database: columns, keys, links and what leads back, enums, "
        "domains, checks and indexes. What a class cannot say is a comment in it and a line on standard error.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database", metavar="DSN", help="the database; otherwise the settings, or $DATABASE_URL")
    parser.add_argument("--schema", action="append", default=[], help="a schema to read, instead of public; repeatable")
    parser.add_argument(
        "--table", action="append", default=[], help="a table or view to read, instead of all; repeatable"
    )
    parser.add_argument("--output", metavar="FILE", help="the file to write, instead of standard output")
    parser.add_argument("--force", action="store_true", help="replace the file when it is there")
    parser.add_argument("--strict", action="store_true", help="exit 3 when a class cannot say everything")
    return parser


def _config() -> _Config:
    """The settings of the nearest pyproject.toml that has some.

    Raises:
        ConfigurationError: for an unknown setting, or one of another type.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if not path.is_file():
            continue
        said = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("data-bridge", {}).get("inspect")
        if said is None:
            continue
        for name, value in said.items():
            if name not in _SETTINGS:
                known = ", ".join(_SETTINGS)
                raise ConfigurationError(
                    f"{path}: [tool.data-bridge.inspect] has no setting {name!r}; known are {known}"
                )
            items: list[Any] = list(value.values() if isinstance(value, dict) else value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if not isinstance(value, _SETTINGS[name]) or not all(isinstance(item, str) for item in items):
                raise ConfigurationError(f"{path}: {name} of [tool.data-bridge.inspect] has another type than expected")
        return _Config(**said)
    return _Config()


async def _run(options: argparse.Namespace) -> int:
    config = _config()
    dsn: str | None = options.database or config.database or os.environ.get("DATABASE_URL")
    if dsn is None:
        raise ConfigurationError(
            "no database: give --database, set [tool.data-bridge.inspect] database, or $DATABASE_URL"
        )
    output = options.output or config.output
    path = None if output is None else Path(output)
    if path is not None and path.exists() and not options.force:
        raise ConfigurationError(f"{path} is there already: --force replaces it")
    schemas, tables = options.schema or config.schemas, options.table or config.tables
    async with Database(dsn, max_connections=1) as database:
        schema = await read_schema(database, schemas, tables)
        name = await database.fetch_val("SELECT current_database()::text")
    known = {n for t in schema.tables.values() for n in table_names(schema, t)}
    known |= {n for v in schema.views.values() for n in table_names(schema, v)}
    missing = [name for name in tables if name not in known]
    if missing:
        raise ConfigurationError(f"the database has no table or view {missing[0]!r}")
    enums, classes, without_key = classes_of(schema, names=config.classes, left_out=(_HISTORY,))
    if not classes:
        raise ConfigurationError(
            f"there are no views, and no tables with a primary key, in {', '.join(schemas or ['public'])}"
        )
    text = module_text(f"Tables of the database {name}, as `data-bridge inspect` read them.", enums, classes)
    if path is None:
        sys.stdout.write(text)
    else:
        path.write_text(text, encoding="utf-8")
        sys.stderr.write(f"{path}: {len(classes)} classes\n")
    unsaid = [f"{made.name}: {what}" for made in classes for what in made.unsaid]
    unsaid += [f"table {table}: it has no primary key, which a class needs" for table in without_key]
    unsaid += [f"{function.kind} {function.name}" for function in schema.functions.values()]
    unsaid += [f"{u.kind} {u.name}" for u in schema.unmodelled]
    unsaid += [f"extension {name}, which has to be there first" for name in schema.extensions if name != "plpgsql"]
    used = used_types(made.table for made in classes)
    unsaid += [f"type {key[1]}: no column has it" for key in (*schema.enums, *schema.domains) if key not in used]
    for line in unsaid:
        sys.stderr.write(f"not said by a class: {line}\n")
    return 3 if unsaid and options.strict else 0
