"""Annotations and `type=` arguments of columns, from the types that the catalog says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from data_bridge.query.types import SQLType

__all__ = ["ColumnType", "column_type", "quoted"]

_PLAIN = {
    "bigint": "int",
    "double precision": "float",
    "text": "str",
    "boolean": "bool",
    "bytea": "bytes",
    "date": "date",
    "time without time zone": "time",
    "timestamp with time zone": "datetime",
    "interval": "timedelta",
    "uuid": "UUID",
    "numeric": "Decimal",
    "int8range": "Range[int]",
    "numrange": "Range[Decimal]",
    "tstzrange": "Range[datetime]",
    "daterange": "Range[date]",
}
"""Types that the annotation alone says."""
_FAMILIES = {
    "int": "int",
    "float": "float",
    "numeric": "Decimal",
    "text": "str",
    "bool": "bool",
    "bytes": "bytes",
    "date": "date",
    "time": "time",
    "datetime": "datetime",
    "interval": "timedelta",
    "uuid": "UUID",
    "tsvector": "str",
    "tsquery": "str",
    "ltree": "str",
    "bit": "str",
    "money": "Decimal",
    "hstore": "dict[str, str | None]",
    "vector": "list[float]",
}
"""Annotations of types that `type=` has to say."""
_OTHER = {"oid": "int", "name": "str", "macaddr": "str", "macaddr8": "str", "xml": "Any", "bpchar": "str"}
_HOMES = {
    "date": "datetime",
    "time": "datetime",
    "datetime": "datetime",
    "timedelta": "datetime",
    "Decimal": "decimal",
    "UUID": "uuid",
    "Any": "typing",
    "Range": "data_bridge.postgres",
}
"""Where the names of annotations come from."""


@dataclass(slots=True)
class ColumnType:
    """How a class says the type of a column.

    Attributes:
        annotation: of the field, without None.
        arguments: of Column().
        imports: module and name of what the annotation uses.
    """

    annotation: str
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    imports: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


def column_type(of: SQLType) -> ColumnType:
    """The way to say this type; enums and domains are the caller's, as classes and definitions are made for them."""
    annotation, arguments = _said(of)
    words = "".join(c if c.isalnum() else " " for c in annotation).split()
    return ColumnType(annotation, arguments, {(_HOMES[word], word) for word in words if word in _HOMES})


def _said(of: SQLType) -> tuple[str, dict[str, str]]:
    name = of.name
    if name in _PLAIN:
        return _PLAIN[name], {}
    if name.startswith("character varying(") and of.family == "text":
        return "str", {"max_length": name[18:-1]}
    if name.startswith("numeric(") and of.family == "numeric":
        precision, _, scale = name[8:-1].partition(",")
        return "Decimal", {"precision": precision, "scale": scale or "0"}
    typed: dict[str, str] = {"type": quoted(name)}
    if of.family == "array" and of.of is not None:
        inner, _ = _said(of.of)
        # A list of documents would be one document.
        return f"list[{inner}]", {} if of.of.name in _PLAIN and of.of.family != "range" else typed
    if of.family == "range" and of.of is not None:
        inner, _ = _said(of.of)
        multi = of.of.family == "range"
        return ("Any", typed) if multi else (f"Range[{inner}]", typed)
    return _FAMILIES.get(of.family) or _OTHER.get(name, "Any"), typed


def quoted(text: Any) -> str:
    """A Python string literal in double quotes where that needs no more escapes.

    >>> quoted("it's"), quoted('a "b"')
    ('"it\\'s"', '\\'a "b"\\'')
    """
    plain = repr(text)
    inner = plain[1:-1].replace("\\'", "'")
    return plain if '"' in inner else f'"{inner}"'
