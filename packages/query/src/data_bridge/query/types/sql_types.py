"""The SQL types and their constructors."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum as PyEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from data_bridge.core import quote_identifier
from data_bridge.core.errors import EncodeError

from . import convert as c
from .convert import Convert
from .shape import Shape

__all__ = [
    "Array",
    "BigInt",
    "Bit",
    "Boolean",
    "Bytea",
    "Char",
    "Cidr",
    "Citext",
    "Date",
    "DateMultirange",
    "DateRange",
    "Domain",
    "Double",
    "Enum",
    "Hstore",
    "Inet",
    "Int4Multirange",
    "Int4Range",
    "Int8Multirange",
    "Int8Range",
    "Integer",
    "Interval",
    "Json",
    "Jsonb",
    "Ltree",
    "Macaddr",
    "Money",
    "NumMultirange",
    "NumRange",
    "Numeric",
    "Other",
    "Real",
    "SQLType",
    "SmallInt",
    "Text",
    "Time",
    "TimeTz",
    "Timestamp",
    "Timestamptz",
    "TsMultirange",
    "TsQuery",
    "TsRange",
    "TsVector",
    "TstzMultirange",
    "TstzRange",
    "Uuid",
    "Varbit",
    "Varchar",
    "Vector",
    "Xml",
]


class DeclaredEnum(NamedTuple):
    """A native enum, as CREATE TYPE makes it."""

    name: str
    schema: str | None
    labels: tuple[str, ...]


class DeclaredDomain(NamedTuple):
    """A domain, as CREATE DOMAIN makes it."""

    name: str
    schema: str | None
    base: str
    check: str | None
    not_null: bool


class SQLType:
    """One type of PostgreSQL. Compared by its spelling.

    `name` is the spelling in SQL, `python` the class whose values need no check (None: every value is looked at),
    `convert` turns other values into what is sent, `family` groups types that behave alike. `shape` says what is in a JSON
    document, where that is known.
    """

    __slots__ = ("_repr", "convert", "declared", "family", "name", "of", "python", "shape")

    name: Final[str]
    python: Final[type[Any] | None]
    convert: Final[Convert]
    family: Final[str]
    of: Final[SQLType | None]
    shape: Final[Shape | None]
    declared: Final[DeclaredEnum | DeclaredDomain | None]
    """What makes the type in the database, of a type that has to be made before its tables."""

    def __init__(
        self,
        name: str,
        python: type[Any] | None,
        convert: Convert,
        family: str = "other",
        *,
        of: SQLType | None = None,
        shown: str | None = None,
        shape: Shape | None = None,
        declared: DeclaredEnum | DeclaredDomain | None = None,
    ) -> None:
        """Makes a type; the ready ones of this module and `Other` are what most code needs."""
        self.name = name
        self.python = python
        self.convert = convert
        self.family = family
        self.of = of
        self.shape = shape
        self.declared = declared
        self._repr = shown

    def bind(self, value: Any, owner: str | None = None) -> Any:
        """The value as it is sent for a column of this type; None is NULL.

        Raises `data_bridge.core.errors.EncodeError`, naming `owner` and never the value.

        >>> from data_bridge.query import types
        >>> types.Boolean.bind(True)
        True
        """
        if value is None or type(value) is self.python:
            return value
        try:
            return self.convert(value)
        except (TypeError, ValueError) as error:
            raise EncodeError(f"{owner or 'value'} ({self.name}): {error}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SQLType) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self._repr or f"Other({self.name!r})"


def _scalar(shown: str, name: str, python: type[Any] | None, convert: Convert, family: str) -> SQLType:
    return SQLType(name, python, convert, family, shown=shown)


SmallInt = _scalar("SmallInt", "smallint", None, c.ranged(-(2**15), 2**15 - 1), "int")
Integer = _scalar("Integer", "integer", int, c.to_int, "int")
BigInt = _scalar("BigInt", "bigint", int, c.to_int, "int")
Real = _scalar("Real", "real", float, c.to_float, "float")
Double = _scalar("Double", "double precision", float, c.to_float, "float")
Money = _scalar("Money", "money", Decimal, c.to_decimal, "money")
Text = _scalar("Text", "text", str, c.to_str, "text")
Citext = _scalar("Citext", "citext", str, c.to_str, "text")
Boolean = _scalar("Boolean", "boolean", bool, c.to_bool, "bool")
Bytea = _scalar("Bytea", "bytea", bytes, c.to_bytes, "bytes")
Date = _scalar("Date", "date", date, c.to_date, "date")
Time = _scalar("Time", "time without time zone", None, c.to_time, "time")
TimeTz = _scalar("TimeTz", "time with time zone", None, c.to_timetz, "time")
Timestamp = _scalar("Timestamp", "timestamp without time zone", None, c.to_timestamp, "datetime")
Timestamptz = _scalar("Timestamptz", "timestamp with time zone", None, c.to_timestamptz, "datetime")
Interval = _scalar("Interval", "interval", timedelta, c.to_interval, "interval")
Uuid = _scalar("Uuid", "uuid", UUID, c.to_uuid, "uuid")
Json = _scalar("Json", "json", None, c.to_json, "json")
Jsonb = _scalar("Jsonb", "jsonb", None, c.to_json, "json")
Inet = _scalar("Inet", "inet", None, c.network("inet"), "inet")
Cidr = _scalar("Cidr", "cidr", None, c.network("cidr"), "inet")
Macaddr = _scalar("Macaddr", "macaddr", str, c.to_str, "other")
Varbit = _scalar("Varbit", "bit varying", None, c.anything, "bit")
TsVector = _scalar("TsVector", "tsvector", str, c.to_str, "tsvector")
TsQuery = _scalar("TsQuery", "tsquery", str, c.to_str, "tsquery")
Xml = _scalar("Xml", "xml", str, c.to_str, "other")
Hstore = _scalar("Hstore", "hstore", dict, c.anything, "hstore")
Ltree = _scalar("Ltree", "ltree", str, c.to_str, "ltree")


def _range(shown: str, of: SQLType) -> SQLType:
    if shown.endswith("Multirange"):
        return SQLType(shown.lower(), None, c.spans(of.bind), "multirange", of=of, shown=shown)
    return SQLType(shown.lower(), None, c.span(of.bind), "range", of=of, shown=shown)


_NumericAny = SQLType("numeric", Decimal, c.to_decimal, "numeric", shown="Numeric()")
IntegerSum = SQLType("numeric", Decimal, c.to_decimal, "numeric", shown="Numeric()")
"""The server's type for the sum of integers that it cannot add up in bigint: whole, so that the ORM makes it an int."""
Int4Range = _range("Int4Range", Integer)
Int8Range = _range("Int8Range", BigInt)
NumRange = _range("NumRange", _NumericAny)
TsRange = _range("TsRange", Timestamp)
TstzRange = _range("TstzRange", Timestamptz)
DateRange = _range("DateRange", Date)
Int4Multirange = _range("Int4Multirange", Int4Range)
Int8Multirange = _range("Int8Multirange", Int8Range)
NumMultirange = _range("NumMultirange", NumRange)
TsMultirange = _range("TsMultirange", TsRange)
TstzMultirange = _range("TstzMultirange", TstzRange)
DateMultirange = _range("DateMultirange", DateRange)


