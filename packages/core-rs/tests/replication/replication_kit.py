"""Helpers of the tests of replicas."""

from __future__ import annotations

import asyncio

from data_bridge.core import ReplicatedDatabase
from data_bridge.testing import EmbeddedCluster


async def settled(db: ReplicatedDatabase, cluster: EmbeddedCluster, *, all_up: bool = True) -> None:
    """Waits until reads of this context go to replicas again, and all of them are in the rotation."""
    await asyncio.to_thread(cluster.catch_up)
    async with asyncio.timeout(20):
        while db._usable() is None or not db._readers.is_current or (all_up and not all(r.is_up for r in db.replicas)):
            await asyncio.sleep(0.02)
