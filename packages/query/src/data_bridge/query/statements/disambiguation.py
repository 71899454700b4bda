"""Tables of one name in one statement: the aliases that tell them apart.

Columns are qualified by the bare name of their table. Where a statement has two tables of one name, from two schemas,
that name means the nearer one, or neither. So one of them gets an alias, and the columns that are its own follow it:
each column's structure is one object, which knows its table.
"""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .._names import digest
from ..expressions.origins import source_of_column

if TYPE_CHECKING:
    from ..expressions.node import Structure
    from ..expressions.sources import Source

__all__ = ["apart", "embedded"]

_STATEMENTS = frozenset({"select", "update", "delete", "insert", "merge"})
_NO_NAMES: frozenset[str] = frozenset()


def apart(ir: Structure, sources: Sequence[Source]) -> Structure:
    """A statement over these sources, in which the second of two tables of one name has an alias."""
    if len({source.name for source in sources}) == len(sources):
        return ir
    first: dict[str, Source] = {}
    for source in sources:
        other = first.setdefault(source.name, source)
        if other.columns is not source.columns and (table := bare_table(source.s)) is not None:
            ir = _aliased(ir, source, alias_of(table), own=False)
    return ir


def embedded(ir: Structure, sources: Sequence[Source]) -> Structure:
    """The statement as a part of another one: where it mentions a table outside that has the name of one of its own, its
    own gets an alias.
    """
    own = {source.name: source for source in reversed(sources) if bare_table(source.s) is not None}
    hidden: set[str] = set()

    def find(column: Structure) -> None:
        source = source_of_column(column)
        if source is not None and source.columns is not own[column[1]].columns:
            hidden.add(column[1])

    if own:
        _visit(ir, frozenset(own), find)
    for name in sorted(hidden):
        source = own[name]
        ir = _aliased(ir, source, alias_of(bare_table(source.s)), own=True)
    return ir


def bare_table(s: Structure) -> Structure:
    """The table of a source that has no alias, or None."""
    while type(s) is tuple and s and s[0] in ("only", "sample"):
        s = s[1]
    return s if type(s) is tuple and s and s[0] == "table" and s[3] is None else None


def alias_of(table: Structure) -> str:
    """The alias of a table: "shop:item". The colon keeps it apart from paths to related rows, which have dots."""
    _, schema, name, _ = table
    made = f"{schema or ''}:{name}"
    if made.count(":") == 1 and "." not in made and len(made.encode()) <= 63:
        return made
    # Names with colons, dots or many letters stay distinct through a digest of both parts.
    start = made.replace(":", "_").replace(".", "_").encode()[:49].decode(errors="ignore")
    return f"{start}:{digest(repr((schema, name)).encode())[:12]}"


def _aliased(ir: Structure, source: Source, alias: str, *, own: bool) -> Structure:
    """The statement with an alias for one source. Columns of no known table are its own, or else those of the others."""
    table = bare_table(source.s)

    def change(s: Structure) -> Structure:
        if s[0] == "table":
            return (*s[:3], alias) if s is table else s
        of = source_of_column(s)
        if of is None:
            return (s[0], alias, *s[2:]) if own else s
        return (s[0], alias, *s[2:]) if of.columns is source.columns else s

    return _changed(ir, source.name, change, is_root=True)


def _changed(s: Structure, name: str, change: Callable[[Structure], Structure], *, is_root: bool = False) -> Structure:
    if type(s) is not tuple or not s:
        return s
    tag = s[0]
    if tag in ("col", "cols"):
        return change(s) if s[1] == name else s
    if tag == "table" and len(s) == 4:
        return change(s)
    if not is_root and tag in _STATEMENTS and name in _brought(s):
        return s
    made = tuple([_changed(child, name, change) for child in s])
    return s if all(a is b for a, b in zip(made, s, strict=True)) else made


def _visit(s: Structure, names: frozenset[str], find: Callable[[Structure], None], *, is_root: bool = True) -> None:
    if type(s) is not tuple or not s:
        return
    tag = s[0]
    if tag == "col":
        if s[1] in names:
            find(s)
        return
    if not is_root and tag in _STATEMENTS:
        names = names - _brought(s)
        if not names:
            return
    for child in s:
        if type(child) is tuple:
            _visit(child, names, find, is_root=False)


def _brought(statement: Structure) -> frozenset[str]:
    """The names of tables without an alias that a statement has in FROM."""
    found = [statement[1]]
    if statement[0] == "merge":
        found.append(statement[2])
    extras = statement[-1]
    for extra in extras if type(extras) is tuple else ():
        if type(extra) is tuple and extra:
            if extra[0] == "joins":
                found += [join[1] for join in extra[1:]]
            elif extra[0] in ("from", "using"):
                found += extra[1:]
    names = [table[2] for table in map(bare_table, found) if table is not None]
    return frozenset(names) if names else _NO_NAMES
