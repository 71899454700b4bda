"""The recorded schema against a live database, and the SQL that would repair the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.migrate._config import Config
from data_bridge.migrate._sql_lexer import terminated
from data_bridge.migrate.diff.schema_diff import diff
from data_bridge.migrate.diff.script import Planned
from data_bridge.migrate.making.recorded import owners, projected
from data_bridge.migrate.making.shadow import Shadow, schemas_in
from data_bridge.migrate.runner import get_migration_status
from data_bridge.migrate.runner.plan import record
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.state import lock_file
from data_bridge.migrate.state.facts import differences, facts_of, label_of
from data_bridge.migrate.state.lock_file import NAME
from data_bridge.migrate.state.reading import DEFAULT_SCHEMA, read_schema
from data_bridge.query import ddl
from data_bridge.query.catalog import Schema

__all__ = ["Drift", "find_drift"]


@dataclass(slots=True)
class Drift:
    """Where a database is not as it is recorded.

    Attributes:
        changes: `-` is missing in the database, `+` is in it only, `~` differs.
        sql: the statements that would lead from the database to the recorded schema.
        unrecorded: tables and types of the database that schema.lock does not know.
        unmodelled: objects that definitions cannot say, such as views and triggers.
        notes: what else is worth knowing.
    """

    changes: list[str] = field(default_factory=list[str])
    sql: list[str] = field(default_factory=list[str])
    unrecorded: list[str] = field(default_factory=list[str])
    unmodelled: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


async def find_drift(directory: File, database: Any, config: Config, shadow: str | None = None) -> Drift:
    """Compares the database with schema.lock; a shadow server is asked only for the SQL.

    Raises:
        ConfigurationError: there is no schema.lock.
        MigrationError: it cannot be read.
    """
    lock = lock_file.read(directory)
    if lock is None:
        raise ConfigurationError(f"there is no {NAME} in {directory}: `data-bridge migrate make` writes it")
    # Names without a schema are in the first one of the search path, as when the migrations ran.
    default = await database.fetch_val("SELECT current_schema()") or DEFAULT_SCHEMA
    everything = await read_schema(database, schemas_in(lock.facts), history=config.table, default=default)
    live = projected(everything, owners(lock.facts))
    found = Drift(differences(lock.facts, facts_of(live)))
    found.unrecorded = sorted(" ".join(path) for path in owners(facts_of(everything)) - owners(facts_of(live)))
    found.unmodelled = [label_of(u) for u in everything.unmodelled]
    major = everything.server_version // 10000
    if found.changes and major != lock.postgresql:
        found.notes.append(
            f"{NAME} is from PostgreSQL {lock.postgresql}, this is {major}: expressions may be printed otherwise"
        )
    status = await get_migration_status(directory=directory, using=database)
    if status.pending:
        found.notes.append(f"{len(status.pending)} migrations are pending: run `data-bridge migrate up` first")
    if found.changes:
        try:
            async with Shadow(shadow, config) as server, server.database() as place:
                wanted = await server.fill(place, lock.facts, NAME)
        except ConfigurationError as e:
            found.notes.append(f"no SQL without a shadow server: {e}")
        else:
            found.sql = await _repair(live, wanted)
    return found


async def _repair(live: Schema, wanted: Schema) -> list[str]:
    made: list[str] = []
    for planned in diff(live, wanted):
        note = _note(planned)
        repair = type("Repair", (Migration,), {"operations": (planned.operation,)})
        steps, _ = await record(repair, "up")
        made += [f"{terminated(s.sql)}{f'  -- {note}' if note and i == 0 else ''}" for i, s in enumerate(steps)]
    return made


def _note(planned: Planned) -> str:
    is_loss = isinstance(planned.operation, ddl.DropColumn | ddl.DropTable)
    return "; ".join(part for part in ("loses the data" if is_loss else "", planned.note) if part)
