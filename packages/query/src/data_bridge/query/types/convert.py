"""What a Python value must be to go into a column: checked when an expression is built, before anything is sent.

Each converter takes a value that is *not* already of the type's own Python class (that case is decided by one ``type(v)
is`` in the caller) and returns the value to send, or raises ``TypeError`` / ``ValueError`` with what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID

Convert = Callable[[Any], Any]


def expected(what: str, value: object) -> TypeError:
    """The error of a converter: names the kind of the value, never the value."""
    return TypeError(f"expected {what}, got {type(value).__name__}")


def to_int(value: Any) -> int:
    """An int, or the text of one. Never a bool, never a float."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise ValueError("expected int, got a str that is not a decimal number") from None
    raise expected("int", value)


def ranged(low: int, high: int) -> Convert:
    """Like `to_int`, and within the width of the column."""

    def convert(value: Any) -> int:
        number = value if type(value) is int else to_int(value)
        if not low <= number <= high:
            raise ValueError(f"the int does not fit: {low} to {high}")
        return number

    return convert


def to_float(value: Any) -> float:
    """A float or an int."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    raise expected("float", value)


def to_decimal(value: Any) -> Decimal:
    """A Decimal, an int, or the text of a decimal number. Never a float: its digits are an accident."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            raise ValueError("expected Decimal, got a str that is not a decimal number") from None
    raise expected("Decimal", value)


def to_str(value: Any) -> str:
    """Only a str (and a str subclass, as the plain text it is)."""
    if isinstance(value, Enum) and isinstance(value.value, str):
        return value.value
    if isinstance(value, str):
        return str.__str__(value)
    raise expected("str", value)


def limited(length: int) -> Convert:
    """Text of at most this many characters."""

    def convert(value: Any) -> str:
        text = value if type(value) is str else to_str(value)
        if len(text) > length:
            raise ValueError(f"the str has {len(text)} characters, at most {length} fit")
        return text

    return convert


def to_bool(value: Any) -> bool:
    """Only a bool."""
    if isinstance(value, bool):
        return value
    raise expected("bool", value)


def to_bytes(value: Any) -> bytes:
    """Anything bytes-like."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)  # pyright: ignore[reportUnknownArgumentType]
    raise expected("bytes", value)


def _parsed(cls: type[Any], what: str, value: Any) -> Any:
    if isinstance(value, str):
        try:
            return cls.fromisoformat(value)
        except ValueError:
            raise ValueError(f"expected {what}, got a str that is not ISO 8601") from None
    raise expected(what, value)


def to_timestamptz(value: Any) -> datetime:
    """An aware datetime, or ISO text with an offset."""
    moment: datetime = value if isinstance(value, datetime) else _parsed(datetime, "an aware datetime", value)
    if moment.utcoffset() is None:
        raise ValueError("expected an aware datetime, got one without a time zone")
    return moment


def to_timestamp(value: Any) -> datetime:
    """A naive datetime, or ISO text without an offset."""
    moment: datetime = value if isinstance(value, datetime) else _parsed(datetime, "a naive datetime", value)
    if moment.tzinfo is not None:
        raise ValueError("expected a naive datetime, got one with a time zone")
    return moment


def to_date(value: Any) -> date:
    """A date (not a datetime, whose day depends on the zone), or ISO text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, datetime):
        raise expected("date", value)
    parsed: date = _parsed(date, "date", value)
    return parsed


def to_time(value: Any) -> time:
    """A naive time, or ISO text."""
    moment: time = value if isinstance(value, time) else _parsed(time, "time", value)
    if moment.tzinfo is not None:
        raise ValueError("expected a naive time, got one with a time zone")
    return moment


def to_timetz(value: Any) -> time:
    """An aware time, or ISO text with an offset."""
    moment: time = value if isinstance(value, time) else _parsed(time, "an aware time", value)
    if moment.tzinfo is None:
        raise ValueError("expected an aware time, got one without a time zone")
    return moment