def range_of(of: SQLType) -> SQLType:
    """The range type whose bounds have a type: TypeError where PostgreSQL has none ready.

    >>> from data_bridge.query import types
    >>> types.range_of(types.Timestamptz)
    TstzRange
    """
    for known in (Int8Range, Int4Range, NumRange, TstzRange, TsRange, DateRange):
        if known.of is not None and (known.of == of or (of.family == known.of.family == "numeric")):
            return known
    raise TypeError(f"no range type of {of.name} is ready: give the column one, as in type=types.Other('floatrange')")


def Numeric(precision: int | None = None, scale: int | None = None) -> SQLType:  # noqa: N802 - reads as the type it makes
    """Exact numbers: ``numeric``, ``numeric(10)`` or ``numeric(10,2)``.

    >>> from data_bridge.query import types
    >>> types.Numeric(10).name
    'numeric(10)'
    """
    if precision is None:
        return _NumericAny
    mods = f"{precision}" if scale is None else f"{precision},{scale}"
    return SQLType(f"numeric({mods})", Decimal, c.to_decimal, "numeric", shown=f"Numeric({mods.replace(',', ', ')})")


def Varchar(length: int | None = None) -> SQLType:  # noqa: N802
    """Text with a limit in characters: longer values are refused when an expression is built.

    >>> from data_bridge.query import types
    >>> types.Varchar(20).name
    'character varying(20)'
    """
    if length is None:
        return SQLType("character varying", str, c.to_str, "text", shown="Varchar()")
    return SQLType(f"character varying({length})", None, c.limited(length), "text", shown=f"Varchar({length})")


def Char(length: int = 1) -> SQLType:  # noqa: N802
    """Blank-padded text of a fixed length.

    >>> from data_bridge.query import types
    >>> types.Char(2).name
    'character(2)'
    """
    return SQLType(f"character({length})", None, c.limited(length), "text", shown=f"Char({length})")


