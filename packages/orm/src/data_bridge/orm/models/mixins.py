"""Ready columns to inherit."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from data_bridge.orm._events import Skip
from data_bridge.orm.mapping.col import Col
from data_bridge.orm.mapping.column import Column
from data_bridge.orm.models import lifecycle
from data_bridge.orm.models.table import Table
from data_bridge.orm.persistence import deletion
from data_bridge.orm.queries.builder import QueryBuilder
from data_bridge.orm.registry import entity_of
from data_bridge.query import func


def uuid7() -> UUID:
    """A UUID that sorts by the time of its making (RFC 9562, version 7).

    >>> from data_bridge.postgres import uuid7
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
    """`id`: an identity column, the key."""

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


class SoftDeleteMixin(Table):
    """`deleted_at`: delete() sets it instead of deleting, and reads leave such rows out.

    That holds for every delete (of an instance, of a query, delete_all()) and every read: find, get, count, exists, joins and
    fetched lists. A Link still loads the row it points to. `with_deleted()` reads all rows, `only_deleted()` the others;
    `restore()` takes the mark away, `hard_delete()` deletes for good.
    """

    __db_soft_delete__: ClassVar[str] = "deleted_at"

    if not TYPE_CHECKING:

        class Settings:
            """No table of its own."""

            abstract = True

    deleted_at: Col[datetime | None] = Column(default=None)

    @classmethod
    def with_deleted(cls, *filters: Any, **equals: Any) -> QueryBuilder[Self]:
        """find() of all rows, also the deleted ones."""
        query: QueryBuilder[Self] = QueryBuilder.of(entity_of(cls)).with_deleted()
        return query.find(*filters, **equals)

    @classmethod
    def only_deleted(cls, *filters: Any, **equals: Any) -> QueryBuilder[Self]:
        """find() of the deleted rows."""
        query: QueryBuilder[Self] = QueryBuilder.of(entity_of(cls)).only_deleted()
        return query.find(*filters, **equals)

    @property
    def is_deleted(self) -> bool:
        """Whether the row is marked as deleted."""
        return self.deleted_at is not None

    async def restore(self, *, tx: Any = None) -> bool:
        """Takes the mark away; False when the row had none."""
        return await deletion.restore(entity_of(type(self)), self, tx)

    async def hard_delete(self, *, skip_events: Skip = (), tx: Any = None) -> bool:
        """Deletes the row for good; False when it was gone already."""
        done: bool = await lifecycle.delete(entity_of(type(self)), self, None, skip_events, tx, hard=True)
        return done
