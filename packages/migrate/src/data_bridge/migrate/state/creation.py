"""The statements that make a schema of its facts: how a shadow database gets the recorded and the declared schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from data_bridge.migrate._sql_names import quote_literal
from data_bridge.migrate.state.facts import COMMENT, GRANT, ON_TABLE, ROW_SECURITY, Path, quoted

__all__ = ["statements"]

_SCHEMA = re.compile(r'(?P<schema>[a-z_][a-z0-9_]*|"(?:[^"]|"")+")\.')
_OWNED = re.compile(r"(?P<rest>.*?)\s*OWNED BY (?P<owner>.*)")
_FOREIGN_KEY = "FOREIGN KEY "


def statements(facts: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    """Each statement with the path of what it makes: types and functions first, foreign keys after all tables, then views in
    the order in which they are given, triggers and policies.
    """
    yield from _kinds(facts)
    tables: list[Path] = [path for path in facts if path[0] == "table" and len(path) == 2]
    for path in tables:
        columns = [f"{quoted(p[3])} {text}" for p, text in facts.items() if p[:3] == (*path, "column") and len(p) == 4]
        yield path, f"CREATE TABLE {quoted(path[1])} ({', '.join(columns)})"
    parts: list[tuple[Path, str]] = [
        (path, text) for path, text in facts.items() if path[0] == "table" and len(path) == 4
    ]
    for path, text in parts:
        if path[2] == "constraint" and not text.startswith(_FOREIGN_KEY):
            yield path, f"ALTER TABLE {quoted(path[1])} ADD CONSTRAINT {quoted(path[3])} {text}"
        elif path[2] == "index":
            yield path, _index(path, text)
    for path, text in parts:
        if path[2] == "constraint" and text.startswith(_FOREIGN_KEY):
            yield path, f"ALTER TABLE {quoted(path[1])} ADD CONSTRAINT {quoted(path[3])} {text}"
    for path, text in facts.items():
        if path[0] == "view" and len(path) == 2:
            kind, rest = _view_kind(text)
            yield path, f"CREATE {kind} {quoted(path[1])} {rest}"
        elif path[0] == "view" and path[2] == "index" and len(path) == 4:
            yield path, _index(path, text)
    for path, text in parts:
        if path[2] == "trigger":
            kind = "CONSTRAINT TRIGGER" if text.startswith("CONSTRAINT ") else "TRIGGER"
            event, _, action = text.removeprefix("CONSTRAINT ").partition(ON_TABLE)
            yield path, f"CREATE {kind} {quoted(path[3])} {event} ON {quoted(path[1])} {action}"
        elif path[2] == "policy":
            yield path, f"CREATE POLICY {quoted(path[3])} ON {quoted(path[1])} {text}"
    for path in tables:
        if facts[path]:
            force = "FORCE" if facts[path] == ROW_SECURITY["forced"] else "NO FORCE"
            actions = f"ENABLE ROW LEVEL SECURITY, {force} ROW LEVEL SECURITY"
            yield path, f"ALTER TABLE {quoted(path[1])} {actions}"
    for path, text in facts.items():
        if path[2:3] == (GRANT,) and len(path) == 4:
            role = "PUBLIC" if path[3] == "public" else quoted(path[3])
            yield path, f"GRANT {text} ON {quoted(path[1])} TO {role}"
    yield from _behind(facts)


def _index(path: Path, text: str) -> str:
    unique, rest = ("UNIQUE ", text[7:]) if text.startswith("UNIQUE ") else ("", text)
    return f"CREATE {unique}INDEX {quoted(path[3])} ON {quoted(path[1])} {rest}"


def _view_kind(text: str) -> tuple[str, str]:
    mark = "MATERIALIZED "
    return ("MATERIALIZED VIEW", text[len(mark) :]) if text.startswith(mark) else ("VIEW", text)


def _kinds(facts: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    schemas: dict[str, Path] = {}
    for path in facts:
        if path[0] != "extension" and (found := _SCHEMA.match(path[1])):
            schemas.setdefault(found["schema"], path)
    for schema, path in schemas.items():
        yield path, f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"
    for path, text in facts.items():
        match path:
            case ("extension", name):
                yield path, f"CREATE EXTENSION IF NOT EXISTS {quoted(name)}"
            case ("enum", name):
                yield path, f"CREATE TYPE {quoted(name)} AS ENUM {text}"
            case ("domain", name):
                yield path, f"CREATE DOMAIN {quoted(name)} AS {text}"
            case ("sequence", name):
                owned = _OWNED.fullmatch(text)
                yield path, f"CREATE SEQUENCE {quoted(name)} {owned['rest'] if owned else text}".rstrip()
            case ("function" | "procedure" as kind, name):
                yield path, f"CREATE {kind.upper()} {quoted(name)}{text}"
            case _:
                pass


def _behind(facts: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    """What names objects that have to be there."""
    for path, text in facts.items():
        if path[0] == "sequence" and (owned := _OWNED.fullmatch(text)):
            # The table is in the schema of the sequence, which the text leaves away.
            found = _SCHEMA.match(path[1])
            where = f"{quoted(found['schema'])}." if found else ""
            yield path, f"ALTER SEQUENCE {quoted(path[1])} OWNED BY {where}{owned['owner']}"
        elif path[-1] == COMMENT:
            yield path, f"COMMENT ON {_commented(path[:-1], facts)} IS {quote_literal(text).lstrip()}"


def _commented(path: Path, facts: Mapping[Path, str]) -> str:
    if path[0] == "view" and len(path) == 2:
        return f"{_view_kind(facts[path])[0]} {quoted(path[1])}"
    if len(path) == 2:
        return f"{'TYPE' if path[0] == 'enum' else path[0].upper()} {quoted(path[1])}"
    if path[2] == "column":
        return f"COLUMN {quoted(path[1])}.{quoted(path[3])}"
    if path[2] == "index":
        found = _SCHEMA.match(path[1])
        return f"INDEX {quoted(found['schema']) + '.' if found else ''}{quoted(path[3])}"
    return f"{path[2].upper()} {quoted(path[3])} ON {quoted(path[1])}"
