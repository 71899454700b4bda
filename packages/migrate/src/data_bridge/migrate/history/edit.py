"""Making the history agree with the files again, when somebody says that the files are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_bridge.core.errors import MigrationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate.connection import lock
from data_bridge.migrate.history.status import compare
from data_bridge.migrate.history.table import History
from data_bridge.migrate.runner.api import _connected, _database
from data_bridge.migrate.sources.discovery import checksum, discover
from data_bridge.migrate.sources.migration import Migration


async def repair_history(
    migrations: Sequence[type[Migration]] | None = None,
    *,
    directory: str | Path | None = None,
    forget: Sequence[str] = (),
    lock_timeout: float | None = None,
    using: Any = None,
) -> list[str]:
    """Accepts changed migrations as they are now, and forgets versions; runs nothing.

    Args:
        migrations: as for run_migrations().
        directory: as for run_migrations().
        forget: versions whose rows are deleted: failed ones that start from the beginning, or unknown ones.
        lock_timeout: seconds to wait for another runner; by default as configured, else 60.
        using: alias or Database.

    Returns:
        The versions whose rows were changed or deleted.

    Raises:
        MigrationError: a version to forget is not in the history.
        MigrationLocked: another runner is at work.
    """
    config = configuration.read()
    found = discover(migrations, directory, config)
    by_version = {m.version: m for m in found}
    async with _database(using, config) as database, _connected(database, config) as connection:
        await lock.acquire(connection, config.table, config.lock_timeout if lock_timeout is None else lock_timeout)
        history = History(connection, config.schema, config.table)
        rows = await history.read()
        known = {r.version for r in rows}
        missing = [v for v in forget if v not in known]
        if missing:
            raise MigrationError(f"the history has no version {missing[0]}")
        modified = [v for v in compare(found, rows).modified if v not in forget]
        for version in modified:
            await history.accept(version, checksum(by_version[version]))
        for version in forget:
            await history.forget(version)
        return [*modified, *forget]
