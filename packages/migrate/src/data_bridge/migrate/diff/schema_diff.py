"""The operations that lead from one schema to another, both as a server printed them."""

from __future__ import annotations

from data_bridge.migrate._sql_names import quote_literal
from data_bridge.migrate.diff.decisions import Decisions
from data_bridge.migrate.diff.enum_changes import change_enum
from data_bridge.migrate.diff.object_changes import change_objects
from data_bridge.migrate.diff.renames import Key, Renames, renamed
from data_bridge.migrate.diff.script import Planned, Script
from data_bridge.migrate.diff.table_changes import TableChange, relink
from data_bridge.migrate.operations.declared import RunSQL
from data_bridge.migrate.state.facts import quoted, spelled
from data_bridge.query import DomainDef, SequenceDef, TableDef, ddl
from data_bridge.query.catalog import Schema

__all__ = ["diff"]


def diff(old: Schema, new: Schema, decisions: Decisions | None = None, *, is_way_back: bool = False) -> list[Planned]:
    """The operations in the order in which they run; none between equal schemas.

    On the way back schemas are dropped, which a way forward leaves alone: what else is in them is not known.
    """
    decisions = decisions or Decisions()
    script = Script()
    before = renamed(old, decisions.renames)
    _name(script, old, decisions.renames)
    for name in sorted(_schemas(new) - _schemas(old)):
        script.add("schemas", ddl.CreateSchema(name, if_not_exists=True))
    _make_types(script, before, new)
    rebuilt = {
        key
        for key, enum in before.enums.items()
        if key in new.enums and change_enum(script, key, enum, new.enums[key], decisions)
    }
    for key in sorted(before.domains.keys() & new.domains.keys(), key=str):
        _change_domain(script, before.domains[key], new.domains[key])
    changes = [
        TableChange(script, before.tables[key], new.tables[key], decisions, rebuilt)
        for key in _sorted(before.tables)
        if key in new.tables
    ]
    for change in changes:
        change.apply()
    relink(script, changes)
    change_objects(script, old, new, changes, decisions.renames, rebuilt)
    _make_tables(script, before, new)
    _drop(script, before, new)
    if is_way_back:
        for name in sorted(_schemas(old) - _schemas(new)):
            script.add("old schemas", ddl.DropSchema(name))
    _comment(script, before, new)
    return script.ordered()


def _sorted(keys: dict[Key, TableDef]) -> list[Key]:
    return sorted(keys, key=lambda key: spelled(*key))


def _name(script: Script, old: Schema, renames: Renames) -> None:
    for before, after in renames.tables.items():
        if before[0] != after[0]:
            script.add("renames", ddl.SetSchema(before, after[0] or "public"))
        if before[1] != after[1]:
            script.add(
                "renames",
                ddl.RenameTable((after[0], before[1]), after[1]),
                note="the running release must not use the old name",
            )
    for (table, name), to in renames.columns.items():
        script.add("renames", ddl.RenameColumn(table, name, to), note="the running release must not use the old name")
    for (enum, value), to in renames.values.items():
        script.add("renames", ddl.RenameEnumValue(enum, value, to))


def _make_types(script: Script, before: Schema, new: Schema) -> None:
    for name in sorted(new.extensions.keys() - before.extensions.keys()):
        script.add("extensions", ddl.CreateExtension(name, if_not_exists=True))
    for key in sorted(new.enums.keys() - before.enums.keys(), key=str):
        script.add("types", ddl.CreateEnum(key, new.enums[key].values))
    for key in sorted(new.domains.keys() - before.domains.keys(), key=str):
        script.add("types", ddl.CreateDomain(new.domains[key]))
    for key, sequence in sorted(new.sequences.items(), key=lambda item: str(item[0])):
        known = before.sequences.get(key)
        alone = sequence.replace(owned_by=None)
        if known is None:
            script.add("sequences", ddl.CreateSequence(alone))
            if sequence.owned_by is not None:
                script.add("owners", _owned(sequence), *_behind_rows(before, key, sequence.owned_by))
            continue
        if known.replace(owned_by=None) != alone:
            script.add("owners", ddl.AlterSequence(known.replace(owned_by=None), alone))
        if known.owned_by != sequence.owned_by:
            script.add("owners", _owned(sequence))


def _owned(sequence: SequenceDef) -> ddl.Operation:
    """Gives a sequence to its column, whose table is in its schema, or to none."""
    if sequence.schema is None:
        return ddl.AlterSequence(sequence.replace(owned_by=None if sequence.owned_by else ("", "")), sequence)
    name = quoted(spelled(sequence.schema, sequence.name))
    if sequence.owned_by is None:
        return RunSQL(f"ALTER SEQUENCE {name} OWNED BY NONE")
    table, column = sequence.owned_by
    owner = f"{quoted(spelled(sequence.schema, table))}.{quoted(spelled(None, column))}"
    return RunSQL(f"ALTER SEQUENCE {name} OWNED BY {owner}")


