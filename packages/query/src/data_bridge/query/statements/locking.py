"""Row locks of a SELECT."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..expressions.sources import source_of

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Locking"]


class Locking:
    """FOR UPDATE and its kin. Outside a transaction a lock ends with its statement."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _appended(self, tag: str, s: tuple[Any, ...], p: tuple[Any, ...], head: tuple[Any, ...] = ()) -> Self: ...

    def _locked(self, strength: str, nowait: bool, skip_locked: bool, of: Iterable[Any]) -> Self:
        if nowait and skip_locked:
            raise TypeError("nowait and skip_locked exclude each other")
        names = tuple(source_of(table).name for table in of)
        wait = "nowait" if nowait else "skip locked" if skip_locked else None
        return self._appended("locking", ((strength, names or None, wait),), ())

    def for_update(self, *, nowait: bool = False, skip_locked: bool = False, of: Iterable[Any] = ()) -> Self:
        """FOR UPDATE: the rows are locked until the transaction ends.

        `nowait` fails at once when a row is locked already, `skip_locked` leaves such rows out, `of` locks only rows of
        these tables.

        >>> from data_bridge.query import select, table, column
        >>> t = table("t", column("a", int))
        >>> select(t.a).for_update(skip_locked=True).sql().sql
        'SELECT "t"."a" FROM "t" FOR UPDATE SKIP LOCKED'
        """
        return self._locked("update", nowait, skip_locked, of)

    def for_no_key_update(self, *, nowait: bool = False, skip_locked: bool = False, of: Iterable[Any] = ()) -> Self:
        """FOR NO KEY UPDATE: like `for_update`, but rows may still be referenced.

        >>> from data_bridge.query import select, table, column
        >>> select(table("t", column("a", int)).a).for_no_key_update().sql().sql
        'SELECT "t"."a" FROM "t" FOR NO KEY UPDATE'
        """
        return self._locked("no key update", nowait, skip_locked, of)

    def for_share(self, *, nowait: bool = False, skip_locked: bool = False, of: Iterable[Any] = ()) -> Self:
        """FOR SHARE: others may read and lock the rows in the same way, but not change them.

        >>> from data_bridge.query import select, table, column
        >>> select(table("t", column("a", int)).a).for_share().sql().sql
        'SELECT "t"."a" FROM "t" FOR SHARE'
        """
        return self._locked("share", nowait, skip_locked, of)

    def for_key_share(self, *, nowait: bool = False, skip_locked: bool = False, of: Iterable[Any] = ()) -> Self:
        """FOR KEY SHARE: the rows cannot be deleted, nor their keys changed.

        >>> from data_bridge.query import select, table, column
        >>> select(table("t", column("a", int)).a).for_key_share().sql().sql
        'SELECT "t"."a" FROM "t" FOR KEY SHARE'
        """
        return self._locked("key share", nowait, skip_locked, of)
