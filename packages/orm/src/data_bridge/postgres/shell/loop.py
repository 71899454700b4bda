"""The event loop of a shell: it runs while a line runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["Loop"]

T = TypeVar("T")


class Loop:
    """Runs the lines of a shell one by one on one loop and in one context.

    Ctrl-C cancels the line that runs, and with it its statement at the server.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._context = copy_context()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a line that awaits.

        Raises:
            KeyboardInterrupt: after Ctrl-C, when the line was cancelled.
        """
        return self._runner.run(coroutine, context=self._context)

    def call(self, line: Callable[[], Any]) -> None:
        """Runs a line that does not await."""
        self._context.run(line)

    def close(self) -> None:
        """Cancels what still runs, and closes the loop."""
        self._runner.close()
