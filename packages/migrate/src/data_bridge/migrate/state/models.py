"""The schema that an application declares: Table classes of data-bridge-orm, or the definitions of data-bridge-query."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

from data_bridge.core.errors import ConfigurationError
from data_bridge.migrate._config import Config
from data_bridge.migrate._sql_names import quote_literal
from data_bridge.migrate.state.facts import Facts, function_facts, quoted, spelled, table_facts, view_facts
from data_bridge.migrate.state.reading import DEFAULT_SCHEMA
from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    DomainDef,
    EnumDef,
    ExtensionDef,
    FunctionDef,
    SequenceDef,
    TableDef,
    ViewDef,
    ddl,
    default_name,
    sql,
)
from data_bridge.query.catalog import Schema
from data_bridge.query.spi import constraint_name

__all__ = ["declared_by", "declared_schema", "definitions_in", "imported"]

Declared: TypeAlias = TableDef | ViewDef | FunctionDef
"""What a module of models may declare."""
_EXTENSIONS = {"citext": "citext", "hstore": "hstore", "ltree": "ltree", "vector": "vector"}
"""The extension that brings a type."""


def imported(names: Sequence[str], root: Path | None = None) -> list[ModuleType]:
    """The modules of these names, and all modules inside those that are packages: a class in a file that nothing imports
    would look like one that was deleted.

    Raises:
        ConfigurationError: there is no such module, or it imports something that is not there.
    """
    if root is not None and str(root) not in sys.path:
        sys.path.insert(0, str(root))
    found: dict[str, ModuleType] = {}
    for name in names:
        try:
            module = found[name] = importlib.import_module(name)
            for inner in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
                if not inner.name.endswith(".__main__"):
                    found[inner.name] = importlib.import_module(inner.name)
        except ImportError as e:
            raise ConfigurationError(f"the models {name} cannot be imported: {e}") from e
    return list(found.values())


def definitions_in(modules: Iterable[ModuleType]) -> list[Declared]:
    """The tables, views and functions that the modules declare, each once, in the order of their names. A function that a
    trigger names is declared by its table.

    Raises:
        ConfigurationError: two declarations of one table, view or function differ.
    """
    known: dict[tuple[bool, str], tuple[Declared, str]] = {}
    for module in modules:
        for value in vars(module).values():
            for definition in _declared_by(value):
                definition = normalised(definition)
                name = spelled(definition.schema, definition.name)
                owner = getattr(definition, "owner", None) or module.__name__
                is_function = isinstance(definition, FunctionDef)
                other, first = known.setdefault((is_function, name), (definition, owner))
                if _facts(other) != _facts(definition):
                    kind = "view" if isinstance(definition, ViewDef) else "function" if is_function else "table"
                    raise ConfigurationError(f"{first} and {owner} both declare the {kind} {name}, and not alike")
    return [known[name][0] for name in sorted(known)]


def _facts(definition: Declared) -> Facts:
    if isinstance(definition, FunctionDef):
        return function_facts(definition)
    return view_facts(definition) if isinstance(definition, ViewDef) else table_facts(definition)


def _declared_by(value: Any) -> Iterator[Declared]:
    if isinstance(value, (TableDef, ViewDef, FunctionDef)):
        yield value
        if isinstance(value, TableDef):
            yield from ddl.functions_of(value)
        return
    # Asked of the type: the instances of some classes have every attribute that they are asked for.
    # Of a row, the type is the class of a table, which has what its metaclass says: that is looked for in the type alone.
    types: tuple[Any, ...] = cast(Any, type(value)).__mro__
    of_class: Any = next((t.__dict__["__table_defs__"] for t in types if "__table_defs__" in t.__dict__), None)
    if of_class is not None:
        for definition in of_class(value):
            yield from _declared_by(definition)
        return
    definition = getattr(value, "__table_def__", None)
    # An alias of a class that reads a view has the columns of its rows, and declares nothing.
    if isinstance(definition, TableDef) and not definition.is_view:
        yield from _declared_by(definition)


def normalised(definition: Declared) -> Any:
    """A declaration as the server understands it: keys and identities are NOT NULL, everything has a name, and the default
    schema goes without saying.
    """
    if isinstance(definition, ViewDef):
        return definition.replace(schema=_where(definition.schema))
    if isinstance(definition, FunctionDef):
        path = quoted(spelled(_where(definition.schema), definition.name))
        return definition.replace(sql=f"CREATE {definition.kind.upper()} {path}{definition.definition}")
    table = definition
    keys = set(table.primary_key)
    return table.replace(
        schema=_where(table.schema),
        columns=tuple(
            c.replace(nullable=c.nullable and c.name not in keys and c.identity is None) for c in table.columns
        ),
        constraints=tuple(_constraint(table, c) for c in table.constraints),
    )


def _with_sequence(schema: Schema, table: TableDef, column: ColumnDef) -> ColumnDef:
    """A serial column as the server has it: a default from a sequence, which the schema gets too."""
    if column.identity != "serial":
        return column
    name = default_name(table.name, [column.name], "seq")
    schema.sequences[table.schema, name] = SequenceDef(
        name, schema=table.schema, type=column.type.name, owned_by=(table.name, column.name)
    )
    path = quote_literal(spelled(table.schema, name)).lstrip()
    return column.replace(identity=None, default=sql(f"nextval({path}::regclass)"))


def _where(schema: str | None) -> str | None:
    return None if schema == DEFAULT_SCHEMA else schema


def _constraint(table: TableDef, c: ConstraintDef) -> ConstraintDef:
    changes: dict[str, Any] = {"name": constraint_name(table.name, c)}
    if c.references is not None:
        changes["references"] = (_where(c.references[0]), c.references[1])
    for action in ("on_delete", "on_update"):
        if getattr(c, action) == "no action":
            changes[action] = None
    return c.replace(**changes)


def declared_by(models: Sequence[str], config: Config) -> Schema:
    """The schema that these modules declare, or else those of the settings.

    Raises:
        ConfigurationError: no module is named, one cannot be imported, or they declare no tables.
    """
    names = models or config.models
    if not names:
        raise ConfigurationError(
            'no models: set `models = ["app.models"]` in [tool.data-bridge.migrate], or give --models app.models'
        )
    tables = definitions_in(imported(names, config.root))
    if not tables:
        raise ConfigurationError(
            f"{', '.join(names)} declare no tables: a Table class, or a TableDef of data-bridge-query"
        )
    return declared_schema(tables, config.extensions)


def declared_schema(definitions: Sequence[Declared], extensions: Iterable[str] = ()) -> Schema:
    """The schema of these tables, views and functions, with the types of their columns and the extensions that these types need."""
    tables = [d for d in definitions if isinstance(d, TableDef)]
    schema = Schema(
        views={(d.schema, d.name): d for d in definitions if isinstance(d, ViewDef)},
        functions={(d.schema, d.name): d for d in definitions if isinstance(d, FunctionDef)},
    )
    for operation in ddl.create_type_operations(*tables):
        if isinstance(operation, ddl.CreateEnum):
            path: Any = operation.name
            where, name = _where(path[0]), str(path[1])
            schema.enums[where, name] = EnumDef(name, operation.values, schema=where)
        elif isinstance(operation, ddl.CreateDomain):
            domain: DomainDef = operation.domain
            checks = tuple((name or f"{domain.name}_check", text) for name, text in domain.checks)
            domain = domain.replace(schema=_where(domain.schema), checks=checks)
            schema.domains[domain.schema, domain.name] = domain
    needed = set(extensions)
    for declared in tables:
        table = declared.replace(columns=tuple(_with_sequence(schema, declared, c) for c in declared.columns))
        schema.tables[table.schema, table.name] = table
        for column in table.columns:
            base = column.type.name.partition("(")[0].removesuffix("[]")
            if base in _EXTENSIONS:
                needed.add(_EXTENSIONS[base])
    schema.extensions.update({name: ExtensionDef(name) for name in needed})
    return schema
