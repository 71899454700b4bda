"""run_migrations() and get_migration_status()."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from data_bridge.core.errors import (
    ConfigurationError,
    MigrationConflict,
    MigrationError,
    MigrationModified,
)
from data_bridge.migrate import _config as configuration
from data_bridge.migrate._config import Config
from data_bridge.migrate._versions import key, listed
from data_bridge.migrate.connection import lock
from data_bridge.migrate.connection.opening import open_database, own_session
from data_bridge.migrate.history.status import MigrationStatus, compare
from data_bridge.migrate.history.table import AppliedMigration, History
from data_bridge.migrate.runner import plan
from data_bridge.migrate.runner.attempts import MigrationRunner, Progress
from data_bridge.migrate.runner.executor import Watch
from data_bridge.migrate.runner.table_sizes import measure
from data_bridge.migrate.sources.discovery import discover
from data_bridge.migrate.sources.migration import Migration


def _check(status: MigrationStatus, direction: str, config: Config) -> None:
    if status.modified:
        raise MigrationModified(
            f"applied migrations have changed since: {listed(status.modified)}. Put them back and write a new one, "
            "or accept the change with repair"
        )
    if direction == "up" and status.unknown:
        raise MigrationConflict(
            f"the database contains migrations unknown to this project: {listed(status.unknown)}. Is this an older checkout?"
        )
    if direction == "up" and status.late and config.out_of_order == "error":
        raise MigrationConflict(
            f"{listed(status.late)} come before {status.current}, which is applied already: give them later versions, "
            'or set out_of_order = "allow"'
        )


def _chosen(
    status: MigrationStatus, migrations: Sequence[type[Migration]], target: str | None, direction: str
) -> list[type[Migration]]:
    by_version = {m.version: m for m in migrations}
    if target is not None and target not in by_version and not (direction == "down" and target in ("0", "zero")):
        raise MigrationError(f"there is no migration {target}")
    if direction == "up":
        pending = [by_version[v] for v in status.pending]
        return [m for m in pending if target is None or key(m.version) <= key(target)]
    applied = sorted([*(r.version for r in status.applied), *status.undoing], key=key)
    if target is None:
        back = status.undoing[-1:] or applied[-1:]
    elif target in by_version:
        back = [v for v in applied if key(v) > key(target)]
    else:
        back = applied
    missing = [v for v in back if v not in by_version]
    if missing:
        raise MigrationConflict(f"{missing[0]} is applied, but its migration file is missing: it cannot be rolled back")
    return [by_version[v] for v in reversed(back)]


async def run_migrations(
    migrations: Sequence[type[Migration]] | None = None,
    *,
    directory: str | Path | None = None,
    target: str | None = None,
    direction: Literal["up", "down"] = "up",
    fake: bool = False,
    dry_run: bool = False,
    lock_timeout: float | None = None,
    using: Any = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> list[str]:
    """Applies what is pending, or takes back what is applied.

    Args:
        migrations: classes; without them a folder, the configured one, or all imported subclasses.
        directory: a folder of Python and SQL migrations.
        target: the version to stop at; taking back, it is exclusive: the target stays applied.
        direction: "up", or "down": by default the last one.
        fake: only write the history.
        dry_run: returns a Plan and changes nothing: only history and catalog are read.
        lock_timeout: seconds to wait for another runner, and to try a step again that waits for a lock of others; by default
            as configured, else 60.
        using: alias or Database.
        progress: called with "start" or "done" and the migration.
        watch: called with "step", "backfill" or "retry" and a dict that tells more.

    Returns:
        The versions that ran, in order.

    Raises:
        MigrationError: a step failed; the message says which, the database is as it was before the migration.
        MigrationLocked: another runner is at work.
        MigrationModified: an applied migration was changed.
        MigrationConflict: the history and the migrations contradict each other.
        IrreversibleMigration: there is no way back.

    >>> from data_bridge.migrate import run_migrations
    >>> async def deploy() -> None:
    ...     for version in await run_migrations(directory="migrations"):
    ...         print("applied", version)
    """
    if direction not in ("up", "down"):
        raise ConfigurationError(f"direction={direction!r} is not 'up' or 'down'")
    config = configuration.read()
    patience = config.lock_timeout if lock_timeout is None else lock_timeout
    found = discover(migrations, directory, config)
    async with open_database(using, config) as database:
        status = compare(found, await History(database, config.schema, config.table).read())
        chosen = _chosen(status, found, target, direction)
        if dry_run:
            return await measure(await plan.make(chosen, direction), database, config.step_lock_timeout)
        _check(status, direction, config)
        if not chosen:
            return []
        async with own_session(database, config) as connection:
            await lock.acquire(connection, config.table, patience)
            history = History(connection, config.schema, config.table)
            await history.create()
            # Read again under the lock, because another process may have changed it before.
            rows = {r.version: r for r in await history.read()}
            status = compare(found, list(rows.values()))
            _check(status, direction, config)
            running = MigrationRunner(connection, history, patience, progress, watch)
            ran: list[str] = []
            for m in _chosen(status, found, target, direction):
                await running.run(m, rows.get(m.version), direction, fake=fake)
                ran.append(m.version)
            return ran


async def get_migration_status(
    migrations: Sequence[type[Migration]] | None = None, *, directory: str | Path | None = None, using: Any = None
) -> MigrationStatus:
    """What is applied and what is not: one round trip, no lock.

    >>> from data_bridge.migrate import get_migration_status
    >>> async def show() -> None:
    ...     status = await get_migration_status(directory="migrations")
    ...     print(status.current, status.pending)
    """
    config = configuration.read()
    found = discover(migrations, directory, config)
    async with open_database(using, config) as database:
        return compare(found, await History(database, config.schema, config.table).read())


async def get_migration_history(*, using: Any = None) -> list[AppliedMigration]:
    """All rows of the history, running and failed ones included, in the order in which they started.

    >>> from data_bridge.migrate import get_migration_history
    >>> async def show() -> None:
    ...     for row in await get_migration_history():
    ...         print(row.version, row.state, row.finished_at)
    """
    config = configuration.read()
    async with open_database(using, config) as database:
        rows = await History(database, config.schema, config.table).read()
    return sorted(rows, key=lambda r: (r.started_at, key(r.version)))
