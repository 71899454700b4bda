"""Lists of result columns: expressions, labels, whole tables."""

from __future__ import annotations

from typing import Any

from ..expressions.column import ColumnProxy
from ..expressions.document_path import DocumentPath, label_of
from ..expressions.expr import Label
from ..expressions.node import Node, Params, Structure
from ..expressions.origins import sources_in
from ..expressions.sources import Source, source_of
from ..types.sql_types import SQLType

__all__ = ["Columns", "columns_of"]


class Columns:
    """Result columns as a statement carries them."""

    __slots__ = ("_names", "_plain", "p", "s", "source")

    s: tuple[Structure, ...]
    p: Params
    source: Source | None
    """The table of the first column."""

    def __init__(self, s: tuple[Structure, ...], p: Params, source: Source | None, names: Any, plain: Any = ()) -> None:
        self.s = s
        self.p = p
        self.source = source
        self._names = names
        self._plain = plain

    @property
    def names(self) -> tuple[tuple[str, SQLType | None], ...]:
        """Names and types of the columns that have a name. Only subqueries ask."""
        if self._names is None:
            self._names = tuple((column.__column__.name, column.t) for column in self._plain)
        names: tuple[tuple[str, SQLType | None], ...] = self._names
        return names


EMPTY = Columns((), (), None, ())


def columns_of(things: tuple[Any, ...]) -> Columns:
    """Structures, parameters and names of result columns.

    Raises TypeError for what is not a column, with the remedy.
    """
    plain: tuple[Structure, ...] = ()
    for thing in things:
        if type(thing) is not ColumnProxy:
            break
        plain += (thing.s,)
    else:
        if plain:
            return Columns(plain, (), things[0].__column__.source, None, things)
    structures: list[Structure] = []
    params: Params = ()
    names: list[tuple[str, SQLType | None]] = []
    first: Source | None = None
    for thing in things:
        if isinstance(thing, ColumnProxy):
            structures.append(thing.s)
            names.append((thing.__column__.name, thing.t))
            first = first or thing.__column__.source
        elif isinstance(thing, DocumentPath) and thing.t is not None and thing.t.shape is not None:
            label = label_of(thing)  # pyright: ignore[reportUnknownArgumentType]
            structures.append(("label", thing.s, label))
            params += thing.p
            names.append((label, thing.t))
            first = first or sources_in(thing.s)
        elif isinstance(thing, Label):
            structures.append(("label", thing.s, thing.name))
            params += thing.p
            names.append((thing.name, thing.t))
            first = first or sources_in(thing.s)
        elif isinstance(thing, Node):
            node: Node[Any] = thing  # pyright: ignore[reportUnknownVariableType]
            structures.append(node.s)
            params += node.p
            name = _name(node.s)
            if name is not None:
                names.append((name, node.t))
            first = first or sources_in(node.s)
        elif hasattr(thing, "__operand__") and not isinstance(thing, type) and not isinstance(thing, Source):
            s, p = thing.__operand__()
            structures.append(s)
            params += p
        elif isinstance(thing, str | bytes | int | float | bool) or thing is None:
            raise TypeError(
                f"a result column is an expression, got {type(thing).__name__}: write literal(…) for a value"
            )
        else:
            source = source_of(thing)
            structures.append(source.all_columns)
            names += [(name, column.t) for name, column in source.columns.items()]
            first = first or source
    return Columns(tuple(structures), params, first, tuple(names))


def _name(s: Structure) -> str | None:
    """PostgreSQL's name for a column without a label, where it is certain."""
    if type(s) is tuple:
        if s[0] in ("call", "agg"):
            name: str = s[1] if isinstance(s[1], str) else s[1][1]  # pyright: ignore[reportUnknownVariableType]
            return name  # pyright: ignore[reportUnknownVariableType]
        if s[0] == "over":
            return _name(s[1])
        if s[0] == "col":
            column: str = s[2]  # pyright: ignore[reportUnknownVariableType]
            return column  # pyright: ignore[reportUnknownVariableType]
    return None
