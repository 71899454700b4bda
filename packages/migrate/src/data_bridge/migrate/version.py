"""The order of versions."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+)|(\D+)")


def key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts numbers as numbers: "2" before "10", "2024_1" before "2024_02".

    >>> sorted(["10", "2", "1.10", "1.9"], key=key)
    ['1.9', '1.10', '2', '10']
    """
    parts: list[tuple[int, int, str]] = []
    for digits, text in _PART.findall(version):
        parts.append((0, int(digits), digits) if digits else (1, 0, text))
    return tuple(parts)
