"""Mappings in documents whose keys JSON cannot bring back: found when the class is made."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from enum import Enum, Flag
from typing import Any

from pydantic import TypeAdapter, ValidationError

from data_bridge.orm.mapping.document_shape import TEXTUAL, fields_of
from data_bridge.orm.mapping.documents import plain_key
from data_bridge.orm.mapping.natural_type import has_other_key, natural_type, shown, without_none


def refused_keys(annotation: Any) -> Iterator[tuple[str, str]]:
    """The mappings in a document, also in its models, whose keys are not loaded as they were stored; and what to do."""
    seen: list[Any] = []
    left: list[Any] = [annotation]
    while left:
        inner, _ = without_none(left.pop())
        origin, arguments = typing.get_origin(inner), typing.get_args(inner)
        left += [a for a in arguments if a is not Ellipsis]
        if origin in (dict, Mapping) and len(arguments) == 2 and has_other_key(arguments[0]):
            remedy = _remedy(arguments[0])
            if remedy is not None:
                yield shown(inner), remedy
        if not arguments and inner not in seen:
            seen.append(inner)
            own = read_by_the_class(inner)
            left += [hint for name, (_, hint, _) in fields_of(inner).items() if name not in own and "*" not in own]


def read_by_the_class(cls: Any) -> set[str]:
    """Fields whose values a validator of the class sees first: it decides what keys become."""
    decorators = getattr(cls, "__pydantic_decorators__", None)
    validators = () if decorators is None else decorators.field_validators.values()  # pyright: ignore[reportUnknownVariableType]
    return {name for v in validators if v.info.mode != "after" for name in v.info.fields}  # pyright: ignore[reportUnknownVariableType]


def _remedy(key: Any) -> str | None:
    """What to write instead of keys of this type; None where they come back as they were."""
    inner, nullable = without_none(key)
    if nullable:
        return "JSON has no key that is null: leave None out of the type of the keys"
    if isinstance(inner, type) and issubclass(inner, Enum):
        if not issubclass(inner, Flag) and _come_back(key, list(inner)):
            return None
        return f"members of {inner.__name__} are not found by the text of their values: make it an IntEnum or an Enum of text"
    if typing.get_origin(inner) is typing.Literal:
        if _come_back(key, typing.get_args(inner)):
            return None
        return "values that are not text are not found by their text: take int or an IntEnum for the keys"
    try:
        is_text = natural_type(inner).family in TEXTUAL
    except TypeError:
        is_text = False
    if is_text and not typing.get_args(inner):
        return None
    return "JSON has only text as keys: take str, int, UUID, date or an Enum for them, or a list of objects"


def _come_back(key: Any, values: typing.Iterable[Any]) -> bool:
    """Whether each of these keys is what is read from its text."""
    adapter: TypeAdapter[Any] = TypeAdapter(key)
    for value in values:
        try:
            found = adapter.validate_python(plain_key(value))
        except ValidationError:
            return False
        if found != value or type(found) is not type(value):
            return False
    return True
