"""`class Settings`: the constraints and indexes of a table that its columns do not say."""

from __future__ import annotations

from typing import Any

from data_bridge.core import quote_identifier
from data_bridge.orm.inspection.column_types import quoted
from data_bridge.orm.inspection.columns import text_of
from data_bridge.orm.inspection.table_class import FieldLine, TableClass
from data_bridge.query import ConstraintDef, IndexDef, Node, PolicyDef, ViewDef, default_name
from data_bridge.query.spi import constraint_name, read

__all__ = ["add_settings"]


def add_settings(made: TableClass, class_default_name: str) -> None:
    """Completes a class whose fields and links are there."""
    table = made.table
    if table.name != class_default_name:
        made.settings["name"] = quoted(table.name)
    if table.schema is not None:
        made.settings["schema"] = quoted(table.schema)
    if table.comment is not None:
        made.settings["comment"] = quoted(table.comment)
    if table.policies:
        made.imports |= {("data_bridge.postgres", "Policy"), ("data_bridge.postgres", "sql")}
        made.settings["policies"] = f"[{', '.join(map(_policy, table.policies))}]"
    if table.row_security != ("forced" if table.policies else None):
        made.settings["row_security"] = quoted(table.row_security) if table.row_security else "None"
    grants = table.grants if made.view is None else made.view.grants
    made.unsaid += [f"the privileges of {grant.role}" for grant in grants]
    made.unsaid += [f"the trigger {trigger.name}" for trigger in table.triggers]
    if made.view is not None:
        _add_view(made, made.view)
    for constraint in table.constraints:
        _add_constraint(made, constraint)
    for field in made.fields:
        _add_own_index(made, field)
    for index in table.indexes:
        if not _is_of_one_column(made, index):
            _add_index(made, index)


def _policy(policy: PolicyDef) -> str:
    said = policy.given()
    options = [f"{key}={quoted(said[key])}" for key in ("command", "comment") if key in said]
    options += [f"{key}=sql({quoted(text_of(said[key]))})" for key in ("check", "using") if key in said]
    options += [f"{key}={said[key]!r}" for key in ("roles", "restrictive") if key in said]
    return f"Policy({', '.join([quoted(policy.name), *options])})"


def _add_view(made: TableClass, view: ViewDef) -> None:
    text = str(view.query)
    lines = '"""' + text + '"""'
    query = quoted(text) if "\n" not in text or '"""' in text or "\\" in text or text.endswith('"') else lines
    said = view.given()
    names = [n for n in ("materialized", "security_barrier", "security_invoker", "check_option") if n in said]
    options = [f"{name}={quoted(said[name]) if isinstance(said[name], str) else said[name]}" for name in names]
    if options:
        made.imports.add(("data_bridge.postgres", "View"))
        query = f"View({', '.join([query, *options])})"
    made.settings["view"] = query


def _add_constraint(made: TableClass, c: ConstraintDef) -> None:
    name = constraint_name(made.table.name, c.replace(name=None))
    named = {} if c.name in (None, name) else {"name": quoted(c.name)}
    if c.comment is not None:
        made.unsaid.append(f"the comment of the constraint {c.name}")
    match c.kind:
        case "primary_key":
            _add_key(made, c, named)
        case "unique":
            _add_unique(made, c, named)
        case "check":
            _append(made.constraints, "Check", [quoted(text_of(c.check))], {"name": quoted(c.name)}, made)
        case "exclude":
            _add_exclusion(made, c)
        case "foreign_key":
            _add_foreign_key(made, c, named)
    if c.not_valid:
        made.unsaid.append(f"the constraint {c.name} is NOT VALID")


def _add_key(made: TableClass, c: ConstraintDef, named: dict[str, str]) -> None:
    in_order = [f.column for f in made.fields if f.column in c.columns]
    if list(c.columns) != in_order:
        made.settings["primary_key"] = _tuple([made.attribute(column) for column in c.columns])
    if named:
        made.unsaid.append(f"the name of the primary key, {c.name}")
    if c.include or c.deferrable is not None:
        made.unsaid.append(f"INCLUDE or DEFERRABLE of the primary key {c.name}")


def _add_unique(made: TableClass, c: ConstraintDef, named: dict[str, str]) -> None:
    if c.include:
        made.unsaid.append(f"INCLUDE of the unique constraint {c.name}")
    if len(c.columns) == 1 and not named and c.deferrable is None and not c.nulls_not_distinct:
        next(f for f in made.fields if f.column == c.columns[0]).arguments["unique"] = "True"
        return
    options = dict(named)
    if c.nulls_not_distinct:
        options["nulls_not_distinct"] = "True"
    _put_deferrable(c, options)
    _append(made.constraints, "Unique", [quoted(made.attribute(column)) for column in c.columns], options, made)


def _add_exclusion(made: TableClass, c: ConstraintDef) -> None:
    if any(not isinstance(element, str) for element, _ in c.elements) or c.deferrable is not None:
        made.unsaid.append(f"the exclusion constraint {c.name}")
        return
    pairs = [f"({quoted(made.attribute(str(column)))}, {quoted(operator)})" for column, operator in c.elements]
    options: dict[str, str] = {} if c.method in (None, "gist") else {"method": quoted(c.method)}
    if c.where is not None:
        options["where"] = quoted(text_of(c.where))
    _append(made.constraints, "Exclude", pairs, {**options, "name": quoted(c.name)}, made)


