"""The names of tables in structures: which are mentioned, and the same structure with other names."""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

from ..expressions.origins import source_of_column
from ..expressions.sources import Source
from .clauses import Join


def renamed(s: Any, names: dict[str, tuple[str, Source]]) -> Any:
    """A structure in which tables have other names: these, and the paths that begin with them.

    A column that is known to belong to another table of such a name keeps it.
    """
    if type(s) is not tuple or not s:
        return s
    tag = s[0]
    if tag in ("col", "cols"):
        name = _name(s[1], names)
        if name == s[1]:
            return s
        of = source_of_column(s)
        if of is not None and s[1] in names and of.columns is not names[s[1]][1].columns:
            return s
        return (tag, name, *s[2:])
    if tag == "table" and len(s) == 4:
        if s[3] is not None:
            return (*s[:3], _name(s[3], names))
        found = names.get(s[2])
        return s if found is None or found[1].s[:3] != s[:3] else (*s[:3], found[0])
    return tuple([renamed(child, names) for child in s])


def _name(name: str | None, names: dict[str, tuple[str, Source]]) -> str | None:
    if name is None:
        return None
    if name in names:
        return names[name][0]
    head, dot, rest = name.partition(".")
    return f"{names[head][0]}.{rest}" if dot and head in names else name


def mentioned(s: Any, known: Any, found: set[str]) -> None:
    """Adds the names of `known` tables whose columns a structure mentions and does not bring itself."""
    if type(s) is not tuple or not s:
        return
    tag = s[0]
    if tag in ("col", "cols"):
        if s[1] in known:
            found.add(s[1])
        return
    if tag == "select":
        inner: set[str] = set()
        for child in s:
            mentioned(child, known, inner)
        if inner:
            inner -= _brought(s)
            found |= inner
        return
    for child in s:
        if type(child) is tuple:
            mentioned(child, known, found)


def _brought(select: Any) -> set[str]:
    names: set[str] = set()
    for extra in select[7] or () if len(select) > 7 else ():
        if extra[0] == "joins":
            names |= {alias for join in extra[1:] if (alias := Join(*join).alias) is not None}
    return names
