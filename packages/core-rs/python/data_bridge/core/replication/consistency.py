"""How old the rows may be that a read returns, for a database, a block or a session of a user."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote
from weakref import WeakKeyDictionary

from data_bridge.core.connection.block import ContextBlock
from data_bridge.core.connection.context import Consistency, checked_level, level_block, session_block
from data_bridge.core.errors import ConfigurationError, DataBridgeError

if TYPE_CHECKING:
    from data_bridge.core.replication.database import ReplicatedDatabase

__all__ = [
    "Consistency",
    "ConsistencyBlock",
    "Session",
    "chosen_level",
    "consistency",
    "current_session",
    "read_your_writes",
]

_PART = re.compile(r"([0-9A-Za-z_.~%-]+)=([0-9A-F]{1,16})")
_MOST_DATABASES = 20
_ON_NO_REPLICA = 0xFFFF_FFFF_FFFF_FFFF
_log = logging.getLogger("data_bridge.replicas")


class ConsistencyBlock(ContextBlock):
    """`async with consistency(…)` or `with consistency(…)`."""

    __slots__ = ("_around", "_is_inside", "level")

    def __init__(self, level: Consistency) -> None:
        self.level: Consistency = checked_level(level)
        self._around: ConsistencyBlock | None = None
        self._is_inside = False

    def __enter__(self) -> Self:
        if self._is_inside:
            raise ConfigurationError("this consistency() block is entered already: each task makes one of its own")
        self._is_inside = True
        self._around = level_block.get()
        level_block.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        self._is_inside = False
        # A generator that is closed from another context leaves a block that is not the innermost one there.
        if level_block.get() is self:
            level_block.set(self._around)


def chosen_level() -> Consistency | None:
    """Returns the level of the innermost consistency() block, or None."""
    block = level_block.get()
    return None if block is None else block.level


def consistency(level: Consistency) -> ConsistencyBlock:
    """A block whose reads outside of transactions may go to replicas, or not.

    Args:
        level: "primary" reads what is committed now; "read_your_writes" reads at least what the session has written;
            "eventual" reads what a replica has, which is at most `max_lag` seconds old.

    Raises:
        ConfigurationError: another level.

    >>> from data_bridge.core import consistency
    >>> async def report(db) -> None:
    ...     async with consistency("eventual"):
    ...         await db.fetch("SELECT count(*) FROM orders")
    """
    return ConsistencyBlock(level)


class Session(ContextBlock):
    """The writes that later reads of the same session see, on whatever server: see `read_your_writes`."""

    __slots__ = ("_positions", "_writes")

    def __init__(self, token: str | None = None) -> None:
        # Positions that a token names, by alias; and when this process wrote last, by database.
        self._positions: dict[str, int] = {}
        self._writes: WeakKeyDictionary[ReplicatedDatabase, float] = WeakKeyDictionary()
        if token:
            parts = [_PART.fullmatch(part) for part in token.split("&", _MOST_DATABASES)]
            if None not in parts:  # else it is not ours, or was cut off
                self._positions = {unquote(part[1]): int(part[2], 16) for part in parts if part is not None}

    def wrote(self, database: ReplicatedDatabase) -> None:
        """Remembers that a write has ended just now, whatever its outcome."""
        self._writes[database] = time.monotonic()
        if self is not _process:
            _process.wrote(database)

    def needs(self, database: ReplicatedDatabase) -> int | None:
        """The position that a replica must have replayed; None while that is not known, so that only the primary serves."""
        at = self._writes.get(database)
        # The token is older than the writes of this process, so that their position lies behind the one that it names.
        return self._positions.get(database.alias, 0) if at is None else database.positions.after(at)

    async def token(self) -> str | None:
        """Returns what carries the session to another process, such as in a cookie; None without a write.

        It asks the primary for its position once, where that is not known yet. While the primary does not answer, the token
        names a position that no replica has: the session goes on with reads on the primary.
        """
        positions = dict(self._positions)
        for database, at in list(self._writes.items()):  # another task may write meanwhile
            known = database.positions.after(at)
            if known is None:
                try:
                    known = await database.position()
                except DataBridgeError as error:
                    _log.warning("the position of %r is not known: %s", database.alias, type(error).__name__)
                    known = _ON_NO_REPLICA
            positions[database.alias] = known
        return "&".join(f"{quote(alias, safe='')}={lsn:X}" for alias, lsn in positions.items()) or None

    @property
    def has_written(self) -> bool:
        """Whether the session has written anything."""
        return bool(self._writes)

    def __enter__(self) -> Self:
        # What is around it is kept in the context: several tasks, and blocks inside each other, may have one session.
        session_block.set((self, session_block.get()))
        return self

    def __exit__(self, *exc: object) -> None:
        inside = session_block.get()
        if inside is not None and inside[0] is self:
            session_block.set(inside[1])


_process = Session()
"""The session of code outside of every read_your_writes() block: its reads see the writes of the whole process."""


def current_session() -> Session:
    """Returns the innermost session of this context, or that of the process."""
    inside = session_block.get()
    return _process if inside is None else inside[0]


def read_your_writes(token: str | None = None) -> Session:
    """A block whose reads see what was written in it, and what the token names, also on replicas.

    Without such a block, reads see what any task of the process has written. A block makes that narrower: a web
    application opens one for each request, so that the writes of one user do not send the reads of all others to the
    primary. `asgi.ReadYourWrites` does so, and carries the token in a cookie.

    Args:
        token: what `token()` of an earlier session returned; a text that is not one is ignored.

    >>> from data_bridge.core import read_your_writes
    >>> async def handle(db, token: str | None) -> str | None:
    ...     async with read_your_writes(token) as session:
    ...         await db.execute("INSERT INTO orders VALUES (1)")
    ...         await db.fetch("SELECT * FROM orders")  # has the new row
    ...         return await session.token()
    """
    return Session(token)
