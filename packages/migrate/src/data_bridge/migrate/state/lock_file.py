"""`schema.lock`: the schema behind the newest migration, as text for review and for merge conflicts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path as File

from data_bridge.core.errors import MigrationConflict, MigrationError
from data_bridge.migrate.state.facts import COMMENT, Facts, Path

__all__ = ["NAME", "Lock", "dumped", "parsed", "read", "write"]

NAME = "schema.lock"
_HEAD = """\
# The schema behind the newest migration, as PostgreSQL prints it. `data-bridge migrate make` writes this file.
# After a merge conflict: `data-bridge migrate rebase` makes one history of both branches.
"""
_FORMAT = "1"
_DECLARED = "declared"
_PLACES: dict[str, tuple[str, ...]] = {
    "": ("extension", "enum", "domain", "sequence", "function", "procedure", "table", "view"),
    "table": ("column", "constraint", "index", "trigger", "policy", "grant"),
    "view": ("column", "index", "grant"),
}
_NOTED = frozenset({"enum", "domain", "sequence", "function", "procedure", "table", "view", *_PLACES["table"]})
_PART = r'(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")'
_ESCAPE = re.compile(r"\\(\\|n|u[0-9a-f]{4})")
_LINE = re.compile(r"(?P<indent> *)(?P<kind>[a-z]+)(?: (?P<rest>.*))?")
_NEWEST = re.compile(r"(?P<version>\S+) of (?P<count>[0-9]+)")
_NAMED = re.compile(rf"(?P<name>{_PART}(?:\.{_PART})?)(?: (?P<text>.*))?", re.DOTALL)


@dataclass(slots=True)
class Lock:
    """What the file says.

    Attributes:
        head: the version of the newest migration; empty when there is none.
        postgresql: the major version of the server that printed the text; 0 when there is no file yet.
        facts: the schema.
        declared: how the classes say what the server prints differently.
        migrations: how many migrations lead to the schema: after a merge there may be one more that is not the newest.
    """

    head: str = ""
    postgresql: int = 0
    facts: Facts = field(default_factory=Facts)
    declared: Facts = field(default_factory=Facts)
    migrations: int = 0

    def as_declared(self) -> Facts:
        """The facts as the classes declared them: what a declaration is compared with where no server is asked."""
        return {**self.facts, **self.declared}


def dumped(lock: Lock) -> str:
    """The text of a lock: the same schema has the same text.

    >>> text = dumped(Lock("1", 18, {("table", "t"): "", ("table", "t", "column", "id"): "bigint"}, migrations=1))
    >>> print(text[text.index("head") :])
    head 1 of 1
    postgresql 18
    <BLANKLINE>
    table t
      column id bigint
    <BLANKLINE>
    """
    lines = [
        f"{_HEAD}format {_FORMAT}",
        f"head {lock.head} of {lock.migrations}" if lock.head else "head",
        f"postgresql {lock.postgresql}",
    ]
    for path, text in lock.facts.items():
        depth = "  " * ((len(path) - 1) // 2)
        if path[-1] == COMMENT:
            lines.append(f"{'  ' * (len(path) // 2)}{COMMENT} {_escaped(text)}".rstrip())
            continue
        if len(path) == 2:
            lines.append("")
        lines.append(f"{depth}{path[-2]} {_escaped(path[-1])} {_escaped(text)}".rstrip())
        if path in lock.declared:
            lines.append(f"{depth}  {_DECLARED} {_escaped(lock.declared[path])}".rstrip())
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text in one line, without spaces at its ends, where editors and git strip them."""
    made = text.replace("\\", "\\\\").replace("\n", "\\n")
    return re.sub(r"[^\S ]|^ | $", lambda m: f"\\u{ord(m[0]):04x}", made)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: {"n": "\n", "\\": "\\"}.get(m[1]) or chr(int(m[1][1:], 16)), text)


