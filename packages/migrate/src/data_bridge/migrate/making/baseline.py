"""The first migration of a database that is there already."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any

from data_bridge.core.errors import MigrationConflict, MigrationError
from data_bridge.core.lint import Finding
from data_bridge.migrate._config import Config
from data_bridge.migrate.diff.schema_diff import diff
from data_bridge.migrate.history import History, fake_migrations
from data_bridge.migrate.history.tool_histories import ToolHistory, find_tool_histories
from data_bridge.migrate.making.draft import Draft, put_in_place
from data_bridge.migrate.making.proof import VerificationFailed, prove
from data_bridge.migrate.making.recorded import owners, projected
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.sources import templates
from data_bridge.migrate.sources.discovery import in_directory
from data_bridge.migrate.state import lock_file
from data_bridge.migrate.state.facts import Facts, Path, differences, facts_of, label_of
from data_bridge.migrate.state.lock_file import Lock
from data_bridge.migrate.state.models import declared_by
from data_bridge.migrate.state.reading import DEFAULT_SCHEMA, read_schema
from data_bridge.query.catalog import Schema

__all__ = ["Baseline", "BaselineRequest", "make_baseline"]

_SCHEMAS = (
    "SELECT nspname::text AS name FROM pg_catalog.pg_namespace "
    "WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
)
_IRREVERSIBLE = "the schema was there before the first migration, and its tables hold data"


@dataclass(slots=True)
class BaselineRequest:
    """What `baseline` is asked for.

    Attributes:
        directory: the folder of the migrations.
        models: modules that declare the tables.
        config: of the project.
        name: what the migration is called.
        schemas: that are read; without them all of the database.
        records_all: whether schema.lock records what no class declares, too; models are not needed then.
        strict: whether what definitions cannot say is an error.
        shadow: a DSN of the server to try things out on.
        dry_run: whether nothing is written.
    """

    directory: File
    models: Sequence[str]
    config: Config
    name: str = ""
    schemas: Sequence[str] = ()
    records_all: bool = False
    strict: bool = False
    shadow: str | None = None
    dry_run: bool = False


@dataclass(slots=True)
class Baseline:
    """What `baseline` did.

    Attributes:
        version: of the migration.
        text: of its file.
        paths: the files that were written.
        histories: the tables of other migration tools, which are not recorded.
        foreign: objects that the migration makes and no class declares: they are left alone.
        unmodelled: objects that definitions cannot say; the migration does not make them.
        changes: where the classes are not as the database is.
        findings: what the linter says of the migration.
    """

    version: str = ""
    text: str = ""
    paths: list[str] = field(default_factory=list[str])
    histories: list[ToolHistory] = field(default_factory=list[ToolHistory])
    foreign: list[str] = field(default_factory=list[str])
    unmodelled: list[str] = field(default_factory=list[str])
    changes: list[str] = field(default_factory=list[str])
    findings: list[Finding] = field(default_factory=list[Finding])


async def make_baseline(request: BaselineRequest, database: Any) -> Baseline:
    """Writes the migration that makes the schema of a database, proves it on a shadow database, and records it as applied on
    the database that was read. Changes nothing when something is wrong.

    Raises:
        MigrationConflict: the folder or the database has a history already.
        MigrationError: there is nothing to record, another tool stopped half-way, or the schema cannot be made of what is read.
        VerificationFailed: the migration does not make the schema of the database.
    """
    _refuse_folder(request.directory)
    declared = None if request.records_all else declared_by(request.models, request.config)
    if await History(database, request.config.schema, request.config.table).read():
        raise MigrationConflict(
            f"the database has a history already, in {request.config.table}: `data-bridge migrate status` shows it"
        )
    made = Baseline()
    live, made.histories = await _read(request, database)
    made.unmodelled = [label_of(u) for u in live.unmodelled]
    if request.strict and made.unmodelled:
        raise MigrationError(
            "\n".join(["the migration cannot make these objects (--strict):", *(f"  {n}" for n in made.unmodelled)])
        )
    async with Shadow(request.shadow, request.config) as shadow:
        schema = await _copied(shadow, live)
        facts = facts_of(schema)
        made.version = templates.version_behind(request.directory)
        with tempfile.TemporaryDirectory() as place:
            draft = Draft(
                request.directory, made.version, diff(Schema(), schema), [], [], File(place),
                title=request.name or "baseline", irreversible=_IRREVERSIBLE,
            )  # fmt: skip
            await draft.write()
            async with shadow.database() as empty:
                order = await prove(shadow, empty, draft.migration, [], {}, facts)
        made.text, made.findings = draft.text, draft.findings
        lock = Lock(
            made.version, await shadow.major(), {path: facts[path] for path in order if path in facts}, migrations=1
        )
        if declared is not None:
            await _limit(shadow, lock, schema, facts_of(declared), made)
    if not request.dry_run:
        made.paths = put_in_place(request.directory, draft.name, made.text, lock)
        try:
            await fake_migrations([made.version], directory=request.directory, using=database)
        except BaseException:
            _take_away(made.paths)
            raise
    return made


def _take_away(paths: Sequence[str]) -> None:
    for path in paths:
        File(path).unlink(missing_ok=True)


def _refuse_folder(directory: File) -> None:
    there = in_directory(directory) if directory.is_dir() else []
    if there or lock_file.read(directory) is not None:
        raise MigrationConflict(
            f"{directory} has a history already: `data-bridge migrate stamp VERSION` records it on a database that has its "
            "tables, and --directory names another folder"
        )


async def _read(request: BaselineRequest, database: Any) -> tuple[Schema, list[ToolHistory]]:
    """The schema of the database without the histories of other tools, and these."""
    there = [row["name"] for row in await database.fetch(_SCHEMAS)]
    unknown = set(request.schemas) - set(there)
    if unknown:
        raise MigrationError(f"the database has no schema {min(unknown)!r}")
    default = await database.fetch_val("SELECT current_schema()::text") or DEFAULT_SCHEMA
    wanted = list(request.schemas) or there
    histories = await find_tool_histories(database, sorted({default, *wanted}))
    for history in histories:
        if history.failed:
            raise MigrationError(
                f"{history.tool} did not finish {history.failed[0]}, says {history.schema}.{history.table}: repair that first, "
                "because the schema is between two versions"
            )
    schema = await read_schema(database, wanted, history=request.config.table, default=default)
    theirs = {(None if h.schema == default else h.schema, h.table) for h in histories}
    schema = replace(
        schema,
        tables={key: table for key, table in schema.tables.items() if key not in theirs},
        sequences={
            key: made
            for key, made in schema.sequences.items()
            if made.owned_by is None or (key[0], made.owned_by[0]) not in theirs
        },
    )
    if not facts_of(schema):
        raise MigrationError(
            "the database has nothing to record: `data-bridge migrate make` writes the first migration"
        )
    return schema, histories


async def _copied(shadow: Shadow, live: Schema) -> Schema:
    """The schema as the shadow server prints it.

    Raises:
        MigrationError: a statement is refused.
        VerificationFailed: the copy is not equal, and the servers are of one version.
    """
    facts = facts_of(live)
    async with shadow.database() as database:
        await shadow.make_roles(facts)
        schema = await shadow.fill(database, facts, "the schema of the database")
    wrong = differences(facts, facts_of(schema))
    if wrong and await shadow.major() == live.server_version // 10000:
        raise VerificationFailed("a copy of the database is not equal to it (- database, + copy):", wrong)
    return schema


async def _limit(shadow: Shadow, lock: Lock, schema: Schema, declared: Facts, made: Baseline) -> None:
    """Leaves in the lock what the classes declare, and says where they are not as the database is."""
    kept = facts_of(projected(schema, owners(declared)))
    made.foreign = sorted(" ".join(path) for path in owners(lock.facts) - owners(kept))
    lock.facts = {path: text for path, text in lock.facts.items() if path in kept}
    try:
        async with shadow.database() as database:
            await shadow.fill(database, lock.facts, "what the classes declare of the database")
    except MigrationError as e:
        raise MigrationError(f"{e}\nDeclare what it needs, too, or record everything with --all") from e
    async with shadow.database() as database:
        new = facts_of(await shadow.fill(database, declared, "the declared schema"))
    made.changes = differences(lock.facts, new)
    lock.declared = {path: text for path, text in declared.items() if _is_said_otherwise(path, text, lock.facts, new)}


def _is_said_otherwise(path: Path, text: str, facts: Facts, new: Facts) -> bool:
    """Whether a class says in other words what the database has."""
    return path in facts and facts[path] == new.get(path) and facts[path] != text
