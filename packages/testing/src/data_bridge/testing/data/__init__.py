"""Rows for tests: factories and Hypothesis strategies."""

from data_bridge.testing.data.draft import SubFactory, Trait
from data_bridge.testing.data.factory import Factory
from data_bridge.testing.data.rows import rows

__all__ = ["Factory", "SubFactory", "Trait", "rows"]