def parsed(text: str, name: str) -> Lock:
    """The lock that a text says; `name` is that of its file, for errors.

    Raises:
        MigrationConflict: the text has the marks of a merge conflict.
        MigrationError: a line is none of a lock, stands where it has no place, or stands there twice.
    """
    reader = _Reader(name)
    for number, line in enumerate(text.split("\n"), 1):
        reader.line(number, line)
    return reader.done()


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0
        self.lock = Lock()
        self.settings: dict[str, str] = {}
        self.above: list[Path] = []
        """The path of the last line of every depth."""

    def _wrong(self, what: str) -> MigrationError:
        return MigrationError(f"{self.name}:{self.number}: {what}")

    def line(self, number: int, line: str) -> None:
        self.number = number
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
            raise MigrationConflict(
                f"{self.name}:{number}: a merge conflict: `data-bridge migrate rebase` makes one history of both branches"
            )
        if not line.strip() or line.startswith("#"):
            return
        found = _LINE.fullmatch(line)
        if found is None or len(found["indent"]) % 2:
            raise self._wrong("this is not a line of a schema.lock")
        depth, kind, rest = len(found["indent"]) // 2, found["kind"], found["rest"] or ""
        if depth == 0 and kind in ("format", "head", "postgresql"):
            self._setting(kind, rest)
        elif kind in (COMMENT, _DECLARED):
            self._note(depth, kind, _unescaped(rest))
        else:
            self._fact(depth, kind, rest)

    def _setting(self, kind: str, value: str) -> None:
        if kind in self.settings:
            raise self._wrong(f"{kind} is said twice")
        if kind == "format" and value != _FORMAT:
            raise self._wrong(f"this release reads format {_FORMAT}, not {value}")
        if kind == "head" and value and not _NEWEST.fullmatch(value):
            raise self._wrong("head is a version and how many migrations there are: head 20260101120000 of 3")
        if kind == "postgresql" and not value.isdigit():
            raise self._wrong("postgresql is the number of a major version")
        self.settings[kind] = value

    def _note(self, depth: int, kind: str, text: str) -> None:
        if depth == 0 or depth > len(self.above) or self.above[depth - 1][-2] not in _NOTED:
            raise self._wrong(f"{kind} stands below nothing that it could be about")
        path = self.above[depth - 1]
        target = self.lock.declared if kind == _DECLARED else self.lock.facts
        path = path if kind == _DECLARED else (*path, COMMENT)
        if path in target:
            raise self._wrong(f"{kind} is said twice")
        target[path] = text

    def _fact(self, depth: int, kind: str, rest: str) -> None:
        if self.settings.keys() < {"format", "head", "postgresql"}:
            raise self._wrong("format, head and postgresql come first")
        inside = self.above[depth - 1][-2] if 0 < depth <= len(self.above) else ""
        if (depth and not inside) or kind not in _PLACES.get(inside, ()):
            raise self._wrong(f"{kind!r} has no place {f'inside a {inside}' if inside else 'here'}")
        named = _NAMED.fullmatch(_unescaped(rest))
        if named is None or (depth and "." in re.sub(r'"(?:[^"]|"")+"', "", named["name"])):
            raise self._wrong(f"{kind} needs a name")
        path = (*(self.above[depth - 1] if depth else ()), kind, named["name"])
        if path in self.lock.facts:
            raise self._wrong(f"{kind} {named['name']} is there twice")
        self.lock.facts[path] = named["text"] or ""
        self.above[depth:] = [path]

    def done(self) -> Lock:
        missing = [key for key in ("format", "head", "postgresql") if key not in self.settings]
        if missing:
            raise self._wrong(f"{missing[0]} is missing")
        if found := _NEWEST.fullmatch(self.settings["head"]):
            self.lock.head, self.lock.migrations = found["version"], int(found["count"])
        self.lock.postgresql = int(self.settings["postgresql"])
        return self.lock


def read(directory: File) -> Lock | None:
    """The lock beside the migrations, or None when there is none yet.

    Raises:
        MigrationError: it cannot be read; the message names the line.
    """
    path = directory / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise MigrationError(f"{path}: this is not UTF-8") from None
    return parsed(text, str(path))


def write(directory: File, lock: Lock) -> bool:
    """Puts the lock in place as a whole; returns whether its text has changed."""
    path = directory / NAME
    text = dumped(lock)
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    new = path.with_name(f".{NAME}.new")
    new.write_bytes(text.encode())
    os.replace(new, path)
    return True
