"""Annotations, and the SQL types that hold their values."""

from __future__ import annotations

import types as python_types
import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import AnyUrl, EmailStr, NameEmail, SecretBytes, SecretStr
from pydantic.networks import _BaseMultiHostUrl as BaseMultiHostUrl  # pyright: ignore[reportPrivateUsage]

from data_bridge.query import type_of
from data_bridge.query.types import Bytea, SQLType, Text

_NATIVE = {int, str, bool, float, Decimal, datetime, date, time, timedelta, UUID, bytes, Any}


def natural_type(annotation: Any) -> SQLType:
    """The SQL type of an annotation (without its None).

    Raises:
        TypeError: for one that has no natural type.
    """
    return _pydantic_type(annotation) or type_of(annotation)


def _pydantic_type(annotation: Any) -> SQLType | None:
    """The type of what Pydantic has beside Python's own classes: secrets, addresses of the web and of mail."""
    if not isinstance(annotation, type) or not annotation.__module__.startswith("pydantic"):
        return None
    if issubclass(annotation, SecretBytes):
        return Bytea
    texts: tuple[Any, ...] = (SecretStr, EmailStr, NameEmail, AnyUrl, BaseMultiHostUrl)
    return Text if issubclass(annotation, texts) else None


def without_none(annotation: Any) -> tuple[Any, bool]:
    """An annotation without its None, and whether it had one."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, optional = without_none(typing.get_args(annotation)[0])
        return inner, optional
    if origin in (typing.Union, python_types.UnionType):
        arguments = typing.get_args(annotation)
        rest = tuple(a for a in arguments if a is not type(None))
        if len(rest) < len(arguments):
            return (rest[0] if len(rest) == 1 else typing.Union[rest]), True  # noqa: UP007 - made at run time
    return annotation, False


def shown(annotation: Any) -> str:
    """An annotation as it is written."""
    return annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)


def is_enum(annotation: Any) -> bool:
    """Whether this is an Enum class."""
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def is_native(annotation: Any, kind: SQLType) -> bool:
    """Whether decoding gives just what the annotation asks for."""
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
