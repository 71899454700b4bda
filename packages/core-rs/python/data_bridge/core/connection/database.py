"""A database: its settings, its pool, and the raw SQL that runs on any connection of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from data_bridge.core import _exit as life
from data_bridge.core import _native
from data_bridge.core._native import LoadPlan, Pool
from data_bridge.core.connection import context
from data_bridge.core.connection.executor import BaseExecutor
from data_bridge.core.connection.hooks import Hook, Hooks
from data_bridge.core.connection.observer import annotated, observed, observed_script, observers
from data_bridge.core.connection.watching import Watching
from data_bridge.core.errors import ConfigurationError, ConnectError, DataBridgeError, NotInitialized
from data_bridge.core.settings.dsn import parse
from data_bridge.core.settings.password import PasswordFunction, PasswordSource
from data_bridge.core.settings.session import (
    CONNECT_TIMEOUT,
    check_timeout,
    connect_timeout_of,
    security_of,
    session_settings,
)
from data_bridge.core.uncancellable import to_the_end

if TYPE_CHECKING:
    from data_bridge.core.development.limits import DevelopmentLimits

_CANCELLED = 0.5
"""Seconds for which close() waits for cancelled statements before it ends their connections."""
_NAME_A_SERVER = ("PGHOST", "PGHOSTADDR", "PGSERVICE")
_NO_SERVER_NAMED = "no connection string was given, and DATABASE_URL, PGHOST and PGSERVICE are not set"


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment.

    Attributes:
        size: connections open or being opened.
        idle: of these, idle.
        used: of these, in use.
        waiting: callers waiting for one.
        max: the limit.
        opened: connections made since the start.
        closed_broken: connections thrown away because they could not be used again.
        acquires: connections asked for.
        acquire_wait_total: seconds waited for them.
        timeouts: callers that waited in vain.
    """

    size: int
    idle: int
    used: int
    waiting: int
    max: int
    opened: int
    closed_broken: int
    acquires: int
    acquire_wait_total: float
    timeouts: int


