"""Migrations as SQL files: `0001_users.sql` with sections `-- up` and `-- down`, or folders with up.sql and down.sql."""

from __future__ import annotations

import re
from pathlib import Path

from data_bridge.core.errors import IrreversibleMigration, MigrationError
from data_bridge.migrate.lexer import (
    SqlStatement,
    UnclosedError,
    is_begin,
    is_commit,
    runs_in_transaction,
    split,
    uses_new_value,
)
from data_bridge.migrate.migration import Migration
from data_bridge.migrate.sink import Sink
from data_bridge.migrate.step import of_text

_NAMES = (
    # Underscores belong to the version only before two of them, as Flyway has it.
    re.compile(r"^[VvUu]?(?P<version>\d+(?:[._\-]\d+)*)__(?P<name>.+)$"),
    re.compile(r"^[VvUu]?(?P<version>\d+(?:[.\-]\d+)*)[_\-. ](?P<name>.+)$"),
    re.compile(r"^[VvUu]?(?P<version>\d[\d_.\-]*)$"),
)
_OPTION = r"(?:transaction|atomic)[ \t]*[:=][ \t]*false|no[-_ ]transaction"
_SECTION = re.compile(
    rf"^[ \t]*--[ \t]*(?:@|migrate:|\+goose[ \t]+|\+)?[ \t]*(up|down)\b[ \t:=\-]*(?:{_OPTION})?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_IRREVERSIBLE = re.compile(r"^[ \t]*--[ \t]*irreversible[ \t]*:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_NO_TRANSACTION = re.compile(rf"^[ \t]*--.*(?:{_OPTION})", re.IGNORECASE | re.MULTILINE)


def version_and_name(stem: str, path: Path) -> tuple[str, str]:
    """The version and name in a file's or folder's name.

    Raises:
        MigrationError: when it does not begin with a number.

    >>> version_and_name("0001_create_users", Path("x"))
    ('0001', 'create_users')
    """
    match = next((found for pattern in _NAMES if (found := pattern.match(stem))), None)
    if match is None:
        raise MigrationError(f"{path}: the name of a migration begins with its version, such as 0001_create_users")
    return match["version"], match.groupdict().get("name") or match["version"]


def is_versioned(stem: str) -> bool:
    """Whether a name begins with a version."""
    return any(pattern.match(stem) for pattern in _NAMES)


def sections(text: str) -> tuple[str, str | None]:
    """The up and the down part of a file; all of it is up without any mark. Lines keep their numbers.

    >>> sections("-- up\\nselect 1;\\n-- down\\nselect 2;")
    ('\\nselect 1;\\n', '\\n\\n\\nselect 2;')
    """
    marks = list(_SECTION.finditer(text))
    if not marks:
        return text, None
    head = text[: marks[0].start()]
    parts: dict[str, str] = {}
    for i, mark in enumerate(marks):
        end = marks[i + 1].start() if i + 1 < len(marks) else len(text)
        # Said once for the file, or beside the mark.
        option = "-- no-transaction" if _NO_TRANSACTION.search(head + mark[0]) else ""
        parts[mark[1].lower()] = "\n" * text.count("\n", 0, mark.start()) + option + text[mark.end() : end]
    return parts.get("up", ""), parts.get("down")


def statements_of(text: str, path: Path) -> list[SqlStatement]:
    """The statements of a migration's text.

    Raises:
        MigrationError: for what no server understands: commands of psql, data behind COPY FROM STDIN, text that never ends.
    """
    try:
        found = split(text)
    except UnclosedError as e:
        raise MigrationError(f"{path}: {e}") from None
    for s in found:
        where = f"{path}, line {s.line}"
        if s.sql.startswith("\\"):
            raise MigrationError(f"{where}: {s.sql.split()[0]} is a command of psql, which the server does not know")
        if s.words[:1] == ("copy",) and "stdin" in s.words:
            raise MigrationError(
                f"{where}: COPY FROM STDIN has no data in a migration: write INSERT, or a migration in Python"
            )
        if s.words[:1] in (("rollback",), ("abort",)) and "to" not in s.words:
            raise MigrationError(
                f"{where}: transactions belong to the runner, not to the file: {s.sql.splitlines()[0]}"
            )
    return found


def is_atomic(text: str) -> bool:
    """Whether a section does not say `no-transaction`."""
    return _NO_TRANSACTION.search(text) is None


async def send(sink: Sink, text: str, path: Path) -> None:
    """The statements of a section, as few steps as possible.

    A text that can run in one transaction is sent whole: the server sees it as its author wrote it. `BEGIN` and `COMMIT` of
    its own divide it: what stands between is one transaction with its record.
    """
    statements = statements_of(text, path)
    alone = not is_atomic(text)
    groups: list[list[SqlStatement]] = [[]]
    is_open = False
    for s in statements:
        if is_begin(s.words):
            # PostgreSQL only warns of a BEGIN inside of a transaction and of a COMMIT without one.
            groups += [] if is_open else [[]]
            is_open = True
        elif is_commit(s.words):
            is_open = False
            groups.append([])
        elif not is_open and (alone or not runs_in_transaction(s.words) or uses_new_value(s, groups[-1])):
            groups += [[s], []] if alone or not runs_in_transaction(s.words) else [[s]]
        else:
            groups[-1].append(s)
    if is_open:
        raise MigrationError(f"{path}: BEGIN has no COMMIT: transactions belong to the runner")
    groups = [g for g in groups if g]
    for i, group in enumerate(groups):
        if i:
            await sink.barrier()
        whole = len(groups) == 1 and len(group) == len(statements)
        sql = text.strip() if whole else text[group[0].start : group[-1].end]
        line = 1 + text.count("\n", 0, len(text) - len(text.lstrip())) if whole else group[0].line
        await sink.step(of_text(sql, line, transactional=runs_in_transaction(group[0].words)))


def from_sql(version: str, name: str, path: Path, up: str, down: str | None) -> type[Migration]:
    """A Migration class for SQL text."""

    async def do_up(self: Migration) -> None:
        await send(self._sink, up, path)

    async def do_down(self: Migration) -> None:
        if down is None or not down.strip():
            why = f": {cls.irreversible}" if cls.irreversible else ""
            raise IrreversibleMigration(f"{path} has no down section{why}")
        await send(self._sink, down, path)

    # Made without __init_subclass__'s registration: files belong to their folder.
    cls: type[Migration] = type(
        f"Sql_{version}", (Migration,), {"name": name, "up": do_up, "down": do_down, "__module__": __name__}
    )
    cls.version = version
    cls.source = path
    cls.sections = (up, down)
    said = _IRREVERSIBLE.search(up)
    cls.irreversible = said[1] if said else ""
    return cls


def _way_back(path: Path) -> str | None:
    """The text of a file of its own; an empty one says that there is nothing to undo."""
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    return text if text.strip() else "-- nothing to undo"


def read_folder(path: Path) -> type[Migration] | None:
    """The migration in a folder with up.sql and perhaps down.sql, or None."""
    up = path / "up.sql"
    if not up.is_file():
        return None
    version, name = version_and_name(path.name, path)
    down = path / "down.sql"
    return from_sql(
        version,
        name,
        path,
        up.read_text(encoding="utf-8"),
        _way_back(down),
    )


def read_file(path: Path) -> type[Migration]:
    """The migration in an SQL file; `0001_x.up.sql` may have a `0001_x.down.sql` beside it."""
    stem = path.name.removesuffix(".sql")
    if stem.endswith(".up"):
        version, name = version_and_name(stem.removesuffix(".up"), path)
        back = path.with_name(f"{stem.removesuffix('.up')}.down.sql")
        return from_sql(
            version,
            name,
            path,
            path.read_text(encoding="utf-8"),
            _way_back(back),
        )
    version, name = version_and_name(stem, path)
    return from_sql(version, name, path, *sections(path.read_text(encoding="utf-8")))


def read_any(path: Path) -> type[Migration]:
    """A file under any name, to look at it: what ends in down.sql is a way back."""
    if path.suffix != ".sql":
        raise MigrationError(f"{path} is no SQL file, and its folder has no migration of that name")
    text = path.read_text(encoding="utf-8")
    if path.name.endswith("down.sql"):
        return from_sql("0", path.stem, path, "", text)
    return from_sql("0", path.stem, path, *sections(text))
