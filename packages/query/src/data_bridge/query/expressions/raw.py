"""Trusted SQL text with bound values: the way out when the builder has no word for something."""

from __future__ import annotations

from typing import Any

from data_bridge.core import Compiled, Statement, tokenize

from .._compile import compile as compile_
from ..types.typemap import type_of
from . import coercion
from .expr import Expr
from .sources import Source

__all__ = ["RawStatement", "Sql", "raw", "sql"]


def split(text: str) -> list[str | int]:
    """The text in pieces: str is text, int the number of a placeholder between two texts.

    The tokenizer of the core reads the text as PostgreSQL does, so `$1` in a string, a name or a comment is text.

    >>> split("a = $1 and b = '$2'")
    ['a = ', 1, " and b = '$2'"]
    """
    pieces: list[str | int] = []
    at = 0
    for kind, start, end in tokenize(text):
        if kind == "parameter":
            pieces += [text[at:start], int(text[start + 1 : end])]
            at = end
    pieces.append(text[at:])
    return pieces


def _checked(text: str, params: tuple[Any, ...]) -> list[str | int]:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"SQL text is a str, got {type(text).__name__}")
    pieces = split(text)
    used = {piece for piece in pieces if isinstance(piece, int)}
    if used != set(range(1, len(params) + 1)):
        open_end = " Its last string, quoted name or comment is not closed." if _is_open(text) else ""
        raise TypeError(
            f"the text uses {sorted(used) or 'no'} placeholders, but {len(params)} values were given: $1 is the first."
            f"{open_end}"
        )
    return pieces


def _is_open(text: str) -> bool:
    return any(kind == "unterminated" for kind, _, _ in tokenize(text))


class Sql(Expr[Any]):
    """Raw SQL as an expression; it can stand alone as a statement too."""

    __slots__ = ("_statement",)

    _statement: Statement

    def __statement__(self) -> Statement:
        return self._statement

    def table(self, alias: str, *columns: str | tuple[str, Any]) -> Source:
        """The text as a table in FROM, with ``.c`` for the columns it is said to have: names, or (name, type).

        >>> from data_bridge.query import select, sql
        >>> n = sql("ROWS FROM (generate_series(1, $1), generate_series(5, 7)) WITH ORDINALITY", 3).table("n", ("ordinality", int))
        >>> select(n.c.ordinality).sql().sql
        'SELECT "n"."ordinality" FROM ROWS FROM (generate_series(1, $1), generate_series(5, 7)) WITH ORDINALITY AS "n"'
        """
        source = Source(alias, ("raw", alias, *self.s[1:]), self.p)
        for found in columns:
            if isinstance(found, str):
                source._add(found, None)
            else:
                source._add(found[0], type_of(found[1]))
        return source


def sql(text: str, *params: Any) -> Sql:
    """Trusted text with ``$1 …`` placeholders, usable anywhere an expression is, and as a statement.

    Never build the text from input: values belong into `params`, where expressions may stand as well.

    >>> from data_bridge.query import sql, table, column, select
    >>> t = table("t", column("a", int))
    >>> select(t.a).where(sql("a % $1 = 0", 3)).sql().sql
    'SELECT "t"."a" FROM "t" WHERE a % $1 = 0'
    """
    pieces = _checked(text, params)
    parts: list[Any] = []
    values: tuple[Any, ...] = ()
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
        else:
            s, p = coercion.operand(params[piece - 1], None, None)
            parts.append(s)
            values += p
    made = Sql(("raw", *parts), values)
    made._statement = raw(text, *params).__statement__()
    return made


class RawStatement:
    """A whole statement of trusted text."""

    __slots__ = ("_statement",)

    def __init__(self, statement: Statement) -> None:
        self._statement = statement

    def __statement__(self) -> Statement:
        return self._statement

    def __operand__(self) -> tuple[Any, tuple[Any, ...]]:
        return ("query", self._statement.ir), self._statement.params

    def sql(self, *, pretty: bool = False) -> Compiled:
        """The text and its parameters.

        >>> from data_bridge.query import raw
        >>> raw("select $1::int", 5).sql().params
        (5,)
        """
        return compile_(self, pretty=pretty)

    def __repr__(self) -> str:
        return f"<RawStatement {self.sql().sql}>"


def raw(text: str, *params: Any) -> RawStatement:
    """A statement of trusted text with ``$1 …`` placeholders; one that is used twice is sent once.

    >>> from data_bridge.query import raw
    >>> raw("select $1::text, $1, $2::int", "x", 5).sql().sql
    'select $1::text, $1, $2::int'
    """
    parts: list[Any] = []
    values: tuple[Any, ...] = ()
    slots: dict[int, int] = {}
    for piece in _checked(text, params):
        if isinstance(piece, str):
            parts.append(piece)
            continue
        value = params[piece - 1]
        if coercion.is_node(value) or hasattr(value, "__operand__"):
            s, p = coercion.operand(value, None, None)
            parts.append(s)
            values += p
        elif piece in slots:
            parts.append(("same", slots[piece]))
        else:
            slots[piece] = len(values)
            parts.append("$")
            values += (coercion.plain(value),)
    return RawStatement(Statement(("raw", *parts), values))
