"""A database with replicas: reads outside of transactions, and read-only transactions, go to them."""

from __future__ import annotations

import asyncio
import copy
import time
import weakref
from collections.abc import Awaitable, Sequence
from typing import Any, Literal, Self

from data_bridge.core._native import LoadPlan
from data_bridge.core.connection.context import Consistency, checked_level
from data_bridge.core.connection.database import Database
from data_bridge.core.connection.plans import TUPLE
from data_bridge.core.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    DatabaseError,
    DataBridgeError,
    PoolTimeout,
)
from data_bridge.core.replication.consistency import Session, chosen_level, current_session
from data_bridge.core.replication.member import Member, ReplicaStats
from data_bridge.core.replication.monitor import Monitor
from data_bridge.core.replication.positions import SIZES, Positions, end_of_log
from data_bridge.core.replication.reading import Readers
from data_bridge.core.replication.transaction import ReplicaTransaction, WritingTransaction
from data_bridge.core.settings.dsn import parse
from data_bridge.core.transactions.begin import begin_on_server
from data_bridge.core.transactions.isolation import IsolationLevel
from data_bridge.core.transactions.transaction import Transaction

__all__ = ["ReplicaDatabase", "ReplicatedDatabase"]

_OWN = frozenset(
    {"host", "port", "database", "username", "password", "alias", "min_connections", "target_session_attrs"}
)
"""Options that a replica has in its own connection string, or that are the primary's alone."""
_ELSEWHERE = ("25", "0A", "40", "42", "53", "55", "57P", "58", "XX")
"""What a replica may refuse and the primary may not: writes, unlogged tables, conflicts with recovery, tables that are new."""
_POSITION = f"SELECT pg_catalog.pg_current_wal_insert_lsn()::text, {SIZES}"
_FIRST_ANSWERS = 2.0


class ReplicaDatabase(Database):
    """A replica, by which a database with replicas reads."""

    member: Member

    def instead(self, error: BaseException) -> bool:
        """Whether another server may answer what this one did not; a statement that only reads may be sent again."""
        if isinstance(error, (ConnectError, ConnectionLost, PoolTimeout)):
            if not isinstance(error, PoolTimeout):
                self.member.lost(error)
            return True
        return isinstance(error, DatabaseError) and (error.sqlstate or "").startswith(_ELSEWHERE)


