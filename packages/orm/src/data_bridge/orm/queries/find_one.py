"""FindOne: what find_one() returns."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from data_bridge.orm.queries.borrowed_names import ON_FIND_ONE, found

T = TypeVar("T")


class FindOne(Coroutine[Any, Any, T]):
    """What find_one() returns: a coroutine, which knows what those expect who look for a query."""

    __slots__ = ("_running", "_table")

    def __init__(self, running: Coroutine[Any, Any, T], table: str) -> None:
        self._running = running
        self._table = table

    def __await__(self) -> Generator[Any, Any, T]:
        return self._running.__await__()

    def send(self, value: Any, /) -> Any:
        """See Coroutine."""
        return self._running.send(value)

    def throw(self, *error: Any) -> Any:
        """See Coroutine."""
        return self._running.throw(*error)

    def close(self) -> None:
        """See Coroutine."""
        self._running.close()

    def __getattr__(self, name: str) -> Any:
        if name in ON_FIND_ONE:
            self._running.close()
            found(
                ON_FIND_ONE,
                self,
                name,
                self._table,
                f"{self._table}.find_one(…), which returns a row when it is awaited,",
            )
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._running, name)
