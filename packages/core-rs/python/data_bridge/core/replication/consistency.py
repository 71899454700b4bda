"""How old the rows may be that a read returns, for a database, a block or a session of a user."""

from __future__ import annotations

import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, Self, TypeAlias
from urllib.parse import quote, unquote

from data_bridge.core.connection.context import checked_level
from data_bridge.core.errors import ConfigurationError

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

Consistency: TypeAlias = Literal["primary", "read_your_writes", "eventual"]
_PART = re.compile(r"([0-9A-Za-z_.~%-]+)=([0-9A-F]{1,16})")
_MOST_DATABASES = 20

_level: ContextVar[str | None] = ContextVar("data_bridge_consistency", default=None)
chosen_level = _level.get
"""Returns the level of the innermost consistency() block, or None."""


class ConsistencyBlock:
    """`async with consistency(…)` or `with consistency(…)`."""

    __slots__ = ("_before", "_given", "_is_inside")

    def __init__(self, level: Consistency) -> None:
        self._given = checked_level(level)
        self._before: str | None = None
        self._is_inside = False

    def __enter__(self) -> Self:
        if self._is_inside:
            raise ConfigurationError("this consistency() block is entered already: each task makes one of its own")
        self._is_inside = True
        self._before = _level.get()
        _level.set(self._given)
        return self

    def __exit__(self, *exc: object) -> None:
        self._is_inside = False
        _level.set(self._before)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__(*exc)


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


class Session:
    """What somebody has written, so that later reads of the same one see it: see `read_your_writes`."""

    __slots__ = ("_before", "_positions", "_writes")

    def __init__(self, token: str | None = None) -> None:
        self._before: Session = self
        # Positions that a token names, by alias; and when this process wrote last, by database.
        self._positions: dict[str, int] = {}
        self._writes: dict[ReplicatedDatabase, float] = {}
        if token:
            parts = [_PART.fullmatch(part) for part in token.split("&", _MOST_DATABASES)]
            if None not in parts:  # else it is not ours, or was cut off
                self._positions = {unquote(part[1]): int(part[2], 16) for part in parts if part is not None}

    def wrote(self, database: ReplicatedDatabase) -> None:
        """Remembers that a write has ended just now, whatever its outcome."""
        self._writes[database] = time.monotonic()

    def needs(self, database: ReplicatedDatabase) -> int | None:
        """The position that a replica must have replayed; None while that is not known, so that only the primary serves."""
        at = self._writes.get(database)
        named = self._positions.get(database.alias, 0)
        if at is None:
            return named
        known = database.positions.after(at)
        return None if known is None else max(known, named)

    async def token(self) -> str | None:
        """What carries the session to another process, such as a cookie; None when nothing has been written.

        It asks the primary for its position once, where that is not known yet.

        Raises:
            DatabaseError: the primary does not answer.
        """
        positions = dict(self._positions)
        for database, at in self._writes.items():
            known = database.positions.after(at)
            if known is None:
                known = await database.position()
            positions[database.alias] = max(known, positions.get(database.alias, 0))
        return "&".join(f"{quote(alias, safe='')}={lsn:X}" for alias, lsn in positions.items()) or None

    @property
    def has_written(self) -> bool:
        """Whether anything has been written since it began."""
        return bool(self._writes)

    def __enter__(self) -> Self:
        self._before = _session.get()
        _session.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        if _session.get() is self:
            _session.set(self._before)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__(*exc)


_process = Session()
"""Whoever opens no session of its own reads what any part of the process has written."""
_session: ContextVar[Session] = ContextVar("data_bridge_session", default=_process)
current_session = _session.get
"""Returns the innermost session of this context, or that of the process."""


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
