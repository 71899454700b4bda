"""SQL text as HTML, for notebooks and pages of tools."""

from __future__ import annotations

from html import escape
from typing import Any

from data_bridge.core.telemetry.shown_sql import pieces
from data_bridge.core.telemetry.shown_values import shown_values

__all__ = ["sql_html"]

_STYLES = {
    "keyword": "font-weight:600",
    "comment": "opacity:.6",
    "string": "color:#2e7d32",
    "number": "color:#b26a00",
    "parameter": "color:#b26a00",
}
"""Colours that are readable on light and on dark backgrounds."""


def sql_html(sql: str, params: tuple[Any, ...] = ()) -> str:
    """Returns a statement as a `<pre>` element with a line for each clause, highlighted and escaped.

    Args:
        sql: the text of the statement.
        params: its parameters, which follow as a comment; secrets are masked.

    >>> from data_bridge.core import sql_html
    >>> sql_html("SELECT 1")
    '<pre><span style="font-weight:600">SELECT</span> <span style="color:#b26a00">1</span></pre>'
    """
    parts = [_span(text, kind) for text, kind in pieces(sql)]
    if params:
        parts.append("\n" + _span(f"-- {shown_values(params)}", "comment"))
    return f"<pre>{''.join(parts)}</pre>"


def _span(text: str, kind: str) -> str:
    style = _STYLES.get(kind)
    return escape(text) if style is None else f'<span style="{style}">{escape(text)}</span>'
