"""Keys of JSON objects: what a key of a Python mapping is called in the document."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from ..types.sql_types import SQLType

__all__ = ["key_text", "keys_of", "place_names", "step_of", "text_keys"]


def key_text(key: Any) -> str:
    """The name under which JSON has a key, as Pydantic writes it.

    Raises:
        TypeError: for an object that JSON has no name for.

    >>> key_text(5), key_text(True), key_text(UUID(int=0))
    ('5', 'true', '00000000-0000-0000-0000-000000000000')
    """
    if isinstance(key, Enum):
        return key_text(key.value)
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, datetime):
        moment = key.isoformat()
        return moment.removesuffix("+00:00") + "Z" if key.utcoffset() == timedelta(0) else moment
    if isinstance(key, date | time):
        return key.isoformat()
    if isinstance(key, str | int | float | Decimal | UUID):
        return str(key)
    raise TypeError(f"a key of a JSON object is text, not {type(key).__name__}")


def text_keys(value: Any, of: SQLType | None, owner: str | None) -> Any:
    """A part of a document of this type, with the names that its mappings have in JSON."""
    if isinstance(value, dict):
        made: dict[Any, Any] = {}
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            name = key if type(key) is str else step_of(of, key, owner)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            made[name if isinstance(name, str) else key_text(name)] = text_keys(item, _inside(of, name), owner)
        return made
    if type(value) in (list, tuple):
        return [text_keys(item, _inside(of, 0), owner) for item in value]
    return value


def step_of(of: SQLType | None, key: Any, owner: str | None) -> Any:
    """A key as a step into a document of this type: the name of a member, or the position of an element.

    Raises:
        EncodeError: for a key that the mapping cannot have.
    """
    if of is not None and of.shape is not None:
        return of.shape.key(key, owner)
    return key_text(key) if isinstance(key, Enum | UUID | date | time) else key


def keys_of(of: SQLType | None, keys: Iterable[Any], owner: str | None) -> list[Any]:
    """Keys as the operators of jsonb take them."""
    return [step_of(of, key, owner) for key in keys]


def place_names(of: SQLType | None, path: Iterable[Any], owner: str | None) -> list[str]:
    """The steps of a path as ``jsonb_set()`` takes them."""
    names: list[str] = []
    for given in path:
        step = step_of(of, given, owner)
        names.append(str(step))
        of = _inside(of, step)
    return names


def _inside(of: SQLType | None, step: Any) -> SQLType | None:
    """The type of the part that a step leads to, where it is known."""
    shape = None if of is None else of.shape
    if shape is None:
        return None
    member = shape.member(step) if isinstance(step, str) else None
    return member.type if member is not None else shape.item() or shape.value()
