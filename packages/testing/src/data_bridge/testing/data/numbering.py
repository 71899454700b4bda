"""The numbers of the rows that factories make: one count for each Table class, from 1 in each test."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

__all__ = ["begin_test", "next_number", "reset", "shared_rows"]

SHARED_FROM = 10_001
"""Where rows of templates and of fixtures that several tests share are numbered from, so that a test does not meet them."""

_of_test: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_shared: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_counts = [_of_test]


def next_number(model: Any) -> int:
    """The number of the next row: one count for all factories of a class, or their unique values would meet."""
    counts = _counts[-1]
    number = counts.get(model, SHARED_FROM - 1 if counts is _shared else 0) + 1
    counts[model] = number
    return number


def reset(model: Any) -> None:
    """Number the rows of a class from 1 again."""
    _of_test.pop(model, None)


def begin_test() -> None:
    """Another test begins: the n-th row of a factory is the same, whichever tests ran before."""
    _of_test.clear()


@contextmanager
def shared_rows() -> Generator[None]:
    """Inside, rows are made that several tests share: by a template, or a fixture of a wider scope."""
    _counts.append(_shared)
    try:
        yield
    finally:
        _counts.pop()
