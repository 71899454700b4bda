"""Opening databases, finding them by their alias, and closing them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from data_bridge.core import _native
from data_bridge.core.connection import context
from data_bridge.core.connection.database import Database
from data_bridge.core.connection.hooks import Hook
from data_bridge.core.settings.password import PasswordFunction
from data_bridge.core.settings.session import CONNECT_TIMEOUT

if TYPE_CHECKING:
    from data_bridge.core.connection.context import Consistency
    from data_bridge.core.development.limits import DevelopmentLimits

__all__ = ["close", "get_database", "init", "is_connected", "settle"]


async def init(
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
    alias: str = "default",
    on_connect: Hook | None = None,
    on_checkout: Hook | None = None,
    echo: bool = False,
    log_values: bool = False,
    slow_query: float | None = None,
    slow_query_plan: bool = False,
    metrics: bool = False,
    dev: bool | DevelopmentLimits | None = None,
    replicas: Sequence[str] | Literal["hosts"] | None = None,
    consistency: Consistency = "read_your_writes",
    max_lag: float = 10.0,
    **unknown: Any,
) -> Database:
    """Opens a database and makes it the one that statements use.

    Arguments win over the connection string, the connection string over the PG* variables. A database that is open under
    the same alias goes on until the new one has proved to work; then it is closed.

    Args:
        dsn: `postgresql://user:password@host:port/database` or `host=… dbname=…`, as libpq reads them, several hosts
            included; `embedded:` with data-bridge-testing. Without it $DATABASE_URL is read, then the PG* variables.
        host: a host name, or several with commas.
        port: a port, or one for each host.
        database: the name of the database.
        username: the role.
        password: a text, or a function that returns one, also a coroutine function: it is called whenever a connection is
            made, so that tokens of cloud providers stay valid.
        min_connections: connections that are kept even when idle.
        max_connections: the limit for the whole process.
        acquire_timeout: seconds that a caller waits for a connection.
        connect_timeout: seconds for making one.
        command_timeout: seconds for each statement; None for no limit.
        idle_timeout: seconds after which an idle connection is closed.
        max_lifetime: seconds after which a connection is replaced.
        statement_cache_size: prepared statements for each connection; 0 behind a pool of transactions.
        session_reset: when a connection is reset before its next user.
        control_connection: True makes the connection by which statements are cancelled together with the pool, and keeps
            it; False makes it when the first statement is cancelled.
        ssl: disable, prefer, require or verify-full; True for require, False for disable.
        ssl_root_cert: a PEM file of trusted authorities; `system` for the public ones.
        ssl_cert: a PEM file with the certificate of the client.
        ssl_key: a PEM file with its key.
        application_name: what `pg_stat_activity` shows.
        server_settings: configuration parameters for every session.
        target_session_attrs: any, read-write, read-only, primary or standby.
        alias: the name under which `using=` and Settings find it.
        on_connect: a coroutine function that is called with every new connection.
        on_checkout: a coroutine function that is called with a connection before each use.
        echo: True prints every statement to standard error, in colour on a terminal.
        log_values: True shows parameters in the log and in the echo; those of `SecretStr` columns stay masked.
        slow_query: seconds from which a statement is logged at WARNING to `data_bridge.slow`; None for never.
        slow_query_plan: True also logs the plan of slow statements that only read.
        metrics: True counts operations for `Database.metrics()`.
        dev: True warns of what will not stand more rows and users: N+1, results without LIMIT, missing indexes, long
            transactions; `DevelopmentLimits` says from what on. Without it $DATA_BRIDGE_DEV decides.
        replicas: connection strings of replicas, which reads outside of transactions and read-only transactions go to;
            "hosts" for the hosts of `dsn`, whichever of them is the primary just then.
        consistency: what such a read sees: "read_your_writes" at least what the process, or the session of a
            read_your_writes() block, has written; "eventual" what a replica has; "primary" reads on the primary.
        max_lag: seconds that a replica may be behind the primary before it leaves the rotation.

    Raises:
        ConnectError: with host, port, step and SQLSTATE.
        ConfigurationError: when the settings contradict each other.
        TypeError: for an unknown option, with a near match.

    >>> import asyncio
    >>> from data_bridge.core import close, fetch_val, init
    >>> async def main() -> None:
    ...     await init("embedded:", max_connections=20)  # or postgresql://user:password@host/database
    ...     print(await fetch_val("SELECT 6 * 7"))
    ...     await close()
    >>> asyncio.run(main())
    42
    """
    options = {name: value for name, value in locals().items() if name not in ("dsn", "unknown")}
    routing = {name: options.pop(name) for name in ("replicas", "consistency", "max_lag")}
    if unknown:
        name = next(iter(unknown))
        near = NEAR.get(name) or next(iter(get_close_matches(name, [*options, *routing], n=1)), None)
        raise TypeError(f"init() has no option {name!r}" + (f"; did you mean {near}=?" if near else ""))
    # A private server, which ends with the process, is safe.
    scoped = None if (dsn or "").startswith("embedded:") else context.test_database(alias)
    if scoped is not None:
        context.register(alias, scoped)
        found: Database = scoped
        return found
    opened = Database(dsn, **options) if replicas is None else _replicated(dsn, {**options, **routing})
    try:
        opened._registered = False
        await opened.connect()
    except BaseException:
        await opened.close(timeout=0)
        raise
    before = context.registered().get(alias)
    opened._registered = True
    context.register(alias, opened)
    if before is not None:
        await before.close()
    return opened


def _replicated(dsn: str | None, options: dict[str, Any]) -> Database:
    # Few programs have replicas.
    from data_bridge.core.replication.database import ReplicatedDatabase

    return ReplicatedDatabase(dsn, **options)


NEAR = MappingProxyType(
    {
        "pool_size": "max_connections",
        "max_size": "max_connections",
        "min_size": "min_connections",
        "user": "username",
        "dbname": "database",
        "timeout": "command_timeout",
        "sslmode": "ssl",
        "pool_timeout": "acquire_timeout",
        "pool_recycle": "max_lifetime",
        "max_overflow": "max_connections",
        "name": "alias",
        "options": "server_settings",
        "read_replicas": "replicas",
        "slaves": "replicas",
    }
)
"""Options of other libraries."""


async def close(alias: str | None = None, *, timeout: float = 10.0) -> None:
    """Closes the database under `alias`, or all of them.

    Args:
        timeout: seconds that statements which run are waited for; then they are cancelled.
    """
    databases = context.registered()
    chosen = list(databases.values()) if alias is None else [databases[alias]] if alias in databases else []
    for database in chosen:
        if context.is_test_database(database):
            context.unregister(database)
        else:
            await database.close(timeout=timeout)


def get_database(alias: str = "default") -> Any:
    """The database under `alias`.

    Raises:
        NotInitialized: when there is none.
    """
    return context.named(alias)


def is_connected(alias: str = "default") -> bool:
    """Whether a database is open under `alias`."""
    return alias in context.registered() or context.has_test_scope(alias)


def settle(timeout: float = 1.0) -> None:
    """Lets connections that this thread has used, or has begun to make, arrive in the pool; for synchronous code.

    An answer reaches its caller before its connection is at rest. Where the event loop of the thread stands still after the
    answer, the connection would keep its place in the pool, which other threads wait for.

    Args:
        timeout: seconds after which it returns in any case.
    """
    bridge = _native.current_bridge()
    if bridge.dying():
        until = time.monotonic() + timeout
        while bridge.dying() and time.monotonic() < until:
            bridge.pump(5)