def Bit(length: int = 1) -> SQLType:  # noqa: N802
    """A bit string of a fixed length.

    >>> from data_bridge.query import types
    >>> types.Bit(8).name
    'bit(8)'
    """
    return SQLType(f"bit({length})", None, c.anything, "bit", shown=f"Bit({length})")


def Vector(dimensions: int | None = None) -> SQLType:  # noqa: N802
    """A vector of the pgvector extension.

    >>> from data_bridge.query import types
    >>> types.Vector(3).name
    'vector(3)'
    """
    mods = "" if dimensions is None else f"({dimensions})"
    return SQLType(f"vector{mods}", list, c.anything, "vector", shown=f"Vector({dimensions or ''})")


def Array(of: SQLType) -> SQLType:  # noqa: N802
    """An array; every element is checked as one of `of`.

    >>> from data_bridge.query import types
    >>> types.Array(types.Text).name
    'text[]'
    >>> types.Array(types.Integer).bind(["1", 2])
    [1, 2]
    """

    def convert(value: Any) -> list[Any]:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise c.expected("a list", value)
        items: Iterable[Any] = value  # pyright: ignore[reportUnknownVariableType]
        made = [_element(of, item) for item in items]
        if of.family == "array" and len({len(item) for item in made if item is not None}) > 1:
            raise ValueError("expected lists of one length, as arrays of several dimensions have")
        return made

    return SQLType(f"{of.name}[]", None, convert, "array", of=of, shown=f"Array({of!r})")


def _element(of: SQLType, item: Any) -> Any:
    if item is None or type(item) is of.python:
        return item
    if isinstance(item, list | tuple) and of.family not in ("json", "range", "multirange", "vector"):
        nested: Iterable[Any] = item  # pyright: ignore[reportUnknownVariableType]
        inner_of = of.of if of.family == "array" and of.of is not None else of
        return [_element(inner_of, inner) for inner in nested]  # pyright: ignore[reportUnknownVariableType]
    return of.convert(item)


def Enum(enum: type[PyEnum] | str, *values: str, schema: str | None = None, name: str | None = None) -> SQLType:  # noqa: N802
    """A native enum type, from a Python enum or from its name and labels. The values of the enum are its labels.

    >>> from data_bridge.query import types
    >>> types.Enum("mood", "sad", "ok").name
    '"mood"'
    """
    if isinstance(enum, str):
        declared = DeclaredEnum(enum, schema, values) if values else None
        convert = c.one_of(values) if values else c.to_str
        return SQLType(quoted(enum, schema), None, convert, "enum", shown=f"Enum({enum!r})", declared=declared)
    bare = name or enum.__name__.lower()
    declared = DeclaredEnum(bare, schema, tuple(str(m.value) for m in enum))
    return SQLType(
        quoted(bare, schema), None, c.member(enum), "enum", shown=f"Enum({enum.__name__})", declared=declared
    )


def Domain(  # noqa: N802
    name: str, base: SQLType, *, check: str | None = None, not_null: bool = False, schema: str | None = None
) -> SQLType:
    """A domain: a type with a condition on VALUE. create_all() makes it before the tables that use it.

    >>> from data_bridge.query import types
    >>> types.Domain("email", types.Text, check="VALUE LIKE '%@%'").name
    '"email"'
    """
    declared = DeclaredDomain(name, schema, base.name, check, not_null)
    spelling = quoted(name, schema)
    return SQLType(
        spelling, base.python, base.convert, base.family, of=base.of, shown=f"Domain({name!r})", declared=declared
    )


def Other(name: str, python: type[Any] | None = None) -> SQLType:  # noqa: N802
    """Any other type by its SQL spelling; its values are not checked here.

    >>> from data_bridge.query import types
    >>> types.Other("geometry(Point,4326)")
    Other('geometry(Point,4326)')
    """
    return SQLType(name, python, c.anything)


def shaped(of: SQLType, shape: Shape) -> SQLType:
    """The same type for values of which more is known: a JSON document of a model, or a part of one."""
    return SQLType(of.name, of.python, of.convert, of.family, of=of.of, shown=repr(of), shape=shape)


def labels_of(enum: type[PyEnum], of: SQLType) -> SQLType:
    """A column that stores the values of a Python enum in an ordinary type, as text or int."""
    return SQLType(of.name, None, c.member(enum), of.family, shown=repr(of))


def quoted(name: str, schema: str | None = None) -> str:
    """The spelling of a type with a name of its own: quoted, so that case and odd characters survive.

    >>> quoted("Mood", "app")
    '"app"."Mood"'
    """
    parts = (name,) if schema is None else (schema, name)
    return ".".join(map(quote_identifier, parts))
