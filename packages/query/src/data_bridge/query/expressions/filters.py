"""What where(), having() and on accept: conditions, mappings of equalities, keyword equalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..types.sql_types import Boolean
from .node import Node, Params, Structure
from .sources import Source

__all__ = ["added"]


def added(
    s: tuple[Structure, ...], p: Params, conditions: tuple[Any, ...], equals: Mapping[str, Any], source: Source | None
) -> tuple[tuple[Structure, ...], Params]:
    """The conditions with more of them, joined by AND."""
    for condition in conditions:
        if isinstance(condition, Node):
            of = condition.t
            if of is not Boolean and of is not None and of.family != "bool":
                raise TypeError(f"{condition!r} is not a condition but {of.name}: compare it with something")
            s = (*s, condition.s)
            p = p + condition.p
        elif isinstance(condition, Mapping):
            for key, value in condition.items():  # pyright: ignore[reportUnknownVariableType]
                equal = _equal(key, value, source)
                s, p = (*s, equal.s), p + equal.p
        else:
            raise TypeError(_refused(condition))
    for key, value in equals.items():
        equal = _equal(key, value, source)
        s, p = (*s, equal.s), p + equal.p
    return s, p


def _equal(key: Any, value: Any, source: Source | None) -> Node[bool]:
    if isinstance(key, Node):
        return _equals(key, value)  # pyright: ignore[reportUnknownArgumentType]
    if not isinstance(key, str):
        raise TypeError(f"a key is a column or its name, got {type(key).__name__}")
    if source is None:
        raise TypeError(f"{key}=… needs a table: call from_() first")
    return _equals(source.column(key), value)


def _equals(node: Node[Any], value: Any) -> Node[bool]:
    made: Node[bool] = node.__eq__(value)
    return made


def _refused(condition: Any) -> str:
    if isinstance(condition, bool):
        return (
            f"a condition is an expression, got {condition}: an `and`, `or`, `not` or a comparison of plain values "
            "made it; write & | ~, or col(User.age) where a column is annotated as a plain type"
        )
    if condition is None:
        return "a condition is an expression, got None"
    return f"a condition is an expression, got {type(condition).__name__}"
