"""Truth: what a condition says before any row is asked. TRUE filters nothing, however it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .node import Params, Structure

__all__ = ["filters_rows", "truth_of"]

_IS: dict[str, tuple[bool, bool]] = {
    "true": (False, True), "false": (True, False), "not true": (True, False), "not false": (False, True),
    "null": (False, False), "not null": (True, True), "unknown": (False, False), "not unknown": (True, True),
}  # fmt: skip
"""The results of IS for FALSE and for TRUE."""
_TEXTS = {"true": True, "1=1": True, "false": False, "1=0": False}


def truth_of(s: Structure, p: Params) -> bool | None:
    """TRUE or FALSE where the condition is that for every row; None where it depends on the row.

    >>> from data_bridge.query import and_, not_, or_, table, column
    >>> t = table("t", column("a", int))
    >>> [truth_of(c.s, c.p) for c in (and_(), not_(or_()), and_() & (t.a > 1))]
    [True, True, None]
    """
    return _truth(s, iter(p))


def filters_rows(conditions: Iterable[Structure], p: Params) -> bool:
    """Whether one of these conditions, which are joined by AND, is more than TRUE."""
    values = iter(p)
    # The truth of a comparison is not known; each of the others takes its parameters.
    return any((type(s) is tuple and s and s[0] not in _DECIDED) or _truth(s, values) is not True for s in conditions)


_DECIDED = frozenset({"true", "false", "$", "not", "and", "or", "is", "cast", "raw"})
"""What may be TRUE for every row."""


def _truth(s: Structure, values: Iterator[Any]) -> bool | None:
    if s == "$":
        return _known(next(values))
    if type(s) is not tuple or not s:
        return None
    tag: str = s[0]  # pyright: ignore[reportUnknownVariableType]
    rest: tuple[Any, ...] = s[1:]  # pyright: ignore[reportUnknownVariableType]
    if tag in ("true", "false"):
        return tag == "true"
    if tag == "$":
        return _known(next(values))
    if tag == "not":
        inner = _truth(rest[0], values)
        return None if inner is None else not inner
    if tag in ("and", "or"):
        decisive = tag == "or"
        parts = [_truth(part, values) for part in rest]
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    if tag == "is" and len(rest) == 2:
        inner = _truth(rest[0], values)
        return None if inner is None or rest[1] not in _IS else _IS[rest[1]][inner]
    if tag == "cast" and len(rest) == 2:
        return _truth(rest[0], values)
    if tag == "raw" and len(rest) == 1 and isinstance(rest[0], str):
        return _TEXTS.get(rest[0].lower().replace(" ", ""))
    for part in rest:
        _truth(part, values)
    return None


def _known(value: Any) -> bool | None:
    return value if type(value) is bool else None
