"""The examples of property tests: each is rolled back to where it began."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from data_bridge.core.transactions.gate import task_name
from data_bridge.core.uncancellable import to_the_end
from data_bridge.testing.sandbox.clock import UNIT
from data_bridge.testing.sandbox.lock import ConnectionLock

__all__ = ["Examples"]


class Examples:
    """The part of a sandbox that property tests use."""

    lease_handle: Any
    turn: ConnectionLock
    _names: itertools.count[int]
    _renew: str

    def begin_if_new(self) -> Any:
        """Open the transaction of the test; the sandbox knows how."""
        raise TypeError(f"{type(self).__name__} must define begin_if_new()")

    @asynccontextmanager
    async def example(self) -> AsyncGenerator[None]:
        """A savepoint around one example of a property test, rolled back at its end.

        Fixtures run once per test and not per example, so that rows of one example would meet the next.

        >>> from data_bridge.testing import Sandbox
        >>> async def check(db: Sandbox) -> None:
        ...     async with db.example():
        ...         await db.execute("INSERT INTO t VALUES (1)")
        """
        name = f"data_bridge_example_{next(self._names)}"
        token = f"an example of {task_name()}"
        await self.turn.take(token)
        try:
            self.begin_if_new()
            # The second UNIT shadows the first: renewing it does not reach below the example.
            await self.lease_handle.script(f"{self._renew}; SAVEPOINT {name}; SAVEPOINT {UNIT}")
        finally:
            self.turn.give(token)
        try:
            yield
        finally:
            await self.turn.take(token)
            try:
                await to_the_end(
                    self.lease_handle.rollback_to(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
                )
            finally:
                self.turn.give(token)
