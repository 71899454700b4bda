"""LISTEN and NOTIFY (PostgreSQL manual, "NOTIFY")."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from data_bridge.core._native import quote_identifier
from data_bridge.core.connection.observer import observed_step
from data_bridge.core.errors import ConfigurationError

_log = logging.getLogger("data_bridge.pool")


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that a session has sent by NOTIFY.

    Attributes:
        channel: where.
        payload: what.
        pid: the server process of the sender.
    """

    channel: str
    payload: str
    pid: int


@dataclass(frozen=True, slots=True)
class Gap:
    """The connection was lost and is there again: notifications between these times may be missing."""

    since: datetime
    until: datetime


class _Notifications:
    def __init__(self, listener: Any) -> None:
        self._listener = listener

    def __aiter__(self) -> _Notifications:
        return self

    async def __anext__(self) -> Notification | Gap:
        while True:
            heard = self._listener.take()
            if heard is not None:
                break
            if self._listener.is_over:
                raise StopAsyncIteration
            # It only says that there is something: a reader that is cancelled here takes nothing away.
            await self._listener.wait()
        if len(heard) == 3:
            return Notification(*heard)
        gap = Gap(*(datetime.fromtimestamp(t, UTC) for t in heard))
        _log.warning("LISTEN was without a connection for %.1f s", (gap.until - gap.since).total_seconds())
        return gap


@asynccontextmanager
async def listen_on(database: Any, channels: tuple[str, ...]) -> AsyncGenerator[AsyncIterator[Notification | Gap]]:
    """Subscribes to channels on a connection beside the pool.

    Raises:
        ConfigurationError: without a channel, or inside a transaction.
        ConnectError: when the connection cannot be made.
    """
    if not channels:
        raise ConfigurationError("listen() needs a channel")
    for c in channels:
        if not c or "\0" in c or len(c.encode()) > 63:
            raise ConfigurationError(f"{c!r} cannot be a channel: 1 to 63 bytes, without NUL")
    pool = getattr(database, "_pool", None)
    if pool is None:
        raise ConfigurationError("listen() has a connection of its own: give it a Database, not a Transaction")
    listener = pool.listen(list(channels))
    try:
        await observed_step(
            database, "listen", f"LISTEN {', '.join(map(quote_identifier, channels))}", listener.started()
        )
        yield _Notifications(listener)
    finally:
        listener.close()
