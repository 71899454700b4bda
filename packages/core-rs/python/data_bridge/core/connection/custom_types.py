"""Types that the application teaches the library."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

from data_bridge.core import _native
from data_bridge.core.connection import context
from data_bridge.core.errors import ConfigurationError

__all__ = ["register_type"]


def register_type(
    name: str,
    *,
    encode: Callable[[Any], bytes | str] | None = None,
    decode: Callable[[bytes], Any] | None = None,
    python_type: type[Any] | None = None,
    using: Any = None,
) -> None:
    """Teaches how values of a type of the database are sent and read, also inside arrays, ranges and composites.

    With `encode` and `decode` the type is any that has no codec of its own, an enum or a composite. The bytes are
    PostgreSQL's binary form, those of the type's ``send`` and ``receive`` functions. A str is the text that the type's input
    function reads; the server turns it into the binary form, which takes one round trip for each value. It stands for a
    whole parameter: inside arrays, ranges and composites, and in COPY, `encode` must return bytes. With `python_type`
    alone, an `enum.Enum` stands for an enum type by the
    values of its members, and any other class for a composite type, made by ``python_type(**fields)`` and read by its
    attributes.

    Statements that ran before are resolved again. A later registration of the same name counts.

    Args:
        name: the type's name, with its schema where two have the same.
        encode: makes the bytes, or the text, of a value. It is never called with None, which is NULL.
        decode: makes the value of the bytes.
        python_type: values of other classes are refused before anything is sent.
        using: the database, or its alias, that has the type; all of them by default.

    Raises:
        ConfigurationError: when only one of `encode` and `decode` is given, or nothing at all; for a built-in type.

    >>> from data_bridge.core import register_type
    >>> import struct
    >>> register_type(
    ...     "complex_number",
    ...     encode=lambda z: struct.pack("!dd", z.real, z.imag),
    ...     decode=lambda b: complex(*struct.unpack("!dd", b)),
    ...     python_type=complex,
    ... )
    """
    pool: int | None = None
    if using is not None:
        database = context.named(using) if isinstance(using, str) else getattr(using, "database", using)
        pool = database._pool.id
    if encode is not None and decode is not None:
        _native.register_type(name, encode, decode, python_type, pool, False)
    elif encode is not None or decode is not None:
        raise ConfigurationError(f"register_type({name!r}) takes encode and decode together")
    elif python_type is None:
        raise ConfigurationError(f"register_type({name!r}) takes encode and decode, or python_type")
    elif issubclass(python_type, Enum):
        # Labels are taken as well: the class is not asked for.
        _native.register_type(name, _label, python_type, None, pool, True)
    else:
        _native.register_type(name, _itself, partial(_made, python_type), python_type, pool, True)


def _label(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _itself(value: Any) -> Any:
    return value


def _made(cls: type[Any], fields: dict[str, Any]) -> Any:
    return cls(**fields)
