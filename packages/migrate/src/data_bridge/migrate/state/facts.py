"""A schema as facts: a path for every object, and the SQL that makes it.

Two schemas are equal when their facts are. The text comes from the DDL compiler; it is compared only between schemas
that the same server printed, or between two declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from data_bridge.migrate._sql_names import quote_identifier
from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    FunctionDef,
    IndexDef,
    PolicyDef,
    TableDef,
    TriggerDef,
    ViewDef,
    ddl,
    default_name,
)
from data_bridge.query.catalog import Schema, Unmodelled
from data_bridge.query.spi import constraint_name

__all__ = [
    "COMMENT",
    "GRANT",
    "ON_TABLE",
    "ROW_SECURITY",
    "UNMODELLED",
    "Facts",
    "Path",
    "column_sql",
    "constraint_sql",
    "differences",
    "facts_of",
    "function_facts",
    "index_name",
    "index_sql",
    "label_of",
    "policy_sql",
    "quoted",
    "spelled",
    "table_facts",
    "trigger_sql",
    "view_facts",
    "view_sql",
]

Path: TypeAlias = tuple[str, ...]
"""("table", "shop.orders", "column", "id"): the kind and the name of an object, then those of its part."""
Facts: TypeAlias = dict[Path, str]
COMMENT = "comment"
"""The kind of the fact that is the comment of the object whose path it continues."""
ON_TABLE = " ON TABLE "
"""What stands between the event and the action of a trigger."""
ROW_SECURITY: dict[str | None, str] = {
    None: "",
    "enabled": "ROW LEVEL SECURITY",
    "forced": "ROW LEVEL SECURITY FORCED",
}
"""The text of the fact that is the table itself."""
GRANT = "grant"
"""The kind of the fact that is what a role may do with a table or a view."""
UNMODELLED = "unmodelled"
"""The kind of the fact of an object that no definition can say; its text is a digest."""
_PART = re.compile(r'[^."]+|"(?:[^"]|"")+"')
_ORDER = ("primary_key", "unique", "check", "exclude", "foreign_key")


def spelled(schema: str | None, name: str) -> str:
    """A qualified name, quoted where PostgreSQL needs it; without its schema in the default one.

    >>> spelled(None, "orders"), spelled("shop", "Order")
    ('orders', 'shop."Order"')
    """
    return ".".join(_bare(part) for part in (schema, name) if part is not None)


def _bare(name: str) -> str:
    plain = name.isascii() and name.replace("_", "a").isalnum() and name == name.lower() and not name[0].isdigit()
    return name if plain else quote_identifier(name)


def quoted(name: str) -> str:
    """A name as `spelled` returns it, with every part in quotes: a name may be a reserved word.

    >>> quoted('shop."Order"'), quoted("user")
    ('"shop"."Order"', '"user"')
    """
    return _PART.sub(lambda m: m[0] if m[0].startswith('"') else f'"{m[0]}"', name)


def facts_of(schema: Schema) -> Facts:
    """The facts of a schema, in the order in which `schema.lock` lists them."""
    found: Facts = {("extension", _bare(name)): "" for name in sorted(schema.extensions)}
    for enum in sorted(schema.enums.values(), key=lambda d: spelled(d.schema, d.name)):
        path = ("enum", spelled(enum.schema, enum.name))
        found[path] = _after(ddl.CreateEnum((enum.schema, enum.name), enum.values), " AS ENUM ")
        _comment(found, path, enum.comment)
    for domain in sorted(schema.domains.values(), key=lambda d: spelled(d.schema, d.name)):
        found["domain", spelled(domain.schema, domain.name)] = _after(ddl.CreateDomain(domain), " AS ")
    for sequence in sorted(schema.sequences.values(), key=lambda d: spelled(d.schema, d.name)):
        name = _quoted(sequence.schema, sequence.name)
        made = str(ddl.CreateSequence(sequence)).removeprefix(f"CREATE SEQUENCE {name}")
        found["sequence", spelled(sequence.schema, sequence.name)] = made.strip()
    for function in sorted(schema.functions.values(), key=lambda d: (spelled(d.schema, d.name), d.kind)):
        found.update(function_facts(function))
    for table in sorted(schema.tables.values(), key=lambda d: spelled(d.schema, d.name)):
        found.update(table_facts(table))
    for view in ddl.views_in_order(schema.views.values()):
        found.update(view_facts(view))
    return found


def table_facts(table: TableDef) -> Facts:
    """The facts of one table: its columns in their order, its constraints and indexes by kind and name."""
    path = ("table", spelled(table.schema, table.name))
    found: Facts = {path: ROW_SECURITY[table.row_security]}
    _comment(found, path, table.comment)
    for column in table.columns:
        found[*path, "column", _bare(column.name)] = column_sql(column)
        _comment(found, (*path, "column", _bare(column.name)), column.comment)
    for constraint in sorted(table.constraints, key=lambda c: (_ORDER.index(c.kind), constraint_name(table.name, c))):
        part = (*path, "constraint", _bare(constraint_name(table.name, constraint)))
        found[part] = constraint_sql(table, constraint)
        _comment(found, part, constraint.comment)
    for index in sorted(table.indexes, key=lambda i: index_name(table, i)):
        part = (*path, "index", _bare(index_name(table, index)))
        found[part] = index_sql(index)
        _comment(found, part, index.comment)
    for trigger in sorted(table.triggers, key=lambda t: t.name):
        part = (*path, "trigger", _bare(trigger.name))
        found[part] = trigger_sql(trigger)
        _comment(found, part, trigger.comment)
    for policy in sorted(table.policies, key=lambda p: p.name):
        part = (*path, "policy", _bare(policy.name))
        found[part] = policy_sql(policy)
        _comment(found, part, policy.comment)
    return found | _grants(path, table)


def _grants(path: Path, definition: TableDef | ViewDef) -> Facts:
    made = ddl.privileges_of(definition)
    return {(*path, GRANT, _bare(role)): ", ".join(privileges) for role, privileges in made.items()}


def function_facts(function: FunctionDef) -> Facts:
    """The facts of one function or procedure."""
    path = (function.kind, spelled(function.schema, function.name))
    found: Facts = {path: function.definition}
    _comment(found, path, function.comment)
    return found


def policy_sql(policy: PolicyDef) -> str:
    """A policy without its name."""
    return _after(ddl.CreatePolicy("t", policy), ' ON "t" ')


def trigger_sql(trigger: TriggerDef) -> str:
    """A trigger without its name; TABLE stands for its table."""
    made = str(ddl.CreateTrigger("TABLE", trigger.replace(name="t")))
    return (
        made.removeprefix("CREATE ")
        .replace('TRIGGER "t" ', "", 1)
        .replace(ON_TABLE.replace("TABLE", '"TABLE"'), ON_TABLE, 1)
    )


def view_facts(view: ViewDef) -> Facts:
    """The facts of one view: of its columns those that have a comment, and the indexes of a materialized one."""
    path = ("view", spelled(view.schema, view.name))
    found: Facts = {path: view_sql(view)}
    _comment(found, path, view.comment)
    for column in view.columns:
        if column.comment is not None:
            found[*path, "column", _bare(column.name)] = ""
            _comment(found, (*path, "column", _bare(column.name)), column.comment)
    for index in sorted(view.indexes, key=lambda i: index_name(view, i)):
        part = (*path, "index", _bare(index_name(view, index)))
        found[part] = index_sql(index)
        _comment(found, part, index.comment)
    return found | _grants(path, view)


def view_sql(view: ViewDef) -> str:
    """A view without its name; MATERIALIZED comes first."""
    made = str(ddl.create_view_operations(view)[0]).removeprefix("CREATE ")
    before, _, rest = made.partition(f"VIEW {_quoted(view.schema, view.name)} ")
    return f"{before}{rest}"


def index_name(table: TableDef | ViewDef, index: IndexDef) -> str:
    """The name of an index, or the one that it gets without."""
    return index.name or default_name(table.name, [c if isinstance(c, str) else "expr" for c in index.columns], "idx")


def column_sql(column: ColumnDef) -> str:
    """A column without its name: its type, its default and the rest of what CREATE TABLE says of it."""
    return _after(ddl.AddColumn("t", column), f" ADD COLUMN {quote_identifier(column.name)} ")


def constraint_sql(table: TableDef, constraint: ConstraintDef) -> str:
    """A constraint without its name."""
    name = quote_identifier(constraint_name(table.name, constraint))
    return _after(ddl.AddConstraint(table, constraint), f" ADD CONSTRAINT {name} ")


def index_sql(index: IndexDef) -> str:
    """An index without its name and its table."""
    text = str(ddl.CreateIndex("t", index.replace(name="i"))).removeprefix("CREATE ")
    unique, _, rest = text.partition('INDEX "i" ON "t" ')
    return f"{unique}{rest}" + ("" if index.valid else " INVALID")


def _quoted(schema: str | None, name: str) -> str:
    return ".".join(quote_identifier(part) for part in (schema, name) if part is not None)


def _after(operation: ddl.Operation, mark: str) -> str:
    return str(operation).partition(mark)[2]


def _comment(found: Facts, path: Path, text: str | None) -> None:
    if text is not None:
        found[*path, COMMENT] = text


def label_of(found: Unmodelled) -> str:
    """How an object is called that no definition can say."""
    where = "" if found.schema is None else f"{_bare(found.schema)}."
    return f"{found.kind} {where}{found.name}"


def differences(old: Mapping[Path, str], new: Mapping[Path, str]) -> list[str]:
    """What differs between two schemas, in words: a line for each object, not for the parts of one that comes or goes.

    >>> differences({("table", "t"): "", ("table", "t", "column", "a"): "integer"}, {("table", "t"): ""})
    ['- table t, column a: integer']
    """
    return list(_differences(old, new))


def _differences(old: Mapping[Path, str], new: Mapping[Path, str]) -> Iterator[str]:
    for path in sorted({*old, *new}):
        before, after = old.get(path), new.get(path)
        above: Any = path[:-1] if path[-1] == COMMENT else path[:-2]
        if before == after or (above and (above in old) != (above in new)):
            continue
        if path[0] == UNMODELLED:
            yield f"{'+' if before is None else '-' if after is None else '~'} {path[1]}"
            continue
        label = ", ".join(" ".join(path[i : i + 2]) for i in range(0, len(path), 2))
        if before is None:
            yield f"+ {label}{_said(after)}"
        elif after is None:
            yield f"- {label}{_said(before)}"
        else:
            yield f"~ {label}{_said(before)}{_said(after).replace(':', ' →', 1)}"


def _said(text: str | None) -> str:
    return f": {' '.join(text.split())}" if text else ""
