"""Statements as text, in the placeholder styles of other drivers too."""

from __future__ import annotations

import re
from typing import Any, Literal, Protocol

from data_bridge import core
from data_bridge.core import Compiled, Statement

__all__ = ["Style", "SupportsStatement", "compile"]

Style = Literal["numeric", "format", "pyformat", "named"]
_STYLES = ("numeric", "format", "pyformat", "named")
# A doubled % is text; what is left is a placeholder.
_PLACEHOLDER = r"%%|%\(p(\d+)\)s"


class SupportsStatement(Protocol):
    """Whatever has ``__statement__()``: queries, writes, DDL operations, raw SQL, the ORM's builders."""

    def __statement__(self) -> Statement: ...


def statement_of(thing: Any) -> Statement:
    """The statement of a query; a bare expression stands for ``SELECT expression``."""
    if isinstance(thing, Statement):
        return thing
    made = getattr(thing, "__statement__", None)
    if made is not None:
        statement: Statement = made()
        return statement
    if hasattr(thing, "s") and hasattr(thing, "p"):
        return Statement(("select", None, (thing.s,), None, None, None, None, None), thing.p)
    raise TypeError(f"expected a query, a statement or an expression, got {type(thing).__name__}")


def compile(thing: SupportsStatement | Any, *, style: Style = "numeric", pretty: bool = False) -> Compiled:  # noqa: A001
    """Text and parameters, without a connection.

    `style` is how placeholders are written: "numeric" ``$1`` (PostgreSQL, asyncpg), "format" ``%s`` and "pyformat"
    ``%(p1)s`` (psycopg; a % in the text is doubled), "named" ``:p1``. With "pyformat" and "named" the parameters are a
    dict. `pretty` puts clauses on lines of their own.

    Raises CompileError for a statement that is none, ValueError for an unknown style.

    >>> from data_bridge.query import compile, select, table, column
    >>> t = table("t", column("a", int))
    >>> compile(select(t.a).where(t.a > 5), style="pyformat")
    Compiled(sql='SELECT "t"."a" FROM "t" WHERE "t"."a" > %(p1)s', params={'p1': 5})
    """
    statement = statement_of(thing)
    if style == "numeric" and not pretty:
        return core.compile(statement)
    if style not in _STYLES:
        raise ValueError(f"style is one of {', '.join(_STYLES)}, got {style!r}")
    params = statement.params
    spelled = "pyformat" if style == "format" else style
    text = core.compile(Statement(("styled", spelled, "pretty" if pretty else None, statement.ir), params)).sql
    if style == "numeric":
        return Compiled(text, params)
    if style != "format":
        named: Any = {f"p{slot}": value for slot, value in enumerate(params, 1)}
        return Compiled(text, named)
    # Every %s takes the next value, so a value that is used twice is given twice.
    order = [int(match[1]) for match in re.finditer(_PLACEHOLDER, text) if match[1]]
    text = re.sub(_PLACEHOLDER, lambda match: "%s" if match[1] else "%%", text)
    return Compiled(text, tuple(params[slot - 1] for slot in order))
