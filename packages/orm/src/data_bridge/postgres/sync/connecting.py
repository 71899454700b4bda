"""Opening and closing databases, and migrating them, from blocking code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import data_bridge.core as core
import data_bridge.migrate as migrate
from data_bridge.core import Database
from data_bridge.migrate import Migration
from data_bridge.postgres.sync.running import run

__all__ = ["close", "init", "run_migrations"]


def init(dsn: str | None = None, **options: Any) -> Database:
    """Opens a database and makes it the one that statements use; the options are those of `data_bridge.postgres.init`.

    Every thread uses the same pool.

    Raises:
        ConnectError: with host, port, step and SQLSTATE.
        ConfigurationError: when the settings contradict each other.

    >>> from data_bridge.postgres.sync import init
    >>> def main() -> None:
    ...     init("postgresql://localhost/shop", max_connections=20)
    """
    return run(core.init(dsn, **options))


def close(alias: str | None = None, *, timeout: float = 10.0) -> None:
    """Closes the database under `alias`, or all of them.

    Args:
        timeout: seconds that statements which run are waited for; then they are cancelled.
    """
    run(core.close(alias, timeout=timeout))


def run_migrations(
    migrations: Sequence[type[Migration]] | None = None,
    *,
    directory: str | Path | None = None,
    target: str | None = None,
    direction: Literal["up", "down"] = "up",
    **options: Any,
) -> list[str]:
    """Applies migrations, or rolls them back, and returns their versions in order; see `data_bridge.postgres.run_migrations`.

    >>> from data_bridge.postgres.sync import run_migrations
    >>> def deploy() -> None:
    ...     for version in run_migrations(directory="migrations"):
    ...         print(version)
    """
    done: Any = run(
        migrate.run_migrations(migrations, directory=directory, target=target, direction=direction, **options)
    )
    return done  # type: ignore[no-any-return]
