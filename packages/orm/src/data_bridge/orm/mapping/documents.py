"""What is in a mutable column: when two values are the same document, and what of a value is stored as JSON."""

from __future__ import annotations

import dataclasses
import marshal
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from data_bridge.query.spi import key_text

_SCALARS = frozenset({int, bool, float, str, type(None)})
_SEQUENCES = frozenset({list, tuple, set, frozenset})


def is_same(a: Any, b: Any) -> bool:
    """Whether the database would have the same for both. 1, 1.0 and true are equal in Python and different in JSON; a
    datetime and its text are different in Python and the same in JSON.
    """
    if a != b:
        return _is_stored_alike(a, b)
    try:
        # Equal bytes have equal types all through, and are told in half the time; version 2 knows no references.
        if marshal.dumps(a, 2) == marshal.dumps(b, 2):
            return True
    except ValueError:  # other objects than those of JSON, or nested deeply
        pass
    return _has_same_types(a, b)


def _is_stored_alike(a: Any, b: Any) -> bool:
    """Whether two values that are different in Python are one in JSON: what was loaded has no tuples and no datetimes."""
    if type(a) in _SCALARS or type(b) in _SCALARS:
        return False
    plain_a, plain_b = plain(a), plain(b)
    if _has_decimal(plain_a) != _has_decimal(plain_b):  # what was loaded has none
        plain_a, plain_b = _loaded(plain_a), _loaded(plain_b)
    if plain_a == plain_b:
        return _has_same_types(plain_a, plain_b)
    return repr(plain_a) == repr(plain_b)  # NaN does not equal itself


def _is_same_number(a: Any, b: Any) -> bool:
    """Whether a Decimal is stored as the number that was loaded."""
    a, b = _loaded(a), _loaded(b)
    return type(a) is type(b) and a == b


def _has_decimal(value: Any) -> bool:
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        return any(map(_has_decimal, value.values()))
    return any(map(_has_decimal, value)) if kind is list else kind is Decimal


def _loaded(value: Any) -> Any:
    """What plain() returned, with Decimals as the numbers that are loaded for them; one that a float cannot hold stays."""
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        return {k: _loaded(v) for k, v in value.items()}
    if kind is list:
        return [_loaded(v) for v in value]
    if kind is not Decimal or not value.is_finite():
        return value
    if value == value.to_integral_value() and value.as_tuple().exponent >= 0:  # pyright: ignore[reportOperatorIssue]
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else value


def _has_same_types(a: Any, b: Any) -> bool:
    """Whether two values that are equal in Python are of the same types all through."""
    kind = type(a)  # pyright: ignore[reportUnknownVariableType]
    if kind is not type(b):
        return (kind is Decimal or type(b) is Decimal) and _is_same_number(a, b)
    if kind is dict:
        if list(a) != list(b):  # the same keys in another order
            return all(_has_same_types(v, b[k]) for k, v in a.items())
        a, b = a.values(), b.values()
    elif issubclass(kind, BaseModel):
        if a.model_extra and not _has_same_types(a.model_extra, b.model_extra):
            return False
        a, b = a.__dict__.values(), b.__dict__.values()
    elif kind is not list and kind is not tuple:
        return kind in _SCALARS or kind in _SEQUENCES or str(a) == str(b)
    kinds = [*map(type, a)]
    if kinds != [*map(type, b)]:
        return Decimal in {*kinds, *map(type, b)} and all(map(_has_same_types, a, b))
    return _SCALARS.issuperset(kinds) or all(map(_has_same_types, a, b))


def plain_key(key: Any) -> str:
    """A key of a mapping as JSON has it: as Pydantic writes it, so that models and mappings of their own agree."""
    if isinstance(key, int | Enum):
        return key_text(key)
    written: dict[str, None] = to_jsonable_python({key: None})
    return next(iter(written))


def plain(value: Any) -> Any:
    """The value as it comes back from a JSON column: dicts, lists, text, numbers. A Decimal stays one, of all its digits."""
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {k if type(k) is str else plain_key(k): plain(v) for k, v in value.items()}
    if kind in _SEQUENCES:
        return [plain(v) for v in value]
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Decimal):
        return value
    other: Any = value
    serializer = getattr(value, "__pydantic_serializer__", None)
    if serializer is not None:
        return serializer.to_python(value, mode="json", warnings=False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, UUID):
        return str(value)
    if hasattr(other, "isoformat"):
        return other.isoformat()
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    return value
