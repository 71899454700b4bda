"""Rows as a table on a terminal."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence

from data_bridge.postgres.notebook.shown_rows import ShownRows

__all__ = ["text_table"]

_NULL = "NULL"
_LEAST = 3
"""Characters that a column keeps on a narrow terminal."""


def text_table(rows: ShownRows, note: str = "", width: int | None = None) -> str:
    """Returns a table of the rows with their count below it.

    Values are cut until the table fits into `width` characters, by default those of the terminal. Control characters are
    replaced: they would move the cursor.
    """
    lines = [
        [_plain(name) for name in rows.names],
        *([_NULL if cell is None else _plain(cell) for cell in row] for row in rows.cells),
    ]
    widths = _fitted([max(_length(line[at]) for line in lines) for at in range(len(rows.names))], width)
    head, *body = (_line(line, widths, rows.numbers) for line in lines)
    rule = "-+-".join("-" * w for w in widths)
    said = f"({rows.summary()}{f'; {note}' if note else ''})"
    return "\n".join([head, rule, *body, said])


def _fitted(widths: list[int], width: int | None) -> list[int]:
    """Cuts the widest column again and again until the line fits."""
    space = (shutil.get_terminal_size().columns if width is None else width) - 3 * (len(widths) - 1)
    while sum(widths) > space and max(widths) > _LEAST:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    return widths


def _line(cells: Sequence[str], widths: list[int], numbers: frozenset[int]) -> str:
    return " | ".join(_padded(c, w, right=at in numbers) for at, (c, w) in enumerate(zip(cells, widths, strict=True)))


def _padded(cell: str, width: int, *, right: bool) -> str:
    if _length(cell) > width:
        kept = ""
        for character in cell:
            if _length(kept + character) > width - 1:
                break
            kept += character
        cell = kept + "…"
    space = " " * (width - _length(cell))
    return space + cell if right else cell + space


def _plain(cell: str) -> str:
    return "".join(c if c.isprintable() else "\\n" if c == "\n" else "�" for c in cell)


def _length(text: str) -> int:
    """Columns of a terminal: letters of East Asia take two."""
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
