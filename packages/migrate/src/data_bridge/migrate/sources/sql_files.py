"""Migrations as SQL files: `0001_users.sql` with sections `-- up` and `-- down`, or folders with up.sql and down.sql."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from data_bridge.core.errors import IrreversibleMigration, MigrationError
from data_bridge.migrate._sql_lexer import (
    SqlStatement,
    UnclosedError,
    added_values,
    comments,
    is_begin,
    is_commit,
    runs_in_transaction,
    split,
    uses_any,
)
from data_bridge.migrate.operations.recorder import Sink
from data_bridge.migrate.operations.step import of_text
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.sources.section_marks import divide, irreversible_of, is_atomic, one_way

_NAMES = (
    # Underscores belong to the version only before two of them, as Flyway has it.
    re.compile(r"^[VvUu]?(?P<version>\d+(?:[._\-]\d+)*)__(?P<name>.+)$"),
    re.compile(r"^[VvUu]?(?P<version>\d+(?:[.\-]\d+)*)[_\-. ](?P<name>.+)$"),
    re.compile(r"^[VvUu]?(?P<version>\d[\d_.\-]*)$"),
)
_REPEATABLE = re.compile(r"^[Rr]__")
_BASELINE = re.compile(r"^[Bb]\d.*__")
_UNDO = re.compile(r"^[Uu](?P<version>\d.*?)__")
_DO = re.compile(r"^\d+\.(?:do|undo)\b", re.IGNORECASE)


def version_and_name(stem: str, path: Path) -> tuple[str, str]:
    """The version and name in a file's or folder's name.

    Raises:
        MigrationError: when it does not begin with a number.

    >>> from pathlib import Path
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
    r"""The up and the down part of a file; all of it is up without any mark. Lines keep their numbers.

    Raises:
        MigrationError: a part of the file would not run.

    >>> sections("-- up\nselect 1;\n-- down\nselect 2;")
    ('\nselect 1;\n', '\n\n\nselect 2;')
    """
    divided = divide(text)
    marks = divided.marks
    if not marks:
        return text, None
    parts: dict[str, str] = {"up": text[: marks[0].comment.start]} if marks[0].closes else {}
    for i, mark in enumerate(marks):
        end = marks[i + 1].comment.start if i + 1 < len(marks) else len(text)
        # Said once for the file, or beside the mark.
        option = "-- no-transaction" if divided.alone or mark.alone else ""
        parts[mark.direction] = "\n" * (mark.comment.line - 1) + option + text[mark.comment.end : end]
    return parts["up"], parts.get("down")


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
        if s.words[:2] in (("discard", "all"), ("deallocate", "all")):
            raise MigrationError(
                f"{where}: {s.sql.splitlines()[0]} would drop the runner's lock and its prepared statements: leave it out, the "
                "session is reset behind each migration"
            )
        if s.words[:1] in (("rollback",), ("abort",)) and not {"to", "prepared"} & set(s.words):
            raise MigrationError(
                f"{where}: transactions belong to the runner, not to the file: {s.sql.splitlines()[0]}"
            )
    return found


async def send(sink: Sink, text: str, path: Path) -> None:
    """The statements of a section, as few steps as possible.

    A text that can run in one transaction is sent whole: the server sees it as its author wrote it. `BEGIN` and `COMMIT` of
    its own divide it: what stands between is one transaction with its record.
    """
    statements = statements_of(text, path)
    alone = not is_atomic(text)
    groups: list[list[SqlStatement]] = [[]]
    group, added = groups[-1], list[str]()  # the values that ALTER TYPE … ADD VALUE added in the last group
    is_open = False
    for s in statements:
        if is_begin(s.words):
            # PostgreSQL only warns of a BEGIN inside of a transaction and of a COMMIT without one.
            groups += [] if is_open else [[]]
            is_open = True
        elif is_commit(s.words):
            is_open = False
            groups.append([])
        elif not is_open and (alone or not runs_in_transaction(s.words) or uses_any(s, added)):
            groups += [[s], []] if alone or not runs_in_transaction(s.words) else [[s]]
        else:
            groups[-1].append(s)
        if groups[-1] is not group:
            group, added = groups[-1], []
        added += added_values(s)
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


