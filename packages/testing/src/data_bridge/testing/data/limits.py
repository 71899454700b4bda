"""The bounds of a value of one column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds from Pydantic's constraints, the SQL type and simple CHECK constraints; None means no bound."""

    low: Any = None
    high: Any = None
    open_low: bool = False
    open_high: bool = False
    multiple: Any = None
    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    digits: int | None = None
    places: int | None = None
    choices: tuple[Any, ...] = ()
    """The only values; empty means any."""

    def integers(self) -> tuple[int | None, int | None]:
        """The least and the greatest integer."""
        low: int | None = None
        high: int | None = None
        if self.low is not None:
            low = math.floor(self.low) + 1 if self.open_low else math.ceil(self.low)
        if self.high is not None:
            high = math.ceil(self.high) - 1 if self.open_high else math.floor(self.high)
        return low, high
