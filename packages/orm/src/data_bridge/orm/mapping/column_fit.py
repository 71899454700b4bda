"""Whether the columns of a result hold the types of the fields that they fill.

The core asks once for each statement, when it first sees the columns, so that rows are loaded without any check.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from data_bridge.orm.mapping.natural_type import PLAIN_CLASSES, natural_type, shown, without_none
from data_bridge.query.types import SQLType

if TYPE_CHECKING:
    from data_bridge.orm.mapping.field import Field


class Owner(Protocol):
    """The class of a field, and its name in messages."""

    cls: Any
    label: str


Converter: TypeAlias = Callable[[Any], Any]
Answer: TypeAlias = str | int | Converter | None
Misfit: TypeAlias = Callable[[str, str, str], Answer]
"""Of a name, the kind of its values and the name of its database type: what is wrong with it, or None; of a column that fits,
a number that its values have to have: of arrays that of dimensions, of intervals that of months, which is 0; of a registered
type, whose codec returns what it likes, a converter that looks at each value.
"""

_SAME_NAME = frozenset(
    {"int", "float", "numeric", "text", "bool", "bytes", "date", "interval", "uuid", "json", "inet", "hstore", "vector"}
)
_TEXT = frozenset({"enum", "tsvector", "tsquery", "ltree", "bit"})
"""Families whose values are text in Python."""


def misfit_of(owner: Owner, fields: Mapping[str, Field], *, converts_later: bool = False) -> Misfit:
    """What says whether a column fits its field.

    Args:
        owner: the class of the fields.
        fields: by the names that the plan has for them.
        converts_later: whether the fields' own converters run after this.
    """

    def misfit(name: str, kind: str, type_name: str) -> Answer:
        field = fields.get(name)
        if field is None:
            return None
        if converts_later and "registered" in kind and field.is_transformed(owner.cls):
            return None
        return _misfit(owner, field, kind, type_name)

    return misfit


def misfit_of_column(owner: Owner, field: Field) -> Misfit:
    """The same for a column that a query names by itself, whatever the result calls it."""
    return lambda _, kind, type_name: _misfit(owner, field, kind, type_name)


def _misfit(owner: Owner, field: Field, kind: str, type_name: str) -> Answer:
    if "registered" in kind:  # by itself, or in an array or a range
        return field.registered_converter(owner.cls)
    expected = _expected(field)
    if expected is None:
        return None
    if field.type.family == "other" and kind.startswith(("time", "timestamp")) and expected.startswith("time"):
        return None  # a domain, of which only the database says whether its moments have a zone
    if expected == kind:
        return 0 if field.annotation is timedelta else _dimensions(field.annotation)
    return (
        f"{owner.label}.{field.key}: the column {field.name!r} of the result is {type_name}, and the field is "
        f"{shown(field.annotation)} ({field.type.name}): cast the column, {field.name}::{field.type.name}, or give the field "
        "and the column one type"
    )


def _expected(field: Field) -> str | None:
    """The kind of values that the field is loaded from; None where the declaration leaves it open."""
    if field.type.family == "other" and field.type.of is None:
        # A type of the user's choice; a field of a plain class says what its values are nevertheless.
        plain = isinstance(field.annotation, type) and field.annotation in PLAIN_CLASSES
        return _kind(natural_type(field.annotation)) if plain else None
    return _kind(field.type)


def _dimensions(annotation: Any) -> int | None:
    """How deep lists are nested; None where the annotation leaves it open, or its validator looks at it."""
    depth = 0
    while typing.get_origin(annotation) is list:
        annotation, _ = without_none(typing.get_args(annotation)[0])
        depth += 1
    return depth if depth and annotation in PLAIN_CLASSES else None


def _kind(of: SQLType) -> str | None:
    """The name that the core has for values of this type."""
    family = of.family
    if family in _SAME_NAME:
        return family
    if family in _TEXT:
        return "text"
    if family in ("time", "datetime"):
        base = getattr(of.declared, "base", of.name)
        zone = "tz" if "with time zone" in base else ""
        return f"{'time' if family == 'time' else 'timestamp'}{zone}"
    if of.of is None:
        return None
    inner = _kind(of.of)
    if inner is None:
        return None
    if family == "array":
        return inner if of.of.family == "array" else f"{inner}[]"
    if family == "range":
        return f"range of {inner}"
    return inner.replace("range of", "multirange of", 1) if family == "multirange" else None
