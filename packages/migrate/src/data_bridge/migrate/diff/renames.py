"""Renamed objects, and a schema in which they have their new names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from data_bridge.core import tokenize
from data_bridge.migrate._sql_names import quote_identifier, quote_literal
from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    IndexDef,
    Order,
    PolicyDef,
    SequenceDef,
    TableDef,
    TriggerDef,
    sql,
)
from data_bridge.query.catalog import Schema
from data_bridge.query.spi import read

__all__ = ["Key", "Renames", "mentions", "renamed", "text_of"]

Key = tuple[str | None, str]


@dataclass(slots=True)
class Renames:
    """What is called differently afterwards.

    Attributes:
        tables: the new key of a table by its old one.
        columns: the new name of a column by the new key of its table and its old name.
        values: the new label by the key of the enum and its old label.
    """

    tables: dict[Key, Key] = field(default_factory=dict[Key, Key])
    columns: dict[tuple[Key, str], str] = field(default_factory=dict[tuple[Key, str], str])
    values: dict[tuple[Key, str], str] = field(default_factory=dict[tuple[Key, str], str])

    def inverse(self) -> Renames:
        """Those of the way back."""
        back = {new: old for old, new in self.tables.items()}
        return Renames(
            back,
            {(back.get(table, table), new): old for (table, old), new in self.columns.items()},
            {(enum, new): old for (enum, old), new in self.values.items()},
        )


def text_of(node: Any) -> str:
    """The SQL of an expression that was read from a catalog."""
    return str(node.s[1])


def mentions(node: Any, columns: set[str]) -> bool:
    """Whether an expression names one of these columns, as far as its words tell."""
    if node is None:
        return False
    if isinstance(node, str):
        return node in columns
    structure = read.sort_key(node.s).expression
    name = read.column_name(structure)
    if name is not None:
        return name in columns
    text = structure[1]
    return any(_identifier(text[start:end], kind) in columns for kind, start, end in tokenize(text))


def _identifier(text: str, kind: str) -> str | None:
    if kind == "word":
        return text.lower()
    return text[1:-1].replace('""', '"') if kind == "quoted_identifier" else None


def renamed(schema: Schema, renames: Renames) -> Schema:
    """The schema with the new names everywhere, also where expressions mention them."""
    moved = _moved_sequences(schema, renames)
    tables: dict[Key, TableDef] = {}
    for key, table in schema.tables.items():
        new = renames.tables.get(key, key)
        names = {old: name for (of, old), name in renames.columns.items() if of == new}
        tables[new] = _table(table.replace(schema=new[0], name=new[1]), names, renames, moved)
    enums = {
        key: enum.replace(values=tuple(renames.values.get((key, value), value) for value in enum.values))
        for key, enum in schema.enums.items()
    }
    sequences: dict[Key, SequenceDef] = {}
    for sequence, made in schema.sequences.items():
        if made.owned_by is not None:
            owner, column = made.owned_by
            there = renames.tables.get((sequence[0], owner), (sequence[0], owner))
            # A sequence goes where its table goes.
            made = made.replace(schema=there[0], owned_by=(there[1], renames.columns.get((there, column), column)))
        sequences[made.schema, made.name] = made
    return replace(schema, tables=tables, enums=enums, sequences=sequences)


def _table(table: TableDef, names: dict[str, str], renames: Renames, moved: dict[str, str]) -> TableDef:
    def expression(node: Any) -> Any:
        return None if node is None else sql(_respelled(text_of(node), names, renames))

    def column(c: ColumnDef) -> ColumnDef:
        return c.replace(
            name=names.get(c.name, c.name),
            default=_with_sequence(expression(c.default), moved),
            generated=expression(c.generated),
        )

    def key(item: Any) -> Any:
        if isinstance(item, str):
            return names.get(item, item)
        if isinstance(item, Order):
            return _order(item, names, renames)
        return expression(item)

    def constraint(c: ConstraintDef) -> ConstraintDef:
        target = None if c.references is None else renames.tables.get(c.references, c.references)
        there = {old: new for (of, old), new in renames.columns.items() if of == target}
        return c.replace(
            columns=tuple(names.get(n, n) for n in c.columns),
            check=expression(c.check),
            references=target,
            references_columns=tuple(there.get(n, n) for n in c.references_columns),
            include=tuple(names.get(n, n) for n in c.include),
            elements=tuple((key(item), operator) for item, operator in c.elements),
            where=expression(c.where),
        )

    def index(i: IndexDef) -> IndexDef:
        return i.replace(
            columns=tuple(key(item) for item in i.columns),
            include=tuple(names.get(n, n) for n in i.include),
            where=expression(i.where),
            opclasses=tuple((names.get(n, n), name) for n, name in i.opclasses),
            collations=tuple((names.get(n, n), name) for n, name in i.collations),
        )

    def trigger(t: TriggerDef) -> TriggerDef:
        return t.replace(event=_respelled(t.event, names, renames), action=_respelled(str(t.action), names, renames))

    def policy(p: PolicyDef) -> PolicyDef:
        return p.replace(using=expression(p.using), check=expression(p.check))

    return table.replace(
        policies=tuple(map(policy, table.policies)),
        triggers=tuple(map(trigger, table.triggers)),
        columns=tuple(map(column, table.columns)),
        constraints=tuple(map(constraint, table.constraints)),
        indexes=tuple(map(index, table.indexes)),
    )


def _moved_sequences(schema: Schema, renames: Renames) -> dict[str, str]:
    """How the defaults of columns call the sequences that go into another schema with their tables."""
    moved: dict[str, str] = {}
    for where, name in schema.sequences:
        owner = schema.sequences[where, name].owned_by
        new = renames.tables.get((where, owner[0])) if owner is not None else None
        if new is not None and new[0] != where:
            moved[_literal(where, name)] = _literal(new[0], name)
    return moved


def _literal(schema: str | None, name: str) -> str:
    spelling = ".".join(_spelled(part) for part in (schema, name) if part is not None)
    return f"{quote_literal(spelling).lstrip()}::regclass"


def _with_sequence(default: Any, moved: dict[str, str]) -> Any:
    if default is None or not moved:
        return default
    text = text_of(default)
    for old, new in moved.items():
        text = text.replace(old, new)
    return sql(text)


def _order(item: Order, names: dict[str, str], renames: Renames) -> Order:
    key = read.sort_key(item.s)
    name = read.column_name(key.expression)
    inner: Any = (
        ("raw", _respelled(key.expression[1], names, renames)) if name is None else ("col", None, names.get(name, name))
    )
    return Order((item.s[0], inner, *item.s[2:]), item.p)


def _respelled(text: str, names: dict[str, str], renames: Renames) -> str:
    """An expression as the server prints it behind the renames; what this misses makes one object be made again."""
    labels = {quote_literal(old).lstrip(): quote_literal(new).lstrip() for (_, old), new in renames.values.items()}
    types = {key[1] for key, _ in renames.values}
    made: list[str] = []
    at = 0
    tokens = list(tokenize(text))
    for i, (kind, start, end) in enumerate(tokens):
        made.append(text[at:start])
        at = end
        word = text[start:end]
        name = _identifier(word, kind)
        is_call = i + 1 < len(tokens) and text[tokens[i + 1][1] : tokens[i + 1][2]] == "("
        if kind == "string" and word in labels and _cast_to(text, tokens[i + 1 : i + 6], types):
            word = labels[word]
        elif name in names and not is_call:
            word = _spelled(names[name])
        made.append(word)
    return "".join([*made, text[at:]])


def _cast_to(text: str, tokens: list[tuple[str, int, int]], types: set[str]) -> bool:
    """Whether what follows a string is a cast to one of these types."""
    words = [text[start:end].strip('"') for _, start, end in tokens]
    return (words[:2] == [":", ":"] and (words[2:3] or [""])[0] in types) or (words[3:4] == ["."] and words[4] in types)


def _spelled(name: str) -> str:
    plain = name.isascii() and name.replace("_", "a").isalnum() and name == name.lower() and not name[0].isdigit()
    return name if plain else quote_identifier(name)
