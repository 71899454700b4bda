"""The text of a migration in Python: frozen definitions, and nothing of the application."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from data_bridge.migrate.diff.script import Planned
from data_bridge.migrate.making.python_text import Atom, Call, Items, Source, Text, laid_out, string
from data_bridge.migrate.operations.declared import Backfill, RunSQL
from data_bridge.migrate.state.facts import quoted, spelled
from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    FunctionDef,
    IndexDef,
    Order,
    PolicyDef,
    SQLType,
    TableDef,
    TriggerDef,
    ddl,
)
from data_bridge.query.spi import read

__all__ = ["class_name", "source_of", "written"]

_OURS = {"Backfill", "RunSQL"}
_DEFINITIONS = (ColumnDef, ConstraintDef, FunctionDef, IndexDef, PolicyDef, TableDef, TriggerDef)
_SHORT = re.compile(r"(?:\"(?:[^\"]|\"\")+\"\.)?(?:\"(?:[^\"]|\"\")+\")(?:\[\])*")
_NAMED = re.compile(r"\"((?:[^\"]|\"\")+)\"")


def class_name(slug: str) -> str:
    """The name of the class of a migration.

    >>> class_name("add_price"), class_name("2_steps")
    ('AddPrice', 'M2Steps')
    """
    made = "".join(part[:1].upper() + part[1:] for part in slug.split("_"))
    return made if made.isidentifier() else f"M{made}"


def written(
    title: str,
    slug: str,
    version: str,
    up: Sequence[Planned],
    down: Sequence[Planned],
    waivers: dict[tuple[str, int], list[str]] | None = None,
    *,
    one_by_one: bool = False,
    irreversible: str = "",
) -> str:
    """The text of the file.

    `waivers` are comments for the linter, by the direction and the position of the operation; `one_by_one` commits every
    step for itself; `irreversible` says why there is no way back.
    """
    waivers = waivers or {}
    body = [f'    version = "{version}"']
    if one_by_one:
        body.append("    # Each step is a transaction of its own, so that no lock outlives its step.")
        body.append("    atomic = False")
    if irreversible:
        body.append(f"    irreversible = {string(irreversible)}")
    ways = (("operations", up),) if irreversible else (("operations", up), ("down_operations", down))
    for attribute, planned in ways:
        comments = [
            [*_wrapped(f"Look here: {p.note}."), *waivers.get((attribute, i), [])]
            if p.note
            else waivers.get((attribute, i), [])
            for i, p in enumerate(planned)
        ]
        items = Items("()", tuple(source_of(p.operation) for p in planned), tuple(comments), is_broken=len(planned) > 1)
        body += ["", f"    {attribute} = {laid_out(items, 4, len(attribute) + 3)}"]
    text = "\n".join(body)
    used = {name for p in (*up, *down) for name in _names_in(source_of(p.operation))}
    ours = ", ".join(sorted({"Migration", *(used & _OURS)}))
    names = sorted(used - _OURS, key=lambda name: (name.islower(), name))
    imports = [f"from data_bridge.migrate import {ours}"]
    if names:
        imports.append(_import("data_bridge.query", names))
    heading = title.replace("\\", "/").replace('"""', "'''").rstrip(".")
    return f'"""{heading}."""\n\n' + "\n".join(imports) + f"\n\n\nclass {class_name(slug)}(Migration):\n{text}\n"


def _names_in(source: Source) -> Iterator[str]:
    """The names that a source needs."""
    match source:
        case Atom(text):
            if text.startswith("types."):
                yield "types"
        case Call(name, arguments):
            yield name.partition(".")[0]
            for _, value in arguments:
                yield from _names_in(value)
        case Items(_, items):
            for item in items:
                yield from _names_in(item)
        case Text():
            pass


def _import(module: str, names: list[str]) -> str:
    flat = f"from {module} import {', '.join(names)}"
    if len(flat) <= 88:
        return flat
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _wrapped(text: str) -> list[str]:
    lines: list[str] = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > 76:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def source_of(value: Any, field: str = "") -> Source:
    """A value as the source that makes it."""
    match value:
        case Backfill() | RunSQL():
            return Call(type(value).__name__, _arguments(value))
        case ddl.Operation():
            return Call(f"ddl.{type(value).__name__}", _arguments(value))
        case TableDef() if field == "path":
            return _path((value.schema, value.name))
        case SQLType():
            return Atom(_type(value))
        case Order():
            return _order(value)
        case str():
            return Text(value) if "\n" in value else Atom(string(value))
        case tuple():
            return Items("()", tuple(source_of(item) for item in value))  # pyright: ignore[reportUnknownVariableType]
        case _ if hasattr(value, "given"):
            return Call(type(value).__name__, _arguments(value))
        case _ if hasattr(value, "s"):
            return Call("sql", (("", Atom(string(str(value.s[1])))),))
        case _:
            return Atom(repr(value))


def _arguments(value: Any) -> tuple[tuple[str, Source], ...]:
    made: list[tuple[str, Source]] = []
    kind = cast(Any, type(value))
    positional: tuple[str, ...] = kind.__match_args__
    leading = True
    given = value.given()
    for name in positional:
        leading = leading and name in given
        if name in given:
            made.append(("" if leading else name, _field(value, name, given[name])))
    for name, item in given.items():
        if name not in positional and not _is_said_elsewhere(value, name):
            made.append((name, _field(value, name, item)))
    return tuple(made)


def _is_said_elsewhere(value: Any, name: str) -> bool:
    """Indexes, triggers and comments are operations of their own; what was read beside a definition is not written."""
    if isinstance(value, FunctionDef):
        return name != "sql"
    if isinstance(value, TableDef):
        return name in ("indexes", "comment", "owner", "triggers", "policies", "grants", "row_security")
    return name == "comment" and isinstance(value, _DEFINITIONS)


def _field(value: Any, name: str, item: Any) -> Source:
    if name == "table" and isinstance(value, ddl.CreateTable) and isinstance(item, TableDef):
        return source_of(item)
    is_path = isinstance(value, ddl.Operation) and name in ("table", "name", "index")
    if is_path and isinstance(item, TableDef):
        return _path((item.schema, item.name))
    if is_path and isinstance(item, tuple) and len(item) == 2:  # pyright: ignore[reportUnknownArgumentType]
        return _path((item[0], str(item[1])))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, SQLType):
        return Atom(_type(value))
    return source_of(item)


def _path(path: tuple[Any, str]) -> Source:
    schema, name = path
    return Atom(string(name)) if schema is None else Items("()", (Atom(string(schema)), Atom(string(name))))


def _type(of: SQLType) -> str:
    if of.family == "array" and of.of is not None:
        return f"types.Array({_type(of.of)})"
    if _SHORT.fullmatch(of.name):
        parts = [part.replace('""', '"') for part in _NAMED.findall(of.name)]
        schema = f", schema={string(parts[0])}" if len(parts) == 2 else ""
        return f"types.Enum({string(parts[-1])}{schema})"
    shown = repr(of)
    if shown.startswith("Other("):
        return f"types.Other({string(of.name)})"
    return f"types.{shown}"


def _order(order: Order) -> Source:
    key = read.sort_key(order.s)
    name = read.column_name(key.expression)
    text = key.expression[1] if name is None else quoted(spelled(None, name))
    behind = f".{'desc' if key.is_descending else 'asc'}()"
    if key.nulls is not None:
        behind += f".nulls_{key.nulls}()"
    return Call("sql", (("", Atom(string(str(text)))),), behind)
