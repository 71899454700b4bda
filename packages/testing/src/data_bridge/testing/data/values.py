"""A valid value for a column: the n-th one is always the same, and two of a unique column differ."""

from __future__ import annotations

import inspect
import random
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from data_bridge.core import ConfigurationError
from data_bridge.testing.data.columns import ModelColumn
from data_bridge.testing.data.limits import Limits

__all__ = ["value_for"]

START = datetime(2024, 1, 1, 12, tzinfo=UTC)
REACHES = (1, 0.001, 100)
"""How far the values of the first attempt, the second and the third are spread; and so on."""


class Dice(random.Random):
    """Chance that is the same in each run.

    Attributes:
        attempt: how many values of the row a check has refused.
    """

    def __init__(self, seed: str, attempt: int) -> None:
        super().__init__(seed)
        self.attempt = attempt


def value_for(column: ModelColumn, owner: str, n: int, attempt: int = 0) -> Any:
    """The n-th value of a column; another `attempt` returns another value when a check refused the first.

    Raises:
        ConfigurationError: for a type whose values cannot be generated; the factory must be given one.
    """
    dice = Dice(f"{owner}.{column.key}.{n}.{attempt}", attempt)
    if column.limits.choices:
        return _chosen(column, n, dice)
    return _value(column.annotation, column, owner, n, dice)


def _value(annotation: Any, column: ModelColumn, owner: str, n: int, dice: Dice) -> Any:
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


def _of_class(kind: type[Any], column: ModelColumn, owner: str, n: int, dice: Dice) -> Any:
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


def _nested(model: Any, column: ModelColumn, owner: str, n: int, dice: Dice) -> Any:
    values: dict[str, Any] = {}
    for key, info in model.model_fields.items():
        if info.is_required():
            part = ModelColumn(key, key, info.annotation, False, False, False, Limits())
            values[key] = _value(info.annotation, part, f"{owner}.{column.key}", n, dice)
    return model(**values)


def _chosen(column: ModelColumn, n: int, dice: Dice) -> Any:
    """One of the values that a check allows, as the type of the field."""
    choices = column.limits.choices
    if column.unique:
        if n > len(choices):
            raise _exhausted(column, len(choices))
        value = choices[n - 1]
    else:
        value = choices[n % len(choices)] if column.varied else dice.choice(choices)
    kind = column.annotation
    if inspect.isclass(kind) and issubclass(kind, Enum | Decimal | UUID):
        return kind(value)
    return value


def _exhausted(column: ModelColumn, number: int) -> ConfigurationError:
    return ConfigurationError(
        f"{column.key} is unique and has no more than {number} different values here"
        f"\nhint: give one in the factory: {column.key} = lambda n: …"
    )


def _numbered(column: ModelColumn, n: int, steps: int, dice: Dice, spread: int) -> int:
    """A step from the lower bound, of which there are `steps` and one: unique, varied, or by chance within a spread."""
    if column.unique:
        if n > steps:
            raise _exhausted(column, steps)
        number = n + dice.attempt * 1_000_000
        return number if number <= steps else n
    if column.varied:
        return (n + dice.attempt) % (steps + 1)
    return dice.randint(0, min(steps, max(10, int(spread * REACHES[dice.attempt % 3]))))


