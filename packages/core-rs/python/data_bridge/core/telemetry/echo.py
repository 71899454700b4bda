"""Readable SQL on the terminal, for development."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_bridge.core.call_site import UNKNOWN, call_site
from data_bridge.core.telemetry.shown_sql import readable
from data_bridge.core.telemetry.shown_values import shown_values

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryFinished, QueryStarted

__all__ = ["Echo"]

_GREY, _RED, _PLAIN = "\x1b[90m", "\x1b[31m", "\x1b[0m"


class Echo:
    """An observer of one database that prints statements to standard error, in colour on a terminal.

    `NO_COLOR` in the environment prints without colours.

    Args:
        only: returns the database, or None when it is gone.
        values: whether parameters are shown.
    """

    def __init__(self, only: Callable[[], Any], *, values: bool = False) -> None:
        self.only = only
        self.wants_values = values

    def started(self, event: QueryStarted) -> tuple[QueryStarted, float]:
        """Keeps the start until the end."""
        return event, time.perf_counter()

    def finished(self, token: tuple[QueryStarted, float], event: QueryFinished) -> None:
        """Prints the statement and a comment with its rows and times."""
        began, at = token
        stream = sys.stderr
        colours = stream.isatty() and not os.environ.get("NO_COLOR")
        duration = event.queued + event.wire + event.decode or time.perf_counter() - at
        said = f"-- {event.rows} rows in {1000 * duration:.1f} ms"
        if event.error is not None:
            said = (
                f"-- {type(event.error).__name__} {event.sqlstate or ''}".rstrip() + f" after {1000 * duration:.1f} ms"
            )
        site = call_site()
        if site != UNKNOWN:
            said += f" at {site[0]}:{site[1]}"
        lines = [readable(began.sql, colours=colours)]
        if began.params:
            lines.append(f"-- {shown_values(began.params)}")
        lines.append(f"{_GREY if event.error is None else _RED}{said}{_PLAIN}" if colours else said)
        stream.write("\n".join(lines) + "\n\n")
