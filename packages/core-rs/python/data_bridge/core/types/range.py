"""Ranges."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar, get_args

__all__ = ["Range"]

T = TypeVar("T")
Bounds = Literal["[)", "[]", "(]", "()", "empty"]


class Range(Generic[T]):
    """A value of a range type: `int8range`, `numrange`, `tstzrange`, `daterange` …

    `None` means no bound. `bounds` says which bounds belong to the range, as PostgreSQL writes it; `"empty"` is the range
    without an element. The server brings ranges of integers and dates into the form `[)`, so that ``Range(1, 3, "[]")``
    comes back as ``Range(1, 4)``.

    >>> from data_bridge.core import Range
    >>> Range(1, 5)
    Range(1, 5, '[)')
    >>> 4 in Range(1, 5), 5 in Range(1, 5), 5 in Range(1)
    (True, False, True)
    >>> Range.empty().is_empty
    True
    """

    __slots__ = ("bounds", "lower", "upper")

    lower: T | None
    upper: T | None
    bounds: Bounds

    def __init__(self, lower: T | None = None, upper: T | None = None, bounds: Bounds = "[)") -> None:
        """Makes a range; ValueError when the lower bound is above the upper one, or for other `bounds`."""
        if bounds not in get_args(Bounds):
            raise ValueError(f"bounds is one of [) [] (] () empty, got {bounds!r}")
        if bounds == "empty":
            lower = upper = None
        elif lower is not None and upper is not None and not isinstance(lower, str):
            # The order of text is that of the column's collation, which only the server knows.
            low: Any = lower
            if low > upper:
                raise ValueError("the lower bound of a range is above the upper one")
        # A bound that is not there belongs to nothing, and compares so.
        if lower is None and bounds[0] == "[":
            bounds = "()" if upper is None or bounds[1] == ")" else "(]"
        if upper is None and bounds[1] == "]":
            bounds = "[)" if bounds[0] == "[" else "()"
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        object.__setattr__(self, "bounds", bounds)

    @classmethod
    def empty(cls) -> Range[T]:
        """The range without an element."""
        return cls(None, None, "empty")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return self.bounds == "empty"

    def __contains__(self, value: T) -> bool:
        """Whether the range has this element."""
        if self.bounds == "empty":
            return False
        low: Any = self.lower
        high: Any = self.upper
        above = low is None or (low <= value if self.bounds[0] == "[" else low < value)
        return bool(above and (high is None or (value <= high if self.bounds[1] == "]" else value < high)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        found: Range[Any] = other  # pyright: ignore[reportUnknownVariableType]
        return (self.lower, self.upper, self.bounds) == (found.lower, found.upper, found.bounds)

    def __hash__(self) -> int:
        return hash((self.lower, self.upper, self.bounds))

    def __repr__(self) -> str:
        return "Range.empty()" if self.bounds == "empty" else f"Range({self.lower!r}, {self.upper!r}, {self.bounds!r})"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a range does not change; {name} stays")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.lower, self.upper, self.bounds)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """A field of a model takes a range, or the JSON form of one."""
        from .range_schema import schema

        return schema(cls, source, handler)
