"""The index that a CREATE INDEX makes, read from its text."""

from __future__ import annotations

from typing import NamedTuple

from data_bridge.migrate._sql_lexer import tokens


class WantedIndex(NamedTuple):
    """An index as a statement wants it.

    Attributes:
        name: its name, or None when the server chooses one.
        unique: whether it is unique.
        rest: what stands behind the table: method, columns, predicate.
    """

    name: str | None
    unique: bool
    rest: str

    def on(self, table: str) -> str:
        """The statement that makes the same index on another table, without CONCURRENTLY."""
        return f"CREATE {'UNIQUE ' if self.unique else ''}INDEX ON {table} {self.rest}"


def index_of(sql: str) -> WantedIndex | None:
    """The index of a CREATE INDEX; None for another statement.

    >>> index_of('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "My Index" ON ONLY shop."t" USING btree (a) WHERE b > 1')
    WantedIndex(name='My Index', unique=True, rest='USING btree (a) WHERE b > 1')
    >>> index_of("create index concurrently on t (a)")
    WantedIndex(name=None, unique=False, rest='(a)')
    """
    found = tokens(sql)
    words = [t.lower() if kind == "word" else t for kind, t, _ in found]
    if words[:1] != ["create"] or "on" not in words:
        return None
    on = words.index("on")
    head = words[1:on]
    if "index" not in head[:2]:
        return None
    behind = head[head.index("index") + 1 :]
    if behind[:1] == ["concurrently"]:
        behind = behind[1:]
    if behind[:3] == ["if", "not", "exists"]:
        behind = behind[3:]
    at = on + 2 if words[on + 1 : on + 2] == ["only"] else on + 1
    while words[at + 1 : at + 2] == ["."]:
        at += 2
    if at + 1 >= len(found) or len(behind) > 1:
        return None
    return WantedIndex(_bare(behind[0]) if behind else None, head[:1] == ["unique"], sql[found[at + 1][2] :])


def _bare(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier
