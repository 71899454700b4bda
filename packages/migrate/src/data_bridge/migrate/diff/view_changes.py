"""Views that come, go or change, and those that stand in the way of another change."""

from __future__ import annotations

from collections.abc import Iterable

from data_bridge.migrate.diff.renames import Key, Renames
from data_bridge.migrate.diff.script import Script
from data_bridge.migrate.diff.table_changes import TableChange
from data_bridge.migrate.state.facts import index_name, index_sql, view_sql
from data_bridge.query import ViewDef, ddl
from data_bridge.query.catalog import Schema

__all__ = ["change_views"]

_AGAIN = "made again below: nobody can read it meanwhile, and privileges on it have to be granted again"


def change_views(
    script: Script, old: Schema, new: Schema, changes: Iterable[TableChange], renames: Renames, rebuilt: set[Key]
) -> None:
    """Drops the views that go, and those that PostgreSQL would not let anybody change something under; makes what comes and
    what was dropped; replaces the rest in place.
    """
    work = _ViewChanges(script, old, new, renames)
    blocked = _Blocked(old, new, changes, renames, rebuilt)
    dropped = {key for key in old.views if key not in new.views or not work.can_stay(key)}
    while more := {
        key for key, view in old.views.items() if key not in dropped and blocked.is_in_the_way(view, dropped)
    }:
        dropped |= more
    for view in reversed(ddl.views_in_order(old.views.values())):
        if (view.schema, view.name) in dropped:
            work.drop(view)
    for view in ddl.views_in_order(new.views.values()):
        work.make(view, is_there=(view.schema, view.name) in old.views.keys() - dropped)


class _Blocked:
    """What a view may not use while the tables change."""

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

    def is_in_the_way(self, view: ViewDef, dropped: set[Key]) -> bool:
        """Whether a view uses what changes, or a view that is dropped."""
        for use in view.uses:
            key, part = (use.schema, use.name), str(use.part)
            if use.kind == "type" and key in self._types:
                return True
            if use.kind in ("relation", "column") and (key in self._gone or key in dropped):
                return True
            if (use.kind == "column" and (key, part) in self._columns) or (
                use.kind == "constraint" and (key, part) in self._constraints
            ):
                return True
        return False


class _ViewChanges:
    def __init__(self, script: Script, old: Schema, new: Schema, renames: Renames) -> None:
        self.script, self.old, self.new, self.renames = script, old.views, new.views, renames

    def can_stay(self, key: Key) -> bool:
        """Whether a view is the same afterwards, or can be replaced: PostgreSQL adds columns at the end, and no more."""
        old, new = self.old[key], self.new[key]
        if view_sql(old) == view_sql(new):
            return True
        kept = [(c.name, c.type, c.collation) for c in old.columns]
        now = [(c.name, c.type, c.collation) for c in new.columns]
        return not (old.materialized or new.materialized) and now[: len(kept)] == kept

    def drop(self, view: ViewDef) -> None:
        """Drops a view before anything else changes."""
        note = _AGAIN if (view.schema, view.name) in self.new else ""
        path = (view.schema, view.name)
        self.script.add("old views", ddl.DropView(path, materialized=view.materialized), note=note)

    def make(self, view: ViewDef, *, is_there: bool) -> None:
        """Makes a view, or changes the one that is there."""
        if not is_there:
            self.script.add("views", *ddl.create_view_operations(view))
            return
        path = (view.schema, view.name)
        old = self.old[path]
        if view_sql(old) != view_sql(view):
            self.script.add("views", ddl.create_view_operations(view, or_replace=True)[0])
        if old.comment != view.comment:
            said = ddl.Comment("materialized view" if view.materialized else "view", path, view.comment)
            self.script.add("comments", said)
        before = {c.name: c.comment for c in old.columns}
        for column in view.columns:
            if before.get(column.name) != column.comment:
                self.script.add("comments", ddl.Comment("column", path, column.comment, column.name))
        self._indexes(old, view)

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
