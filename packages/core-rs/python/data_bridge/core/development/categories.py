"""The categories of development warnings, for the filters of `warnings` and pytest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = [
    "DevelopmentWarning",
    "HeldConnectionWarning",
    "MissingIndexWarning",
    "RepeatedStatementWarning",
    "Report",
    "UnboundedResultWarning",
]


class DevelopmentWarning(UserWarning):
    """What `init(dev=True)` warns about. A filter `error` for it, or for one of its subclasses, fails the statement.

    >>> import warnings
    >>> from data_bridge.core import DevelopmentWarning
    >>> warnings.simplefilter("error", DevelopmentWarning)
    """


class RepeatedStatementWarning(DevelopmentWarning):
    """One task ran the same statement again and again, as when each row of a list loads its link (N+1)."""


class UnboundedResultWarning(DevelopmentWarning):
    """A query without LIMIT returned very many rows."""


class MissingIndexWarning(DevelopmentWarning):
    """A query reads a whole large table because no index serves its condition or its order."""


class HeldConnectionWarning(DevelopmentWarning):
    """A transaction was open for long, or held its connection while it waited for something else than the database."""


Report: TypeAlias = Callable[[type[DevelopmentWarning], str, "tuple[str, int] | None"], None]
"""Gives a warning of a category, with a message, for a line of the application."""
