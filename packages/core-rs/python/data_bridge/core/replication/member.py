"""One server that is watched: whether it answers, how far behind it is, and how long it takes."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import DataBridgeError
from data_bridge.core.replication.positions import SIZES, Positions, end_of_log, position_of
from data_bridge.core.replication.reading import Readers, volatile_functions

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_bridge.core.connection.database import Database

__all__ = ["EVERY", "Member", "ReplicaStats"]

EVERY = 0.25
"""Seconds between two questions to a server."""
_PATIENCE = 2.0
_FUNCTIONS_EVERY = 15.0
_QUESTION = (
    "SELECT pg_catalog.pg_is_in_recovery(), (CASE WHEN pg_catalog.pg_is_in_recovery() THEN"
    f" pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END)::text, {SIZES}"
)
_log = logging.getLogger("data_bridge.replicas")


@dataclass(frozen=True, slots=True)
class ReplicaStats:
    """A replica at one moment.

    Attributes:
        name: host and port.
        is_up: whether it answers and is a replica: one that was promoted leaves the rotation.
        lag: seconds that its rows are behind those of the primary, at most; None while that is not known.
        latency: seconds of a round trip, smoothed.
        position: the position in the write-ahead log that it has replayed, in bytes.
    """

    name: str
    is_up: bool
    lag: float | None
    latency: float
    position: int


class Member:
    """A server, and what the monitor has learnt of it. Written by the monitor's thread, read by all.

    Args:
        name: host and port.
        opened: makes the database by which the monitor asks it.
        positions: those of the primary.
        readers: takes the functions of the primary; None for a replica.
    """

    def __init__(
        self, name: str, opened: Callable[[], Database], positions: Positions, readers: Readers | None = None
    ) -> None:
        self.name = name
        self.latency = 0.0
        self.position = 0
        self.is_asked = False
        self._opened = opened
        self._positions = positions
        self._readers = readers
        self._is_up = False
        self._answered = 0.0
        self._functions_read = float("-inf")

    @property
    def is_up(self) -> bool:
        """Whether it answered a moment ago."""
        return self._is_up and time.monotonic() - self._answered < EVERY + _PATIENCE

    @property
    def lag(self) -> float | None:
        """Seconds that its rows are behind those of the primary, at most."""
        age = self._positions.age(self.position)
        return None if age is None else age + max(0.0, time.monotonic() - self._answered - EVERY)

    @property
    def stats(self) -> ReplicaStats:
        """It at this moment."""
        return ReplicaStats(self.name, self.is_up, self.lag, self.latency, self.position)

    def lost(self, error: BaseException) -> None:
        """Takes it out of the rotation until it answers the monitor again."""
        if self._is_up:
            _log.warning("%s leaves the rotation: %s", self.name, type(error).__name__)
        self._is_up = False

    async def watch(self, stopping: asyncio.Event) -> None:
        """Asks again and again, until the event is set."""
        database = self._opened()
        try:
            while not stopping.is_set():
                try:
                    async with asyncio.timeout(_PATIENCE):
                        await self._ask(database)
                except (DataBridgeError, TimeoutError, OSError) as error:
                    self.lost(error)
                self.is_asked = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await stopping.wait()
        finally:
            await database.close(timeout=0)

    async def _ask(self, database: Database) -> None:
        asked = time.monotonic()
        found: Any = await database.fetch_one(_QUESTION, as_=tuple)
        answered = time.monotonic()
        is_replica, text, segment, page = found
        position = 0 if not text else position_of(text) if is_replica else end_of_log(text, segment, page)
        if self._readers is not None:
            if is_replica:  # the address leads to a server that is not the primary any more
                self._is_up = False
                return
            self._positions.add(asked, position)
            if not self._readers.is_current or answered - self._functions_read > _FUNCTIONS_EVERY:
                await self._read_functions(database)
        took = answered - asked
        self.latency = took if self.latency == 0.0 else 0.8 * self.latency + 0.2 * took
        self.position = position
        self._answered = answered
        is_up = is_replica or self._readers is not None
        if is_up != self._is_up:
            _log.info("%s %s", self.name, "is in the rotation" if is_up else "is not a replica any more")
        self._is_up = is_up

    async def _read_functions(self, database: Database) -> None:
        assert self._readers is not None
        self._functions_read = time.monotonic()
        version = self._readers.version
        self._readers.learn(await volatile_functions(database), version)
