"""The source that a column's structure comes from: an expression such as ``count(users.id)`` knows its table so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from .sources import Source

_SOURCES: WeakValueDictionary[int, Source] = WeakValueDictionary()
"""Sources by the identity of their columns' structures, which live exactly as long."""


def remember(structure: Any, source: Source) -> Any:
    """The structure, which from now on is known to be this source's own. The source must keep it."""
    _SOURCES[id(structure)] = source
    return structure


def source_of_column(structure: Any) -> Source | None:
    """The source whose own structure this is: of one of its columns, or of all of them."""
    found = _SOURCES.get(id(structure))
    if found is None:
        return None
    # A structure that is gone leaves its number behind, which another tuple may get.
    if structure[0] == "cols":
        return found if found.all_columns is structure else None
    column = found.columns.get(structure[2])
    return found if column is not None and column.s is structure else None


def sources_in(structure: Any) -> Source | None:
    """The source of the first column in a structure: an expression such as ``count(users.id)`` knows its table so."""
    if type(structure) is not tuple:
        return None
    if structure and structure[0] == "col":
        return source_of_column(structure)
    if structure and structure[0] in ("query", "exists", "array_query"):
        return None
    for child in structure:  # pyright: ignore[reportUnknownVariableType]
        found = sources_in(child)
        if found is not None:
            return found
    return None
