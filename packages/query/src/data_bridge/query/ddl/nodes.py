"""Definitions as structures of DDL, with literals where expressions have values."""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

from data_bridge.core import Statement

from .._compile import compile as compile_
from .._compile import statement_of
from ..definitions.tables import ColumnDef, ConstraintDef, IndexDef, SequenceDef, TableDef, default_name
from ..expressions import coercion
from ..expressions.node import Node, Params, Structure
from ..expressions.window import order_structure

Path: TypeAlias = str | tuple[str | None, str] | TableDef
"""A name, (schema, name), or a definition."""


def flags(**on: bool) -> tuple[str, ...] | None:
    """Options that are given, as the contract spells them."""
    return tuple(name.replace("_", " ") for name, given in on.items() if given) or None


def path_of(thing: Path | Any) -> Structure:
    """A path as structure: a name, or (schema, name)."""
    definition = getattr(thing, "__table_def__", thing)
    if isinstance(definition, TableDef):
        return definition.name if definition.schema is None else (definition.schema, definition.name)
    if isinstance(definition, tuple):
        schema, name = definition
        return name if schema is None else (schema, name)
    if isinstance(definition, str):
        return definition
    raise TypeError(f"expected a name, (schema, name) or a definition, got {type(thing).__name__}")


def named(thing: Path | Any) -> str:
    """The bare name of a path."""
    path = path_of(thing)
    return path if isinstance(path, str) else path[1]


# ---------------------------------------------------------------------------------------------------------- literals
def literal_structure(node: Node[Any]) -> Structure:
    """The structure of an expression with literals for its values and bare columns: what DDL can hold."""
    return _literal(node.s, iter(node.p), bare=True)


def condition_text(node: Node[Any]) -> str:
    """A condition in brackets, as DDL has it: that of a check constraint, which is where the core writes one."""
    check = ("add_constraint", ("check", "c", literal_structure(node), None))
    return compile_(Statement(("alter_table", "t", (check,)), ())).sql.partition(" CHECK ")[2]


def literal_statement(query: Any) -> Structure:
    """The structure of a query with literals for its values."""
    statement = statement_of(query)
    return _literal(statement.ir, iter(statement.params), bare=False)


_NAMES = frozenset({"cols", "table", "star", "ordinal", "same", "null", "true", "false", "default", "lit"})


def _literal(s: Structure, values: Any, *, bare: bool) -> Structure:
    if s == "$":
        return _value(next(values), None)
    if type(s) is not tuple or not s:
        return s
    tag = s[0]
    if tag == "$" and len(s) == 2:
        return _value(next(values), s[1])
    if tag == "col":
        return ("col", None, s[2]) if bare else s
    if tag in _NAMES:
        return s
    if tag == "raw":
        return tuple(_literal(part, values, bare=bare) if i and i % 2 == 0 else part for i, part in enumerate(s))
    # Names and words never are "$" where a value may stand, but a label, a cast or an operator can be called so.
    last = {"label": 2, "cast": 2, "collate": 2, ".": 2, "is": 2}.get(tag) if isinstance(tag, str) else None
    first = 2 if tag in ("call", "agg", "op", "named", "extract") else 0
    return tuple(part if i < first or i == last else _literal(part, values, bare=bare) for i, part in enumerate(s))


def _value(value: Any, cast: str | None) -> Structure:
    if value is None:
        return coercion.NULL
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, int):
        return ("lit", value, cast) if cast not in (None, "integer") and -(2**63) <= value < 2**63 else _number(value)
    if isinstance(value, float | Decimal):
        return ("lit", str(value), cast or ("double precision" if isinstance(value, float) else "numeric"))
    if isinstance(value, str):
        return ("lit", value, cast) if cast and cast != "text" else ("lit", value)
    if isinstance(value, datetime | date | time | UUID):
        of = coercion.natural(value)
        text = value.isoformat() if not isinstance(value, UUID) else str(value)
        return ("lit", text, cast or (of.name if of else "text"))
    if isinstance(value, timedelta):
        return ("lit", f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds", "interval")
    if isinstance(value, bytes | bytearray):
        return ("lit", "\\x" + bytes(value).hex(), "bytea")
    if isinstance(value, list | tuple | set | frozenset) and cast not in ("json", "jsonb"):
        items = tuple(_value(item, None) for item in value)
        return ("cast", ("array", *items), cast) if cast else ("array", *items)
    # For start-up time.
    import json

    return ("lit", json.dumps(value), cast or "jsonb")


def _number(value: int) -> Structure:
    return ("lit", value) if -(2**63) <= value < 2**63 else ("lit", str(value), "numeric")


# ------------------------------------------------------------------------------------------------------- definitions
_SERIAL = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}


