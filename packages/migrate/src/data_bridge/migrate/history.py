"""The history table: what was applied, when, by whom, and how far an interrupted migration came."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version as installed
from typing import Any

from data_bridge.core.errors import UndefinedTable
from data_bridge.migrate.backfill import quoted

TABLE = "_data_bridge_migrations"


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A row of the history.

    Attributes:
        version: the migration's.
        name: the migration's.
        state: applied, or running when a runner was interrupted, or failed.
        checksum: of the migration's steps.
        steps_done: committed steps.
        steps: digests of the committed steps.
        started_at, finished_at: by the server's clock.
        error: the message of the failure.
    """

    version: str
    name: str
    state: str
    checksum: str
    steps_done: int
    steps: tuple[str, ...]
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    down: tuple[str, ...] | None


class History:
    """The history table of a database."""

    def __init__(self, connection: Any, schema: str | None = None, table: str = TABLE) -> None:
        self._connection = connection
        self.name = quoted(f"{schema}.{table}") if schema else quoted(table)

    async def create(self) -> None:
        """Makes the table where it is missing."""
        await self._connection.script(
            f"""CREATE TABLE IF NOT EXISTS {self.name} (
                version text PRIMARY KEY, name text NOT NULL, state text NOT NULL CHECK (state IN ('running', 'applied', 'failed')),
                checksum text NOT NULL, steps_done integer NOT NULL DEFAULT 0, steps jsonb NOT NULL DEFAULT '[]', down jsonb,
                started_at timestamptz NOT NULL DEFAULT clock_timestamp(), finished_at timestamptz, error text,
                applied_by text NOT NULL, tool text NOT NULL
            )"""
        )

    async def read(self) -> list[AppliedMigration]:
        """All rows; none when there is no table. One round trip, no lock."""
        try:
            rows = await self._connection.fetch(
                f"SELECT version, name, state, checksum, steps_done, steps, started_at, finished_at, error, down FROM {self.name}"
            )
        except UndefinedTable:
            return []
        return [
            AppliedMigration(
                **dict[str, Any](r, steps=tuple(r["steps"]), down=None if r["down"] is None else tuple(r["down"]))
            )
            for r in rows
        ]

    async def begin(self, version: str, name: str, checksum: str, state: str, down: list[str] | None) -> None:
        """The row of a migration that starts, or starts again."""
        await self._connection.execute(
            f"INSERT INTO {self.name} (version, name, state, checksum, down, applied_by, tool) VALUES ($1, $2, $3, $4, $5, $6, $7) "
            "ON CONFLICT (version) DO UPDATE SET state = excluded.state, checksum = excluded.checksum, error = NULL",
            version, name, state, checksum, down, f"{getpass.getuser()}@{socket.gethostname()}",
            f"data-bridge-migrate {installed('data-bridge-migrate')}",
        )  # fmt: skip

    async def progress(self, version: str, digests: list[str]) -> None:
        """The steps that are committed with this."""
        await self._connection.execute(
            f"UPDATE {self.name} SET steps_done = $2, steps = $3 WHERE version = $1",
            version,
            len(digests),
            digests,
        )

    async def finish(self, version: str, digests: list[str]) -> None:
        """The migration is applied."""
        await self._connection.execute(
            f"UPDATE {self.name} SET state = 'applied', steps_done = $2, steps = $3, finished_at = clock_timestamp(), error = NULL "
            "WHERE version = $1",
            version, len(digests), digests,
        )  # fmt: skip

    async def fail(self, version: str, message: str) -> None:
        """The migration stopped half-way, outside a transaction."""
        await self._connection.execute(
            f"UPDATE {self.name} SET state = 'failed', error = $2 WHERE version = $1", version, message
        )

    async def forget(self, version: str) -> None:
        """The migration was taken back."""
        await self._connection.execute(f"DELETE FROM {self.name} WHERE version = $1", version)

    async def accept(self, version: str, checksum: str) -> None:
        """The migration was changed after it ran, and that is all right."""
        await self._connection.execute(f"UPDATE {self.name} SET checksum = $2 WHERE version = $1", version, checksum)
