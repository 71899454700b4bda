"""Hooks of a database: what an application does with every connection before its statements run there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeAlias

from data_bridge.core._native import LoadPlan
from data_bridge.core.connection.executor import BaseExecutor
from data_bridge.core.errors import ConfigurationError

__all__ = ["Connection", "Hook", "Hooks"]

_running: ContextVar[tuple[object, ...]] = ContextVar("data_bridge_hooks", default=())
"""The hooks whose coroutines the running code is part of."""

_ATTEMPTS = 3
"""Connections in a row that a hook may refuse before its exception reaches the caller."""


class Connection(BaseExecutor):
    """One connection, as a hook sees it: raw SQL runs just there. It is not to be kept."""

    def __init__(self, lease: Any) -> None:
        self._lease = lease

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Starts a statement on the connection."""
        started: Awaitable[Any] = self._lease.run(ir, params, plan, into, timeout)
        return started

    def script(self, sql: str) -> Awaitable[int]:
        """Starts several statements by the simple protocol."""
        started: Awaitable[int] = self._lease.script(sql)
        return started


Hook: TypeAlias = Callable[[Connection], Awaitable[object]]


class Hooks:
    """`on_connect` and `on_checkout` of a database."""

    def __init__(self, on_connect: Hook | None, on_checkout: Hook | None) -> None:
        self._on_connect = on_connect
        self._on_checkout = on_checkout

    async def taken(self, lease: Callable[[], Any]) -> Any:
        """A connection that the hooks have accepted; one that they refuse is closed.

        Raises:
            Exception: that of the hook, when it refused several connections in a row.
            ConfigurationError: a hook of this database asked for a connection of its pool.
        """
        around = _running.get()
        if self in around:
            raise ConfigurationError(
                "a hook (on_connect, on_checkout) used the pool of its own database, whose connections need the hook first: "
                "run the SQL on the connection that the hook is called with"
            )
        for attempt in range(_ATTEMPTS):
            found = lease()
            is_taken = False
            try:
                await found.take()
                is_taken = True
                connection = Connection(found)
                _running.set((*around, self))
                if self._on_connect is not None and not found.is_greeted:
                    await self._on_connect(connection)
                    await found.greet()
                if self._on_checkout is not None:
                    await self._on_checkout(connection)
            except Exception:
                await found.discard()
                if not is_taken or attempt == _ATTEMPTS - 1:  # a busy pool, or a server that is away, is not a refusal
                    raise
            except BaseException:
                # Cancelled: the connection is closed without waiting, and is not handed out again.
                found.discard()
                raise
            else:
                return found
            finally:
                _running.set(around)
        raise AssertionError  # pragma: no cover - the loop returns or raises
