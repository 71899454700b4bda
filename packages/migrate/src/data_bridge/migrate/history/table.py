"""The history table: what was applied, when, by whom, and how far an interrupted migration came."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version as installed
from typing import Any

from data_bridge.core.errors import UndefinedTable
from data_bridge.migrate._config import TABLE
from data_bridge.migrate._sql_names import quote_identifier

_SESSION = "session "
"""What begins the last entry of a row's steps, where they left a session that is not as new."""
_PHASE = "phase "
"""What begins the entry of a row's steps that says whether they only add."""
_FIELDS = "version, name, state, checksum, steps_done, steps, started_at, finished_at, error, down"


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A row of the history.

    Attributes:
        version: the migration's.
        name: the migration's.
        state: applied; running when a runner was interrupted; failed when it stopped half-way; undoing when it was being
            taken back and stopped half-way.
        checksum: of the migration's text.
        steps_done: committed steps.
        steps: digests of the committed steps.
        started_at, finished_at: by the server's clock.
        error: the message of the failure.
        down: reserved.
        session: settings and role that the committed steps left, for the steps behind them.
        phase: "expand" if it only added, "contract" if not; None for one that an older version or `fake` has recorded.
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
    session: str | None = None
    phase: str | None = None


class History:
    """The history table of a database."""

    def __init__(self, connection: Any, schema: str | None = None, table: str = TABLE) -> None:
        self._connection = connection
        self._schema = schema
        self._table = table
        self.name = _path(schema, table)
        self._who = ""
        self._tool = ""

    async def create(self) -> None:
        """Makes the table where it is missing, and remembers its schema: a migration may change search_path."""
        if self._schema is None:
            self._schema = await self._connection.value(
                "SELECT coalesce((SELECT n.nspname::text FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c "
                "ON c.relnamespace = n.oid WHERE c.oid = pg_catalog.to_regclass($1)), pg_catalog.current_schema()::text)",
                self.name,
            )
            self.name = _path(self._schema, self._table)
        if not await self._connection.value("SELECT pg_catalog.to_regclass($1) IS NOT NULL", self.name):
            await self._connection.script(
                f"""CREATE TABLE IF NOT EXISTS {self.name} (
                    version text PRIMARY KEY, name text NOT NULL,
                    state text NOT NULL CHECK (state IN ('running', 'applied', 'failed', 'undoing')),
                    checksum text NOT NULL, steps_done integer NOT NULL DEFAULT 0, steps jsonb NOT NULL DEFAULT '[]', down jsonb,
                    started_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz, error text,
                    applied_by text NOT NULL, tool text NOT NULL, server text NOT NULL DEFAULT current_setting('server_version')
                )"""
            )

    async def read(self) -> list[AppliedMigration]:
        """All rows; none when there is no table. One round trip, no lock."""
        try:
            rows = await self._connection.fetch(f"SELECT {_FIELDS} FROM {self.name}")
        except UndefinedTable:
            return []
        found: list[AppliedMigration] = []
        for r in rows:
            steps: list[str] = r["steps"]
            phase = steps.pop().removeprefix(_PHASE) if steps and steps[-1].startswith(_PHASE) else None
            session = steps.pop().removeprefix(_SESSION) if steps and steps[-1].startswith(_SESSION) else None
            down = None if r["down"] is None else tuple(r["down"])
            found.append(
                AppliedMigration(**dict[str, Any](r, steps=tuple(steps), down=down, session=session, phase=phase))
            )
        return found

    async def record(
        self, version: str, name: str, checksum: str, state: str, digests: Sequence[str], *,
        session: str | None = None, phase: str | None = None,
    ) -> None:  # fmt: skip
        """Writes the row of a migration in any state, with the steps that are committed with it, and the session they left."""
        if not self._who:
            self._who = f"{_user()}@{socket.gethostname()}"
            self._tool = f"data-bridge-migrate {installed('data-bridge-migrate')}"
        await self._connection.execute(
            f"INSERT INTO {self.name} (version, name, state, checksum, steps_done, steps, applied_by, tool, finished_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE $3 WHEN 'applied' THEN clock_timestamp() END) "
            "ON CONFLICT (version) DO UPDATE SET state = excluded.state, checksum = excluded.checksum, error = NULL, "
            "steps_done = excluded.steps_done, steps = excluded.steps, finished_at = excluded.finished_at",
            version, name, state, checksum, len(digests), [*digests, *_marks(session, phase)],
            self._who, self._tool,
        )  # fmt: skip

    async def fail(self, version: str, message: str, *, state: str = "failed") -> None:
        """The migration stopped half-way, outside a transaction."""
        await self._connection.execute(
            f"UPDATE {self.name} SET state = $3, error = $2 WHERE version = $1", version, message, state
        )

    async def forget(self, version: str) -> None:
        """The migration was taken back."""
        await self._connection.execute(f"DELETE FROM {self.name} WHERE version = $1", version)

    async def accept(self, version: str, checksum: str) -> None:
        """The migration was changed after it ran, and that is all right."""
        await self._connection.execute(f"UPDATE {self.name} SET checksum = $2 WHERE version = $1", version, checksum)


def _marks(session: str | None, phase: str | None) -> list[str]:
    """What follows the digests of the steps: a history of an older version has no columns for it."""
    return [*([] if session is None else [_SESSION + session]), *([] if phase is None else [_PHASE + phase])]


def _user() -> str:
    """The account of this process; its number where the machine knows no name for it, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


def _path(schema: str | None, table: str) -> str:
    return ".".join(quote_identifier(part) for part in (schema, table) if part)
