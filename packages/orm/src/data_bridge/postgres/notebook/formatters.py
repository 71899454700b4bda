"""Formatters of IPython for lists of rows, pages and compiled SQL.

A query returns a plain list, which has no `_repr_html_` of its own: IPython asks these functions by the type of a result.
"""

from __future__ import annotations

from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

from data_bridge.core import Compiled, sql_html
from data_bridge.orm import Page
from data_bridge.postgres.notebook.html_table import html_table
from data_bridge.postgres.notebook.shown_rows import shown_rows
from data_bridge.postgres.notebook.text_table import text_table

__all__ = ["load_ipython_extension", "rows_as_text", "unload_ipython_extension"]


_replaced: WeakKeyDictionary[Any, tuple[Any, Any]] = WeakKeyDictionary()
"""The formatters of lists that the extension replaced, by the HTML formatter of a shell."""


class _Shell(Protocol):
    display_formatter: Any


def load_ipython_extension(shell: _Shell) -> None:
    """Shows lists of rows and pages as tables, and compiled SQL highlighted; called by `%load_ext`."""
    html, plain = _formatters(shell)
    if html in _replaced:
        return
    before_html, before_plain = html.type_printers.get(list), plain.type_printers.get(list)
    _replaced[html] = (before_html, before_plain)

    def list_as_html(value: list[Any]) -> str | None:
        rows = shown_rows(value)
        if rows is not None:
            return html_table(rows)
        return None if before_html is None else cast("str | None", before_html(value))

    def list_as_text(value: list[Any], printer: Any, cycle: bool) -> None:
        # Only the result itself: a list inside another value stays on its line.
        text = rows_as_text(value) if len(printer.stack) == 1 else None
        if text is not None:
            printer.text(text)
        elif before_plain is not None:
            before_plain(value, printer, cycle)
        else:
            printer.text(repr(value))

    def page_as_text(value: Page[Any], printer: Any, cycle: bool) -> None:
        printer.text((rows_as_text(value) if len(printer.stack) == 1 else None) or repr(value))

    html.for_type(list, list_as_html)
    html.for_type(Page, _page_as_html)
    html.for_type(Compiled, _compiled_as_html)
    plain.for_type(list, list_as_text)
    plain.for_type(Page, page_as_text)


def unload_ipython_extension(shell: _Shell) -> None:
    """Shows results as before; called by `%unload_ext`."""
    html, plain = _formatters(shell)
    before = _replaced.pop(html, None)
    if before is None:
        return
    for formatter, types, list_before in ((html, (list, Page, Compiled), before[0]), (plain, (list, Page), before[1])):
        for kind in types:
            formatter.pop(kind, None)
        if list_before is not None:
            formatter.for_type(list, list_before)


def rows_as_text(value: Any) -> str | None:
    """Returns a list of rows, or a page of them, as a table for a terminal; None for anything else."""
    is_page = isinstance(value, Page)
    items: Any = cast(Any, value).items if is_page else value
    rows = shown_rows(cast(Any, items)) if isinstance(items, list) else None
    return None if rows is None else text_table(rows, _note(cast(Any, value)) if is_page else "")


def _formatters(shell: _Shell) -> tuple[Any, Any]:
    formatters = shell.display_formatter.formatters
    return formatters["text/html"], formatters["text/plain"]


def _note(page: Page[Any]) -> str:
    said = [] if page.total is None else [f"{page.total:,} in all"]
    said += ["a page follows"] if page.next is not None else []
    said += ["a page precedes"] if page.prev is not None else []
    return ", ".join(said)


def _page_as_html(page: Page[Any]) -> str | None:
    rows = shown_rows(page.items)
    return None if rows is None else html_table(rows, _note(page))


def _compiled_as_html(compiled: Compiled) -> str:
    return sql_html(compiled.sql, compiled.params)
