"""From what on development warnings are given."""

from __future__ import annotations

from dataclasses import dataclass, fields

from data_bridge.core.errors import ConfigurationError

__all__ = ["DevelopmentLimits"]


@dataclass(frozen=True, slots=True)
class DevelopmentLimits:
    """Limits of the development warnings; None switches a warning off.

    Attributes:
        repeated: how often one task may run the same statement from the same line, each within a second of the one before.
        rows: how many rows a query without LIMIT may return.
        scanned_rows: how many rows a table may have that is read as a whole for a condition or an order.
        transaction_seconds: how long a transaction may be open.
        idle_seconds: how long a transaction may hold its connection between two statements.

    >>> from data_bridge.core import DevelopmentLimits
    >>> DevelopmentLimits(repeated=3, scanned_rows=None).repeated
    3
    """

    repeated: int | None = 10
    rows: int | None = 10_000
    scanned_rows: int | None = 10_000
    transaction_seconds: float | None = 1.0
    idle_seconds: float | None = 0.1

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigurationError: a limit is negative.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value < 0:
                raise ConfigurationError(f"DevelopmentLimits({field.name}={value!r}): a limit is 0 or more, or None")
