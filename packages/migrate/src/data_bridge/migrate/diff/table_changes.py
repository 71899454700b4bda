"""The changes of one table that is there before and afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from data_bridge.migrate.diff.column_changes import ColumnChange
from data_bridge.migrate.diff.decisions import Decisions
from data_bridge.migrate.diff.grant_changes import change_grants
from data_bridge.migrate.diff.renames import Key, mentions
from data_bridge.migrate.diff.script import Script
from data_bridge.migrate.state.facts import constraint_sql, index_name, index_sql, policy_sql, trigger_sql
from data_bridge.query import ConstraintDef, IndexDef, PolicyDef, TableDef, TriggerDef, ddl, sql

__all__ = ["TableChange", "relink"]


class TableChange:
    """A table before and after, under its new name.

    Attributes:
        remade: columns whose values change so much that what is built on them is built again.
        dropped: names of the constraints that are dropped, also of those that are added again.
    """

    def __init__(
        self, script: Script, old: TableDef, new: TableDef, decisions: Decisions, rebuilt: Iterable[Key]
    ) -> None:
        self.script = script
        self.old, self.new = old, new
        self.decisions = decisions
        self.path: Key = (new.schema, new.name)
        before = {c.name: c for c in old.columns}
        self.gone = [c for c in old.columns if c.name not in {n.name for n in new.columns}]
        self.come = [c for c in new.columns if c.name not in before]
        kept = [(before[c.name], c) for c in new.columns if c.name in before]
        self.columns = [ColumnChange(script, self.path, old, new, *pair, decisions, set(rebuilt)) for pair in kept]
        retyped = {c.new.name for c in self.columns if c.is_retyped}
        moved = retyped | {c.name for c in self.gone}
        for change in self.columns:
            # PostgreSQL refuses to change the type of a column that a generated column is made of.
            change.is_remade = change.is_remade or (
                change.old.generated is not None and mentions(change.old.generated, moved)
            )
        self.remade = {c.new.name for c in self.columns if c.is_remade or c.is_converted}
        self.dropped: set[str] = set()
        self._added: list[ConstraintDef] = []

    # ------------------------------------------------------------------------------------------------------------ all
    def apply(self) -> None:
        """Adds the operations to the script."""
        self._constraints()
        self._indexes()
        for column in self.gone:
            phase = "old columns" if column.generated is None else "loosen"
            self.script.add(phase, ddl.DropColumn(self.path, column.name))
        keys = {name for c in self._added if c.kind == "primary_key" for name in c.columns}
        for change in self.columns:
            change.apply(becomes_key=change.new.name in keys)
        for column in self.come:
            ColumnChange.added(self.script, self.path, self.old, column, self.decisions)
        self._triggers()
        self._policies()
        change_grants(self.script, self.path, self.old, self.new)
        self._comments()

    # ---------------------------------------------------------------------------------------------------- constraints
    def _constraints(self) -> None:
        old = {str(c.name): c for c in self.old.constraints}
        new = {str(c.name): c for c in self.new.constraints}
        left = dict(old)
        for name, constraint in new.items():
            same = self._same(name, constraint, left)
            if same is None:
                self._added.append(constraint)
                continue
            before = left.pop(same)
            if same != name:
                self.script.add("renames", ddl.RenameConstraint(self.path, same, name))
            if self._text(before) == f"{self._text(constraint)} NOT VALID":
                self.script.add("constraints", ddl.ValidateConstraint(self.path, name))
        for constraint in left.values():
            self.drop(constraint)
        for constraint in self._added:
            self._add(constraint)

    def _text(self, constraint: ConstraintDef) -> str:
        return constraint_sql(self.new, constraint)

    def _same(self, name: str, constraint: ConstraintDef, left: dict[str, ConstraintDef]) -> str | None:
        """The name of the old constraint that this one is, perhaps called otherwise."""
        if self._touches(constraint):
            return None
        wanted = {self._text(constraint), f"{self._text(constraint)} NOT VALID"}
        if name in left:
            return name if self._text(left[name]) in wanted else None
        kept = {str(c.name) for c in self.new.constraints}
        return next((n for n, c in left.items() if n not in kept and self._text(c) in wanted), None)

    def _touches(self, c: ConstraintDef) -> bool:
        names = {*c.columns, *c.include}
        expressions = [c.check, c.where, *(item for item, _ in c.elements)]
        return bool(names & self.remade) or any(mentions(item, self.remade) for item in expressions)

    def drop(self, constraint: ConstraintDef) -> None:
        """Drops a constraint before anything that it would be in the way of."""
        self.dropped.add(str(constraint.name))
        phase = "unlink" if constraint.kind == "foreign_key" else "loosen"
        self.script.add(phase, ddl.DropConstraint(self.path, str(constraint.name)))

    def _add(self, constraint: ConstraintDef) -> None:
        note = ""
        if constraint.kind == "exclude":
            note = "reads the whole table and blocks writes to it"
        elif constraint.kind in ("unique", "primary_key") and constraint.deferrable is not None:
            note = "builds its index and blocks reads and writes of the table"
        phase = "keys" if constraint.kind == "foreign_key" else "constraints"
        self.script.add(phase, ddl.AddConstraint(self.path, constraint), note=note)

    def link_again(self, constraint: ConstraintDef) -> None:
        """Drops a foreign key that stays, and adds it again behind the change of what it points to."""
        self.drop(constraint)
        self._add(constraint)

    def kept_keys(self) -> Iterable[ConstraintDef]:
        """The foreign keys that no change of their own table concerns."""
        before = {str(c.name): self._text(c) for c in self.old.constraints}
        return [
            c
            for c in self.new.constraints
            if c.kind == "foreign_key" and str(c.name) not in self.dropped and before.get(str(c.name)) == self._text(c)
        ]

    def lost_keys(self) -> list[set[str]]:
        """The columns of the keys that are dropped, also of those that are added again."""
        return [
            set(c.columns)
            for c in self.old.constraints
            if c.kind in ("primary_key", "unique") and str(c.name) in self.dropped
        ]

    # -------------------------------------------------------------------------------------------------------- indexes
    def _indexes(self) -> None:
        old = {index_name(self.old, i): i for i in self.old.indexes}
        new = {index_name(self.new, i): i for i in self.new.indexes}
        left = dict(old)
        for name, index in new.items():
            if self._index_touches(index):
                self._make_index(name, index)
                continue
            if name in left:
                if index_sql(left[name]) == index_sql(index):
                    del left[name]
                else:
                    self._replace_index(name, left.pop(name), index)
                continue
            same = next((n for n, i in left.items() if n not in new and index_sql(i) == index_sql(index)), None)
            if same is None:
                self._make_index(name, index)
            else:
                del left[same]
                self.script.add("renames", ddl.RenameIndex((self.path[0], same), name))
        for name in left:
            self.script.add("loosen", ddl.DropIndex((self.path[0], name)))

    def _index_touches(self, i: IndexDef) -> bool:
        keys: Sequence[Any] = (*i.columns, *i.include, i.where)
        return any(mentions(key, self.remade) for key in keys)

    def _make_index(self, name: str, index: IndexDef) -> None:
        self.script.add("indexes", ddl.CreateIndex(self.path, index.replace(name=name)))

    def _replace_index(self, name: str, old: IndexDef, new: IndexDef) -> None:
        """The new index is there before the old one goes, so that no query is without one."""
        if any(c.is_retyped for c in self.columns) or self.gone or not old.valid:
            self.script.add("loosen", ddl.DropIndex((self.path[0], name)))
        else:
            aside = f"{name.encode()[:59].decode(errors='ignore')}_old"
            self.script.add("renames", ddl.RenameIndex((self.path[0], name), aside))
            self.script.add("old indexes", ddl.DropIndex((self.path[0], aside)))
        self._make_index(name, new)

    # ------------------------------------------------------------------------------------------------------- triggers
    def _triggers(self) -> None:
        """Replaces triggers in place where PostgreSQL can, so that no write is without them."""
        left = {t.name: t for t in self.old.triggers}
        moved = {c.new.name for c in self.columns if c.is_retyped or c.is_remade} | {c.name for c in self.gone}
        for trigger in self.new.triggers:
            old = left.pop(trigger.name, None)
            if old is not None and self._is_in_the_way(old, trigger, moved):
                self.script.add(
                    "old triggers",
                    ddl.DropTrigger(self._before, trigger.name),
                    note="created again below: writes in between go without it",
                )
                old = None
            if old is None:
                alone = self.new.replace(triggers=(trigger,))
                self.script.add("triggers", *ddl.create_trigger_operations(alone))
                continue
            if trigger_sql(old) != trigger_sql(trigger):
                self.script.add("triggers", ddl.CreateTrigger(self.path, trigger, or_replace=True))
            if old.comment != trigger.comment:
                self.script.add("comments", ddl.Comment("trigger", self.path, trigger.comment, trigger.name))
        for name in left:
            self.script.add("old triggers", ddl.DropTrigger(self._before, name))

    @property
    def _before(self) -> Key:
        """What the table is called before everything else changes."""
        called = {new: old for old, new in self.decisions.renames.tables.items()}
        return called.get(self.path, self.path)

    @staticmethod
    def _is_in_the_way(old: TriggerDef, new: TriggerDef, moved: set[str]) -> bool:
        text = trigger_sql(old)
        if text != trigger_sql(new) and (old.constraint or new.constraint):
            return True
        return mentions(sql(text), moved)

    # ------------------------------------------------------------------------------------------------------- policies
    def _policies(self) -> None:
        """Changes policies in place where PostgreSQL can. Row-level security is enabled behind its policies, and disabled
        before they go.
        """
        left = {p.name: p for p in self.old.policies}
        moved = {c.new.name for c in self.columns if c.is_retyped or c.is_remade} | {c.name for c in self.gone}
        for policy in self.new.policies:
            old = left.pop(policy.name, None)
            if old is not None and not _alters(old, policy, moved):
                self._drop_policy(old, again=True)
                old = None
            if old is None:
                alone = self.new.replace(policies=(policy,), row_security=None)
                self.script.add("policies", *ddl.create_policy_operations(alone))
                continue
            if policy_sql(old) != policy_sql(policy):
                self.script.add("policies", ddl.AlterPolicy(self.path, policy))
            if old.comment != policy.comment:
                self.script.add("comments", ddl.Comment("policy", self.path, policy.comment, policy.name))
        if self.old.row_security != self.new.row_security:
            note = "every role sees and writes all rows from here on" if self.new.row_security is None else ""
            self.script.add("policies", ddl.SetRowSecurity(self.path, self.new.row_security), note=note)
        for policy in left.values():
            if _uses(policy, moved):
                self._drop_policy(policy, again=False)
            else:
                self.script.add("policies", ddl.DropPolicy(self.path, policy.name))

    def _drop_policy(self, policy: PolicyDef, *, again: bool) -> None:
        """Drops a policy before anything that it would be in the way of."""
        note = ""
        if policy.restrictive:
            note = "rows that this policy hides can be seen from here on" + (
                " until it is created again" if again else ""
            )
        elif again:
            note = "created again below: rows that only this policy shows cannot be seen meanwhile"
        self.script.add("old policies", ddl.DropPolicy(self._before, policy.name), note=note)

    # ------------------------------------------------------------------------------------------------------- comments
    def _comments(self) -> None:
        say = self.script.add
        if self.old.comment != self.new.comment:
            say("comments", ddl.Comment("table", self.path, self.new.comment))
        before = {c.old.name: c.old.comment for c in self.columns if not c.is_remade}
        for column in self.new.columns:
            if before.get(column.name) != column.comment:
                say("comments", ddl.Comment("column", self.path, column.comment, column.name))
        made = {str(c.name) for c in self._added}
        known = {str(c.name): c.comment for c in self.old.constraints if str(c.name) not in made}
        for c in self.new.constraints:
            if known.get(str(c.name), self._renamed_comment(c, made)) != c.comment:
                say("comments", ddl.Comment("constraint", self.path, c.comment, str(c.name)))
        for index in self.new.indexes:
            name = index_name(self.new, index)
            same = [i for i in self.old.indexes if index_sql(i) == index_sql(index)]
            text = None if self._index_touches(index) or not same else same[0].comment
            if text != index.comment:
                say("comments", ddl.Comment("index", (self.path[0], name), index.comment))

    def _renamed_comment(self, c: ConstraintDef, made: set[str]) -> str | None:
        if str(c.name) in made:
            return None
        return next((o.comment for o in self.old.constraints if self._text(o) == self._text(c)), None)


def _uses(policy: PolicyDef, columns: set[str]) -> bool:
    return mentions(policy.using, columns) or mentions(policy.check, columns)


def _alters(old: PolicyDef, new: PolicyDef, moved: set[str]) -> bool:
    """Whether a policy stays, or can be altered: only its roles and the conditions that it has."""
    same = [(p.command, p.restrictive, p.using is None, p.check is None) for p in (old, new)]
    return same[0] == same[1] and not _uses(old, moved)


def relink(script: Script, changes: Iterable[TableChange]) -> None:
    """Foreign keys that stay, but point to columns whose type or whose key is made again."""
    known = {change.path: change for change in changes}
    for change in known.values():
        for key in change.kept_keys():
            target = known.get(key.references) if key.references is not None else None
            if target is None:
                continue
            there = set(key.references_columns)
            own = change.remade & set(key.columns)
            if own or target.remade & there or there in target.lost_keys():
                change.link_again(key)
