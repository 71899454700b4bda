"""The observer behind `init(dev=True)`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_bridge.core.call_site import UNKNOWN
from data_bridge.core.development.categories import DevelopmentWarning
from data_bridge.core.development.held import HeldConnections
from data_bridge.core.development.repeated import RepeatedStatements
from data_bridge.core.development.unbounded import UnboundedResults
from data_bridge.core.development.unindexed import Read, UnindexedQueries

if TYPE_CHECKING:
    from data_bridge.core.connection.observer import QueryFinished, QueryStarted
    from data_bridge.core.development.limits import DevelopmentLimits

__all__ = ["DevelopmentObserver"]


class DevelopmentObserver:
    """Hears of the statements of one database and warns about them.

    A warning that a filter turns into an error is raised where the statement ended. What is found later, by EXPLAIN, is raised
    by the next statement, or when the database is closed.

    Args:
        only: returns the database, or None when it is gone.
        limits: from what on warnings are given.
        read: runs a query on another connection and returns its first column.
    """

    wants_site = True
    raises = True

    def __init__(self, only: Callable[[], Any], limits: DevelopmentLimits, read: Read) -> None:
        self.only = only
        self.wants_values = limits.scanned_rows is not None
        self._late: list[DevelopmentWarning] = []
        self._held = HeldConnections(limits, self._keep)
        self._repeated = None if limits.repeated is None else RepeatedStatements(limits.repeated, self._keep)
        self._unbounded = None if limits.rows is None else UnboundedResults(limits.rows, self._keep)
        self._unindexed = (
            None if limits.scanned_rows is None else UnindexedQueries(limits.scanned_rows, self._keep, read)
        )

    def started(self, event: QueryStarted) -> QueryStarted:
        """Keeps the start until the end."""
        self._held.started(event)
        return event

    def finished(self, token: QueryStarted, event: QueryFinished) -> None:
        """Looks at a statement and warns.

        Raises:
            DevelopmentWarning: a filter of `warnings` says so.
        """
        self._held.ended(token)
        if event.error is None:
            if self._repeated is not None:
                self._repeated.ended(token)
            if self._unbounded is not None:
                self._unbounded.ended(token, event)
            if self._unindexed is not None:
                self._unindexed.ended(token)
            self._raise()

    def close(self) -> None:
        """Ends what runs.

        Raises:
            DevelopmentWarning: one that was found since the last statement.
        """
        if self._unindexed is not None:
            self._unindexed.close()
        self._raise()

    def _keep(self, category: type[DevelopmentWarning], message: str, site: tuple[str, int] | None) -> None:
        place = UNKNOWN if site is None else site
        try:
            warnings.warn_explicit(message, category, place[0], place[1], registry=_shown_once)
        except DevelopmentWarning as error:
            self._late.append(error)

    def _raise(self) -> None:
        if self._late:
            late, self._late = self._late, []
            raise late[0]


_shown_once: dict[Any, Any] = {}
"""What `warnings` remembers: each message is shown once for each line."""
