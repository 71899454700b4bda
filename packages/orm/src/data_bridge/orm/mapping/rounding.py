"""Columns whose values the server may change on their way in: rounds, pads, or writes in a form of its own."""

from __future__ import annotations

import re

from data_bridge.query.types import SQLType

_OWN_FORM = frozenset({"range", "multirange", "vector"})
"""[1,5] of integers becomes [1,6), and vectors are made of float4."""
_LIMITED = re.compile(r"^(numeric|timestamp|time|interval) ?\(|^character\(|^real$")


def may_change(of: SQLType) -> bool:
    """Whether what is stored may be another value than the one that was sent, which fits the type.

    >>> from data_bridge.query import types
    >>> may_change(types.Numeric(9, 2)), may_change(types.Numeric()), may_change(types.Varchar(9))
    (True, False, False)
    """
    if of.family == "array" and of.of is not None:
        return may_change(of.of)
    base = getattr(of.declared, "base", of.name)
    return of.family in _OWN_FORM or _LIMITED.match(base) is not None
