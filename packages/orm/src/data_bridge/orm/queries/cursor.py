"""Cursors of keyset pages: sort keys as text that a client keeps and sends back."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, cast
from uuid import UUID

from data_bridge.core import Range
from data_bridge.core.errors import ConfigurationError, InvalidCursor

__all__ = ["cursor_of", "fingerprint", "values_of"]

# A JSON value stands for itself; everything else is an object of one member, whose name is the kind of the value.
_WRITERS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    time: ("time", time.isoformat),
    timedelta: ("interval", lambda v: [v.days, v.seconds, v.microseconds]),
    Decimal: ("decimal", str),
    UUID: ("uuid", str),
    bytes: ("bytes", bytes.hex),
    bytearray: ("bytes", lambda v: bytes(v).hex()),
    IPv4Address: ("address", str),
    IPv6Address: ("address", str),
    IPv4Interface: ("interface", str),
    IPv6Interface: ("interface", str),
    IPv4Network: ("network", str),
    IPv6Network: ("network", str),
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "interval": lambda v: timedelta(*v),
    "decimal": Decimal,
    "uuid": UUID,
    "bytes": bytes.fromhex,
    "address": ip_address,
    "interface": ip_interface,
    "network": ip_network,
    "float": float,
    "range": lambda v: Range(_read(v[0]), _read(v[1]), v[2]),
    "map": lambda v: {key: _read(item) for key, item in v.items()},
}


def fingerprint(sql: str, params: tuple[Any, ...]) -> str:
    """What tells the query of a cursor from others: its text, with order and filters, and its values."""
    return blake2b(f"{sql}\0{params!r}".encode(), digest_size=8).hexdigest()


def cursor_of(values: list[Any], query: str) -> str:
    """A cursor for the sort keys of a row; `query` is the fingerprint of its query.

    Raises:
        ConfigurationError: for a value that a cursor cannot carry.
    """
    text = json.dumps([query, *map(_written, values)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def values_of(cursor: str, query: str, count: int) -> list[Any]:
    """The sort keys in a cursor of the query whose fingerprint is `query`.

    Raises:
        InvalidCursor: for another text, or a cursor of another query.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        known, *found = json.loads(raw)
        values = [_read(value) for value in found]
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError, binascii.Error) as e:
        raise InvalidCursor("this is not a cursor: use the one that the page before returned") from e
    if known != query or len(values) != count:
        raise InvalidCursor(
            "this cursor belongs to another query: order, filters and their values must be those of the page that returned it"
        )
    return values


def _written(value: Any) -> Any:
    if isinstance(value, Enum):
        return _written(value.value)
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, Range):
        found: Range[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {"range": [_written(found.lower), _written(found.upper), found.bounds]}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in cast("list[Any]", value)]
    if isinstance(value, Mapping):
        members: Mapping[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {"map": {str(key): _written(item) for key, item in members.items()}}
    for kind in type(value).__mro__:
        if (known := _WRITERS.get(kind)) is not None:
            return {known[0]: known[1](value)}
    raise ConfigurationError(
        f"paginate() cannot carry a {type(value).__name__} in a cursor: order by another column, or use page()"
    )


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, inner),) = cast("dict[str, Any]", value).items()
        return _READERS[kind](inner)
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [_read(item) for item in items]
    return value
