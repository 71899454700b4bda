"""What a query was told to return instead of instances."""

from __future__ import annotations

from typing import Any, NamedTuple


class Chosen(NamedTuple):
    """What the rows of a query are instead of instances."""

    by: str
    """The method that chose it: values, tuples, scalars or project."""
    columns: tuple[Any, ...]
    """What was asked for: columns, labelled expressions, whole tables."""
