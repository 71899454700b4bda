"""Saying how a migration stands that stopped half-way, after somebody has looked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_bridge.core.errors import MigrationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate.connection import lock
from data_bridge.migrate.history.table import History
from data_bridge.migrate.runner.api import _connected, _database
from data_bridge.migrate.sources.discovery import checksum, discover
from data_bridge.migrate.sources.migration import Migration


async def resolve_migration(
    version: str,
    *,
    applied: bool,
    migrations: Sequence[type[Migration]] | None = None,
    directory: str | Path | None = None,
    lock_timeout: float | None = None,
    using: Any = None,
) -> None:
    """Writes that a migration is applied, or that it is not; runs nothing.

    Args:
        version: of a migration that failed, was interrupted, or was being taken back.
        applied: True: everything of it is in the database; False: nothing is, it starts from the beginning.
        migrations: as for run_migrations().
        directory: as for run_migrations().
        lock_timeout: seconds to wait for another runner; by default as configured, else 60.
        using: alias or Database.

    Raises:
        MigrationError: there is no such migration, or it did not stop half-way.
        MigrationLocked: another runner is at work.
    """
    config = configuration.read()
    by_version = {m.version: m for m in discover(migrations, directory, config)}
    async with _database(using, config) as database, _connected(database, config) as connection:
        await lock.acquire(connection, config.table, config.lock_timeout if lock_timeout is None else lock_timeout)
        history = History(connection, config.schema, config.table)
        row = {r.version: r for r in await history.read()}.get(version)
        if row is None or row.state == "applied":
            state = "not begun" if row is None else "applied"
            raise MigrationError(
                f"{version} is {state}: there is nothing to resolve (stamp and fake write the history)"
            )
        if not applied:
            await history.forget(version)
            return
        if version not in by_version:
            raise MigrationError(f"there is no migration {version}")
        m = by_version[version]
        await history.record(version, m.title(), checksum(m), "applied", row.steps)
