"""Transactions of a database with replicas: those that write say so, and those that only read may run on a replica."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from data_bridge.core._native import LoadPlan
from data_bridge.core.errors import CommitUnknown, ConfigurationError
from data_bridge.core.replication.consistency import Session, current_session
from data_bridge.core.transactions.gate import Hold
from data_bridge.core.transactions.transaction import Transaction

__all__ = ["ReplicaTransaction", "WritingTransaction"]

_LOCKS = "advisory"
_SEEN = frozenset({"a statement", "a script", "SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT"})
"""What waits for its turn, and is looked at when it has come."""


class WritingTransaction(Transaction):
    """A transaction on the primary. The sessions that have written in it read the writes from its COMMIT on."""

    def __init__(self, database: Any, lease: Any, parent: Transaction | None, site: tuple[str, int]) -> None:
        super().__init__(database, lease, parent, site)
        self._whole: WritingTransaction = parent._whole if isinstance(parent, WritingTransaction) else self
        self._writers: set[Session] = set()

    def _started(
        self,
        run: Any,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object,
        timeout: float | None,
    ) -> Awaitable[Any]:
        # Sessions may differ from statement to statement, as where one begins the transaction and another one commits.
        writers, session = self._whole._writers, current_session()
        if session not in writers and not self.database.only_reads(plan.describe(ir)):
            writers.add(session)
        return super()._started(run, ir, params, plan, into, timeout)

    def _started_script(self, script: Any, sql: str) -> Awaitable[int]:
        self._whole._writers.add(current_session())
        return super()._started_script(script, sql)

    async def occupy(
        self,
        what: str,
        encloses_caller: Callable[[], bool],
        interrupt: Callable[[], Awaitable[None]] | None = None,
    ) -> Hold:
        """Keeps the connection; what is done with it is not seen here, as COPY."""
        if what not in _SEEN:
            self._whole._writers.add(current_session())
        return await super().occupy(what, encloses_caller, interrupt)

    def _inside(self, site: tuple[str, int]) -> Transaction:
        return WritingTransaction(self.database, self._lease, self, site)

    async def _end(self, how: str) -> None:
        try:
            await super()._end(how)
        finally:
            if how == "commit" and self._parent is None:
                # Also where the answer was lost: it may have been committed.
                database: Any = self.database  # one with replicas
                for session in self._writers:
                    database.wrote(session)


class ReplicaTransaction(Transaction):
    """A read-only transaction on a replica."""

    async def _end(self, how: str) -> None:
        # What it has read it has read, whatever becomes of its COMMIT.
        with suppress(CommitUnknown):
            await super()._end(how)

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Starts a statement on the replica.

        Raises:
            ConfigurationError: it takes an advisory lock, which would be one of the replica.
        """
        if ir[0] == "text" and _LOCKS in ir[1]:
            raise ConfigurationError(
                "an advisory lock in a read-only transaction would be one of the replica, which no other client sees"
                "\nhint: begin the transaction inside consistency('primary')"
            )
        return super().run(ir, params, plan, into, timeout=timeout)

    def _inside(self, site: tuple[str, int]) -> Transaction:
        return ReplicaTransaction(self.database, self._lease, self, site)
