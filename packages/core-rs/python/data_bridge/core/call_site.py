"""The line of the application that a message names."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["UNKNOWN", "call_site", "caller_outside"]

UNKNOWN = ("?", 0)
_SKIPPED = ("data_bridge.", "contextlib", "asyncio.")
_LOOP = ("asyncio.events", "asyncio.base_events", "asyncio.runners")
"""What calls a task is not its caller."""
_DECORATED = "inside"
"""The name of the function that stands before one which pg_transaction() decorates."""


def call_site() -> tuple[str, int]:
    """File and line of the nearest caller outside data-bridge; `UNKNOWN` when there is none.

    A statement that is a task of its own, as in asyncio.gather(), has none; of a decorated function that is one, it is the
    definition.

    >>> call_site()[1] > 0
    True
    """
    return caller_outside(sys._getframe(1))


def caller_outside(frame: FrameType | None) -> tuple[str, int]:
    """File and line of the nearest frame outside data-bridge, from this one on."""
    decorated: FrameType | None = None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module in _LOOP:
            break
        if not module.startswith(_SKIPPED):
            return frame.f_code.co_filename, frame.f_lineno
        if frame.f_code.co_name == _DECORATED and module.startswith("data_bridge."):
            decorated = frame
        frame = frame.f_back
    if decorated is not None:
        code = decorated.f_locals["function"].__code__
        return code.co_filename, code.co_firstlineno
    return UNKNOWN
