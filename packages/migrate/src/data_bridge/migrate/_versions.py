"""Versions: their order, and a list of them in a message."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PART = re.compile(r"(\d+)|(\D+)")
_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})-(\d{6})(?!\d)")


def key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts numbers as numbers: "2" before "10", "2024_1" before "2024_02".

    >>> sorted(["10", "2", "1.10", "1.9"], key=key)
    ['1.9', '1.10', '2', '10']

    A moment is one number, with dashes or without:

    >>> sorted(["2017-08-31-230457", "20140924113530"], key=key)
    ['20140924113530', '2017-08-31-230457']
    """
    version = _DATE.sub(r"\1\2\3\4", version)
    parts: list[tuple[int, int, str]] = []
    for digits, text in _PART.findall(version):
        parts.append((0, int(digits), digits) if digits else (1, 0, text))
    return tuple(parts)


def listed(versions: Sequence[str]) -> str:
    """Names the first ten of many versions, and how many there are besides.

    >>> listed(["1", "2"])
    '1, 2'
    """
    more = len(versions) - 10
    return ", ".join(versions[:10]) + (f" and {more} more" if more > 0 else "")