def _behind_rows(before: Schema, key: Key, owner: tuple[str, str]) -> list[RunSQL]:
    """Sets a new sequence behind the values of a column that is there already."""
    table = before.tables.get((key[0], owner[0]))
    if table is None or all(c.name != owner[1] for c in table.columns):
        return []
    name, column = quote_literal(quoted(spelled(*key))).lstrip(), quoted(spelled(None, owner[1]))
    of = quoted(spelled(table.schema, table.name))
    return [RunSQL(f"SELECT setval({name}, coalesce(max({column}), 0) + 1, false) FROM {of}")]


def _schemas(schema: Schema) -> set[str]:
    keys = (*schema.tables, *schema.enums, *schema.domains, *schema.sequences, *schema.views, *schema.functions)
    return {where for where, _ in keys if where is not None}


def _change_domain(script: Script, old: DomainDef, new: DomainDef) -> None:
    name = quoted(spelled(old.schema, old.name))
    if old.default != new.default:
        script.add("enums", RunSQL(f"ALTER DOMAIN {name} " + _default(new.default)))
    checks = dict(new.checks)
    for check, text in old.checks:
        if checks.get(check) != text:
            script.add("loosen", RunSQL(f"ALTER DOMAIN {name} DROP CONSTRAINT {quoted(spelled(None, str(check)))}"))
    for check, text in new.checks:
        if dict(old.checks).get(check) != text:
            script.add(
                "constraints",
                RunSQL(f"ALTER DOMAIN {name} ADD CONSTRAINT {quoted(spelled(None, str(check)))} CHECK ({text})"),
                note="reads every table with a column of this domain",
            )
    if old.not_null != new.not_null:
        action = "SET" if new.not_null else "DROP"
        script.add("constraints", RunSQL(f"ALTER DOMAIN {name} {action} NOT NULL"))


def _default(text: str | None) -> str:
    return "DROP DEFAULT" if text is None else f"SET DEFAULT {text}"


def _make_tables(script: Script, before: Schema, new: Schema) -> None:
    fresh = [new.tables[key] for key in _sorted(new.tables) if key not in before.tables]
    tables, later = ddl.without_later_keys(ddl.tables_in_order(fresh))
    for table in tables:
        script.add("tables", *ddl.create_table_operations(table))
        script.add("triggers", *ddl.create_trigger_operations(table))
        script.add("policies", *ddl.create_policy_operations(table))
        script.add("grants", *ddl.create_grant_operations(table))
    for table, key in later:
        script.add("keys", ddl.AddConstraint((table.schema, table.name), key))
        if key.comment is not None:
            path = (table.schema, table.name)
            script.add("comments", ddl.Comment("constraint", path, key.comment, key.name))


def _drop(script: Script, before: Schema, new: Schema) -> None:
    gone = [before.tables[key] for key in _sorted(before.tables) if key not in new.tables]
    ordered = ddl.tables_in_order(gone)
    # A key of a circle is dropped before its table, and so is one to a table that stays: it would be locked all the while.
    _, later = ddl.without_later_keys(ordered)
    for table in reversed(ordered):
        path = (table.schema, table.name)
        staying = [(t, c) for t, c in later if t == table]
        staying += [(table, c) for c in table.constraints if c.kind == "foreign_key" and c.references in new.tables]
        for _, constraint in staying:
            script.add("unlink", ddl.DropConstraint(path, str(constraint.name)))
        script.add("old tables", ddl.DropTable(path))
    owners = {(table.schema, table.name) for table in gone}
    for key in sorted(before.sequences.keys() - new.sequences.keys(), key=str):
        owner = before.sequences[key].owned_by
        if owner is None or not _goes_with(key, owner, owners, new):
            script.add("old types", ddl.DropSequence(key))
    for key in sorted(before.domains.keys() - new.domains.keys(), key=str):
        script.add("old types", ddl.DropDomain(key))
    for key in sorted(before.enums.keys() - new.enums.keys(), key=str):
        script.add("old types", ddl.DropEnum(key))


def _goes_with(key: Key, owner: tuple[str, str], gone: set[Key], new: Schema) -> bool:
    """Whether a sequence is dropped with the column that owns it."""
    table = new.tables.get((key[0], owner[0]))
    return (key[0], owner[0]) in gone or table is None or all(c.name != owner[1] for c in table.columns)


def _comment(script: Script, before: Schema, new: Schema) -> None:
    """The comments of what is there before and afterwards; those of new objects come with them."""
    for key in sorted(new.enums, key=str):
        text = before.enums[key].comment if key in before.enums else None
        if new.enums[key].comment != text:
            script.add("comments", ddl.Comment("type", key, new.enums[key].comment))
