"""The narrow waist: statements on their way into the core, and what they compile to."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from data_bridge.core import _native


class Statement:
    """A statement: its structure, and its values in the order in which the structure mentions them. It is immutable.

    Attributes:
        ir: nested tuples of str, int and None; see the contract of the structure (contract/ir.md).
        params: the values, one for each parameter mark.
    """

    # Not a frozen dataclass: that costs three times as much to make, and every query makes one.
    __slots__ = ("ir", "params")

    def __init__(self, ir: tuple[Any, ...], params: tuple[Any, ...] = ()) -> None:
        self.ir = ir
        self.params = params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Statement) and (self.ir, self.params) == (other.ir, other.params)

    def __hash__(self) -> int:
        return hash((self.ir, self.params))

    def __repr__(self) -> str:
        return f"Statement({self.ir!r}, {len(self.params)} parameters)"

    def __statement__(self) -> Statement:
        return self


@runtime_checkable
class HasStatement(Protocol):
    """Whatever can be compiled or run."""

    def __statement__(self) -> Statement: ...


class Compiled(NamedTuple):
    """SQL text and the values of its parameters: ``await connection.fetch(sql, *params)``.

    `str()` returns the text alone.
    """

    sql: str
    params: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return self.sql


def text(sql: str, *params: Any) -> Statement:
    """A statement in SQL, with $1, $2 … for its parameters.

    >>> from data_bridge.core import text
    >>> text("select $1::int", 5).params
    (5,)
    """
    return Statement(("text", sql), params)


def compile(statement: HasStatement) -> Compiled:  # noqa: A001 - the word of the trade
    """The SQL of a statement, without a connection.

    Raises:
        CompileError: with the path to the part that is wrong.

    >>> from data_bridge.core import compile, text
    >>> compile(text("select 1")).sql
    'select 1'
    """
    s = statement.__statement__()
    if s.ir[0] == "text":
        return Compiled(s.ir[1], s.params)
    sql, *_ = _native.compile_ir(s.ir)
    return Compiled(sql, s.params)
