"""A progress bar for insert_many()."""

from __future__ import annotations

import sys
import time
from typing import Any, Self, TextIO

_WIDTH = 30
_PAUSE = 0.1


class ProgressBar:
    """Made by progress_bar()."""

    def __init__(self, total: int | None, label: str, file: TextIO) -> None:
        self.total = total
        self.label = label
        self.done = 0
        self._file = file
        self._started = time.monotonic()
        self._shown = 0.0

    def __call__(self, done: int) -> None:
        """Shows that so many rows were written."""
        self.done = done
        now = time.monotonic()
        if now - self._shown >= _PAUSE or done == self.total:
            self._shown = now
            self._file.write(f"\r{self.text(now - self._started)}")
            if done == self.total:
                self._file.write("\n")
            self._file.flush()

    def text(self, seconds: float) -> str:
        """The bar as it is, after so many seconds."""
        speed = f"{self.done / seconds:,.0f}/s" if seconds > 0 else ""
        if not self.total:
            return f"{self.label} {self.done:,} {speed}"
        part = min(1.0, self.done / self.total)
        filled = int(part * _WIDTH)
        return f"{self.label} {'█' * filled}{'░' * (_WIDTH - filled)} {part:4.0%} {self.done:,}/{self.total:,} {speed}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: Any) -> None:
        if self.done != self.total:
            self._file.write("\n")


def progress_bar(total: int | None = None, *, label: str = "rows", file: TextIO | None = None) -> ProgressBar:
    """A bar for `insert_many(…, progress=…)`: how many of `total` rows are written, and how fast. It goes to stderr.

    >>> from data_bridge.postgres import progress_bar
    >>> async def load(User, rows) -> int:
    ...     return await User.insert_many(rows, returning=False, progress=progress_bar(len(rows)))
    """
    return ProgressBar(total, label, sys.stderr if file is None else file)
