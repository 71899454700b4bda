"""in_() and not_in(), and text methods whose argument is a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..types.sql_types import Boolean
from . import coercion
from .node import Node

if TYPE_CHECKING:
    from .expr import Expr


def among(node: Node[Any], values: Any, *, negated: bool) -> Expr[bool]:
    """``= ANY($1)`` or a subquery."""
    new = coercion.built
    if isinstance(values, str | bytes):
        raise TypeError(
            f"in_() takes a list of values, got a {type(values).__name__}: write [{type(values).__name__} …]"
        )
    as_operand = getattr(values, "__operand__", None)
    if as_operand is not None and not isinstance(values, type):
        s, p = as_operand()
        return new(("not in" if negated else "in", node.s, s), node.p + p, Boolean)
    if isinstance(values, Node):
        quantified = ("<>", node.s, ("all", values.s)) if negated else ("=", node.s, ("any", values.s))
        return new(quantified, node.p + values.p, Boolean)
    # The order of a set of texts differs between processes; a cursor of paginate() must fit the query in each.
    items: list[Any] = _sorted(values) if isinstance(values, (set, frozenset)) else list(values)  # pyright: ignore[reportArgumentType, reportUnknownVariableType]
    if any(isinstance(item, Node) for item in items) or node.s[0] == "row":
        return _listed(node, items, negated)
    known = [item for item in items if item is not None]
    of = node.t
    if of is not None and not (of.python is not None and all(type(item) is of.python for item in known)):
        known = [of.bind(item, node.__owner__) for item in known]
    elif of is None:
        known = [coercion.plain(item) for item in known]
    if of is not None and of.family == "array":
        # An array of arrays has no type of its own: a list of parameters has.
        return _listed(node, items, negated)
    one: Any = "$"
    if of is not None and any(coercion.is_of_own_class(of, item) for item in known):
        one = ("$", f"{coercion.without_modifier(of)}[]")
    if negated:
        result = new(("<>", node.s, ("all", one)), (*node.p, known), Boolean)
        return result & (node != None) if len(known) < len(items) else result  # noqa: E711
    result = new(("=", node.s, ("any", one)), (*node.p, known), Boolean)
    return result | (node == None) if len(known) < len(items) else result  # noqa: E711


def _sorted(values: Any) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


def _listed(node: Node[Any], items: list[Any], negated: bool) -> Expr[bool]:
    if not items:
        return coercion.built(("true",) if negated else ("false",), (), Boolean)
    parts = [coercion.compared(item, node.t, node.__owner__) for item in items]
    s = ("list", *(part for part, _ in parts))
    p = tuple(value for _, values in parts for value in values)
    return coercion.built(("not in" if negated else "in", node.s, s), node.p + p, Boolean)


def text_beside(node: Node[Any], text: Node[Any], before: str, after: str, ignore_case: bool) -> Expr[bool]:
    """startswith, endswith and contains of another column, which must be taken literally too."""
    a, b = node.s, text.s
    if ignore_case:
        a, b = ("call", "lower", a), ("call", "lower", b)
    p = node.p + text.p
    if before and after:
        return coercion.built((">", ("call", "strpos", a, b), ("$", "integer")), (*p, 0), Boolean)
    if after:
        return coercion.built(("^@", a, b), p, Boolean)
    # The text stands twice: its parameters are sent twice.
    s = ("=", ("call", "right", a, ("call", "length", b)), b)
    return coercion.built(s, p + text.p, Boolean)
