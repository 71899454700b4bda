"""Writes the migration between the recorded schema and the one that the classes declare, proved before it is written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any, cast

from data_bridge.core.errors import ConfigurationError, MigrationError
from data_bridge.core.lint import Finding
from data_bridge.migrate._config import Config
from data_bridge.migrate.diff.decisions import Ask, decide
from data_bridge.migrate.diff.instructions import Instructions
from data_bridge.migrate.diff.schema_diff import diff
from data_bridge.migrate.diff.script import Planned
from data_bridge.migrate.lint import lint_migrations
from data_bridge.migrate.making.proof import prove
from data_bridge.migrate.making.python_file import written
from data_bridge.migrate.making.recorded import check_head, is_current, recorded_schema
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.making.sql_file import written_sql
from data_bridge.migrate.making.waivers import waiver_of
from data_bridge.migrate.operations.recorder import Recorder
from data_bridge.migrate.runner.plan import record
from data_bridge.migrate.sources import templates
from data_bridge.migrate.sources.declared_lines import declared_lines
from data_bridge.migrate.sources.discovery import in_directory, ordered
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.state import lock_file
from data_bridge.migrate.state.facts import differences, facts_of
from data_bridge.migrate.state.lock_file import Lock
from data_bridge.migrate.state.models import declared_schema, definitions_in, imported
from data_bridge.query import ddl
from data_bridge.query.catalog import Schema

__all__ = ["Made", "MakeRequest", "check", "make"]


@dataclass(slots=True)
class MakeRequest:
    """What `make` is asked for.

    Attributes:
        directory: the folder of the migrations.
        models: modules that declare the tables.
        config: of the project.
        name: what the migration is called; made from the change when it is empty.
        instructions: renames, values and drops.
        shadow: a DSN of the server to try things out on.
        sql: whether an SQL file is written.
        dry_run: whether nothing is written.
        ask: asks a person on a terminal.
    """

    directory: File
    models: Sequence[str]
    config: Config
    name: str = ""
    instructions: Instructions = field(default_factory=Instructions)
    shadow: str | None = None
    sql: bool = False
    dry_run: bool = False
    ask: Ask | None = None


@dataclass(slots=True)
class Made:
    """What `make` did.

    Attributes:
        changes: the differences, in words; empty when there are none.
        text: of the migration.
        paths: the files that were written.
        foreign: objects that migrations made and no class declares: they are left alone.
        findings: what the linter says of the migration, beside what was asked for.
    """

    changes: list[str] = field(default_factory=list[str])
    text: str = ""
    paths: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])
    findings: list[Finding] = field(default_factory=list[Finding])


def _migrations(directory: File) -> list[type[Migration]]:
    return ordered(in_directory(directory)) if directory.is_dir() else []


def _declared(request: MakeRequest) -> Schema:
    names = request.models or request.config.models
    if not names:
        raise ConfigurationError(
            'no models: set `models = ["app.models"]` in [tool.data-bridge.migrate], or give --models app.models'
        )
    tables = definitions_in(imported(names, request.config.root))
    if not tables:
        raise ConfigurationError(
            f"{', '.join(names)} declare no tables: a Table class, or a TableDef of data-bridge-query"
        )
    return declared_schema(tables, request.config.extensions)


def check(request: MakeRequest) -> list[str]:
    """The differences between schema.lock and the classes, in words, without a database.

    Expressions are compared as the classes say them. One that says the same in other words counts as a difference, which
    `make` then resolves without a migration.

    Raises:
        MigrationConflict: the lock names a migration that is not there.
    """
    declared = facts_of(_declared(request))
    lock = lock_file.read(request.directory)
    migrations = _migrations(request.directory)
    check_head(lock, migrations)
    found = differences((lock or Lock()).as_declared(), declared)
    if not is_current(lock, migrations) and migrations:
        there = f"{migrations[-1].version} is the newest of {len(migrations)} migrations"
        said = "there is none" if lock is None else f"it says {lock.head or 'none'} of {lock.migrations}"
        found.insert(0, f"{lock_file.NAME} is not up to date: {there}, {said}")
    return found


async def make(request: MakeRequest) -> Made:
    """Writes the migration, and the lock; writes nothing when something is wrong or open.

    Raises:
        Undecided: a rename, a drop or a value has to be decided.
        VerificationFailed: the migration does not do what it has to do.
        MigrationError: the declared schema cannot be made, or an older migration does not run.
    """
    schema = _declared(request)
    declared = facts_of(schema)
    lock = lock_file.read(request.directory)
    migrations = _migrations(request.directory)
    check_head(lock, migrations)
    if lock is not None and is_current(lock, migrations) and lock.as_declared() == declared:
        request.instructions.refuse_unused()
        return Made()
    async with Shadow(request.shadow, request.config) as shadow:
        async with shadow.database() as database:
            new = await shadow.fill(database, declared, "the declared schema")
        async with recorded_schema(shadow, lock, migrations, declared) as recorded:
            decisions = decide(recorded.schema, new, request.instructions, request.ask, schema)
            up = diff(recorded.schema, new, decisions)
            down = diff(new, recorded.schema, decisions.way_back(), is_way_back=True)
            old_facts, new_facts = facts_of(recorded.schema), facts_of(new)
            draft: _Draft | None = None
            made = Made(differences(old_facts, new_facts), foreign=recorded.foreign)
            head = migrations[-1].version if migrations else ""
            order = list(old_facts if not up else new_facts)
            if up:
                head = templates.version_behind(request.directory, head)
                with tempfile.TemporaryDirectory() as place:
                    draft = _Draft(request, head, up, down, migrations, File(place))
                    await draft.write()
                    applied = recorded.applied
                    order = await prove(shadow, recorded.database, draft.migration, applied, old_facts, new_facts)
                made.text, made.findings = draft.text, draft.findings
            elif made.changes:
                raise MigrationError(
                    "\n".join(["no operation leads to these changes:", *(f"  {c}" for c in made.changes)])
                )
            facts = {path: new_facts[path] for path in [*order, *new_facts] if path in new_facts}
            said = {path: text for path, text in declared.items() if facts.get(path) != text}
            count = len(migrations) + bool(up)
            new_lock = Lock(head, await shadow.major(), facts, said, migrations=count)
    if not request.dry_run:
        _put_in_place(request, made, "" if draft is None else draft.name, new_lock)
    return made


def _put_in_place(request: MakeRequest, made: Made, name: str, lock: Lock) -> None:
    """Both files, or none."""
    request.directory.mkdir(parents=True, exist_ok=True)
    path = request.directory / name
    if made.text:
        path.write_text(made.text, encoding="utf-8")
        made.paths.append(str(path))
    try:
        if lock_file.write(request.directory, lock):
            made.paths.append(str(request.directory / lock_file.NAME))
    except BaseException:
        if made.text:
            path.unlink(missing_ok=True)
        raise


class _Draft:
    """A migration in a folder of its own, before it has proved itself.

    Attributes:
        migration: its class.
        text: of its file.
        findings: of the linter.
        name: of its file.
    """

    migration: type[Migration]

    def __init__(
        self, request: MakeRequest, version: str, up: list[Planned], down: list[Planned],
        earlier: Sequence[type[Migration]], place: File,
    ) -> None:  # fmt: skip
        self._request = request
        self._version = version
        self._up, self._down = up, down
        self._earlier = earlier
        self._place = place
        self._title = request.name or _title(up)
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
        path = str(self._request.directory / self.name)
        self.findings = [replace(f, file=path) for f in await self._lint()]
        if self._request.sql:
            steps = [(await record(self.migration, direction))[0] for direction in ("up", "down")]
            self.text = written_sql(self._title, *steps)
            self.name = self.name.removesuffix(".py") + ".sql"
            self._load()

    def _save(self, waivers: dict[tuple[str, int], list[str]], *, one_by_one: bool) -> None:
        self.text = written(
            self._title, self._slug, self._version, self._up, self._down, waivers, one_by_one=one_by_one
        )
        self._load()

    def _load(self) -> None:
        # A folder for each text: Python remembers what it has imported from a path.
        folder = self._place / str(len(list(self._place.iterdir())))
        folder.mkdir()
        (folder / self.name).write_text(self.text, encoding="utf-8")
        self.migration = in_directory(folder)[0]

    async def _commits_inside(self) -> bool:
        """Whether a direction commits between two of its steps, whatever the file says of transactions."""
        for direction in ("up", "down"):
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
    """What a change is called for which nobody has a name."""
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
