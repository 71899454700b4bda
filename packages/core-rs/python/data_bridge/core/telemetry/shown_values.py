"""Parameters as logs show them when `log_values=True` asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["has_secret", "shown_value", "shown_values"]

_TEXT = 60
_ELEMENTS = 5
_MASK = "'**********'"


def _is_secret(kind: Any) -> bool:
    """Whether a class is that of a column of secrets (`is_secret`), or one of Pydantic's secrets."""
    return getattr(kind, "is_secret", False) or hasattr(kind, "get_secret_value")


def has_secret(values: Any) -> bool:
    """Whether a parameter, or an element of an array, is a secret."""
    return any(_is_secret(v.__class__) or (isinstance(v, list | tuple) and has_secret(v)) for v in values)


def shown_value(value: Any) -> str:
    """A parameter in at most some sixty characters: secrets masked, documents and bytes by their size.

    >>> shown_value("Ann"), shown_value([1, 2]), shown_value(b"abc")
    ("'Ann'", '[1, 2]', '<3 bytes>')
    """
    kind: Any = value.__class__
    if _is_secret(kind):
        return _MASK
    if issubclass(kind, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if issubclass(kind, list | tuple):
        shown = [shown_value(v) for v in value[:_ELEMENTS]]
        more = [f"… {len(value)} elements"] if len(value) > _ELEMENTS else []
        return f"[{', '.join(shown + more)}]"
    if issubclass(kind, Mapping) or hasattr(kind, "__pydantic_fields__"):
        # A document may hold secrets at any depth.
        return f"<{kind.__name__}>"
    text = repr(value)
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def shown_values(values: tuple[Any, ...]) -> str:
    """All parameters of a statement: `$1='Ann' $2=5`."""
    return " ".join(f"${n}={shown_value(v)}" for n, v in enumerate(values, 1))
