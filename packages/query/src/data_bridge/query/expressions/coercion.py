"""Python values and queries as operands of expressions, and the type of what comes out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from data_bridge import core

from ..types import sql_types as t
from ..types.sql_types import Boolean, SQLType

if TYPE_CHECKING:
    from .expr import Expr
    from .node import Node, Params, Structure
    from .sources import Source

NULL = ("null",)


# The classes that are built on this module, which they tell it as soon as they exist: imports point in one direction.
_node: type[Node[Any]]
_source: type[Source]
_built: type[Expr[Any]]


def register_node(cls: type[Node[Any]]) -> None:
    """Says which class is that of every expression."""
    global _node
    _node = cls


def register_source(cls: type[Source]) -> None:
    """Says which class is that of everything that stands in FROM."""
    global _source
    _source = cls


def register_built(cls: type[Expr[Any]]) -> None:
    """Says which class is that of results."""
    global _built
    _built = cls


def built(s: Structure, p: Params = (), of: SQLType | None = None) -> Expr[Any]:
    """What operators and methods return."""
    return _built(s, p, of)


def is_node(value: Any) -> bool:
    """Whether this is an expression."""
    return isinstance(value, _node)


def operand(value: Any, of: SQLType | None, owner: str | None) -> tuple[Structure, Params]:
    """Structure and parameters of something that stands beside an expression of type `of`."""
    if isinstance(value, _node):
        return value.s, value.p
    if value is None:
        return NULL, ()
    as_operand = getattr(value, "__operand__", None)
    if as_operand is not None and not isinstance(value, type):
        made: tuple[Structure, Params] = as_operand()
        return made
    if of is None:
        return "$", (plain(value),)
    return "$", (of.bind(value, owner),)


def compared(value: Any, of: SQLType | None, owner: str | None) -> tuple[Structure, Params]:
    """The operand of a comparison, where PostgreSQL finds the type of a parameter by that of the other side.

    It takes ``record`` for every composite type, and no value can be sent as one: an object that stands for a value of a
    type of the database has the type's name beside it.
    """
    s, p = operand(value, of, owner)
    if s == "$" and of is not None and is_of_own_class(of, p[0]):
        return ("$", without_modifier(of)), p
    return s, p


def is_of_own_class(of: SQLType, value: Any) -> bool:
    """Whether a value of a type by its name is an object of the application, or the fields of a composite value."""
    if of.family != "other":
        return False
    return isinstance(value, dict | tuple) or (not isinstance(value, str) and natural(value) is None)


def without_modifier(of: SQLType) -> str:
    """The type without ``(…)``: a cast to a length cuts what is longer."""
    return of.name.partition("(")[0]


def plain(value: Any) -> Any:
    """A value without a type to check it against: an enum stands for its value."""
    return value.value if isinstance(value, Enum) else value


def natural(value: Any) -> SQLType | None:
    """The SQL type of a Python value where nothing else fixes it; None for text, which PostgreSQL fits to its place."""
    if isinstance(value, bool):
        return Boolean
    if isinstance(value, int):
        return t.Integer if -(2**31) <= value < 2**31 else t.BigInt if -(2**63) <= value < 2**63 else t.Numeric()
    if isinstance(value, datetime):
        return t.Timestamptz if value.tzinfo is not None else t.Timestamp
    for cls, known in _NATURAL:
        if isinstance(value, cls):
            return known
    module = type(value).__module__
    if module == "ipaddress":
        return t.Cidr if type(value).__name__.endswith("Network") else t.Inet
    if type(value).__name__ == "Range" and module.startswith("data_bridge.core."):
        of = natural(value.upper if value.lower is None else value.lower)
        return None if of is None else t.Int4Range if of is t.Integer else t.range_of(of)
    if isinstance(value, list | tuple | set | frozenset):
        items: list[Any] = [item for item in value if item is not None]  # pyright: ignore[reportUnknownVariableType]
        of = natural(items[0]) if items else t.Text
        return t.Array(of or t.Text)
    return None


_NATURAL: tuple[tuple[type[Any], SQLType], ...] = (
    (float, t.Double),
    (Decimal, t.Numeric()),
    (date, t.Date),
    (time, t.Time),
    (timedelta, t.Interval),
    (UUID, t.Uuid),
    (bytes, t.Bytea),
    (bytearray, t.Bytea),
    (dict, t.Jsonb),
)


def argument(value: Any, *, text: bool = False) -> tuple[Structure, Params, SQLType | None]:
    """An argument of a function: typed by its Python class, so that PostgreSQL finds the right function.

    Text stays untyped (`text=False`), because it may stand for a date, a regconfig or an enum as well. A table is its
    whole row: ``func.to_jsonb(users)``.
    """
    if isinstance(value, _node):
        return value.s, value.p, value.t
    if value is None:
        return NULL, (), None
    source = getattr(value, "__table_source__", value)
    if isinstance(source, _source):
        return ("col", None, source.name), (), None
    as_operand = getattr(value, "__operand__", None)
    if as_operand is not None and not isinstance(value, type):
        return (*as_operand(), None)
    value = plain(value)
    of = natural(value)
    if of is None:
        return (
            (("$", "text") if text and isinstance(value, str) else "$"),
            (value,),
            t.Text if isinstance(value, str) else None,
        )
    if isinstance(value, tuple | set | frozenset):
        value = list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return ("$", of.name), (value,), of


def joined(word: str, left: Node[Any], right: Any) -> Expr[bool]:
    """AND and OR, flat: a chain of n conditions is one node."""
    if not isinstance(right, _node):
        sign = "&" if word == "and" else "|"
        raise TypeError(f"{sign} joins conditions, got {type(right).__name__}: compare it with something first")
    a, b = left.s, right.s
    head = a if type(a) is tuple and a[0] == word else (word, a)  # pyright: ignore[reportUnknownVariableType]
    tail = b[1:] if type(b) is tuple and b[0] == word else (b,)  # pyright: ignore[reportUnknownVariableType]
    return _built((*head, *tail), left.p + right.p, Boolean)


_CONCATENATED = {"array", "tsvector", "tsquery", "json", "bytes", "bit", "hstore", "ltree"}
"""Families whose + is ||, beside text."""


def arithmetic(tag: str, node: Node[Any], other: Any, reverse: bool) -> Expr[Any]:
    """``node tag other``, or the other way round when Python asked the right operand."""
    of = node.t
    family = None if of is None else of.family
    if (tag == "+" and (family == "text" or (family is None and isinstance(other, str)))) or (
        tag == "+" and family in _CONCATENATED
    ):
        tag = "||"
    if isinstance(other, _node):
        s, p, other_type = other.s, other.p, other.t
    elif other is not None and of is not None and fits(of, other):
        s, p = operand(other, of, node.__owner__)
        other_type = of
        if of.family in ("datetime", "date", "interval", "time"):
            # Unlike numbers, moments have operators with several types on the right.
            s = ("$", of.name)
    else:
        s, p, other_type = argument(other, text=of is not None and of.family == "text")
    result = _result(tag, of, other_type) if not reverse else _result(tag, other_type, of)
    if reverse:
        return _built((tag, s, node.s), p + node.p, result)
    return _built((tag, node.s, s), node.p + p, result)


def fits(of: SQLType, value: Any) -> bool:
    """Whether a value belongs to the type itself, rather than to another side of the operator."""
    family = of.family
    if family == "int":
        return (isinstance(value, int) and not isinstance(value, bool)) or isinstance(value, str)
    if family == "numeric":
        return isinstance(value, Decimal | int | str) and not isinstance(value, bool)
    if family == "float":
        return isinstance(value, float | int) and not isinstance(value, bool)
    if family == "date":
        return isinstance(value, date | str) and not isinstance(value, datetime)
    if family == "datetime":
        return isinstance(value, datetime | str)
    if family == "interval":
        return isinstance(value, timedelta)
    if family == "time":
        return isinstance(value, time)
    return True


_RANK = {"int": 0, "numeric": 1, "float": 2}


def _result(tag: str, left: SQLType | None, right: SQLType | None) -> SQLType | None:
    """PostgreSQL's type of the result, where it decides which values may be compared with the result."""
    if left is None or right is None or tag == "^":
        return None
    a, b = left.family, right.family
    if a in _RANK and b in _RANK:
        if a == b == "int":
            return left if left.name == right.name else t.BigInt
        wide = left if _RANK[a] >= _RANK[b] else right
        return t.Numeric() if wide.family == "numeric" else t.Double
    if b == "interval":
        return t.Interval if a == "interval" else t.Timestamp if a == "date" else left
    if a == "interval":
        return t.Interval if b in _RANK else right
    if tag == "-" and a == b:
        return {"datetime": t.Interval, "date": t.Integer, "time": t.Interval}.get(a, left)
    if a == "date" and b == "int":
        return left
    return left if a == b else None


def common(types: Iterable[SQLType | None]) -> SQLType | None:
    """PostgreSQL's type of what may be one of several expressions; None where it is not certain."""
    found: SQLType | None = None
    for of in types:
        if of is None:
            continue
        if found is None or found.name == of.name:
            found = of
        elif found.family in _RANK and of.family in _RANK:
            found = _result("+", found, of)
        elif found.family != of.family:
            return None
    return found


def shown(kind: str, s: Structure) -> str:
    """``<Expr "users"."age" > $1>``: values are never shown."""
    try:
        sql = core.compile(core.Statement(("select", None, (s,), None, None, None, None, None), ())).sql
    except core.DataBridgeError as error:
        return f"<{kind} that does not compile: {error}>"
    return f"<{kind} {sql.removeprefix('SELECT ')}>"


def shown_order(s: Structure) -> str:
    """``<Order "users"."age" DESC>``."""
    sql = core.compile(core.Statement(("select", None, None, None, (s,), None, None, None), ())).sql
    return f"<Order {sql.removeprefix('SELECT ORDER BY ')}>"
