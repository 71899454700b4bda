"""Writing the history of single versions, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from data_bridge.core.errors import MigrationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate.connection import lock
from data_bridge.migrate.history.table import History
from data_bridge.migrate.runner.api import _connected, _database
from data_bridge.migrate.sources.discovery import checksum, discover
from data_bridge.migrate.sources.migration import Migration


async def fake_migrations(
    versions: Sequence[str],
    *,
    direction: Literal["up", "down"] = "up",
    migrations: Sequence[type[Migration]] | None = None,
    directory: str | Path | None = None,
    lock_timeout: float | None = None,
    using: Any = None,
) -> list[str]:
    """Marks versions as applied, or as not applied; `run_migrations(fake=True)` does that with all up to a target.

    Returns:
        The versions whose rows were changed.

    Raises:
        MigrationError: there is no such migration.
        MigrationLocked: another runner is at work.
    """
    config = configuration.read()
    by_version = {m.version: m for m in discover(migrations, directory, config)}
    async with _database(using, config) as database, _connected(database, config) as connection:
        await lock.acquire(connection, config.table, config.lock_timeout if lock_timeout is None else lock_timeout)
        history = History(connection, config.schema, config.table)
        await history.create()
        rows = {r.version: r for r in await history.read()}
        unknown = [v for v in versions if v not in by_version and not (direction == "down" and v in rows)]
        if unknown:
            raise MigrationError(f"there is no migration {unknown[0]}")
        changed: list[str] = []
        for version in versions:
            if direction == "down" and version in rows:
                await history.forget(version)
            elif direction == "up" and (version not in rows or rows[version].state != "applied"):
                m = by_version[version]
                await history.record(version, m.title(), checksum(m), "applied", [])
            else:
                continue
            changed.append(version)
        return changed
