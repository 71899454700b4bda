"""Joins: what joins two sources, and the condition inferred from a foreign key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ..expressions.expr import Built
from ..expressions.node import Node, Params, Structure
from ..expressions.sources import Source, TableSource

__all__ = ["How", "join_structure"]

_CONDITIONAL = frozenset({"inner", "left", "right", "full"})
How = Literal["inner", "left", "right", "full", "cross", "natural"]


def join_structure(
    source: Source, on: Any, how: str, using: Sequence[str] | str | None, before: Iterable[Source]
) -> tuple[Structure, Params]:
    """One join as it stands in the extras of a statement."""
    if type(on) is Built and using is None and how in _CONDITIONAL:
        return (how, source.s, (on.s,)), source.p + on.p
    if how == "cross":
        if on is not None or using is not None:
            raise TypeError("a cross join has no condition")
        return ("cross", source.s, None), source.p
    if how == "natural":
        return ("inner", source.s, "natural"), source.p
    if how not in ("inner", "left", "right", "full"):
        raise ValueError(f"how is one of inner, left, right, full, cross, natural, got {how!r}")
    if using is not None:
        names = (using,) if isinstance(using, str) else tuple(using)
        return (how, source.s, ("using", *names)), source.p
    conditions = inferred(source, list(before)) if on is None else conditions_of(on)
    return (how, source.s, tuple(c.s for c in conditions)), source.p + tuple(v for c in conditions for v in c.p)


def conditions_of(on: Any) -> list[Node[bool]]:
    """The condition, or several that are joined by AND."""
    if isinstance(on, Node):
        return [on]
    if isinstance(on, tuple | list) and all(isinstance(item, Node) for item in on):  # pyright: ignore[reportUnknownVariableType]
        return list(on)  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(f"on is a condition, got {type(on).__name__}")  # pyright: ignore[reportUnknownArgumentType]


def inferred(source: Source, before: list[Source]) -> list[Node[bool]]:
    """The condition of the only foreign key between a source and those before it; TypeError when there is not just
    one.
    """
    found: list[list[Node[bool]]] = []
    for other in before:
        found += _keys(source, other)
        if other.s != source.s or not source.foreign_keys:
            found += _keys(other, source)
    if len(found) == 1:
        return found[0]
    names = ", ".join(other.label for other in before) or "nothing"
    what = "no foreign key" if not found else f"{len(found)} foreign keys"
    raise TypeError(f"{what} between {source.label} and {names}: say join(…, on=condition)")


def _keys(owner: Source, target: Source) -> list[list[Node[bool]]]:
    """Conditions of the foreign keys from one source to another."""
    if not isinstance(target, TableSource) or not owner.foreign_keys:
        return []
    definition = target.__table_def__
    result: list[list[Node[bool]]] = []
    for columns, (schema, table), there in owner.foreign_keys:
        if table != definition.name or (schema or None) != (definition.schema or None):
            continue
        keys = there or definition.primary_key
        result.append([owner.column(a) == target.column(b) for a, b in zip(columns, keys, strict=True)])
    return result
