"""Views and functions that come, go or change, and those that stand in the way of another change."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TypeAlias

from data_bridge.migrate.diff.grant_changes import change_grants
from data_bridge.migrate.diff.renames import Key, Renames
from data_bridge.migrate.diff.script import Script
from data_bridge.migrate.diff.table_changes import TableChange
from data_bridge.migrate.state.facts import index_name, index_sql, view_sql
from data_bridge.query import FunctionDef, ViewDef, ddl
from data_bridge.query.catalog import Schema

__all__ = ["change_objects"]

Object: TypeAlias = ViewDef | FunctionDef
Name: TypeAlias = tuple[bool, Key]
"""Whether it is a function, and its schema and name: a view and a function may have the same ones."""
_AGAIN = (
    "created again below: it cannot be used meanwhile, and privileges that are not declared have to be granted again"
)
_HEAD = "\n LANGUAGE "
"""What follows the arguments and the result of a function, as the server prints it."""


def change_objects(
    script: Script, old: Schema, new: Schema, changes: Iterable[TableChange], renames: Renames, rebuilt: set[Key]
) -> None:
    """Drops the views and functions that PostgreSQL does not allow a change beneath; makes what comes and what
    was dropped; replaces the rest in place.
    """
    before, after = _objects(old), _objects(new)
    work = _ObjectChanges(script, before, after)
    blocked = _Blocked(old, new, changes, renames, rebuilt)
    # A function that goes waits for what calls it, such as a trigger or a default.
    dropped = {
        name for name in before if not (work.can_stay(name) if name in after else isinstance(before[name], FunctionDef))
    }
    while more := {n for n, one in before.items() if n not in dropped and blocked.is_in_the_way(one, dropped)}:
        dropped |= more
    for one in reversed(in_order(before.values())):
        if name_of(one) in dropped:
            work.drop(one, "old objects")
        elif name_of(one) not in after:
            work.drop(one, "old functions")
    for one in in_order(after.values()):
        work.make(one, is_there=name_of(one) in before.keys() - dropped)


def name_of(one: Object) -> Name:
    """What tells an object from others."""
    return isinstance(one, FunctionDef), (one.schema, one.name)


def _objects(schema: Schema) -> dict[Name, Object]:
    views: list[Object] = [*schema.views.values()]
    return {name_of(one): one for one in [*views, *schema.functions.values()]}


def in_order(objects: Iterable[Object]) -> list[Object]:
    """Objects behind those that they use. The server does not know what the text of a function uses: there, a name that is
    mentioned counts.
    """
    left = {name_of(one): one for one in sorted(objects, key=lambda o: (o.schema or "", o.name, name_of(o)))}
    uses = {name: _used(one, left.keys()) for name, one in left.items()}
    made: list[Object] = []
    while left:
        free = [name for name in left if not (uses[name] & left.keys())]
        # In a circle only what the server knows counts, then the name.
        known = [name for name, one in left.items() if not (_known(one) & (left.keys() - {name}))]
        made += [left.pop(name) for name in free or known[:1] or list(left)[:1]]
    return made


def _known(one: Object) -> set[Name]:
    return {
        (use.kind == "function", (use.schema, use.name)) for use in one.uses if use.kind not in ("type", "constraint")
    }


def _used(one: Object, names: Collection[Name]) -> set[Name]:
    used = _known(one)
    if isinstance(one, FunctionDef):
        words = {word.lower() for word in re.findall(r"\w+", one.definition)}
        used |= {name for name in names if name[1][1].lower() in words}
    return used - {name_of(one)}


class _Blocked:
    """What a view or a function may not use while the tables change."""

    def __init__(
        self, old: Schema, new: Schema, changes: Iterable[TableChange], renames: Renames, rebuilt: set[Key]
    ) -> None:
        before = {after: name for name, after in renames.tables.items()}
        self._gone = {key for key in old.tables if renames.tables.get(key, key) not in new.tables}
        self._gone |= set(renames.tables)
        self._types = {*rebuilt, *(key for key in old.enums if key not in new.enums)}
        self._types |= {key for key in old.domains if key not in new.domains}
        self._columns: set[tuple[Key, str]] = set()
        self._constraints: set[tuple[Key, str]] = set()
        for change in changes:
            key = before.get(change.path, change.path)
            called = {to: name for (path, name), to in renames.columns.items() if path == change.path}
            moved = {c.new.name for c in change.columns if c.is_retyped or c.is_remade}
            moved |= {*(c.name for c in change.gone), *called}
            self._columns |= {(key, called.get(name, name)) for name in moved}
            self._constraints |= {(key, name) for name in change.dropped}

    def is_in_the_way(self, one: Object, dropped: set[Name]) -> bool:
        """Whether an object uses what changes, or another object that is dropped."""
        for use in one.uses:
            key, part = (use.schema, use.name), str(use.part)
            if use.kind == "type" and key in self._types:
                return True
            if use.kind == "function" and (True, key) in dropped:
                return True
            if use.kind in ("relation", "column") and (key in self._gone or (False, key) in dropped):
                return True
            if (use.kind == "column" and (key, part) in self._columns) or (
                use.kind == "constraint" and (key, part) in self._constraints
            ):
                return True
        return False


class _ObjectChanges:
    def __init__(self, script: Script, old: dict[Name, Object], new: dict[Name, Object]) -> None:
        self.script, self.old, self.new = script, old, new

    def can_stay(self, name: Name) -> bool:
        """Whether an object is the same afterwards, or can be replaced."""
        old, new = self.old[name], self.new[name]
        if isinstance(old, FunctionDef):
            assert isinstance(new, FunctionDef)
            return _replaces_function(old, new)
        assert isinstance(new, ViewDef)
        return _replaces_view(old, new)

    def drop(self, one: Object, phase: str) -> None:
        """Drops an object before anything else changes, or behind everything."""
        note = _AGAIN if name_of(one) in self.new else ""
        path = (one.schema, one.name)
        if isinstance(one, FunctionDef):
            self.script.add(phase, ddl.DropFunction(path, kind=one.kind), note=note)
        else:
            self.script.add(phase, ddl.DropView(path, materialized=one.materialized), note=note)

    def make(self, one: Object, *, is_there: bool) -> None:
        """Makes an object, or changes the one that is there."""
        old = self.old.get(name_of(one)) if is_there else None
        if isinstance(one, FunctionDef):
            self._function(old, one)
        elif isinstance(old, ViewDef):
            self._view(old, one)
        else:
            self.script.add("objects", *ddl.create_view_operations(one))

    def _function(self, old: Object | None, new: FunctionDef) -> None:
        # A default, a constraint or an index of a new table may call it.
        phase = "functions" if new.serves_tables else "objects"
        if not isinstance(old, FunctionDef):
            self.script.add(phase, *ddl.create_function_operations(new))
            return
        if old.definition != new.definition:
            self.script.add(phase, ddl.CreateFunction(new, or_replace=True))
        if old.comment != new.comment:
            self.script.add("comments", ddl.Comment(new.kind, (new.schema, new.name), new.comment))

    def _view(self, old: ViewDef, new: ViewDef) -> None:
        path = (new.schema, new.name)
        if view_sql(old) != view_sql(new):
            self.script.add("objects", ddl.create_view_operations(new, or_replace=True)[0])
        if old.comment != new.comment:
            said = ddl.Comment("materialized view" if new.materialized else "view", path, new.comment)
            self.script.add("comments", said)
        before = {c.name: c.comment for c in old.columns}
        for column in new.columns:
            if before.get(column.name) != column.comment:
                self.script.add("comments", ddl.Comment("column", path, column.comment, column.name))
        self._indexes(old, new)
        change_grants(self.script, path, old, new)

    def _indexes(self, old: ViewDef, new: ViewDef) -> None:
        path = (new.schema, new.name)
        left = {index_name(old, i): i for i in old.indexes}
        for index in new.indexes:
            name = index_name(new, index)
            known = left.pop(name, None)
            is_same = known is not None and index_sql(known) == index_sql(index)
            if known is not None and not is_same:
                self.script.add("loosen", ddl.DropIndex((path[0], name)))
            if not is_same:
                self.script.add("indexes", ddl.CreateIndex(path, index.replace(name=name)))
            if (known.comment if known is not None and is_same else None) != index.comment:
                self.script.add("comments", ddl.Comment("index", (path[0], name), index.comment))
        for name in left:
            self.script.add("loosen", ddl.DropIndex((path[0], name)))


def _replaces_view(old: ViewDef, new: ViewDef) -> bool:
    """PostgreSQL adds columns at the end of a view, and no more."""
    if view_sql(old) == view_sql(new):
        return True
    kept = [(c.name, c.type, c.collation) for c in old.columns]
    now = [(c.name, c.type, c.collation) for c in new.columns]
    return not (old.materialized or new.materialized) and now[: len(kept)] == kept


def _replaces_function(old: FunctionDef, new: FunctionDef) -> bool:
    """PostgreSQL replaces a function with the same arguments and the same result."""
    return old.kind == new.kind and old.definition.partition(_HEAD)[0] == new.definition.partition(_HEAD)[0]
