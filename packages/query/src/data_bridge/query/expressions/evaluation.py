"""How PostgreSQL compares and computes values, for expressions evaluated in memory."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

__all__ = ["BINARY", "CALLS", "COMPARE", "UNARY", "CText", "NotEvaluable", "compare", "equal", "same"]


class NotEvaluable(TypeError):
    """Only the server can evaluate this expression."""


class CText(str):
    """Text under the collation C: in order of its code points, in memory as on the server."""

    __slots__ = ()


def compare(a: Any, b: Any) -> int:
    """The sign of a comparison, as the server compares these types."""
    if isinstance(a, str) and isinstance(b, str):
        if a == b:
            return 0
        if not (isinstance(a, CText) or isinstance(b, CText)):
            raise NotEvaluable('the order of text depends on the collation of the server: compare under collate("C")')
        x, y = a.encode(), b.encode()
        return int(x > y) - int(x < y)
    a, b = _numbers(a, b)
    if a != a or b != b:
        # NaN equals itself and is greater than everything else.
        return int(a != a) - int(b != b)
    return int(a > b) - int(a < b)


def _numbers(a: Any, b: Any) -> tuple[Any, Any]:
    """A float beside an exact number makes a float of both."""
    if isinstance(a, float) and isinstance(b, Decimal | int):
        return a, float(b)
    if isinstance(b, float) and isinstance(a, Decimal | int):
        return float(a), b
    return a, b


def equal(a: Any, b: Any) -> bool:
    """Whether ``=`` is true."""
    if isinstance(a, int | float | Decimal | str) and isinstance(b, int | float | Decimal | str):
        return a == b if isinstance(a, str) or isinstance(b, str) else compare(a, b) == 0
    return bool(a == b)


def same(a: Any, b: Any) -> bool:
    """Whether IS NOT DISTINCT FROM is true."""
    return a is None and b is None if a is None or b is None else equal(a, b)


def _add(a: Any, b: Any) -> Any:
    x, y = _numbers(a, b)
    return x + y


def _subtract(a: Any, b: Any) -> Any:
    x, y = _numbers(a, b)
    return x - y


def _multiply(a: Any, b: Any) -> Any:
    x, y = _numbers(a, b)
    return x * y


def _divide(a: Any, b: Any) -> Any:
    a, b = _numbers(a, b)
    if isinstance(a, int) and isinstance(b, int):
        # Towards zero, unlike Python.
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) == (b < 0) else -quotient
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        raise NotEvaluable("how many digits a quotient of numeric has is decided by the server")
    return a / b


def _modulo(a: Any, b: Any) -> Any:
    remainder = abs(a) % abs(b)
    return remainder if a >= 0 else -remainder


def _power(a: Any, b: Any) -> Any:
    return float(a) ** float(b)


def _plain_case(name: str, *texts: str) -> None:
    if not all(text.isascii() or isinstance(text, CText) for text in texts):
        raise NotEvaluable(
            f'{name} of letters beyond ASCII depends on the collation of the server: ask the database, or write collate("C"), '
            "which leaves them as they are"
        )


_LOWER = {i: i + 32 for i in range(ord("A"), ord("Z") + 1)}
_UPPER = {small: large for large, small in _LOWER.items()}


def _lower(text: str) -> str:
    _plain_case("lower()", text)
    return type(text)(text.translate(_LOWER))


def _upper(text: str) -> str:
    _plain_case("upper()", text)
    return type(text)(text.translate(_UPPER))


def _like(text: str, pattern: str, *, ignore_case: bool = False) -> bool:
    if ignore_case:
        _plain_case("ILIKE", text, pattern)
    out: list[str] = []
    i = 0
    while i < len(pattern):
        c = pattern[i]
        if c == "\\" and i + 1 < len(pattern):
            i += 1
            out.append(re.escape(pattern[i]))
        else:
            out.append(".*" if c == "%" else "." if c == "_" else re.escape(c))
        i += 1
    return re.fullmatch("".join(out), text, re.DOTALL | (re.IGNORECASE | re.ASCII if ignore_case else 0)) is not None


def _contains(a: Any, b: Any) -> bool:
    if not isinstance(a, list) or not isinstance(b, list):
        raise NotEvaluable("@> is evaluated in memory for arrays only")
    # NULLs equal nothing, not even each other.
    return all(item is not None and item in a for item in b)  # pyright: ignore[reportUnknownVariableType]


def _overlap(a: Any, b: Any) -> bool:
    if not isinstance(a, list) or not isinstance(b, list):
        raise NotEvaluable("&& is evaluated in memory for arrays only")
    return any(item is not None and item in a for item in b)  # pyright: ignore[reportUnknownVariableType]


def _not_equal(a: Any, b: Any) -> bool:
    return not equal(a, b)


def _less(a: Any, b: Any) -> bool:
    return compare(a, b) < 0


def _at_most(a: Any, b: Any) -> bool:
    return compare(a, b) <= 0


def _more(a: Any, b: Any) -> bool:
    return compare(a, b) > 0


def _at_least(a: Any, b: Any) -> bool:
    return compare(a, b) >= 0


def _ilike(text: str, pattern: str) -> bool:
    return _like(text, pattern, ignore_case=True)


def _negated(apply: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def negated(a: Any, b: Any) -> bool:
        return not apply(a, b)

    return negated


def _contained(a: Any, b: Any) -> bool:
    return _contains(b, a)


def _position(text: str, part: str) -> int:
    return text.find(part) + 1


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": equal,
    "<>": _not_equal,
    "<": _less,
    "<=": _at_most,
    ">": _more,
    ">=": _at_least,
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "^": _power,
    "||": operator.add,
    "like": _like,
    "not like": _negated(_like),
    "ilike": _ilike,
    "not ilike": _negated(_ilike),
    "^@": str.startswith,
    "@>": _contains,
    "<@": _contained,
    "&&": _overlap,
}
UNARY: dict[str, Callable[[Any], Any]] = {"not": operator.not_, "neg": operator.neg, "pos": operator.pos}
CALLS: dict[str, Callable[..., Any]] = {
    "lower": _lower,
    "upper": _upper,
    "length": len,
    "abs": abs,
    "cardinality": len,
    "strpos": _position,
}
