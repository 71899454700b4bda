"""A line of code in messages: relative to the working directory where possible."""

from __future__ import annotations

import os
import sys
from types import FrameType

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
    if site is None:
        return "an unknown place"
    path = os.path.relpath(site[0])
    return f"{site[0] if path.startswith('..') else path}:{site[1]}"


def taken_for() -> tuple[str, tuple[str, int] | None]:
    """What the code that runs right now takes a connection for, and the line outside data-bridge that asked for it."""
    purpose = ""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if not name.startswith("data_bridge.") and name != "contextlib":
            return purpose or "connection", (frame.f_code.co_filename, frame.f_lineno)
        purpose = purpose or PURPOSES.get(name, "")
        frame = frame.f_back
    return purpose or "connection", None
