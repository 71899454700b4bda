"""The fields of a class, from the columns of its table."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping

from data_bridge.orm.inspection.column_types import ColumnType, column_type, quoted
from data_bridge.orm.inspection.names import attribute_name, free
from data_bridge.orm.inspection.table_class import EnumClass, FieldLine, Key, TableClass
from data_bridge.query import ColumnDef, DomainDef, Node, SequenceDef, TableDef, default_name, parse_type
from data_bridge.query.catalog import Schema
from data_bridge.query.spi import read
from data_bridge.query.types import SQLType

__all__ = ["add_columns", "text_of", "used_types"]

_SEQUENCE = re.compile(r"nextval\('(?P<name>.+)'::regclass\)")
_PATH = re.compile(r'(?:(?P<schema>"(?:[^"]|"")+"|[^".]+)\.)?(?P<name>"(?:[^"]|"")+"|[^".]+)')
_SERIAL = ("smallint", "integer", "bigint")


def text_of(node: Node[object] | None) -> str:
    """The SQL of an expression as the catalog printed it."""
    return "" if node is None else read.text_of(node.s) or ""


def path_of(name: str) -> Key:
    """Schema and name of a qualified name as the server prints it.

    >>> path_of('app."Mood"'), path_of("mood")
    (('app', 'Mood'), (None, 'mood'))
    """
    found = _PATH.fullmatch(name)
    if found is None:
        return None, name
    schema, own = (part and _unquoted(part) for part in (found["schema"], found["name"]))
    return schema, str(own)


def used_types(tables: Iterable[TableDef]) -> set[Key]:
    """The types of the columns of some tables, and of the elements of their arrays."""
    return {path_of((c.type if c.type.of is None else c.type.of).name) for t in tables for c in t.columns}


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def add_columns(made: TableClass, schema: Schema, enums: Mapping[Key, EnumClass], reserved: Container[str]) -> None:
    """Gives a class a field for each column."""
    table = made.table
    for column in table.columns:
        name = free([attribute_name(column.name, reserved), f"{column.name}_"], made.names)
        kind = _type(column.type, enums, schema.domains, made)
        made.imports |= kind.imports
        if column.type.name.startswith("money"):
            kind.arguments["exclude_from_select"] = "True"
            made.unsaid.append(f"the column {column.name} is money, which has no decoder; it is not selected")
        is_key = column.name in table.primary_key
        arguments: dict[str, str] = {"primary_key": "True"} if is_key else {}
        arguments.update(kind.arguments)
        if name != column.name:
            arguments["name"] = quoted(column.name)
        may_be_none = column.nullable and not is_key
        _add_default(made, schema, column, arguments, may_be_none)
        if column.collation is not None:
            arguments["collation"] = quoted(column.collation)
        if column.comment is not None:
            arguments["comment"] = quoted(column.comment)
        annotation = f"Col[{kind.annotation}{' | None' if may_be_none and kind.annotation != 'Any' else ''}]"
        if may_be_none and kind.annotation == "Any":
            arguments["nullable"] = "True"
            arguments.pop("default", None)
        made.fields.append(FieldLine(name, annotation, "Column", arguments, column.name))


def _add_default(
    made: TableClass, schema: Schema, column: ColumnDef, arguments: dict[str, str], may_be_none: bool
) -> None:
    if column.identity is not None:
        arguments["auto_increment"] = "True" if column.identity == "by default" else '"always"'
    elif column.generated is not None:
        arguments["computed"] = quoted(text_of(column.generated))
        if not column.stored:
            made.unsaid.append(f"the column {column.name} is virtual; a class makes a stored one")
    elif column.default is not None:
        if _is_serial(made, schema, column):
            arguments["auto_increment"] = '"serial"'
        else:
            arguments["server_default"] = quoted(text_of(column.default))
            if found := _SEQUENCE.fullmatch(text_of(column.default)):
                made.unsaid.append(
                    f"the sequence {found['name']} of the column {column.name}, which has to be there first"
                )
    elif may_be_none:
        arguments["default"] = "None"


def _is_serial(made: TableClass, schema: Schema, column: ColumnDef) -> bool:
    """Whether the default is the sequence that `serial` makes."""
    found = _SEQUENCE.fullmatch(text_of(column.default))
    if found is None or column.type.name not in _SERIAL or column.nullable:
        return False
    wanted = default_name(made.table.name, [column.name], "seq")
    path = path_of(found["name"].replace("''", "'"))
    owned = (made.table.name, column.name)
    there = schema.sequences.get(path)
    made_by_serial = SequenceDef(wanted, schema=made.table.schema, type=column.type.name, owned_by=owned)
    if there is None or there.replace(type=column.type.name) != made_by_serial:
        return False
    if there.type != column.type.name:  # as PostgreSQL made them before release 10
        made.unsaid.append(f"the sequence {wanted} is of type {there.type}, and serial makes one of {column.type.name}")
    return True


def _type(
    of: SQLType, enums: Mapping[Key, EnumClass], domains: Mapping[Key, DomainDef], made: TableClass
) -> ColumnType:
    is_array = of.family == "array" and of.of is not None
    inner = of.of if is_array and of.of is not None else of
    enum = enums.get(path_of(inner.name))
    if enum is not None and inner.family == "enum":
        schema = "" if enum.schema is None else f", schema={quoted(enum.schema)}"
        spelled = f"types.Enum({enum.name}, name={quoted(enum.type_name)}{schema})"
        annotation = f"list[{enum.name}]" if is_array else enum.name
        spelled = f"types.Array({spelled})" if is_array else spelled
        return ColumnType(annotation, {"type": spelled}, {("data_bridge.postgres", "types")})
    domain = domains.get(path_of(inner.name))
    if domain is not None:
        said = _domain(domain, made)
        if is_array:
            said.annotation = f"list[{said.annotation}]"
            said.arguments["type"] = f"types.Array({said.arguments['type']})"
        return said
    return column_type(of)


def _domain(domain: DomainDef, made: TableClass) -> ColumnType:
    base = column_type(parse_type(domain.base))
    checks = [text for _, text in domain.checks]
    arguments = [quoted(domain.name), f"types.Other({quoted(domain.base)})"]
    plain = repr(parse_type(domain.base))
    if not plain.startswith(("Other(", "parse_type(")):
        arguments[1] = f"types.{plain}"
    if checks:
        arguments.append(f"check={quoted(_condition(checks[0]))}")
    if domain.schema is not None:
        arguments.append(f"schema={quoted(domain.schema)}")
    default_names = [f"{domain.name}_check"]
    if len(checks) > 1 or domain.default is not None or [n for n, _ in domain.checks if n not in default_names]:
        made.unsaid.append(f"the domain {domain.name} has more than one condition, a default, or names of its own")
    if domain.not_null:
        arguments.append("not_null=True")
    imports = base.imports | {("data_bridge.postgres", "types")}
    return ColumnType(base.annotation, {"type": f"types.Domain({', '.join(arguments)})"}, imports)


def _condition(text: str) -> str:
    return text.removeprefix("CHECK ").strip()
