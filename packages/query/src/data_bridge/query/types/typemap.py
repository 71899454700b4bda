"""From Python annotations and server spellings to SQL types."""

from __future__ import annotations

import re
import types as python_types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum as PyEnum
from typing import Any
from uuid import UUID

from . import sql_types as t
from .sql_types import SQLType

_PLAIN: dict[Any, SQLType] = {
    int: t.BigInt,
    str: t.Text,
    bool: t.Boolean,
    float: t.Double,
    Decimal: t.Numeric(),
    bytes: t.Bytea,
    bytearray: t.Bytea,
    datetime: t.Timestamptz,
    date: t.Date,
    time: t.Time,
    timedelta: t.Interval,
    UUID: t.Uuid,
    dict: t.Jsonb,
    list: t.Jsonb,
    tuple: t.Jsonb,
    Any: t.Jsonb,
}
# By name, so that a program without addresses does not load the module.
_ADDRESSES = {
    f"IPv{version}{kind}": of
    for version in (4, 6)
    for kind, of in (("Address", t.Inet), ("Interface", t.Inet), ("Network", t.Cidr))
}


def type_of(annotation: Any, *, max_length: int | None = None) -> SQLType:
    """The SQL type for a Python annotation (without its None).

    Raises TypeError for an annotation that has no natural type: give the column one explicitly.

    >>> from data_bridge.query import type_of
    >>> type_of(int), type_of(list[str]), type_of(str, max_length=20)
    (BigInt, Array(Text), Varchar(20))
    """
    if isinstance(annotation, SQLType):
        return annotation
    try:
        known = _PLAIN.get(annotation)
    except TypeError:
        known = None
    if known is t.Text and max_length is not None:
        return t.Varchar(max_length)
    if known is not None:
        return known
    origin = typing.get_origin(annotation)
    args = typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_of(args[0], max_length=max_length)
    if origin in (typing.Union, python_types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        if len(inner) == 1:
            return type_of(inner[0], max_length=max_length)
        return _common(inner)
    if origin is typing.Literal:
        return _common([type(value) for value in args])
    if origin in (list, set, frozenset) and args:
        return _array(args[0])
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _array(args[0])
    if origin is not None and origin.__name__ == "Range" and origin.__module__.startswith("data_bridge.core."):
        return t.range_of(type_of(args[0]))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping | tuple | list):
        return t.Jsonb
    if isinstance(annotation, type):
        return _of_class(annotation, max_length)
    raise TypeError(f"no SQL type is natural for {annotation!r}: give the column a type")


def _array(element: Any) -> SQLType:
    of = type_of(element)
    # A list of documents is one document: jsonb arrays of jsonb are rarely what is meant.
    return t.Jsonb if of is t.Jsonb or (of.family == "array" and of.of is t.Jsonb) else t.Array(of)


def _common(kinds: list[Any]) -> SQLType:
    found = {type_of(kind) for kind in kinds}
    return found.pop() if len(found) == 1 else t.Jsonb


def _of_class(cls: type[Any], max_length: int | None) -> SQLType:
    if issubclass(cls, PyEnum):
        values = {type(m.value) for m in cls}  # pyright: ignore[reportUnknownVariableType]
        of = t.BigInt if values == {int} else t.Text
        return t.labels_of(cls, of)
    for base in cls.__mro__[:-1]:
        if base in _PLAIN:
            return type_of(base, max_length=max_length)
        if base.__module__ == "ipaddress" and base.__name__ in _ADDRESSES:
            return _ADDRESSES[base.__name__]
    if hasattr(cls, "__pydantic_fields__") or hasattr(cls, "__dataclass_fields__") or typing.is_typeddict(cls):
        return t.Jsonb
    raise TypeError(f"no SQL type is natural for {cls.__name__}: give the column a type")


