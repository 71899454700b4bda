"""A line of code in messages: relative to the working directory where possible."""

from __future__ import annotations

import os
import sys
from types import FrameType

from data_bridge.core.call_site import UNKNOWN, caller_outside

__all__ = ["place", "taken_for"]

PURPOSES = {
    "data_bridge.core.connection.streams": "stream",
    "data_bridge.core.connection.copy": "COPY",
    "data_bridge.core.transactions.current": "transaction",
    "data_bridge.core.transactions.transaction": "transaction",
    "data_bridge.core.transactions.block": "transaction",
}


def place(site: tuple[str, int] | None) -> str:
    """`file:line` of a call site."""
    if site is None or site == UNKNOWN:
        return "an unknown place"
    path = os.path.relpath(site[0])
    return f"{site[0] if path.startswith('..') else path}:{site[1]}"


def taken_for() -> tuple[str, tuple[str, int]]:
    """What the code that runs right now takes a connection for, and the line outside data-bridge that asked for it."""
    frame: FrameType | None = sys._getframe(1)
    site = caller_outside(frame)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if purpose := PURPOSES.get(name, ""):
            return purpose, site
        if not name.startswith(("data_bridge.", "contextlib", "asyncio.")):
            break
        frame = frame.f_back
    return "connection", site
