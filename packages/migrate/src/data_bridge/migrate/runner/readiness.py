"""require_applied(): an application starts only on a database that fits it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from data_bridge.core.errors import ConfigurationError, MigrationConflict, MigrationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate._versions import listed
from data_bridge.migrate.connection.opening import open_database
from data_bridge.migrate.history.status import compare
from data_bridge.migrate.history.table import History
from data_bridge.migrate.sources.discovery import discover
from data_bridge.migrate.sources.migration import Migration


async def require_applied(
    migrations: Sequence[type[Migration]] | None = None,
    *,
    directory: str | Path | None = None,
    allow_ahead: bool | Literal["expand-only"] = False,
    using: Any = None,
) -> None:
    """Refuses a database whose migrations are not those of this release. One query, no lock, nothing is changed.

    Args:
        migrations: classes; without them those of `directory`, or of the configuration.
        directory: the folder of the migrations.
        allow_ahead: what is accepted beyond the migrations of this release, as during a deployment or after a release was
            taken back. False: nothing. "expand-only": migrations that only add, so that this release works on. True:
            anything.
        using: an alias, a Database or a Transaction; without it the default database, or that of the configuration.

    Raises:
        MigrationError: a migration of this release is not applied, or was left half done.
        MigrationConflict: the database has a migration that this release does not have and `allow_ahead` does not accept.

    >>> from data_bridge.migrate import require_applied
    >>> async def start() -> None:
    ...     await require_applied(directory="migrations", allow_ahead="expand-only")
    """
    if allow_ahead not in (True, False, "expand-only"):
        raise ConfigurationError(f"allow_ahead={allow_ahead!r} is not one of True, False, 'expand-only'")
    config = configuration.read()
    found = discover(migrations, directory, config)
    async with open_database(using, config) as database:
        status = compare(found, await History(database, config.schema, config.table).read())
    if status.failed:
        raise MigrationError(
            f"the database is between two versions: {listed(status.failed)} was left half done"
            "\nhint: run `data-bridge migrate up`, which continues it"
        )
    if status.pending:
        raise MigrationError(
            f"the database is behind this release: {listed(status.pending)} is not applied"
            "\nhint: run `data-bridge migrate up` before the release starts"
        )
    if allow_ahead is True:
        return
    phases = {row.version: row.phase for row in status.applied}
    refused = [v for v in status.unknown if allow_ahead is False or phases[v] != "expand"]
    if refused:
        why = "" if allow_ahead is False else ", which takes away or refuses what this release may need"
        hint = "deploy the release that has it" + (
            "" if allow_ahead else ', or accept additions by allow_ahead="expand-only"'
        )
        raise MigrationConflict(
            f"the database is ahead of this release: {listed(refused)} is applied{why}\nhint: {hint}"
        )
