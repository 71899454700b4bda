"""Rows as an HTML table."""

from __future__ import annotations

from html import escape

from data_bridge.postgres.notebook.shown_rows import ShownRows

__all__ = ["html_table"]

_NULL = '<span style="opacity:.5">NULL</span>'


def html_table(rows: ShownRows, note: str = "") -> str:
    """Returns a table of the rows with their count below it; every name and value is escaped."""
    head = "".join(f"<th{_align(at, rows)}>{escape(name)}</th>" for at, name in enumerate(rows.names))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_align(at, rows)}>{_NULL if c is None else escape(c)}</td>" for at, c in enumerate(row))
        + "</tr>"
        for row in rows.cells
    )
    said = escape(rows.summary() + (f"; {note}" if note else ""))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{said}</p>"


def _align(at: int, rows: ShownRows) -> str:
    return f' style="text-align:{"right" if at in rows.numbers else "left"}"'
