"""Annotations, and the SQL types that hold their values."""

from __future__ import annotations

import types as python_types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import (
    AnyUrl,
    AwareDatetime,
    EmailStr,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    NameEmail,
    PastDate,
    PastDatetime,
    SecretBytes,
    SecretStr,
)
from pydantic.networks import _BaseMultiHostUrl as BaseMultiHostUrl  # pyright: ignore[reportPrivateUsage]
from typing_extensions import TypeAliasType

from data_bridge.orm.mapping.secret_values import SecretOctets, SecretText
from data_bridge.query import type_of
from data_bridge.query.types import Array, BigInt, Bytea, Jsonb, SQLType, Text, Timestamp

PLAIN_CLASSES: frozenset[Any] = frozenset(
    {int, str, bool, float, Decimal, datetime, date, time, timedelta, UUID, bytes}
)
"""Classes whose values are decoded as they are."""
_NATIVE = PLAIN_CLASSES | {Any}


def natural_type(annotation: Any) -> SQLType:
    """The SQL type of an annotation (without its None).

    Raises:
        TypeError: for one that has no natural type.
    """
    annotation, _ = without_none(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and not arguments:
        return _of_class(annotation)
    if origin in (list, set, frozenset) or (origin is tuple and arguments[1:] == (Ellipsis,)):
        element = natural_type(arguments[0])
        # A list of documents is one document: arrays of jsonb are rarely what is meant.
        return Jsonb if element.family == "json" or _innermost(element).family == "json" else Array(element)
    if origin in (typing.Union, python_types.UnionType):
        kinds = {natural_type(a) for a in arguments}
        return kinds.pop() if len(kinds) == 1 else Jsonb
    return type_of(annotation)


def _innermost(of: SQLType) -> SQLType:
    while of.of is not None:
        of = of.of
    return of


def _of_class(cls: type[Any]) -> SQLType:
    if cls is NaiveDatetime:  # pyright: ignore[reportUnnecessaryComparison]
        return Timestamp
    if issubclass(cls, Flag):
        return SQLType(BigInt.name, None, _flag(cls), "int", shown=repr(BigInt))
    if issubclass(cls, PurePath):
        return _text_of(cls, str)
    if cls.__module__.startswith("pydantic"):
        if issubclass(cls, SecretBytes):
            return SQLType(Bytea.name, None, _revealed(Bytea, SecretOctets), "bytes", shown=repr(Bytea))
        if issubclass(cls, SecretStr):
            return SQLType(Text.name, None, _revealed(Text, SecretText), "text", shown=repr(Text))
        texts: tuple[Any, ...] = (EmailStr, NameEmail, AnyUrl, BaseMultiHostUrl)
        if issubclass(cls, texts):
            return _text_of(cls, str)
    return type_of(cls)


def _text_of(cls: type[Any], spell: Callable[[Any], str]) -> SQLType:
    """Text for instances of a class, and for text that stands for one."""

    def convert(value: Any) -> Any:
        return spell(value) if isinstance(value, (cls, *_ADDRESSES)) else Text.convert(value)

    return SQLType(Text.name, None, convert, "text", shown=repr(Text))


_ADDRESSES: tuple[Any, ...] = (AnyUrl, BaseMultiHostUrl)


def _revealed(of: SQLType, marked: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        return marked(of.convert(value.get_secret_value() if hasattr(value, "get_secret_value") else value))

    return convert


def _flag(cls: type[Flag]) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, Enum) and not isinstance(value, cls):
            raise TypeError(f"expected {cls.__name__}, got {type(value).__name__}")
        try:
            return int(cls(value).value)
        except (TypeError, ValueError):
            raise ValueError(f"expected {cls.__name__}, got another {type(value).__name__}") from None

    return convert


def members_of(enum: Any) -> Callable[[Any], Any]:
    """What turns stored values into members; ValueError for others, without the value."""
    if issubclass(enum, Flag):
        return _Flags(enum)
    made: Callable[[Any], Any] = _Members(enum).__getitem__
    return made


class _Members(dict[Any, Any]):
    """The members of an Enum by their values: a dict, as rows are loaded by it.

    A member stands for itself, as the codec of a registered type may return members.
    """

    def __init__(self, enum: Any) -> None:
        super().__init__({m: m for m in enum} | enum._value2member_map_)
        self._enum = enum

    def __missing__(self, value: Any) -> Any:
        known = ", ".join(repr(m.value) for m in self._enum)
        raise ValueError(f"the stored value is not one of {self._enum.__name__}, which are {known}")


class _Flags:
    def __init__(self, enum: Any) -> None:
        self._enum = enum

    def __call__(self, value: Any) -> Any:
        try:
            return self._enum(value)
        except ValueError:
            known = ", ".join(f"{m.name} = {m.value}" for m in self._enum)
            raise ValueError(
                f"the stored value is not a combination of {self._enum.__name__}, which are {known}"
            ) from None


def has_other_key(key: Any) -> bool:
    """Whether the keys of a mapping are something else than text; of those that may be anything, only text is stored."""
    return without_none(key)[0] not in (str, Any)


def has_other_keys(annotation: Any) -> bool:
    """Whether a document has mappings with keys that JSON does not know."""
    annotation, _ = without_none(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (dict, Mapping) and arguments and has_other_key(arguments[0]):
        return True
    return any(has_other_keys(a) for a in arguments if a is not Ellipsis)


_PLAIN_FORMS: dict[Any, Any] = {
    AwareDatetime: datetime, PastDatetime: datetime, FutureDatetime: datetime, PastDate: date, FutureDate: date,
}  # fmt: skip
"""Pydantic's names for moments with a condition: what is stored is the moment."""


def without_none(annotation: Any) -> tuple[Any, bool]:
    """An annotation without its None, and whether it had one; a NewType and a type alias stand for what they name."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return without_none(typing.get_args(annotation)[0])
    if isinstance(annotation, typing.NewType):
        return without_none(annotation.__supertype__)
    if isinstance(annotation, _ALIASES):
        return without_none(annotation.__value__)
    if isinstance(origin, _ALIASES):
        return without_none(origin.__value__[typing.get_args(annotation)])
    if origin in (typing.Union, python_types.UnionType):
        arguments = typing.get_args(annotation)
        rest = tuple(a for a in arguments if a is not type(None))
        if len(rest) < len(arguments):
            if len(rest) == 1:
                return without_none(rest[0])[0], True
            return typing.Union[rest], True  # noqa: UP007 - made at run time
    try:
        return _PLAIN_FORMS.get(annotation, annotation), False
    except TypeError:  # not hashable
        return annotation, False


_ALIASES: tuple[Any, ...] = tuple({TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType)})


def shown(annotation: Any) -> str:
    """An annotation as it is written."""
    return annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)


def is_enum(annotation: Any) -> bool:
    """Whether this is an Enum class."""
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def is_native(annotation: Any, kind: SQLType) -> bool:
    """Whether decoding returns exactly the type of the annotation."""
    if annotation is NaiveDatetime:
        return kind.family == "datetime"
    if isinstance(annotation, type) and annotation in _NATIVE:
        return _python_of(kind) in (annotation, None) if annotation is not Any else True
    if annotation is Any or annotation in (dict, list):
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if kind.family == "array" and origin is list and kind.of is not None:
        return is_native(without_none(arguments[0])[0], kind.of)
    if kind.family == "json":
        if origin is dict:
            return arguments[0] is str and _is_plain_json(arguments[1])
        if origin is list:
            return _is_plain_json(arguments[0])
    return False


def _is_plain_json(annotation: Any) -> bool:
    """Whether every JSON value that Pydantic would accept here is left as it is."""
    if annotation in (Any, str, bool):
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    return (origin is dict and arguments[0] is str and _is_plain_json(arguments[1])) or (
        origin is list and _is_plain_json(arguments[0])
    )


def _python_of(kind: SQLType) -> Any:
    families = {"int": int, "float": float, "numeric": Decimal, "text": str, "bool": bool, "bytes": bytes, "date": date, "time": time,
                "datetime": datetime, "interval": timedelta, "uuid": UUID, "enum": str}  # fmt: skip
    return families.get(kind.family)
