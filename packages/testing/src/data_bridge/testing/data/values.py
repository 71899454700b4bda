"""A valid value for a column: the n-th one is always the same, and two of a unique column differ."""

from __future__ import annotations

import inspect
import random
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from data_bridge.core import ConfigurationError
from data_bridge.testing.data.columns import Limits, ModelColumn

__all__ = ["value_for"]

START = datetime(2024, 1, 1, 12, tzinfo=UTC)


def value_for(column: ModelColumn, owner: str, n: int, attempt: int = 0) -> Any:
    """The n-th value of a column; another `attempt` gives another value when a check refused the first.

    Raises:
        ConfigurationError: for a type nobody can invent values of; the factory must be given one.
    """
    dice = random.Random(f"{owner}.{column.key}.{n}.{attempt}")
    return _value(column.annotation, column, owner, n, dice)


def _value(annotation: Any, column: ModelColumn, owner: str, n: int, dice: random.Random) -> Any:
    origin: Any = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _value(typing.get_args(annotation)[0], column, owner, n, dice)
    if origin is typing.Literal:
        return dice.choice(typing.get_args(annotation))
    if origin in (list, set, frozenset, tuple) or annotation in (list, set, tuple):
        return _empty(origin or annotation)
    if origin is dict or annotation is dict:
        return {}
    if inspect.isclass(annotation):
        return _of_class(annotation, column, owner, n, dice)
    raise _impossible(annotation, column, owner)


def _empty(container: Callable[[], Any]) -> Any:
    return container()


def _of_class(kind: type[Any], column: ModelColumn, owner: str, n: int, dice: random.Random) -> Any:
    if issubclass(kind, Enum):
        return dice.choice(list(kind))
    for known, make in MAKERS:
        if issubclass(kind, known):
            return make(column, n, dice)
    if hasattr(kind, "model_fields"):
        return _nested(kind, column, owner, n, dice)
    raise _impossible(kind, column, owner)


def _impossible(annotation: Any, column: ModelColumn, owner: str) -> ConfigurationError:
    return ConfigurationError(
        f"no value can be invented for {owner}.{column.key} of type {annotation!r}"
        f"\nhint: give one in the factory: {column.key} = lambda n: …"
    )


def _nested(model: Any, column: ModelColumn, owner: str, n: int, dice: random.Random) -> Any:
    values: dict[str, Any] = {}
    for key, info in model.model_fields.items():
        if info.is_required():
            part = ModelColumn(key, key, info.annotation, False, False, False, Limits())
            values[key] = _value(info.annotation, part, f"{owner}.{column.key}", n, dice)
    return model(**values)


def _integer(column: ModelColumn, n: int, dice: random.Random) -> int:
    limits = column.limits
    low = int(limits.low) + limits.open_low if limits.low is not None else None
    high = int(limits.high) - limits.open_high if limits.high is not None else None
    step = int(limits.multiple or 1)
    floor = 0 if low is None or low < 0 <= (high if high is not None else 0) else low
    span = min((high - floor) if high is not None else 10_000, 10_000) // step
    number = n if column.unique else dice.randint(0, max(0, span))
    start = -(-floor // step) * step
    return start + (number % (span + 1) if not column.unique else number) * step


def _text(column: ModelColumn, n: int, dice: random.Random) -> str:
    limits = column.limits
    if limits.pattern is not None:
        raise ConfigurationError(
            f"no text can be invented for the pattern of {column.key}\nhint: give one: {column.key} = lambda n: …"
        )
    text = f"{column.key}{n}@example.com" if "email" in column.key else f"{column.key} {n}"
    if limits.max_length is not None and len(text) > limits.max_length:
        # The number is what makes it different: keep the end.
        text = (f"{n}" if column.unique else text)[-limits.max_length :] or ""
    return text.ljust(limits.min_length, "x")


def _decimal(column: ModelColumn, n: int, dice: random.Random) -> Decimal:
    limits = column.limits
    places = limits.places if limits.places is not None else 2
    unit = Decimal(1).scaleb(-places)
    top = Decimal(10) ** ((limits.digits - places) if limits.digits is not None else 4) - unit
    high = min(top, Decimal(str(limits.high)) - (unit if limits.open_high else 0)) if limits.high is not None else top
    low = Decimal(str(limits.low)) + (unit if limits.open_low else 0) if limits.low is not None else Decimal(0)
    steps = max(0, int((high - low) / unit))
    number = n if column.unique else dice.randint(0, min(steps, 1_000_000))
    return (low + number * unit).quantize(unit)


def _float(column: ModelColumn, n: int, dice: random.Random) -> float:
    limits = column.limits
    low = float(limits.low) if limits.low is not None else 0.0
    high = float(limits.high) if limits.high is not None else max(low + 1000.0, 1000.0)
    return low + (high - low) * dice.uniform(0.01, 0.99)


def _moment(column: ModelColumn, n: int, dice: random.Random) -> datetime:
    return START + timedelta(seconds=n if column.unique else dice.randrange(86_400 * 365))


Maker = Callable[[ModelColumn, int, random.Random], Any]
MAKERS: tuple[tuple[type, Maker], ...] = (
    (bool, lambda column, n, dice: bool(dice.getrandbits(1))),
    (int, _integer),
    (str, _text),
    (Decimal, _decimal),
    (float, _float),
    (datetime, _moment),
    (date, lambda column, n, dice: START.date() + timedelta(days=n if column.unique else dice.randrange(365))),
    (time, lambda column, n, dice: time(dice.randrange(24), dice.randrange(60), n % 60)),
    (timedelta, lambda column, n, dice: timedelta(seconds=n if column.unique else dice.randrange(86_400))),
    (UUID, lambda column, n, dice: UUID(int=dice.getrandbits(128), version=4)),
    (bytes, lambda column, n, dice: b"%d" % n if column.unique else dice.randbytes(8)),
)
