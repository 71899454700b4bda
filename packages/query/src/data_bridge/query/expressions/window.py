"""Windows of window functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from . import coercion
from .node import Node
from .order import Order

__all__ = ["Frame", "Window", "window"]

Bound: TypeAlias = Any
Frame: TypeAlias = tuple[Bound, Bound]
"""Start and end relative to the current row: ints (or intervals for RANGE), 0 is the current row, None is unbounded."""


class Window:
    """A window definition: what stands between the parentheses of OVER."""

    __slots__ = ("p", "s")

    def __init__(self, s: Any, p: tuple[Any, ...]) -> None:
        self.s = s
        self.p = p


def window(
    base: str | None = None,
    *,
    partition_by: Iterable[Node[Any]] | Node[Any] = (),
    order_by: Iterable[Node[Any] | Order] | Node[Any] | Order = (),
    rows: Frame | None = None,
    range: Frame | None = None,  # noqa: A002
    groups: Frame | None = None,
    exclude: Literal["current row", "group", "ties", "no others"] | None = None,
) -> Window:
    """A window for ``select(…).window(name=…)``, optionally on top of another one.

    >>> from data_bridge.query import func, select, table, column, window
    >>> t = table("t", column("a", int))
    >>> select(func.rank().over("w")).window(w=window(order_by=t.a)).from_(t).sql().sql
    'SELECT rank() OVER "w" FROM "t" WINDOW "w" AS (ORDER BY "t"."a")'
    """
    partition = _listed(partition_by)
    partition_s = tuple(e.s for e in partition)
    partition_p = tuple(value for e in partition for value in e.p)
    order_s, order_p = order_structures(_listed(order_by))
    frame_s, frame_p = _frame(rows, range, groups, exclude)
    return Window(("window", base, partition_s or None, order_s or None, frame_s), partition_p + order_p + frame_p)


def over(
    named: str | Window | None, partition_by: Any, order_by: Any, rows: Any, range_: Any, groups: Any, exclude: Any
) -> tuple[Any, tuple[Any, ...]]:
    """What follows OVER."""
    given = bool(_listed(partition_by) or _listed(order_by) or rows or range_ or groups)
    if isinstance(named, Window):
        return named.s, named.p
    if isinstance(named, str) and not given:
        return named, ()
    made = window(
        named, partition_by=partition_by, order_by=order_by, rows=rows, range=range_, groups=groups, exclude=exclude
    )
    return made.s, made.p


def _listed(items: Any) -> tuple[Any, ...]:
    return (items,) if isinstance(items, Node | Order) else tuple(items)  # pyright: ignore[reportUnknownVariableType]


def order_structure(key: Any) -> Any:
    """A sort key as structure: unary minus of a column means DESC here."""
    s = key.s
    if type(s) is tuple and s[0] == "neg":
        return ("desc", s[1])
    return s  # pyright: ignore[reportUnknownVariableType]


def order_structures(keys: Iterable[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Structures and parameters of sort keys."""
    found = tuple(keys)
    for key in found:
        if not isinstance(key, Node | Order):
            raise TypeError(f"expected a column, an expression or an Order, got {type(key).__name__}")
    return tuple(order_structure(key) for key in found), tuple(value for key in found for value in key.p)


def _frame(rows: Any, range_: Any, groups: Any, exclude: str | None) -> tuple[Any, tuple[Any, ...]]:
    given = [
        (unit, frame) for unit, frame in (("rows", rows), ("range", range_), ("groups", groups)) if frame is not None
    ]
    if not given:
        if exclude is not None:
            raise TypeError("exclude needs a frame: rows=, range= or groups=")
        return None, ()
    if len(given) > 1:
        raise TypeError("a window has one frame: rows=, range= or groups=")
    unit, frame = given[0]
    if not isinstance(frame, tuple) or len(frame) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise TypeError("a frame is (start, end), as in rows=(-2, 0); None is unbounded")
    start_s, start_p = _bound(frame[0], "unbounded preceding", unit)
    end_s, end_p = _bound(frame[1], "unbounded following", unit)
    return (unit, start_s, end_s, exclude), start_p + end_p


def _bound(bound: Any, unbounded: str, unit: str) -> tuple[Any, tuple[Any, ...]]:
    if bound is None:
        return unbounded, ()
    if bound == 0:
        return "current row", ()
    try:
        before = bound < type(bound)()
    except TypeError:
        raise TypeError(f"a bound of a frame is a number, a timedelta or None, got {type(bound).__name__}") from None
    distance = abs(bound)
    of = coercion.natural(distance)
    # Only RANGE has distances of other types than int, and only their type tells which.
    s = "$" if unit != "range" or of is None else ("$", of.name)
    return ("preceding" if before else "following", s), (distance,)
