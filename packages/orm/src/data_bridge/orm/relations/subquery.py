"""Correlated subqueries: the rows of a relation, seen from the row around them."""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.query import ColumnProxy, Source
from data_bridge.query.spi import EMPTY, Columns, source_of_column

if TYPE_CHECKING:
    from data_bridge.orm.mapping.relation import Relation
    from data_bridge.orm.queries.builder import QueryBuilder


def correlated(
    query: QueryBuilder[Any],
    columns: Sequence[Any],
    relation: Relation,
    near: Sequence[ColumnProxy[Any]],
    around: set[str],
) -> tuple[Any, tuple[Any, ...]]:
    """A SELECT over the rows of a relation whose keys equal the `near` columns of the query around it."""
    entity = relation.target
    made: Any = query.columns(*columns)
    made._links = None
    if not columns:
        made._columns = EMPTY
    if relation.kind == "many":
        through = relation.through
        source = through.source
        on = [
            source.columns[through.by_key[t].name] == entity.columns[f]
            for t, f in zip(relation.through_far, relation.far, strict=True)
        ]
        made = made.join(source, on)
        far = [through.columns[k].s for k in relation.through_near]
    else:
        far = [entity.columns[k].s for k in relation.far]
    # Among the result columns while tables get other names, so that they follow.
    given = made._columns
    made = made._copy()
    made._columns = Columns((*given.s, *far), given.p, given.source, ())
    statement = made._part()
    ir = statement.ir
    own: dict[str, Source] = {entity.source.name: entity.source}
    if relation.kind == "many":
        own.setdefault(relation.through.source.name, relation.through.source)
    clashes = {name: (f"{name}.{relation.name}", source) for name, source in own.items() if name in around}
    if clashes:  # a table inside would hide the one of the same name around it
        ir = renamed(ir, clashes)
    far = ir[2][len(given.s) :]
    ir = (*ir[:2], ir[2][: len(given.s)], *ir[3:])
    conditions = tuple(("=", f, n.s) for f, n in zip(far, near, strict=True))
    # They stand in front of everything with parameters only in the text: they have none themselves.
    return (*ir[:3], (*conditions, *(ir[3] or ())), *ir[4:]), statement.params


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
            names |= {j[1][3] for j in extra[1:] if j[1][0] == "table" and len(j[1]) == 4 and j[1][3] is not None}
    return names
