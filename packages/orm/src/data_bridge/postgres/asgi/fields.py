"""Which fields of an API an error is about."""

from __future__ import annotations

import re
from typing import Any

from data_bridge.core import DatabaseError, EncodeError
from data_bridge.orm.registry import all_tables

__all__ = ["field_names"]

# `Key (email)=(…) already exists.`, `Key (tenant, lower(email))=(…) …`: names, and no value.
_KEY = re.compile(r"\((.*?)\)=\(", re.DOTALL)
_PLAIN = re.compile(r"^\"?(\w+)\"?$")
# A class and its field: `User.age: expected int, got str`; a table and its column, in a condition: `users.age ($2, int4): …`.
_FIELD = re.compile(r"^(?P<table>\w+)\.(?P<field>\w+)(?: \((?P<number>\$)?[^)]*\))?: (?P<what>.*)", re.DOTALL)


def field_names(error: BaseException) -> tuple[tuple[str, ...], dict[str, str]]:
    """The names of the fields in the API, and what is wrong with each where the error says it."""
    if isinstance(error, EncodeError):
        found = _FIELD.match(str(error))
        if found is None:
            return (), {}
        name = _of_condition(found["table"], found["field"]) if found["number"] else found["field"]
        return ((name,), {name: found["what"]}) if name else ((), {})
    if not isinstance(error, DatabaseError):
        return (), {}
    table = _table(error)
    columns = [error.column] if error.column else _columns(error, table)
    return tuple(_api_name(table, column) for column in columns), {}


def _of_condition(table: str, column: str) -> str | None:
    """The name of a column in the API; None for a table that no class maps, such as an alias."""
    mapped = (cls for cls in all_tables() if cls.__table_def__.name == table and column in cls.__table_source__.columns)
    return next((_api_name(cls, column) for cls in mapped), None)


def _table(error: DatabaseError) -> Any:
    if error.table is None:
        return None
    for candidate in all_tables():
        definition = candidate.__table_def__
        if definition.name == error.table and (definition.schema or "public") == (error.schema or "public"):
            return candidate
    return None


def _columns(error: DatabaseError, table: Any) -> list[str]:
    if table is not None and error.constraint is not None:
        for constraint in table.__table_def__.constraints:
            if constraint.name == error.constraint and constraint.columns:
                return list(constraint.columns)
    found = _KEY.search(error.detail or "")
    if found is None:
        return []
    names = [_PLAIN.match(part.strip()) for part in found[1].split(",")]
    return [name[1] for name in names if name is not None]


def _api_name(table: Any, column: str) -> str:
    """The alias that a client sees; the name of the field without one; the column's own for tables that are not mapped."""
    source = getattr(table, "__table_source__", None)
    if source is None or column not in source.columns:
        return column
    key: str = source.columns[column].__column__.key
    info = table.model_fields.get(key)
    alias = None if info is None else (info.validation_alias or info.alias)
    return alias if isinstance(alias, str) else key