def to_interval(value: Any) -> Any:
    """A timedelta, or anything core knows as an interval with months."""
    if isinstance(value, timedelta) or hasattr(value, "months"):
        return value
    raise expected("timedelta", value)


def to_uuid(value: Any) -> UUID:
    """A UUID, or its text."""
    if isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            raise ValueError("expected UUID, got a str that is not one") from None
    raise expected("UUID", value)


def to_json(value: Any) -> Any:
    """Anything JSON can say. Plain values pass at once, the rest is tried."""
    if isinstance(value, str | int | bool | None):
        return value
    import json  # For start-up time: most queries hold no document.

    try:
        json.dumps(value, default=_json_default, allow_nan=False)
    except ValueError:
        raise ValueError("expected a value JSON can hold, got NaN, infinity or a cycle") from None
    except TypeError as error:
        raise TypeError(f"expected a value JSON can hold: {error}") from None
    return value


def _json_default(value: Any) -> Any:
    # Core's JSON writer knows these; models and dataclasses come through their own dump.
    if isinstance(value, Decimal | datetime | date | time | UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields}
    if isinstance(value, tuple | set | frozenset | Mapping):
        return dict(value) if isinstance(value, Mapping) else list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(f"{type(value).__name__} is not serialisable")


def network(kind: str) -> Convert:
    """An address or network of `ipaddress`, or its text."""

    def convert(value: Any) -> Any:
        if type(value).__module__ == "ipaddress":
            return value
        if isinstance(value, str):
            from ipaddress import (  # For start-up time: most queries hold no address.
                ip_address,
                ip_interface,
                ip_network,
            )

            parse: Convert = ip_network if kind == "cidr" else ip_interface if "/" in value else ip_address
            try:
                return parse(value)
            except ValueError:
                raise ValueError(f"expected {kind}, got a str that is not an address") from None
        raise expected(f"an address of the ipaddress module or its text ({kind})", value)

    return convert


def span(bound: Convert) -> Convert:
    """A range, or (lower, upper) for one with its lower bound and without its upper one."""

    def convert(value: Any) -> Any:
        from data_bridge.core import Range  # For start-up time: most queries hold no range.

        if isinstance(value, tuple):
            pair: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
            if len(pair) != 2:
                raise ValueError(f"expected (lower, upper), got {len(pair)} items")
            lower, upper = (None if side is None else bound(side) for side in pair)
            return Range(lower, upper)
        if not isinstance(value, Range):
            raise expected("Range", value)
        found: Range[Any] = value  # pyright: ignore[reportUnknownVariableType]
        sides = [None if side is None else bound(side) for side in (found.lower, found.upper)]
        return Range(sides[0], sides[1], found.bounds)

    return convert


def spans(span: Convert) -> Convert:
    """The ranges of a multirange."""

    def convert(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise expected("a list of Range", value)
        ranges: list[Any] | tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return [span(one) for one in ranges]

    return convert


def member(enum: type[Enum]) -> Convert:
    """A member of `enum` or the value of one; what is sent is the value."""
    values = {m.value for m in enum}
    names = ", ".join(str(m.value) for m in enum)

    def convert(value: Any) -> Any:
        if isinstance(value, enum):
            return value.value
        if isinstance(value, Enum):
            raise expected(enum.__name__, value)
        try:
            known = value in values
        except TypeError:
            known = False
        if known:
            return value
        raise ValueError(f"expected {enum.__name__} (one of {names}), got another {type(value).__name__}")

    return convert


def one_of(values: tuple[str, ...]) -> Convert:
    """One of the labels of an enum type without a Python class."""

    def convert(value: Any) -> str:
        text = to_str(value)
        if text not in values:
            raise ValueError(f"expected one of {', '.join(values)}")
        return text

    return convert


def anything(value: Any) -> Any:
    """Types this library does not check: core encodes what it knows or says so."""
    return value
