"""Ready columns to inherit."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from data_bridge.orm.col import Col
from data_bridge.orm.column import Column
from data_bridge.orm.table import Table
from data_bridge.query import func


def uuid7() -> UUID:
    """A UUID that sorts by the time of its making (RFC 9562, version 7).

    >>> uuid7().version
    7
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (
        (milliseconds & (2**48 - 1)) << 80
        | 0x7 << 76
        | (random >> 68 & 0xFFF) << 64
        | 0b10 << 62
        | random & (2**62 - 1)
    )
    return UUID(int=value)


class IdMixin(Table):
    """`id`: a key that the database counts."""

    if not TYPE_CHECKING:

        class Settings:
            """No table of its own."""

            abstract = True

    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)


class UUIDMixin(Table):
    """`id`: a version 7 UUID, made when the instance is."""

    if not TYPE_CHECKING:

        class Settings:
            """No table of its own."""

            abstract = True

    id: Col[UUID] = Column(default_factory=uuid7, primary_key=True)


class TimestampMixin(Table):
    """`created_at` and `updated_at`, kept by the database and by every UPDATE of this library."""

    if not TYPE_CHECKING:

        class Settings:
            """No table of its own."""

            abstract = True

    created_at: Col[datetime] = Column(default=None, server_default="now()")
    updated_at: Col[datetime] = Column(default=None, server_default="now()", update_default=func.now())
