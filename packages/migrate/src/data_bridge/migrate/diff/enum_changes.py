"""Changed values of an enum: in place where PostgreSQL can, else by a new type."""

from __future__ import annotations

from data_bridge.migrate._sql_names import quote_literal
from data_bridge.migrate.diff.decisions import Decisions
from data_bridge.migrate.diff.renames import Key
from data_bridge.migrate.diff.script import Script
from data_bridge.migrate.operations.declared import RunSQL
from data_bridge.migrate.state.facts import quoted, spelled
from data_bridge.query import EnumDef, Node, ddl, sql

__all__ = ["change_enum", "conversion", "put_aside"]


def change_enum(script: Script, key: Key, old: EnumDef, new: EnumDef, decisions: Decisions) -> bool:
    """Adds the operations; returns whether the type is made again, so that its columns have to be converted."""
    if old.values == new.values:
        return False
    kept = [value for value in old.values if value in new.values]
    if len(kept) < len(old.values) or [value for value in new.values if value in old.values] != kept:
        aside = put_aside(key)
        name, other = quoted(spelled(*key)), quoted(spelled(None, aside[1]))
        script.add("enums", RunSQL(f"ALTER TYPE {name} RENAME TO {other}"), ddl.CreateEnum(key, new.values))
        script.add("old types", ddl.DropEnum(aside))
        return True
    there = list(old.values)
    for i, value in enumerate(new.values):
        if value in there:
            continue
        before = next((v for v in new.values[i + 1 :] if v in there), None)
        after = new.values[i - 1] if i else None
        script.add("types", ddl.AddEnumValue(key, value, before=before if after is None else None, after=after))
        there.append(value)
    return False


def put_aside(key: Key) -> Key:
    """What the type is called until no column has it any more."""
    return key[0], f"{key[1].encode()[:59].decode(errors='ignore')}_old"


def conversion(column: str, type_name: str, key: Key, decisions: Decisions) -> Node[str]:
    """The expression that converts a column of the old type."""
    name = quoted(spelled(None, column))
    replaced = [(old, new) for (enum, old), new in decisions.replacements.items() if enum == key]
    if type_name.endswith("[]"):
        made = f"{name}::text[]"
        for old, new in replaced:
            made = f"array_replace({made}, {_literal(old)}, {_literal(new)})"
        return sql(f"({made})::{type_name}")
    cases = " ".join(f"WHEN {_literal(old)} THEN {_literal(new)}" for old, new in replaced)
    made = f"CASE {name}::text {cases} ELSE {name}::text END" if cases else f"{name}::text"
    return sql(f"({made})::{type_name}")


def _literal(text: str) -> str:
    return quote_literal(text).lstrip()
