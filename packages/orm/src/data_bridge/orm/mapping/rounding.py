"""Columns whose values the server may change on their way in: rounds, pads, or writes in a form of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

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


def kept_as_sent(of: SQLType) -> Callable[[Any], bool]:
    """What tells of a value that the server stores it as it is sent. Of what it does not know it says no.

    >>> from decimal import Decimal
    >>> from data_bridge.query import types
    >>> kept = kept_as_sent(types.Numeric(9, 2))
    >>> kept(Decimal("1.50")), kept(Decimal("1.5")), kept(Decimal("1.505")), kept(None)
    (True, False, False, True)
    """
    limited = _NUMERIC.match(of.name)
    if limited is None:
        return _is_null
    unit = Decimal(1).scaleb(-int(limited[1] or 0))

    def kept(value: Any) -> bool:
        # The server has no -0.
        is_number = type(value) is Decimal and value.same_quantum(unit)
        return value is None or (is_number and not (value.is_zero() and value.is_signed()))

    return kept


def _is_null(value: Any) -> bool:
    return value is None


_NUMERIC = re.compile(r"^numeric\(\d+(?:, ?(\d+))?\)$")
