"""Correcting the history without running anything: fake, repair, resolve."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from data_bridge.core.errors import MigrationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate._config import Config
from data_bridge.migrate.connection import lock
from data_bridge.migrate.connection.opening import open_database, own_session
from data_bridge.migrate.history.status import compare
from data_bridge.migrate.history.table import History
from data_bridge.migrate.sources.discovery import checksum, discover
from data_bridge.migrate.sources.migration import Migration


@asynccontextmanager
async def _locked(using: Any, config: Config, lock_timeout: float | None) -> AsyncGenerator[History]:
    """The history, while no other runner changes it."""
    async with open_database(using, config) as database, own_session(database, config) as connection:
        await lock.acquire(connection, config.table, config.lock_timeout if lock_timeout is None else lock_timeout)
        yield History(connection, config.schema, config.table)


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
    async with _locked(using, config, lock_timeout) as history:
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
    async with _locked(using, config, lock_timeout) as history:
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


async def resolve_migration(
    version: str,
    *,
    applied: bool,
    migrations: Sequence[type[Migration]] | None = None,
    directory: str | Path | None = None,
    lock_timeout: float | None = None,
    using: Any = None,
) -> None:
    """Records that a migration which stopped half-way is applied, or that it is not; runs nothing.

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
    async with _locked(using, config, lock_timeout) as history:
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
        await history.record(version, m.title(), checksum(m), "applied", row.steps, phase=row.phase)
