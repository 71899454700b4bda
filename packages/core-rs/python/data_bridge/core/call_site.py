"""The line of the application that a message speaks of."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["call_site"]

_SKIPPED = ("data_bridge.", "contextlib")


def call_site() -> tuple[str, int]:
    """File and line of the nearest caller outside data-bridge; `("?", 0)` when there is none.

    >>> call_site()[1] > 0
    True
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not frame.f_globals.get("__name__", "").startswith(_SKIPPED):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "?", 0