class ReplicatedDatabase(Database):
    """A primary and its replicas under one name. Made by `init(primary, replicas=[…])`.

    Args:
        dsn: the primary.
        replicas: connection strings of the replicas; "hosts" for the hosts of `dsn`, whichever is the primary just then.
        consistency: how old the rows of reads may be: see `consistency`.
        max_lag: seconds that a replica may be behind the primary before it leaves the rotation.
        options: those of `Database`, which hold for every server; limits hold for each pool.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        replicas: Sequence[str] | Literal["hosts"],
        consistency: Consistency = "read_your_writes",
        max_lag: float = 10.0,
        **options: Any,
    ) -> None:
        self._level = checked_level(consistency)
        if not max_lag > 0:
            raise ConfigurationError(f"max_lag={max_lag} is not a positive number of seconds")
        if isinstance(replicas, str) and replicas != "hosts":
            raise ConfigurationError("replicas= takes a list of connection strings, or 'hosts'")
        self._max_lag = max_lag
        self._fixed_level: Consistency | None = None
        self._database: ReplicatedDatabase | None = None
        self.positions = Positions()
        self._readers = Readers()
        if replicas == "hosts" and options.get("target_session_attrs") is None:
            options["target_session_attrs"] = "read-write"
        super().__init__(dsn, **options)
        shared = {name: value for name, value in options.items() if name not in _OWN}
        if replicas == "hosts":
            named = {n: options.get(n) for n in ("database", "username", "password")}
            servers = [(dsn, {**named, "host": h, "port": p}) for h, p in self.address.hosts]
        else:
            servers = [(replica, dict[str, Any]()) for replica in replicas]
        if not servers:
            raise ConfigurationError("replicas=[] names no replica")
        self._replicas = [self._replica(of, {**shared, **own}) for of, own in servers]
        primary = Member("the primary", lambda: _asking(dsn, options), self.positions, self._readers)
        self._monitor = Monitor([primary, *(replica.member for replica in self._replicas)])
        weakref.finalize(self, self._monitor.stop)
        self._turn = 0

    def _replica(self, dsn: str | None, options: dict[str, Any]) -> ReplicaDatabase:
        host, port = parse(dsn, host=options.get("host"), port=options.get("port")).hosts[0]
        replica = ReplicaDatabase(dsn, **options)
        replica.alias = f"{self.alias} (replica {host}:{port})"
        replica.member = Member(f"{host}:{port}", lambda: _asking(dsn, options), self.positions)
        return replica

    # ----------------------------------------------------------------------------------------------------- life
    async def connect(self) -> Self:
        """Connects to the primary; replicas that do not answer stay out of the rotation until they do."""
        await super().connect()
        self._monitor.start()
        await self._monitor.ready(_FIRST_ANSWERS)
        return self

    async def close(self, *, timeout: float = 10.0) -> None:
        """Closes the pools of all servers."""
        self._monitor.stop()
        await super().close(timeout=timeout)
        await asyncio.gather(*(replica.close(timeout=timeout) for replica in self._replicas))
        await asyncio.to_thread(self._monitor.join)

    async def expire(self) -> None:
        """Every connection, to whatever server, is replaced before its next use."""
        await super().expire()
        for replica in self._replicas:
            await replica.expire()

    @property
    def replicas(self) -> tuple[ReplicaStats, ...]:
        """The replicas at this moment."""
        return tuple(replica.member.stats for replica in self._replicas)

    async def position(self) -> int:
        """The end of the write-ahead log of the primary, in bytes."""
        text, segment, page = await super().run(("text", _POSITION), (), TUPLE, timeout=_FIRST_ANSWERS)
        return end_of_log(text, segment, page)

    # ---------------------------------------------------------------------------------------------------- routing
    def at(self, level: Consistency) -> ReplicatedDatabase:
        """This database for one query, whose reads have a level of their own."""
        made = copy.copy(self)
        made._fixed_level = level
        # What is known of a database by its identity, as transactions and observers are, is that of the original.
        made._database = self
        return made

    @property
    def _home(self) -> ReplicatedDatabase:
        return self if self._database is None else self._database

    def _usable(self, tried: Sequence[ReplicaDatabase] = ()) -> ReplicaDatabase | None:
        """The replica for the next read of this context, or None for the primary."""
        level = self._fixed_level or chosen_level() or self._level
        if level == "primary":
            return None
        position = 0
        if level == "read_your_writes":
            needed = current_session().needs(self._home)
            if needed is None:
                return None
            position = needed
        found = [r for r in self._replicas if r not in tried and self._may_read(r.member, position)]
        if len(found) > 1:
            # Those that are about as near as the nearest one take turns.
            most = 1.5 * min(r.member.latency for r in found) + 0.0005
            found = [r for r in found if r.member.latency <= most]
            self._turn += 1
            return found[self._turn % len(found)]
        return found[0] if found else None

    def _may_read(self, member: Member, position: int) -> bool:
        if not member.is_up or member.position < position:
            return False
        lag = member.lag
        return lag is not None and lag <= self._max_lag

    def reading(self, described: Any) -> Database:
        """The server for a query: a replica, if the query only reads and one may answer it."""
        replica = self._usable() if self._readers.only_reads(described) else None
        return self if replica is None else replica

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Starts a statement: on a replica if it only reads, else on the primary."""
        described = plan.describe(ir)
        if not self._readers.only_reads(described):
            return self._write(described, ir, params, plan, into, timeout)
        replica = self._usable()
        if replica is None:
            return super().run(ir, params, plan, into, timeout=timeout)
        return self._read(replica, described, ir, params, plan, into, timeout)

    async def _read(
        self,
        replica: ReplicaDatabase | None,
        described: Any,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object,
        timeout: float | None,
    ) -> Any:
        limit = self.command_timeout if timeout is None else timeout
        until = None if limit is None else time.monotonic() + limit
        tried: list[ReplicaDatabase] = []
        while replica is not None:
            try:
                return await replica.run(ir, params, plan, into, timeout=timeout)
            except DataBridgeError as error:
                if not replica.instead(error):
                    raise
                if getattr(error, "sqlstate", None) == "25006":
                    self._readers.refused(described)
                    return await self._write(described, ir, params, plan, into, _left(until))
            tried.append(replica)
            timeout = _left(until)
            replica = self._usable(tried)
        return await super().run(ir, params, plan, into, timeout=timeout)

    async def _write(
        self,
        described: Any,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object,
        timeout: float | None,
    ) -> Any:
        try:
            return await super().run(ir, params, plan, into, timeout=timeout)
        finally:
            self.wrote()
            self._readers.ran(described.kind)

    def script(self, sql: str) -> Awaitable[int]:
        """Starts several statements on the primary."""
        return self._script(sql)

    async def _script(self, sql: str) -> int:
        try:
            return await super().script(sql)
        finally:
            self.wrote()
            self._readers.ran_script(sql)

    def wrote(self, session: Session | None = None) -> None:
        """Remembers that a write of a session has ended, whatever its outcome; by default of that of the context."""
        (session or current_session()).wrote(self._home)

    def only_reads(self, described: Any) -> bool:
        """Whether a replica may answer a statement."""
        return self._readers.only_reads(described)

    async def begin(
        self,
        isolation: IsolationLevel | None,
        read_only: bool,
        deferrable: bool,
        timeout: float | None,
        site: tuple[str, int],
    ) -> Transaction:
        """Begins a transaction: a read-only one on a replica, if one may serve it."""
        options = (isolation, read_only, deferrable, timeout, site)
        # A replica does not have serializable transactions.
        tried: list[ReplicaDatabase] = []
        while read_only and isolation is not IsolationLevel.SERIALIZABLE:
            replica = self._usable(tried)
            if replica is None:
                break
            try:
                return await begin_on_server(self, *options, on=replica, kind=ReplicaTransaction)
            except DataBridgeError as error:
                if not replica.instead(error):
                    raise
                tried.append(replica)
        return await begin_on_server(self, *options, kind=Transaction if read_only else WritingTransaction)


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


def _asking(dsn: str | None, options: dict[str, Any]) -> Database:
    """The database of the monitor for one server."""
    kept = {name: value for name, value in options.items() if name.startswith("ssl") or name in _ADDRESS}
    return Database(dsn, **kept, max_connections=1, connect_timeout=2.0, application_name="data-bridge monitor")


_ADDRESS = frozenset({"host", "port", "database", "username", "password", "server_settings", "target_session_attrs"})
