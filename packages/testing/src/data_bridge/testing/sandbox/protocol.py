"""What the transactions, leases and cursors of a sandbox ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from data_bridge.core import LoadPlan
from data_bridge.testing.connections.leaks import Watch
from data_bridge.testing.sandbox.lock import ConnectionLock
from data_bridge.testing.sandbox.operation import Operation

__all__ = ["SandboxProtocol"]


class SandboxProtocol(Protocol):
    """The side of a sandbox that its own parts use."""

    watch: Watch
    turn: ConnectionLock
    lease_handle: Any
    on_commit_calls: list[Callable[[], Any]]
    defers: bool

    def operation(
        self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan, into: object, timeout: float | None
    ) -> Operation:
        """Run a statement outside a transaction, for a lease of the sandbox."""
        ...

    def script(self, sql: str) -> Awaitable[int]:
        """Run several statements outside a transaction."""
        ...

    def begin(
        self, isolation: Any, read_only: bool, deferrable: bool, timeout: float | None, site: tuple[str, int], what: str
    ) -> Awaitable[Any]:
        """Begin an emulated transaction."""
        ...

    async def begin_alone(self, timeout: float | None = None) -> Any:
        """Begin an emulated transaction that no statement of the context joins."""
        ...

    async def close_cursor(self, name: str) -> None:
        """Close a cursor of a stream."""
        ...

    async def hear(self) -> None:
        """Deliver what the transaction that has just been committed has sent."""
        ...

    def forgotten(self, transaction: Any, savepoint: str) -> None:
        """A transaction object was thrown away without an end."""
        ...