def _integer(column: ModelColumn, n: int, dice: Dice) -> int:
    limits = column.limits
    step = int(limits.multiple or 1)
    low, high = limits.integers()
    if low is None or low < 0 <= (high if high is not None else 0):
        # Small numbers are easier to read than those at the end of a type.
        low = 0 if high is None or high >= 0 else high - 10_000 * step
    start = -(-low // step) * step
    steps = (high - start) // step if high is not None else 2**62
    return start + _numbered(column, n, max(0, steps), dice, 10_000 // step) * step


def _text(column: ModelColumn, n: int, dice: Dice) -> str:
    limits = column.limits
    if limits.pattern is not None:
        raise ConfigurationError(
            f"no text can be invented for the pattern of {column.key}\nhint: give one: {column.key} = lambda n: …"
        )
    text = f"{column.key}{n}@example.com" if "email" in column.key else f"{column.key} {n}"
    if limits.max_length is not None and len(text) > limits.max_length:
        if not column.unique and not column.varied:
            return text[: limits.max_length]
        number = _in_letters(n).rjust(limits.max_length, "0")
        if len(number) > limits.max_length and column.unique:
            raise _exhausted(column, len(LETTERS) ** limits.max_length - 1)
        return number[-limits.max_length :] if limits.max_length else ""
    return text.rjust(limits.min_length, "x")


LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _in_letters(number: int) -> str:
    """A number with as few characters as an index that ignores case tells apart."""
    found = ""
    while number:
        number, digit = divmod(number, len(LETTERS))
        found = LETTERS[digit] + found
    return found


def _decimal(column: ModelColumn, n: int, dice: Dice) -> Decimal:
    limits = column.limits
    places = limits.places if limits.places is not None else 2
    unit = Decimal(1).scaleb(-places)
    top = Decimal(10) ** ((limits.digits - places) if limits.digits is not None else 4) - unit
    high = min(top, _rounded(limits.high, unit, limits.open_high, -1)) if limits.high is not None else None
    if limits.low is not None:
        low = max(-top, _rounded(limits.low, unit, limits.open_low, 1))
    else:
        low = max(-top, high - 1000) if high is not None and high < 0 else Decimal(0)
    high = max(top, low + 1000) if high is None and limits.digits is None else top if high is None else high
    steps = max(0, int((high - low) / unit))
    return (low + _numbered(column, n, steps, dice, 1_000_000) * unit).quantize(unit)


def _rounded(bound: Any, unit: Decimal, is_open: bool, inwards: int) -> Decimal:
    """The last number of this many places that a bound allows."""
    given = Decimal(str(bound))
    near = given.quantize(unit, ROUND_CEILING if inwards > 0 else ROUND_FLOOR)
    return near + inwards * unit if is_open and near == given else near


def _float(column: ModelColumn, n: int, dice: Dice) -> float:
    limits = column.limits
    high = float(limits.high) if limits.high is not None else None
    low = float(limits.low) if limits.low is not None else 0.0 if high is None or high > 0 else high - 1000.0
    high = low + 1000.0 if high is None else high
    return low + (high - low) * dice.uniform(0.01, 0.99)


def _moment(column: ModelColumn, n: int, dice: Dice) -> datetime:
    first, steps = _span(column.limits, START, timedelta(seconds=1))
    return first + timedelta(seconds=_numbered(column, n, steps, dice, 86_400 * 365))


def _date(column: ModelColumn, n: int, dice: Dice) -> date:
    first, steps = _span(column.limits, START.replace(hour=0), timedelta(days=1))
    return (first + timedelta(days=_numbered(column, n, steps, dice, 365))).date()


def _span(limits: Limits, start: datetime, unit: timedelta) -> tuple[datetime, int]:
    """The first moment, and how many units come behind it."""
    low, high = (_as_moment(bound) for bound in (limits.low, limits.high))
    if low is not None and limits.open_low:
        low += unit
    if high is not None and limits.open_high:
        high -= unit
    first = low if low is not None and low > start else start
    if high is not None and high < first:
        first = low if low is not None else high - 365 * unit
    return first, max(0, (high - first) // unit) if high is not None else 2**31


def _as_moment(bound: Any) -> datetime | None:
    if bound is None or isinstance(bound, datetime):
        return bound if bound is None or bound.tzinfo else bound.replace(tzinfo=UTC)
    return datetime(bound.year, bound.month, bound.day, tzinfo=UTC)


Maker = Callable[[ModelColumn, int, Dice], Any]
MAKERS: tuple[tuple[type, Maker], ...] = (
    (bool, lambda column, n, dice: bool(dice.getrandbits(1))),
    (int, _integer),
    (str, _text),
    (Decimal, _decimal),
    (float, _float),
    (datetime, _moment),
    (date, _date),
    (time, lambda column, n, dice: time(dice.randrange(24), dice.randrange(60), n % 60)),
    (timedelta, lambda column, n, dice: timedelta(seconds=n if column.unique else dice.randrange(86_400))),
    (UUID, lambda column, n, dice: UUID(int=dice.getrandbits(128), version=4)),
    (bytes, lambda column, n, dice: b"%d" % n if column.unique else dice.randbytes(8)),
)
