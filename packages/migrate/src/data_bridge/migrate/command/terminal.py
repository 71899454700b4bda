"""Colours and progress on a terminal."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

_CODES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1"}


class Terminal:
    """Standard output, and standard error for what passes by.

    Colours only on a terminal, and never with $NO_COLOR; a progress bar only where lines can be overwritten.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out
        self._err = err
        self._shown = False
        self._last = 0.0
        self._closed = False

    @property
    def out(self) -> TextIO:
        """Where results go."""
        return self._out or sys.stdout

    @property
    def err(self) -> TextIO:
        """Where progress goes."""
        return self._err or sys.stderr

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, on a terminal."""
        plain = not self.out.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        return text if plain else f"\x1b[{_CODES[colour]}m{text}\x1b[0m"

    def say(self, text: str = "") -> None:
        """A line of the result."""
        self.clear()
        self._write(self.out, text + "\n")

    def watch(self, what: str, detail: dict[str, Any]) -> None:
        """Shows what a runner does, on a terminal."""
        if not self.err.isatty():
            if what == "retry":
                self._write(self.err, f"{detail['version']} waits for a lock: {detail['error'].splitlines()[0]}\n")
            return
        if what == "backfill":
            if time.monotonic() - self._last < 0.1:
                return
            self._last = time.monotonic()
            done, of = detail["rows"], max(detail["of"], 1)
            part = min(done / of, 1.0)
            bar = "█" * int(part * 24)
            self._show(f"{detail['version']} {detail['table']} {bar:<24} {done:,} of about {of:,} rows")
        elif what == "retry":
            self._show(f"{detail['version']} waits for a lock, next try in {detail['pause']:.1f} s")
        else:
            sql = " ".join(detail["sql"].split())
            self._show(f"{detail['version']} step {detail['step']}: {sql[:80]}")

    def _write(self, stream: TextIO, text: str) -> None:
        """Writes what the stream can take: a closed pipe or an accent must not stop a run."""
        if self._closed:
            return
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        except BrokenPipeError:
            self._closed = True
            # Python flushes standard output once more when it ends.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def _show(self, text: str) -> None:
        self._write(self.err, f"\r\x1b[2K{text}")
        self._shown = True

    def clear(self) -> None:
        """Removes the line that passes by."""
        if self._shown:
            self._write(self.err, "\r\x1b[2K")
            self._shown = False
