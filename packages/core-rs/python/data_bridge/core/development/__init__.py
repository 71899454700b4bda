"""Warnings for development: what works with ten rows and one user, and will not with more."""

from data_bridge.core.development.categories import (
    DevelopmentWarning,
    HeldConnectionWarning,
    MissingIndexWarning,
    RepeatedStatementWarning,
    UnboundedResultWarning,
)
from data_bridge.core.development.limits import DevelopmentLimits

__all__ = [
    "DevelopmentLimits",
    "DevelopmentWarning",
    "HeldConnectionWarning",
    "MissingIndexWarning",
    "RepeatedStatementWarning",
    "UnboundedResultWarning",
]