class Database(BaseExecutor):
    """A PostgreSQL database. Options are those of init(); registered under `alias` only when one is given.

    `on_connect` is called with every new connection and again after its session was reset, `on_checkout` with a connection
    before each use: coroutine functions that may run SQL on it. An exception closes the connection and the next one serves
    in its place; after three in a row it reaches the caller. With hooks a statement costs two more steps on the event loop.

    >>> import asyncio
    >>> from data_bridge.core import Database
    >>> from data_bridge.testing import EmbeddedServer
    >>> async def main(dsn: str) -> None:
    ...     async with Database(dsn, max_connections=20) as db:
    ...         print(await db.fetch_val("SELECT 6 * 7"))
    >>> with EmbeddedServer() as server:
    ...     asyncio.run(main(server.dsn))
    42
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        host: str | None = None,
        port: int | str | None = None,
        database: str | None = None,
        username: str | None = None,
        password: str | PasswordFunction | None = None,
        min_connections: int = 0,
        max_connections: int = 10,
        acquire_timeout: float = 30.0,
        connect_timeout: float = CONNECT_TIMEOUT,
        command_timeout: float | None = None,
        idle_timeout: float = 600.0,
        max_lifetime: float = 1800.0,
        statement_cache_size: int = 500,
        session_reset: Literal["auto", "always", "never"] = "auto",
        control_connection: bool = False,
        ssl: str | bool | None = None,
        ssl_root_cert: str | None = None,
        ssl_cert: str | None = None,
        ssl_key: str | None = None,
        application_name: str | None = None,
        server_settings: Mapping[str, str] | None = None,
        target_session_attrs: str | None = None,
        alias: str | None = None,
        on_connect: Hook | None = None,
        on_checkout: Hook | None = None,
        echo: bool = False,
        log_values: bool = False,
        slow_query: float | None = None,
        slow_query_plan: bool = False,
        metrics: bool = False,
        dev: bool | DevelopmentLimits | None = None,
    ) -> None:
        limits = _checked_limits(
            min_connections, max_connections, acquire_timeout, connect_timeout, idle_timeout, max_lifetime
        )
        check_timeout("command_timeout", command_timeout)
        if dsn is None and host is None:
            dsn = os.environ.get("DATABASE_URL")
        self._names_no_server = not (dsn or host or any(os.environ.get(name) for name in _NAME_A_SERVER))
        self._closed = False
        known_password = password if password is None or isinstance(password, str) else ""
        address = parse(dsn, host=host, port=port, database=database, username=username, password=known_password)
        security = security_of(address, ssl, ssl_root_cert, ssl_cert, ssl_key)
        settings, setup = session_settings(
            {**address.session, **dict(server_settings or {})}, statement_cache_size == 0
        )
        known = address.settings
        self.alias = alias or "default"
        self.command_timeout = command_timeout
        self.acquire_timeout = acquire_timeout
        self.address = address
        self._registered = alias is not None
        self._min = min_connections
        self._control = control_connection
        self._watching = Watching(
            echo=echo,
            log_values=log_values,
            slow_query=slow_query,
            slow_query_plan=slow_query_plan,
            metrics=metrics,
            dev=dev,
        )
        self._hooks = Hooks(on_connect, on_checkout) if on_connect or on_checkout else None
        self._pool = Pool(
            hosts=address.hosts,
            user=address.user,
            passwords=address.passwords,
            password_source=PasswordSource(password) if callable(password) else None,
            database=address.database,
            application_name=application_name
            or settings.pop("application_name", None)
            or known.get("application_name")
            or known.get("fallback_application_name")
            or "data-bridge",
            server_settings=settings,
            session_setup=setup,
            target_session_attrs=target_session_attrs or known.get("target_session_attrs") or "any",
            statement_cache_size=statement_cache_size,
            session_reset=session_reset,
            control_connection=control_connection,
            connect_timeout=connect_timeout_of(address, connect_timeout),
            **security,
            **limits,
        )
        life.remember(self._pool)

    def __repr__(self) -> str:
        places = ",".join(f"{h}:{p}" for h, p in self.address.hosts)
        return f"<Database {self.address.user}@{places}/{self.address.database or self.address.user}{' closed' if self._closed else ''}>"

    # ----------------------------------------------------------------------------------------------------- life
    async def connect(self) -> Self:
        """Connects once to prove the settings, and makes the least number of connections.

        After a failure it may be called again, as by an application that waits for its server.

        Raises:
            ConnectError: with host, port, step and SQLSTATE.
        """
        self._check_open()
        self._watching.start(self)
        try:
            await self._pool.ping()
        except ConnectError as error:
            if self._names_no_server:
                error.args = (f"{error}; {_NO_SERVER_NAMED}",)
            raise
        if self._pool.stats()["size"] < self._min:
            await self._fill()
        if self._control:
            await self._pool.prepare_control()
        if self._registered:
            context.register(self.alias, self)
        return self

    async def close(self, *, timeout: float = 10.0) -> None:
        """Refuses new statements, waits for those that run, then cancels them and ends what is left, open transactions too.

        Connections of other threads, whose loops may not run any more, are ended as well, but for one that is being made
        there at this moment: it ends when its loop runs again. Closing twice does nothing.

        Args:
            timeout: seconds to wait.
        """
        if self._closed or context.is_test_database(self):
            return
        self._closed = True
        context.unregister(self)
        try:
            await self._pool.close()
            await self._emptied(timeout)
            busy = self._pool.busy()
            if busy:
                with suppress(DataBridgeError):  # a server that cannot be asked: the connections end below
                    await self._pool.cancel(busy)
                await self._emptied(_CANCELLED)
        finally:
            self._pool.shut()
            self._watching.stop()
            if self.address.release is not None:
                self.address.release()

    async def _emptied(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        while self._pool.stats()["size"] > 0 and time.monotonic() < until:  # noqa: ASYNC110 - it changes in other threads
            await asyncio.sleep(0.005)

    async def __aenter__(self) -> Self:
        try:
            return await self.connect()
        except BaseException:
            await self.close(timeout=0)
            raise

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise NotInitialized("the database was closed")

    # ---------------------------------------------------------------------------------------------------- state
    async def ping(self) -> float:
        """Seconds of one round trip."""
        started = time.perf_counter()
        await self._pool.ping()
        return time.perf_counter() - started

    def settle(self, timeout: float = 1.0) -> None:
        """From synchronous code: waits, `timeout` seconds at most, for connections on their way to the pool.

        An answer reaches its caller before its connection is at rest, and a connection may be in the making that no one
        needs any more; where the event loop stops right then, as at the end of a test, this lets them arrive.
        """
        until = time.monotonic() + timeout
        while self.pool_stats().used and time.monotonic() < until:
            _native.current_bridge().pump(5)

    def pool_stats(self) -> PoolStats:
        """The pool at this moment."""
        return PoolStats(**self._pool.stats())

    def metrics(self) -> str:
        """Returns the operations since the start and the state of the pool in the text format of Prometheus.

        Raises:
            ConfigurationError: the database was opened without `metrics=True`, or has not connected.

        >>> import asyncio
        >>> from data_bridge.core import Database
        >>> async def main() -> None:
        ...     async with Database("embedded:", metrics=True) as db:
        ...         await db.fetch_val("SELECT 1")
        ...         print("data_bridge_pool_connections" in db.metrics())
        >>> asyncio.run(main())
        True
        """
        return self._watching.metrics.text()

    async def expire(self) -> None:
        """Every connection is replaced before its next use, without disturbing statements that run."""
        self._pool.expire()

    # --------------------------------------------------------------------------------------------------- running
    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Starts a statement on a connection of the pool."""
        if context.local_settings() is not None:
            return self.run_with_settings(ir, params, plan, into, timeout)
        ir = annotated(ir)
        if self._hooks is not None:
            return self._run_hooked(ir, params, plan, into, self.command_timeout if timeout is None else timeout)
        if observers:
            return observed(
                self, self._pool.run, ir, params, plan, into, self.command_timeout if timeout is None else timeout
            )
        return self._pool.run(ir, params, plan, into, self.command_timeout if timeout is None else timeout)

    async def _run_hooked(
        self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan, into: object, timeout: float | None
    ) -> Any:
        plan.describe(ir).refuse_locks()
        lease = await self.taken()
        try:
            if observers:
                return await observed(self, lease.run, ir, params, plan, into, timeout)
            return await lease.run(ir, params, plan, into, timeout)
        finally:
            await to_the_end(lease.give_back())

    async def _script_hooked(self, sql: str) -> int:
        lease = await self.taken()
        try:
            if observers:
                count: int = await observed_script(self, lambda: lease.script(sql, self.command_timeout), sql)
            else:
                count = await lease.script(sql, self.command_timeout)
            return count
        finally:
            await to_the_end(lease.give_back())

    def script(self, sql: str) -> Awaitable[int]:
        """Starts several statements by the simple protocol."""
        if context.local_settings() is not None:
            return self.script_with_settings(sql)
        if self._hooks is not None:
            return self._script_hooked(sql)
        if observers:
            return observed_script(self, lambda: self._pool.script(sql, self.command_timeout), sql)
        return self._pool.script(sql, self.command_timeout)

    async def _fill(self) -> None:
        """Makes the least number of connections: as many callers at once each get one of their own."""
        leases = [self._pool.lease() for _ in range(self._min)]
        try:
            taken = await asyncio.gather(*(lease.take() for lease in leases), return_exceptions=True)
        finally:
            await asyncio.gather(*(to_the_end(lease.give_back()) for lease in leases))
        for outcome in taken:
            if isinstance(outcome, BaseException):
                raise outcome

    async def taken(self) -> Any:
        """A connection for one owner, which the hooks have seen."""
        if self._hooks is not None:
            return await self._hooks.taken(self.lease)
        return self.lease()

    def lease(self, *, shared: bool = False, counted: bool = True) -> Any:
        """A connection for one owner: the native handle that transactions, cursors and test sandboxes are built on."""
        self._check_open()
        if not counted:
            context.refuse_settings()
        if shared:  # the sandbox of a test, whose database never connects by itself
            self._watching.start(self)
        return self._pool.lease(shared=shared, counted=counted)


def _checked_limits(
    min_connections: int,
    max_connections: int,
    acquire_timeout: float,
    connect_timeout: float,
    idle_timeout: float,
    max_lifetime: float,
) -> dict[str, Any]:
    if not 1 <= max_connections <= 10_000:
        raise ConfigurationError(f"max_connections={max_connections} is not between 1 and 10,000")
    if not 0 <= min_connections <= max_connections:
        raise ConfigurationError(
            f"min_connections={min_connections} is not between 0 and max_connections={max_connections}"
        )
    seconds = {"acquire_timeout": acquire_timeout, "idle_timeout": idle_timeout, "max_lifetime": max_lifetime}
    for name, value in {**seconds, "connect_timeout": connect_timeout}.items():
        if not value > 0:  # NaN is not
            raise ConfigurationError(f"{name}={value} is not a positive number of seconds")
    return {"min_connections": min_connections, "max_connections": max_connections, **seconds}