def digest_of(text: str) -> str:
    """Changes when a text does, other than in line ends and blanks at the end of lines."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return hashlib.sha256("\n".join(lines).strip().encode()).hexdigest()


def from_sql(
    version: str, name: str, path: Path, up: str, down: str | None, irreversible: str = "", *, text: str | None = None,
    down_path: Path | None = None,
) -> type[Migration]:  # fmt: skip
    """A Migration class for SQL text.

    Args:
        version: in the name of the file.
        name: in the name of the file.
        path: the file, or the folder with up.sql.
        up: the SQL of the way up.
        down: the SQL of the way back.
        irreversible: why there is none.
        text: the whole file, where `up` is a part of it.
        down_path: the file of the way back, where it has one of its own.
    """

    async def do_up(self: Migration) -> None:
        await send(self._sink, up, path)

    async def do_down(self: Migration) -> None:
        if down is None or not down.strip():
            why = f": {cls.irreversible}" if cls.irreversible else ""
            raise IrreversibleMigration(f"{path} has no down section{why}")
        await send(self._sink, down, down_path or path)

    # Made without __init_subclass__'s registration: files belong to their folder.
    cls: type[Migration] = type(
        f"Sql_{version}", (Migration,), {"name": name, "up": do_up, "down": do_down, "__module__": __name__}
    )
    cls.version = version
    cls.source = path
    cls._down_source = down_path
    cls.sections = (up, down)
    cls._text_digest = digest_of(up if text is None else text)
    cls.irreversible = irreversible
    return cls


def read_text(path: Path) -> str:
    """The text of a file, without the byte order mark that some editors write.

    Raises:
        MigrationError: it is not UTF-8.
    """
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise MigrationError(f"{path} is UTF-16: save it as UTF-8") from None
        line = data.count(b"\n", 0, e.start) + 1
        raise MigrationError(
            f"{path}, line {line}: byte {data[e.start]:#04x} is not UTF-8: save the file as UTF-8"
        ) from None


def _one_way(path: Path, direction: str) -> str:
    """The text of a file whose name says its direction."""
    text = read_text(path)
    with _named(path):
        one_way(text, direction)
    return text


def _way_back(path: Path | None) -> str | None:
    """The text of a file of its own; an empty one says that there is nothing to undo."""
    if path is None or not path.is_file():
        return None
    text = _one_way(path, "down")
    return text if text.strip() else "-- nothing to undo"


@contextmanager
def _named(path: Path) -> Generator[None, None, None]:
    """Errors name the file."""
    try:
        yield
    except MigrationError as e:
        raise MigrationError(f"{path}, {e}") from None


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _divided(version: str, name: str, path: Path, text: str, undo: Path | None = None) -> type[Migration]:
    back = _way_back(undo)
    with _named(path):
        up, down = sections(text)
        irreversible = divide(up).irreversible if "irreversible" in up.lower() else ""
        if back is not None and down is not None:
            raise MigrationError("the down migration is in this file and in a file of its own: keep one")
    return from_sql(version, name, path, up, down if back is None else back, irreversible, text=text, down_path=undo)


def read_folder(path: Path) -> type[Migration] | None:
    """The migration in a folder with up.sql and perhaps down.sql, or None.

    Raises:
        MigrationError: a folder with a version has SQL files, but no up.sql.
    """
    up = path / "up.sql"
    if not up.is_file():
        if is_versioned(path.name) and (other := next(iter(sorted(path.glob("*.sql"))), None)) is not None:
            raise MigrationError(f"{other} would not run: a folder holds up.sql and down.sql")
        return None
    version, name = version_and_name(path.name, path)
    text = _one_way(up, "up")
    back = path / "down.sql"
    return from_sql(version, name, path, text, _way_back(back), divide_one_way(text), down_path=_existing(back))


def read_file(path: Path) -> type[Migration]:
    """The migration in an SQL file; `0001_x.up.sql` may have a `0001_x.down.sql` beside it, Flyway's V1 a U1.

    Raises:
        MigrationError: the file is one of another tool's that cannot be run, or a part of it would not run.
    """
    stem = path.name.removesuffix(".sql")
    _refuse_by_name(path, stem)
    if stem.endswith(".up"):
        stem = stem.removesuffix(".up")
        version, name = version_and_name(stem, path)
        text = _one_way(path, "up")
        back = path.with_name(f"{stem}.down.sql")
        return from_sql(version, name, path, text, _way_back(back), divide_one_way(text), down_path=_existing(back))
    version, name = version_and_name(stem, path)
    undo = None
    if path.name[:1] in "Vv":
        of = [p for p in path.parent.glob("[Uu]*.sql") if (m := _UNDO.match(p.name)) and m["version"] == version]
        undo = of[0] if of else None
    return _divided(version, name, path, read_text(path), undo)


def divide_one_way(text: str) -> str:
    """Why a file of one section is irreversible, if a comment says so."""
    if "irreversible" not in text.lower():
        return ""
    return next((said for c in comments(text) if (said := irreversible_of(c))), "")


def _refuse_by_name(path: Path, stem: str) -> None:
    if _REPEATABLE.match(stem):
        raise MigrationError(
            f"{path} is a repeatable migration of Flyway, which would have to run whenever it changes: write a migration "
            "with a version for each change"
        )
    if _BASELINE.match(stem):
        raise MigrationError(
            f"{path} is a baseline migration of Flyway, which replaces those before it: keep the V files, or move it away"
        )
    if _DO.match(stem):
        raise MigrationError(
            f"{path} is named as Postgrator does: rename NUMBER.do.NAME.sql to NUMBER_NAME.up.sql, and undo to down"
        )
    settings = path.with_name(path.name + ".conf")
    if settings.is_file():
        raise MigrationError(
            f"{settings} has settings of Flyway, which are not read: say -- no-transaction in {path.name}"
        )


def is_way_back(path: Path) -> bool:
    """Whether a file belongs to another one, whose way back it is.

    Raises:
        MigrationError: there is no such other file.
    """
    if path.name.endswith(".down.sql"):
        stem = path.name.removesuffix(".down.sql")
        if not path.with_name(f"{stem}.up.sql").is_file():
            plain = path.with_name(f"{stem}.sql")
            hint = f": rename {plain.name} to {stem}.up.sql" if plain.is_file() else ""
            raise MigrationError(f"{path} would not run: there is no {stem}.up.sql beside it{hint}")
        return True
    undo = _UNDO.match(path.name)
    if undo is None:
        return False
    if not any(path.parent.glob(f"[Vv]{glob.escape(undo['version'])}__*.sql")):
        raise MigrationError(f"{path} would not run: there is no V{undo['version']}__….sql beside it")
    return True


def read_any(path: Path) -> type[Migration]:
    """A file under any name, to look at it: what ends in down.sql is a way back."""
    if path.suffix != ".sql":
        raise MigrationError(f"{path} is no SQL file, and its folder has no migration of that name")
    if path.name.endswith("down.sql"):
        return from_sql("0", path.stem, path, "", _one_way(path, "down"))
    if path.name.endswith("up.sql"):
        return from_sql("0", path.stem, path, _one_way(path, "up"), None)
    return _divided("0", path.stem, path, read_text(path))
