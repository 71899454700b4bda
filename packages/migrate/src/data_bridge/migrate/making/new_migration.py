"""Writes the migration between the recorded schema and the one that the classes declare, proved before it is written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as File

from data_bridge.core.errors import MigrationError
from data_bridge.core.lint import Finding
from data_bridge.migrate._config import Config
from data_bridge.migrate.diff.decisions import Ask, decide
from data_bridge.migrate.diff.instructions import Instructions
from data_bridge.migrate.diff.schema_diff import diff
from data_bridge.migrate.making.draft import Draft, put_in_place
from data_bridge.migrate.making.proof import prove
from data_bridge.migrate.making.recorded import check_head, is_current, recorded_schema
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.sources import templates
from data_bridge.migrate.sources.discovery import in_directory, ordered
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.state import lock_file
from data_bridge.migrate.state.facts import differences, facts_of
from data_bridge.migrate.state.lock_file import Lock
from data_bridge.migrate.state.models import declared_by

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


def check(request: MakeRequest) -> list[str]:
    """The differences between schema.lock and the classes, in words, without a database.

    Expressions are compared as the classes say them. One that says the same in other words counts as a difference, which
    `make` then resolves without a migration.

    Raises:
        MigrationConflict: the lock names a migration that is not there.
    """
    declared = facts_of(declared_by(request.models, request.config))
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
    schema = declared_by(request.models, request.config)
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
            draft: Draft | None = None
            made = Made(differences(old_facts, new_facts), foreign=recorded.foreign)
            head = migrations[-1].version if migrations else ""
            order = list(old_facts if not up else new_facts)
            if up:
                head = templates.version_behind(request.directory, head)
                with tempfile.TemporaryDirectory() as place:
                    draft = Draft(
                        request.directory, head, up, down, migrations, File(place), title=request.name, sql=request.sql
                    )
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
        made.paths = put_in_place(request.directory, "" if draft is None else draft.name, made.text, new_lock)
    return made
