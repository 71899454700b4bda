"""Which of the given instances an INSERT … ON CONFLICT wrote: RETURNING has the written rows only, in the order of the given ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from data_bridge.orm.mapping.documents import is_same
from data_bridge.orm.persistence.brought_rows import Brought

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.persistence.conflict import Conflict


async def land_on_given(
    entity: Entity,
    rows: Sequence[Any],
    given: Sequence[str],
    conflict: Conflict | None,
    executor: Any,
    run: Callable[[], Any],
) -> list[tuple[int, Any]]:
    """Runs the statement, and settles the instances whose rows it wrote: these, with their places. The others stay new.

    Where a trigger has changed the values by which rows are recognised, loaded instances stand for those of this statement.
    """
    brought = Brought(entity, rows)
    with brought.taken_off():
        found: list[Any] = await run()
    # Of a row that was there the proposed values may have been left aside: those of the conflict are its own.
    compared = given if conflict is None or not conflict.update else [f.key for f in conflict.fields(entity)]
    places = (
        range(len(rows))
        if len(found) == len(rows)
        else _places(entity, rows, [k for k in compared if k in given], found)
    )
    if places is None:
        return list(enumerate(found))
    brought.settle(zip(places, found, strict=True), executor, given)
    return [(place, rows[place]) for place in places]


def _places(entity: Entity, rows: Sequence[Any], compared: Sequence[str], found: Sequence[Any]) -> list[int] | None:
    """The place of each written row among the given ones; None where that is not certain."""
    keys = [k for k in compared if k in entity.keys and not entity.by_key[k].spec.exclude_from_select]
    if not keys:
        return None
    places: list[int] = []
    at = 0
    for loaded in found:
        data = loaded.__dict__
        while at < len(rows) and not all(_is_stored_as(rows[at].__dict__[k], data[k]) for k in keys):
            at += 1
        if at == len(rows):
            return None
        places.append(at)
        at += 1
    return places


def _is_stored_as(sent: Any, stored: Any) -> bool:
    """Whether the database may have this value for one that was sent: it rounds numbers and moments, and pads text."""
    if sent is stored or is_same(sent, stored):
        return True
    if sent is None or stored is None:
        return False
    if isinstance(sent, str) and isinstance(stored, str):
        return sent.rstrip(" ") == stored.rstrip(" ")
    if isinstance(sent, int | float | Decimal) and isinstance(stored, int | float | Decimal):
        return _is_rounded(sent, stored)
    if isinstance(sent, datetime) and isinstance(stored, datetime):
        if (sent.tzinfo is None) is not (stored.tzinfo is None):
            return False
        return abs(sent - stored) <= _SECOND
    if isinstance(sent, timedelta) and isinstance(stored, timedelta):
        return abs(sent - stored) <= _SECOND
    if isinstance(sent, time) and isinstance(stored, time):
        return abs(_seconds(sent) - _seconds(stored)) <= 1
    return bool(sent == stored)


def _seconds(moment: time) -> float:
    return moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6


_SECOND = timedelta(seconds=1)


def _is_rounded(sent: Any, stored: Any) -> bool:
    if isinstance(sent, bool) or isinstance(stored, bool):
        return False
    a, b = (Decimal(repr(v)) if isinstance(v, float) else Decimal(v) for v in (sent, stored))
    if not a.is_finite() or not b.is_finite():
        return str(a) == str(b)
    places = b.as_tuple().exponent
    unit = Decimal(1).scaleb(places if isinstance(places, int) else 0)
    # float4 has six digits that are certain.
    return abs(a - b) <= max(unit / 2, abs(a) * Decimal("1e-6") if isinstance(stored, float) else Decimal(0))
