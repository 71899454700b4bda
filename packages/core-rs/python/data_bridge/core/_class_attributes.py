"""Columns as class attributes that instances, and Pydantic while it makes a class, do not see."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from data_bridge.core._native import ClassAttribute, hide

__all__ = ["ClassAttribute", "hidden"]


@contextmanager
def hidden() -> Generator[None]:
    """Hides all class attributes of this kind from the calling thread; blocks nest.

    Pydantic reads `getattr(base, name)` as the default of a field: inside this block it finds nothing.
    """
    hide(True)
    try:
        yield
    finally:
        hide(False)