_SPELLED: dict[str, SQLType] = {}
for _names, _type in (
    ("smallint int2", t.SmallInt),
    ("integer int int4", t.Integer),
    ("bigint int8", t.BigInt),
    ("real float4", t.Real),
    ("text", t.Text),
    ("citext", t.Citext),
    ("boolean bool", t.Boolean),
    ("bytea", t.Bytea),
    ("date", t.Date),
    ("interval", t.Interval),
    ("uuid", t.Uuid),
    ("json", t.Json),
    ("jsonb", t.Jsonb),
    ("inet", t.Inet),
    ("cidr", t.Cidr),
    ("macaddr", t.Macaddr),
    ("tsvector", t.TsVector),
    ("tsquery", t.TsQuery),
    ("xml", t.Xml),
    ("hstore", t.Hstore),
    ("ltree", t.Ltree),
    ("money", t.Money),
    ("float8 float", t.Double),
    ("timestamptz", t.Timestamptz),
    ("timetz", t.TimeTz),
    ("timestamp", t.Timestamp),
    ("time", t.Time),
    ("varbit", t.Varbit),
    ("int4range", t.Int4Range),
    ("int8range", t.Int8Range),
    ("numrange", t.NumRange),
    ("tsrange", t.TsRange),
    ("tstzrange", t.TstzRange),
    ("daterange", t.DateRange),
    ("int4multirange", t.Int4Multirange),
    ("int8multirange", t.Int8Multirange),
    ("nummultirange", t.NumMultirange),
    ("tsmultirange", t.TsMultirange),
    ("tstzmultirange", t.TstzMultirange),
    ("datemultirange", t.DateMultirange),
    ("vector", t.Vector()),
    ("numeric decimal", t.Numeric()),
    ("varchar", t.Varchar()),
):
    for _name in _names.split():
        _SPELLED[_name] = _type
_SPELLED.update(
    {
        "double precision": t.Double,
        "timestamp with time zone": t.Timestamptz,
        "timestamp without time zone": t.Timestamp,
        "time with time zone": t.TimeTz,
        "time without time zone": t.Time,
        "bit varying": t.Varbit,
        "character varying": t.Varchar(),
    }
)

_LIMITED: dict[str, Callable[..., SQLType]] = {
    "varchar": t.Varchar,
    "character varying": t.Varchar,
    "char": t.Char,
    "character": t.Char,
    "bpchar": t.Char,
    "numeric": t.Numeric,
    "decimal": t.Numeric,
    "bit": t.Bit,
    "vector": t.Vector,
}
_PRECISE = re.compile(r"^(timestamp|timestamptz|time|timetz|interval)\s*\(\s*(\d)\s*\)(?: (with|without) time zone)?$")
_MODIFIED = re.compile(r"^([a-z_ ]+?)\s*\(([0-9, ]+)\)$")


def _precise(word: str, digits: str, zone: str | None) -> SQLType:
    """A moment or a span with fewer digits of a second."""
    if word == "interval":
        return t.SQLType(
            f"interval({digits})", None, t.Interval.convert, "interval", shown=f"parse_type('interval({digits})')"
        )
    is_aware = word.endswith("tz") or zone == "with"
    base = word.removesuffix("tz")
    whole = _SPELLED[f"{base} {'with' if is_aware else 'without'} time zone"]
    name = f"{base}({digits}) {'with' if is_aware else 'without'} time zone"
    return t.SQLType(name, None, whole.convert, whole.family, shown=f"parse_type({name!r})")


def parse_type(spelling: str) -> SQLType:
    """The type with this spelling, as people and the server's ``format_type`` write it.

    An unknown spelling is a user-defined type: `data_bridge.query.types.Other`.

    >>> from data_bridge.query import parse_type
    >>> parse_type("VARCHAR(20)"), parse_type("integer[]"), parse_type("mood")
    (Varchar(20), Array(Integer), Other('mood'))
    """
    text = " ".join(spelling.split())
    if text.endswith("[]"):
        return t.Array(parse_type(text[:-2]))
    lowered = text.lower()
    known = _SPELLED.get(lowered)
    if known is not None:
        return known
    precise = _PRECISE.match(lowered)
    if precise:
        return _precise(*precise.groups())
    modified = _MODIFIED.match(lowered)
    if modified and modified[1] in _LIMITED:
        return _LIMITED[modified[1]](*(int(part) for part in modified[2].split(",")))
    if lowered in ("char", "character", "bit"):
        return _LIMITED[lowered]()
    return t.Other(text)