def _add_foreign_key(made: TableClass, c: ConstraintDef, named: dict[str, str]) -> None:
    """Says the key at its column where that can say it all; else in Settings."""
    assert c.references is not None  # the kind is that of a foreign key
    fields = [f for f in made.fields if f.column in c.columns]
    options: dict[str, str] = {}
    for action in ("on_delete", "on_update"):
        given = getattr(c, action)
        if given not in (None, "no action"):
            options[action] = quoted(given.upper())
    _put_deferrable(c, options)
    empties = "SET NULL" in "".join(options.values()) and not made.table.column(c.columns[0]).nullable
    is_only = sum(k.kind == "foreign_key" and k.columns == c.columns for k in made.table.constraints) == 1
    is_plain = len(fields) == 1 and not named and not empties and is_only
    if is_plain and fields[0].key is c:
        fields[0].arguments.update(options)
        return
    schema, table = c.references
    if is_plain and fields[0].key is None and "foreign_key" not in fields[0].arguments:
        path = [part for part in (schema, table, c.references_columns[0]) if part is not None]
        if not any("." in part for part in path):
            fields[0].arguments["foreign_key"] = quoted(".".join(path))
            fields[0].arguments.update(options)
            return
    target = quoted(table) if schema is None else quoted(f"{schema}.{table}")
    own = [quoted(made.attribute(column)) for column in c.columns]
    there = [quoted(column) for column in c.references_columns]
    arguments = [f"[{', '.join(own)}]", target, f"[{', '.join(there)}]"]
    named = named if is_only else {"name": quoted(str(c.name))}
    _append(made.constraints, "ForeignKey", arguments, {**named, **options}, made)


def _put_deferrable(c: ConstraintDef, options: dict[str, str]) -> None:
    if c.deferrable is not None:
        options["deferrable"] = "True" if c.deferrable == "deferrable" else quoted(c.deferrable)


def _is_plain(index: IndexDef, column: str | None) -> bool:
    columns = index.columns
    return (
        len(columns) == 1
        and isinstance(columns[0], str)
        and columns[0] == column
        and set(index.given()) <= {"name", "columns"}
    )


def _add_own_index(made: TableClass, field: FieldLine) -> None:
    """Says the index of a column at the column, by its name where that is not the one it would get."""
    if field.column is None:
        return
    found = [i.name for i in made.table.indexes if _is_plain(i, field.column)]
    is_key = "foreign_key" in field.arguments or field.key is not None
    usual = default_name(made.table.name, [field.column], "idx")
    # PostgreSQL's own index of a key that starts with the column serves its foreign key too.
    if not found:
        if is_key and not _is_unique(made, field):
            field.arguments["index"] = "False"
        return
    if len(found) > 1:
        return  # Settings say all of them, which leaves nothing to the column
    name = str(found[0])
    if name != usual:
        field.arguments["index"] = quoted(name)
    elif not is_key or _is_unique(made, field):
        field.arguments["index"] = "True"


def _is_unique(made: TableClass, field: FieldLine) -> bool:
    """Whether the column has an index already, so that its foreign key brings none."""
    return "unique" in field.arguments or made.table.primary_key[:1] == (field.column,)


def _is_of_one_column(made: TableClass, index: IndexDef) -> bool:
    """Whether a field has said the index: where a column has several alike, Settings say them all."""
    column = index.columns[0]
    return isinstance(column, str) and [i for i in made.table.indexes if _is_plain(i, column)] == [index]


def _add_index(made: TableClass, index: IndexDef) -> None:
    if not index.valid:
        made.unsaid.append(f"the index {index.name} is invalid")
    if index.collations:
        made.unsaid.append(f"the collation of the index {index.name}")
    if index.comment is not None:
        made.unsaid.append(f"the comment of the index {index.name}")
    fields = [_indexed(made, column) for column in index.columns]
    options: dict[str, str] = {"name": quoted(str(index.name))}
    if index.unique:
        options["unique"] = "True"
    if index.method is not None:
        options["method"] = quoted(index.method)
    if index.where is not None:
        options["where"] = quoted(text_of(index.where))
    if index.include:
        options["include"] = _tuple([made.attribute(column) for column in index.include])
    if index.nulls_not_distinct:
        options["nulls_not_distinct"] = "True"
    known = {f.column for f in made.fields}
    if opclasses := {column: name for column, name in index.opclasses if column in known}:
        options["opclasses"] = _mapping(opclasses, made)
    if len(opclasses) < len(index.opclasses):
        made.unsaid.append(f"the operator class of an expression in the index {index.name}")
    if index.with_:
        options["with_"] = _mapping(dict(index.with_))
    _append(made.indexes, "Index", fields, options, made)


def _indexed(made: TableClass, column: Any) -> str:
    if isinstance(column, str):
        return quoted(made.attribute(column))
    made.imports.add(("data_bridge.postgres", "sql"))
    if isinstance(column, Node):
        return f"sql({quoted(text_of(column))})"  # pyright: ignore[reportUnknownArgumentType]
    key = read.sort_key(column.s)
    name = read.column_name(key.expression)
    text = read.text_of(key.expression) if name is None else quote_identifier(name)
    behind = f".{'desc' if key.is_descending else 'asc'}()"
    if key.nulls is not None:
        behind += f".nulls_{key.nulls}()"
    return f"sql({quoted(str(text))}){behind}"


def _mapping(given: dict[str, Any], made: TableClass | None = None) -> str:
    named = {f.column: f.name for f in made.fields} if made is not None else {}
    items = [f"{quoted(str(named.get(k, k)))}: {v if isinstance(v, int) else quoted(v)}" for k, v in given.items()]
    return "{" + ", ".join(items) + "}"


def _tuple(names: list[str]) -> str:
    return f"({', '.join(map(quoted, names))}{',' if len(names) == 1 else ''})"


def _append(items: list[str], call: str, arguments: list[str], options: dict[str, str], made: TableClass) -> None:
    made.imports.add(("data_bridge.postgres", call))
    items.append(f"{call}({', '.join([*arguments, *(f'{k}={v}' for k, v in options.items())])})")
