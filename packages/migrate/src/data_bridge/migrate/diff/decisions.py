"""What a person has to decide about a change: by instructions, by answers on a terminal, or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field

from data_bridge.core.errors import ConfigurationError
from data_bridge.migrate.diff.instructions import Instructions, Undecided
from data_bridge.migrate.diff.renames import Key, Renames
from data_bridge.migrate.state.facts import column_sql, spelled
from data_bridge.query import ColumnDef, EnumDef, TableDef
from data_bridge.query.catalog import Schema

__all__ = ["Ask", "Decisions", "decide", "loses_data"]

Ask = Callable[[str, bool], str]
"""Asks a person: the question, and whether its answer is yes or no ("y", "n"); an empty answer leaves it open."""


@dataclass(slots=True)
class Decisions:
    """What was decided.

    Attributes:
        renames: what has a new name.
        replacements: the label that rows get, by the enum and the label that goes.
        fills: SQL for the rows that are there, by table and column.
        using: SQL that converts to the new type, by table and column.
    """

    renames: Renames = field(default_factory=Renames)
    replacements: dict[tuple[Key, str], str] = field(default_factory=dict[tuple[Key, str], str])
    fills: dict[tuple[Key, str], str] = field(default_factory=dict[tuple[Key, str], str])
    using: dict[tuple[Key, str], str] = field(default_factory=dict[tuple[Key, str], str])

    def way_back(self) -> Decisions:
        """Those of the way back: what was added is dropped there without a question."""
        return Decisions(self.renames.inverse())


def decide(
    old: Schema, new: Schema, given: Instructions, ask: Ask | None = None, declared: Schema | None = None
) -> Decisions:
    """Decides what leads from one schema to the other. The declarations may say what a table or a column was called before;
    this counts as long as that name is in the old schema.

    Raises:
        Undecided: a question is open, and there is no terminal to ask on.
        ConfigurationError: an instruction is about nothing that changes.
    """
    desk = _Desk(old, new, given, ask, declared or new)
    desk.tables()
    desk.columns()
    desk.values()
    if desk.open:
        raise Undecided(desk.open)
    given.refuse_unused()
    return desk.made


def loses_data(old: ColumnDef, new: ColumnDef) -> bool:
    """Whether a column that stays has to be made again, without the values that people gave it."""
    if old.generated is None:
        return new.generated is not None
    return new.generated is None and not old.stored


class _Desk:
    def __init__(self, old: Schema, new: Schema, given: Instructions, ask: Ask | None, declared: Schema) -> None:
        self.declared = declared
        self.old, self.new, self.given, self.ask = old, new, given, ask
        self.made = Decisions()
        self.open: list[str] = []

    def _yes(self, question: str) -> bool | None:
        """The answer of a person; None without a terminal or an answer."""
        answer = self.ask(question, True) if self.ask is not None else ""
        return {"y": True, "n": False}.get(answer[:1].lower())

    # -------------------------------------------------------------------------------------------------------- tables
    def tables(self) -> None:
        """Renamed and dropped tables."""
        gone = [key for key in self.old.tables if key not in self.new.tables]
        come = [key for key in self.new.tables if key not in self.old.tables]
        for key in list(gone):
            name = spelled(*key)
            to = self.given.take("--rename", self.given.renames, name)
            target = self._declared_table(key, come) if to is None else self._named(to, key, come, "table")
            if target is None and name not in self.given.drops:
                target = self._like(name, key, come)
            if target is not None:
                self.made.renames.tables[key] = target
                gone.remove(key)
                come.remove(target)
        for key in gone:
            self._drop(f"the table {spelled(*key)}", spelled(*key))

    def _named(self, to: str, key: Key, come: list[Key], kind: str) -> Key:
        for candidate in come:
            if to in (spelled(*candidate), candidate[1]) and (to != candidate[1] or candidate[0] == key[0]):
                return candidate
        raise ConfigurationError(f"--rename {spelled(*key)}:{to}: there is no new {kind} {to}")

    def _declared_table(self, key: Key, come: list[Key]) -> Key | None:
        """The new table that says that it was called so."""
        for candidate in come:
            before = self.declared.tables[candidate].renamed_from
            if before is not None and before in (spelled(*key), key[1] if key[0] == candidate[0] else None):
                return candidate
        return None

    def _like(self, name: str, key: Key, come: list[Key]) -> Key | None:
        ranked = sorted(come, key=lambda k: -_likeness(self.old.tables[key], self.new.tables[k]))
        best = ranked[0] if ranked and _likeness(self.old.tables[key], self.new.tables[ranked[0]]) >= 0.5 else None
        if best is None:
            return None
        return best if self._is_renamed("table", name, spelled(*best)) else None

    def _is_renamed(self, kind: str, name: str, to: str) -> bool:
        """Whether a new table or column is the renamed one; until the question is answered, it counts as renamed."""
        answer = self._yes(f"Is the new {kind} {to} the renamed {name}?")
        if answer is None and "*" not in self.given.drops:
            self.open.append(
                f"the {kind} {name} was removed and the similar {kind} {to} was added: add --rename {name}:{to}, or "
                f"--allow-drop {name}"
            )
            return True
        return bool(answer)

    def _drop(self, what: str, name: str) -> None:
        if self.given.may_drop(name):
            return
        answer = self._yes(f"Drop {what}, with its data?")
        if not answer:
            self.open.append(f"{what} would be dropped with its data: add --allow-drop {name}")

    # ------------------------------------------------------------------------------------------------------- columns
    def columns(self) -> None:
        """Renamed, dropped and new columns of the tables that stay."""
        for old_key, old in self.old.tables.items():
            key = self.made.renames.tables.get(old_key, old_key)
            if key in self.new.tables:
                self._columns_of(old_key, key, old, self.new.tables[key])

    def _columns_of(self, old_key: Key, key: Key, old: TableDef, new: TableDef) -> None:
        before = {c.name: c for c in old.columns}
        after = {c.name: c for c in new.columns}
        gone = [c for name, c in before.items() if name not in after]
        come = [c for name, c in after.items() if name not in before]
        for column in list(gone):
            name = f"{spelled(*old_key)}.{spelled(None, column.name)}"
            to = self.given.take("--rename", self.given.renames, name)
            target = next((c for c in come if to in (c.name, spelled(None, c.name))), None)
            if to is not None and target is None:
                raise ConfigurationError(f"--rename {name}:{to}: there is no new column {to} in {spelled(*key)}")
            if to is None:
                said = {c.name for c in self.declared.tables[key].columns if c.renamed_from == column.name}
                target = next((c for c in come if c.name in said), None)
            if target is None and name not in self.given.drops:
                target = self._column_like(name, column, come, (old, new))
            if target is not None:
                self.made.renames.columns[key, column.name] = target.name
                gone.remove(column)
                come.remove(target)
        for column in gone:
            if column.generated is None:
                name = f"{spelled(*old_key)}.{spelled(None, column.name)}"
                self._drop(f"the column {name}", name)
        self._kept(old_key, key, old, new)
        for column in come:
            self._fill(key, column)

    def _column_like(
        self, name: str, column: ColumnDef, come: list[ColumnDef], tables: tuple[TableDef, TableDef]
    ) -> ColumnDef | None:
        alike = [
            c
            for c in come
            if c.type.family == column.type.family and (c.generated is None) == (column.generated is None)
        ]
        use = _use(tables[0], column.name)
        best = max(
            alike,
            key=lambda c: (
                column_sql(c) == column_sql(column),
                _use(tables[1], c.name) == use,
                _ratio(column.name, c.name),
            ),
            default=None,
        )
        if best is None or column.generated is not None:
            return None
        return best if self._is_renamed("column", name, spelled(None, best.name)) else None

    def _kept(self, old_key: Key, key: Key, old: TableDef, new: TableDef) -> None:
        after = {c.name: c for c in new.columns}
        for column in old.columns:
            now = after.get(self.made.renames.columns.get((key, column.name), column.name))
            if now is None:
                continue
            name = f"{spelled(*key)}.{spelled(None, now.name)}"
            using = self.given.take("--using", self.given.using, name)
            if using is not None:
                self.made.using[key, now.name] = using
            if loses_data(column, now):
                old_name = f"{spelled(*old_key)}.{spelled(None, column.name)}"
                self._drop(f"the column {old_name}, which is generated on one side of the change,", old_name)
            if column.nullable and not now.nullable:
                fill = self.given.take("--fill", self.given.fills, name)
                if fill is not None:
                    self.made.fills[key, now.name] = fill

    def _fill(self, key: Key, column: ColumnDef) -> None:
        """A value for the rows that are there, where a new column needs one."""
        if column.nullable or column.default is not None or column.identity or column.generated is not None:
            return
        name = f"{spelled(*key)}.{spelled(None, column.name)}"
        fill = self.given.take("--fill", self.given.fills, name)
        if fill is None and self.ask is not None:
            fill = self.ask(
                f"The new column {name} is NOT NULL and has no default. SQL for the rows that are there:", False
            )
        if fill:
            self.made.fills[key, column.name] = fill
        else:
            self.open.append(
                f"the new column {name} is NOT NULL and has no default: add --fill {name}:SQL for the rows that are there, "
                "or give the column a server default"
            )

    # ---------------------------------------------------------------------------------------------------------- values
    def values(self) -> None:
        """Renamed and removed values of enums."""
        for key, old in self.old.enums.items():
            new = self.new.enums.get(key)
            if new is not None:
                self._values_of(key, old, new)

    def _values_of(self, key: Key, old: EnumDef, new: EnumDef) -> None:
        gone = [value for value in old.values if value not in new.values]
        come = [value for value in new.values if value not in old.values]
        for value in gone:
            name = f"{spelled(*key)}.{value}"
            to = self.given.take("--rename", self.given.renames, name)
            if to is not None and to not in come:
                raise ConfigurationError(f"--rename {name}:{to}: there is no new value {to} in {spelled(*key)}")
            instead = self.given.take("--replace", self.given.replacements, name)
            if instead is not None and instead not in new.values:
                raise ConfigurationError(f"--replace {name}:{instead}: {spelled(*key)} has no value {instead}")
            if to is None and instead is None and come:
                best = max(come, key=lambda v: _ratio(value, v))
                if self._yes(f"Is the new value {best} of {spelled(*key)} the renamed {value}?"):
                    to = best
            if to is None and instead is None and self.ask is not None:
                answer = self.ask(f"The value {name} was removed. The value that its rows get instead:", False)
                instead = answer if answer in new.values else None
            if to is not None:
                come.remove(to)
                self.made.renames.values[key, value] = to
            elif instead is not None:
                self.made.replacements[key, value] = instead
            else:
                renamed_to = f"--rename {name}:NEW if it is renamed, or " if come else ""
                self.open.append(
                    f"the enum value {name} was removed: add {renamed_to}--replace {name}:VALUE for its rows"
                )


def _likeness(old: TableDef, new: TableDef) -> float:
    before = {(c.name, c.type.name) for c in old.columns}
    after = {(c.name, c.type.name) for c in new.columns}
    return 2 * len(before & after) / ((len(before) + len(after)) or 1)


def _use(table: TableDef, column: str) -> list[tuple[str, int]]:
    """The kinds of the constraints and indexes of a column, and where it stands in them."""
    keys = [(c.kind, c.columns.index(column)) for c in table.constraints if column in c.columns]
    # An expression has no truth value, so that it must not be compared with a name.
    indexes = [[key if isinstance(key, str) else None for key in index.columns] for index in table.indexes]
    return sorted([*keys, *(("index", names.index(column)) for names in indexes if column in names)])


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
