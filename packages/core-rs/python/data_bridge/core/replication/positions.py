"""Positions in the write-ahead log (PostgreSQL manual, "WAL Internals")."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["SIZES", "Positions", "end_of_log", "position_of"]

_KEPT = 2400
"""Answers of the primary: ten minutes at four a second."""


def position_of(text: str) -> int:
    """A position as a number of bytes.

    >>> position_of("16/B374D848")
    97500059720
    """
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


SIZES = (
    "pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')),"
    " pg_catalog.current_setting('wal_block_size')::int"
)
"""SQL for the sizes of a segment and of a page of the log, in bytes."""
_PAGE_HEADER, _SEGMENT_HEADER = 24, 40
"""Bytes (xlog_internal.h)."""


def end_of_log(text: str, segment: int, page: int) -> int:
    """The end of the last record for what `pg_current_wal_insert_lsn()` returns.

    Where a page is about to begin, the server names the place behind the header of that page. No record lies in the header,
    so that a replica has everything when it has replayed the page before.

    >>> end_of_log("0/A00028", 1024 * 1024, 8192) == position_of("0/A00000")
    True
    >>> end_of_log("0/A00128", 1024 * 1024, 8192) == position_of("0/A00128")
    True
    """
    position = position_of(text)
    header = _SEGMENT_HEADER if position % segment == _SEGMENT_HEADER else _PAGE_HEADER
    return position - header if position % page == header else position


class Positions:
    """Where the primary was at which time. What was committed before a question lies before its answer."""

    def __init__(self) -> None:
        # Replaced by each answer and never changed, so that a read on another thread needs no copy.
        self._answers: list[tuple[float, int]] = []

    def add(self, asked: float, position: int) -> None:
        """Remembers an answer.

        Args:
            asked: when the question was sent, by `time.monotonic()`.
            position: the end of the log, in bytes.
        """
        self._answers = [*self._answers[1 - _KEPT :], (asked, position)]

    def after(self, moment: float) -> int | None:
        """A position behind everything that was committed before a moment; None when the primary was not asked since."""
        answers = self._answers
        at = bisect_right(answers, moment, key=lambda answer: answer[0])
        return answers[at][1] if at < len(answers) else None

    def age(self, position: int) -> float | None:
        """Seconds between the newest answer and the newest one that lies at or before a position; None without one."""
        answers = self._answers
        for asked, known in reversed(answers):
            if known <= position:
                return answers[-1][0] - asked
        return None
