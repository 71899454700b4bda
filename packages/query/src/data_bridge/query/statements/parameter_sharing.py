"""One parameter for one value: where PostgreSQL compares expressions, equal ones must use the same parameters.

``SELECT date_trunc($1, at) … GROUP BY date_trunc($2, at)`` is an error for the server, which cannot know that both
values are equal. So an expression of GROUP BY, DISTINCT ON or (with DISTINCT) ORDER BY that occurs again is written
with the parameters of its first occurrence: ``("same", k)`` in the structure.
"""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re
from typing import Any

from data_bridge import core

__all__ = ["children", "marks", "shared"]

# A doubled % is text; what is left names a slot.
_SLOTS = r"%%|%\(p(\d+)\)s"

Structure = Any
Params = tuple[Any, ...]

# Where the children of a node are names, and from which child on they are structures.
_LEAVES = frozenset({"col", "cols", "star", "table", "ordinal", "same", "null", "true", "false", "default", "lit"})
_NESTED = frozenset({"query", "exists", "array_query"})
_FIRST = {"call": 2, "agg": 2, "op": 2, "named": 2, "extract": 2}
_ONLY_FIRST = frozenset({"label", "collate", "cast", "is", ".", "asc", "desc"})


def children(node: tuple[Any, ...]) -> range:
    """Which parts of a node are structures themselves."""
    tag = node[0]
    if not isinstance(tag, str):
        return range(len(node))
    if tag in _LEAVES:
        return range(0)
    if tag in _ONLY_FIRST:
        return range(1, 2)
    if tag == "raw":
        return range(2, len(node), 2)
    return range(_FIRST.get(tag, 1), len(node))


def marks(node: Structure) -> int:
    """How many values an expression's structure takes.

    >>> marks(("and", ("=", ("col", "t", "$"), "$"), ("between", ("col", "t", "b"), ("$", "integer"), "$")))
    3
    """
    if node == "$":
        return 1
    if type(node) is not tuple or not node:
        return 0
    if node[0] == "$":
        return 1
    return sum(marks(node[i]) for i in children(node))


def shared(
    regions: list[tuple[Structure, Params]], keys: list[tuple[Structure, Params]], first: int, *, opaque: list[bool]
) -> list[tuple[Structure, Params]]:
    """The regions of a statement, in the order of its tuple, with every repeated key using the first one's parameters.

    `first` is the slot at which the regions start; `opaque` ones are passed over, because they hold whole statements.
    """
    writer = _Sharer([(s, p) for s, p in keys if p], first)
    return [
        writer.skip(s, p) if closed else writer.region(s, p) for (s, p), closed in zip(regions, opaque, strict=True)
    ]


class _Sharer:
    """Walks structures and parameters side by side."""

    def __init__(self, keys: list[tuple[Structure, Params]], first: int) -> None:
        self.keys = keys
        self.next = first
        self.seen: list[tuple[Structure, Params, int]] = []
        self.given: list[Any] = []
        self.kept: list[Any] = []

    def region(self, s: Structure, p: Params) -> tuple[Structure, Params]:
        self.given = list(reversed(p))
        self.kept = []
        if type(s) is tuple and s and (not isinstance(s[0], str) or s[0] == "$"):
            # A list of expressions, no node.
            return tuple(self.node(child) for child in s), tuple(self.kept)
        return self.node(s), tuple(self.kept)

    def skip(self, s: Structure, p: Params) -> tuple[Structure, Params]:
        self.next += len(p)
        return s, p

    def _take(self) -> None:
        self.kept.append(self.given.pop())
        self.next += 1

    def node(self, node: Structure) -> Structure:
        if node == "$":
            self._take()
            return node
        if type(node) is not tuple or not node:
            return node
        if node[0] == "$":
            self._take()
            return node
        for s, p in self.keys:
            if node == s and self._ahead(len(p)) == p:
                return self._key(node, p)
        if node[0] in _NESTED:
            # Slots of a nested statement count from its own start: only its values are passed on.
            for _ in range(statement_marks(node[1])):
                self._take()
            return node
        within = children(node)
        if not within:
            return node  # the same object: a column's structure is known by its identity
        return tuple(self.node(child) if i in within else child for i, child in enumerate(node))

    def _ahead(self, count: int) -> Params:
        return tuple(reversed(self.given[-count:]))

    def _key(self, node: Structure, p: Params) -> Structure:
        for s, known, slot in self.seen:
            if s == node and known == p and list(map(type, known)) == list(map(type, p)):
                del self.given[-len(p) :]
                return _again(node, iter(range(slot, slot + len(p))))
        self.seen.append((node, p, self.next))
        for _ in p:
            self._take()
        return node


def _again(node: Structure, slots: Any) -> Structure:
    if node == "$":
        return ("same", next(slots))
    if type(node) is not tuple or not node:
        return node
    if node[0] == "$":
        return ("same", next(slots), *node[1:])
    within = children(node)
    if not within:
        return node
    return tuple(_again(child, slots) if i in within else child for i, child in enumerate(node))


def statement_marks(ir: Structure) -> int:
    """How many values a nested statement takes: core knows, and counts them once per shape."""
    sql = core.compile(core.Statement(("styled", "pyformat", None, ir))).sql
    return len({slot for slot in re.findall(_SLOTS, sql) if slot})
