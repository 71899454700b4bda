"""A migration that is being written: its text, in a folder of its own until it has proved itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path as File
from typing import Any, cast

from data_bridge.core.lint import Finding
from data_bridge.migrate.diff.script import Planned
from data_bridge.migrate.lint import lint_migrations
from data_bridge.migrate.making.python_file import written
from data_bridge.migrate.making.sql_file import written_sql
from data_bridge.migrate.making.waivers import waiver_of
from data_bridge.migrate.operations.recorder import Recorder
from data_bridge.migrate.runner.plan import record
from data_bridge.migrate.sources import templates
from data_bridge.migrate.sources.declared_lines import declared_lines
from data_bridge.migrate.sources.discovery import in_directory
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.state import lock_file
from data_bridge.migrate.state.lock_file import Lock
from data_bridge.query import ddl

__all__ = ["Draft", "put_in_place"]


def put_in_place(directory: File, name: str, text: str, lock: Lock) -> list[str]:
    """Writes the migration, if there is a text, and the lock: both, or none. Returns the paths of what was written."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    paths: list[str] = []
    if text:
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    try:
        if lock_file.write(directory, lock):
            paths.append(str(directory / lock_file.NAME))
    except BaseException:
        if text:
            path.unlink(missing_ok=True)
        raise
    return paths


class Draft:
    """A migration in a folder of its own, before it has proved itself.

    Attributes:
        migration: its class.
        text: of its file.
        findings: of the linter.
        name: of its file.
    """

    migration: type[Migration]

    def __init__(
        self, directory: File, version: str, up: list[Planned], down: list[Planned], earlier: Sequence[type[Migration]],
        place: File, *, title: str = "", sql: bool = False, irreversible: str = "",
    ) -> None:  # fmt: skip
        self._directory = directory
        self._version = version
        self._up, self._down = up, down
        self._earlier = earlier
        self._place = place
        self._title = title or _title(up)
        self._sql = sql
        self._irreversible = irreversible
        self._slug = templates.slug_of(self._title)
        self.name = f"{version}_{self._slug}.py"
        self.text = ""
        self.findings: list[Finding] = []

    async def write(self) -> None:
        """Writes the file, lets the linter look at it, and writes it again with the comments that it needs."""
        waivers: dict[tuple[str, int], list[str]] = {}
        one_by_one = len(_changed(self._up)) > 1
        self._save(waivers, one_by_one=one_by_one)
        if not one_by_one and await self._commits_inside():
            one_by_one = True
            self._save(waivers, one_by_one=True)
        places = self._places()
        for finding in await self._lint():
            where = places.get(finding.line)
            if where is None:
                continue
            waiver = waiver_of(finding, is_way_back=where[0] == "down_operations")
            if waiver is not None and waiver not in waivers.setdefault(where, []):
                waivers[where].append(waiver)
        if waivers:
            self._save(waivers, one_by_one=one_by_one)
        path = str(self._directory / self.name)
        self.findings = [replace(f, file=path) for f in await self._lint()]
        if self._sql:
            steps = [(await record(self.migration, direction))[0] for direction in ("up", "down")]
            self.text = written_sql(self._title, *steps)
            self.name = self.name.removesuffix(".py") + ".sql"
            self._load()

    def _save(self, waivers: dict[tuple[str, int], list[str]], *, one_by_one: bool) -> None:
        self.text = written(
            self._title, self._slug, self._version, self._up, self._down, waivers,
            one_by_one=one_by_one, irreversible=self._irreversible,
        )  # fmt: skip
        self._load()

    def _load(self) -> None:
        # A folder for each text: Python remembers what it has imported from a path.
        folder = self._place / str(len(list(self._place.iterdir())))
        folder.mkdir()
        (folder / self.name).write_text(self.text, encoding="utf-8")
        self.migration = in_directory(folder)[0]

    async def _commits_inside(self) -> bool:
        """Whether a direction commits between two of its steps, whatever the file says of transactions."""
        for direction in ("up",) if self._irreversible else ("up", "down"):
            recorder = Recorder()
            migration = self.migration(recorder)
            await (migration.up() if direction == "up" else migration.down())
            if any(0 < at < len(recorder.steps) for at in recorder.barriers):
                return True
        return False

    async def _lint(self) -> list[Finding]:
        report = await lint_migrations([*self._earlier, self.migration])
        own = str(self.migration.source or "") or self.migration.__module__
        return [f for f in report.findings if File(f.file).name == self.name or f.file == own]

    def _places(self) -> dict[int, tuple[str, int]]:
        """The direction and the position of the operation of a line."""
        return {
            line: (attribute, at)
            for attribute in ("operations", "down_operations")
            for at, line in enumerate(declared_lines(self.migration, attribute))
        }


def _changed(planned: Sequence[Planned]) -> set[tuple[str | None, str]]:
    """The tables that are there before and are changed."""
    made: set[tuple[str | None, str]] = set()
    changed: set[tuple[str | None, str]] = set()
    for operation in (p.operation for p in planned):
        table = getattr(operation, "table", None)
        if isinstance(operation, ddl.CreateTable):
            made.add(_key(table))
        elif isinstance(operation, ddl.DropTable):
            changed.add(_key(operation.name))
        elif table is not None:
            changed.add(_key(table))
    return changed - made


def _key(table: Any) -> tuple[str | None, str]:
    if isinstance(table, tuple):
        schema, name = cast(tuple[str | None, str], table)
        return schema, name
    return getattr(table, "schema", None), getattr(table, "name", table)


def _title(up: Sequence[Planned]) -> str:
    """The title of a change that has not been given a name."""
    made = [_key(p.operation.table)[1] for p in up if isinstance(p.operation, ddl.CreateTable)]
    gone = [_key(p.operation.name)[1] for p in up if isinstance(p.operation, ddl.DropTable)]
    views = {_key(p.operation.name)[1] for p in up if isinstance(p.operation, ddl.CreateView)}
    gone += [
        name for p in up if isinstance(p.operation, ddl.DropView) and (name := _key(p.operation.name)[1]) not in views
    ]
    changed = sorted({name for _, name in _changed(up)} - set(gone)) or sorted(views)
    moved = [_key(p.operation.name)[1] for p in up if isinstance(p.operation, ddl.SetSchema)]
    said: list[str] = []
    for verb, names in (("create", made), ("change", changed), ("move", moved), ("drop", gone)):
        if names:
            said.append(
                f"{verb} {names[0]}" + (f" and {names[1]}" if len(names) == 2 else " and others" if names[2:] else "")
            )
    return ", ".join(said[:2]) or "change types"
