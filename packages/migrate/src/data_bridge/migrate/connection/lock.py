"""One runner at a time: an advisory lock that is tried again and again.

A runner that *waits* for the lock would hold a snapshot, and CREATE INDEX CONCURRENTLY of the one who has it waits for
all snapshots: a deadlock. So no process waits inside the server.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from data_bridge.core.errors import MigrationLocked

_HOLDER = """
    SELECT a.pid, a.application_name, now() - a.backend_start AS age, a.query
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32 | l.objid::bigint) = $1
"""


async def acquire(connection: Any, table: str, patience: float) -> None:
    """Takes the lock of a history table.

    Raises:
        MigrationLocked: naming who has it.
    """
    key = await connection.value("SELECT pg_catalog.hashtextextended(current_database() || ' ' || $1, 0)", table)
    until = time.monotonic() + patience
    pause = 0.02
    while not await connection.value("SELECT pg_catalog.pg_try_advisory_lock($1)", key):
        if time.monotonic() >= until:
            holders = await connection.fetch(_HOLDER, key)
            who = "; ".join(
                f"process {h['pid']} ({h['application_name']}, connected for {h['age']}): {h['query'][:200]}"
                for h in holders
            )
            raise MigrationLocked(
                f"another runner has been migrating for more than {patience:g} s: {who or 'it has just ended'}"
            )
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 1.5, 0.5)
