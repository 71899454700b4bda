"""Rows for tests: factories and Hypothesis strategies."""

from .factory import Factory, SubFactory, Trait
from .rows import rows

__all__ = ["Factory", "SubFactory", "Trait", "rows"]
