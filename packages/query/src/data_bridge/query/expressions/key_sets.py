"""Many keys at once: conditions and sources whose values are arrays, so that the text is the same however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..types.sql_types import Boolean
from .column import ColumnProxy
from .expr import Built, Expr
from .node import Params, Structure


def among(columns: Sequence[ColumnProxy[Any]], keys: Sequence[Any]) -> Expr[bool]:
    """Whether the columns have the values of one of these keys; keys of several columns are tuples.

    >>> from data_bridge.query import column, table
    >>> pets = table("pets", column("owner", int), column("name", str))
    >>> among([pets.owner], [1, 2])
    <Expr "pets"."owner" = ANY($1)>
    >>> among([pets.owner, pets.name], [(1, "Rex")]).p
    ([1], ['Rex'])
    """
    if len(columns) == 1:
        return columns[0].in_([k[0] if type(k) is tuple else k for k in keys])  # pyright: ignore[reportUnknownArgumentType]
    call, params, names = unnested(columns, keys)
    inner = ("select", ("func", call, "keys", names, None), (("cols", "keys", *names),), None, None, None, None, None)
    return Built(("in", ("row", *(c.s for c in columns)), ("query", inner)), params, Boolean)


def unnested(columns: Sequence[ColumnProxy[Any]], keys: Sequence[Any]) -> tuple[Structure, Params, tuple[str, ...]]:
    """``unnest()`` of one array for each column, its parameters, and the names of what comes out."""
    lists = zip(*(k if type(k) is tuple else (k,) for k in keys), strict=True)  # pyright: ignore[reportUnknownArgumentType]
    call = ("call", "unnest", *(("$", f"{c.t.name}[]") for c in columns if c.t is not None))
    return call, tuple(list(values) for values in lists), tuple(f"k{i}" for i in range(len(columns)))