def column_node(column: ColumnDef) -> Structure:
    """A column with its type and options."""
    options: list[Any] = []
    if column.collation is not None:
        options.append(("collate", column.collation))
    if column.generated is not None:
        options.append(("generated", literal_structure(column.generated), "stored" if column.stored else "virtual"))
    type_name = column.type.name
    if column.identity == "serial":
        if type_name not in _SERIAL:
            raise ValueError(f"serial is for {', '.join(_SERIAL)}, and the column {column.name!r} is {type_name}")
        type_name = _SERIAL[type_name]
    elif column.identity is not None:
        options.append(("identity", column.identity))
    if column.default is not None:
        options.append(("default", literal_structure(column.default)))
    if not column.nullable:
        options.append("not null")
    return ("column", column.name, type_name, *options)


def constraint_name(table: str, constraint: ConstraintDef) -> str:
    """The constraint's name, or the one PostgreSQL would give it."""
    if constraint.name is not None:
        return constraint.name
    suffix: Any = {"primary_key": "pkey", "unique": "key", "check": "check", "foreign_key": "fkey", "exclude": "excl"}[
        constraint.kind
    ]
    columns = constraint.columns or tuple(e for e, _ in constraint.elements if isinstance(e, str))
    return default_name(table, columns, suffix)


def constraint_node(table: str, constraint: ConstraintDef, *, not_valid: bool = False) -> Structure:
    """A constraint of a table."""
    name = constraint_name(table, constraint)
    options: list[str] = []
    if constraint.deferrable is not None:
        options.append(constraint.deferrable)
    if constraint.nulls_not_distinct:
        options.append("nulls not distinct")
    if not_valid or constraint.not_valid:
        options.append("not valid")
    given = tuple(options) or None
    kind = constraint.kind
    if kind in ("primary_key", "unique"):
        return (kind, name, constraint.columns, given, constraint.include or None)
    if kind == "check":
        if constraint.check is None:
            raise ValueError(f"the check constraint {name} has no condition")
        return (kind, name, literal_structure(constraint.check), given)
    if kind == "foreign_key":
        if constraint.references is None:
            raise ValueError(f"the foreign key {name} references nothing")
        target = (
            path_of(constraint.references),
            constraint.references_columns or None,
            constraint.on_delete,
            constraint.on_update,
        )
        return (kind, name, constraint.columns, given, target)
    elements = tuple(((_key(element), None, None), operator) for element, operator in constraint.elements)
    where = None if constraint.where is None else literal_structure(constraint.where)
    return (kind, name, elements, given, constraint.method or "gist", where)


def _key(element: Any) -> Structure:
    if isinstance(element, str):
        return ("col", None, element)
    if isinstance(element, Node):
        return _directed(element.s, element.p)
    return _directed(order_structure(element), element.p)


def _directed(s: Structure, p: Params) -> Structure:
    if type(s) is tuple and s[0] == "neg":
        s = ("desc", s[1])
    return _literal(s, iter(p), bare=True)


def index_elements(index: IndexDef) -> Structure:
    """Columns and expressions of an index with operator class and collation."""
    opclasses, collations = dict(index.opclasses), dict(index.collations)
    elements: list[Any] = []
    for column in index.columns:
        name = _key_name(column)
        elements.append((_key(column), opclasses.get(name), collations.get(name)))
    return tuple(elements)


def _key_name(key: Any) -> Any:
    """How operator classes and collations call a key: by its column, or by the text of its expression."""
    if isinstance(key, str):
        return key
    s = key.s
    if type(s) is tuple and s[0] in ("asc", "desc", "neg"):
        s = s[1]
    if type(s) is tuple and s[0] == "col":
        return s[2]
    return s[1] if type(s) is tuple and s[0] == "raw" and len(s) == 2 else ""


def index_extras(index: IndexDef) -> Structure:
    """The rare clauses of CREATE INDEX."""
    extras: list[Any] = []
    if index.include:
        extras.append(("include", *index.include))
    if index.method is not None and index.method != "btree":
        extras.append(("method", index.method))
    if index.where is not None:
        extras.append(("where", literal_structure(index.where)))
    if index.with_:
        extras.append(("with", *index.with_))
    return tuple(extras) or None


def sequence_settings(new: SequenceDef, old: SequenceDef) -> Structure:
    """The settings in which two sequences differ."""
    settings: list[Any] = []
    if new.type != old.type:
        settings.append(("as", new.type))
    for word, mine, other in (
        ("increment by", new.increment, old.increment),
        ("minvalue", new.minimum, old.minimum),
        ("maxvalue", new.maximum, old.maximum),
        ("start with", new.start, old.start),
        ("cache", new.cache, old.cache),
    ):
        if mine != other:
            settings.append(f"no {word}" if mine is None else (word, mine))
    if new.cycle != old.cycle:
        settings.append("cycle" if new.cycle else "no cycle")
    if new.owned_by != old.owned_by:
        settings.append("owned by none" if new.owned_by is None else ("owned by", *new.owned_by))
    return tuple(settings) or None
