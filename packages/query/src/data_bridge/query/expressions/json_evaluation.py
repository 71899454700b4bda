"""How PostgreSQL looks into jsonb, for expressions evaluated in memory."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID

from .document_keys import key_text
from .evaluation import NotEvaluable

__all__ = ["CASTS", "Json", "cast_to", "json_operator", "json_text", "member", "plain"]


class Json:
    """A value inside jsonb: JSON's null is one, unlike NULL."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def plain(value: Any) -> Any:
    """A document as JSON has it: of models, dataclasses and Enums, what is stored."""
    if isinstance(value, Json):
        return value.value
    if value is None or (isinstance(value, bool | int | float | Decimal) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {k if type(k) is str else _name(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    serializer = getattr(value, "__pydantic_serializer__", None)
    if serializer is not None:
        return plain(serializer.to_python(value, mode="json", warnings=False))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise NotEvaluable(f"{type(value).__name__} is not a value that JSON has")


def _name(key: Any) -> str:
    try:
        return key_text(key)
    except TypeError as error:
        raise NotEvaluable(str(error)) from None


def member(document: Any, key: Any) -> Json | None:
    """``->``: a member of an object by its name, an element of a list by its position; NULL without one."""
    value = plain(document)
    if isinstance(key, str) and isinstance(value, dict):
        return Json(value[key]) if key in value else None
    if isinstance(key, int) and not isinstance(value, dict):
        if not isinstance(value, list):
            value = [value]  # as PostgreSQL keeps a bare value
        return Json(value[key]) if -len(value) <= key < len(value) else None
    return None


def json_text(document: Any) -> str | None:
    """``->>`` of what was found: the text itself, NULL for JSON's null."""
    value = plain(document)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return f"{Decimal(repr(value)) if isinstance(value, float) else value:f}"
    raise NotEvaluable("the text of a JSON object or list is spelled by the server")


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return a is b
    if isinstance(a, int | float | Decimal) and isinstance(b, int | float | Decimal):
        return _number(a) == _number(b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(v, b[k]) for k, v in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return type(a) is type(b) and bool(a == b)


def _number(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _contains(a: Any, b: Any, *, is_top: bool = True) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return all(k in a and _contains(a[k], v, is_top=False) for k, v in b.items())
    if isinstance(a, list) and isinstance(b, list):
        return all(any(_contains(x, y, is_top=False) for x in a) for y in b)
    if is_top and isinstance(a, list) and not isinstance(b, dict | list):
        return any(_equal(x, b) for x in a)  # a list contains a bare value, which PostgreSQL makes an exception for
    return _equal(a, b)


def _has(value: Any, key: Any) -> bool:
    if isinstance(value, dict):
        return key in value
    return (
        key in [x for x in value if isinstance(x, str)]
        if isinstance(value, list)
        else isinstance(value, str) and value == key
    )


def _has_any(value: Any, keys: Iterable[Any]) -> bool:
    return any(_has(value, k) for k in keys)


def _has_all(value: Any, keys: Iterable[Any]) -> bool:
    return all(_has(value, k) for k in keys)


def _differ(a: Any, b: Any) -> bool:
    return not _equal(a, b)


def _contained(a: Any, b: Any) -> bool:
    return _contains(b, a)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": _equal, "<>": _differ, "@>": _contains, "<@": _contained, "?": _has, "?|": _has_any, "?&": _has_all,
}  # fmt: skip


def json_operator(tag: str) -> Callable[[Any, Any], Any]:
    """An operator of jsonb.

    Raises:
        NotEvaluable: for one that only the server evaluates.
    """
    known = _OPERATORS.get(tag)
    if known is None:
        raise NotEvaluable(f"{tag!r} of jsonb is evaluated by the server only")

    def apply(a: Any, b: Any) -> bool:
        return known(plain(a), plain(b))

    return apply


def json_length(document: Any) -> int:
    """``jsonb_array_length()``."""
    value = plain(document)
    if not isinstance(value, list):
        raise NotEvaluable("jsonb_array_length() of something that is not a list is an error of the server")
    return len(value)


def _to_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _to_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise NotEvaluable("a moment without an offset depends on the time zone of the session")
    return moment


CASTS: dict[str, Callable[[str], Any]] = {
    "text": str, "bigint": int, "integer": int, "smallint": int, "numeric": Decimal, "double precision": float,
    "boolean": _to_bool, "date": date.fromisoformat, "timestamp with time zone": _to_moment, "uuid": UUID,
}  # fmt: skip
"""From text, as JSON writes it."""


def cast_to(name: str) -> Callable[[Any], Any]:
    """A cast of text.

    Raises:
        NotEvaluable: for a type whose text only the server reads.
    """
    known = CASTS.get(name)
    if known is None:
        raise NotEvaluable(f"a cast to {name} is evaluated by the server only")

    def cast(value: Any) -> Any:
        if isinstance(value, Json):
            raise NotEvaluable(f"a cast of jsonb to {name} is evaluated by the server only")
        if not isinstance(value, str):
            raise NotEvaluable(f"a cast of {type(value).__name__} to {name} is evaluated by the server only")
        try:
            return known(value)
        except (ValueError, InvalidOperation):
            raise NotEvaluable(f"text that is not a {name} is an error of the server") from None

    return cast
