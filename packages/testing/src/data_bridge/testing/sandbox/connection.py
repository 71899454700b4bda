"""The connection of the test as transactions see it: the native one, except that statements may be made to fail."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from data_bridge.core import LoadPlan
from data_bridge.core.observer import call_site

from ..faults import Faults
from ..watch import Watch

__all__ = ["Connection"]


class Connection:
    """Looks like the native lease that the whole test runs on."""

    __slots__ = ("_faults", "_native", "_watch")

    def __init__(self, native: Any, watch: Watch, faults: Faults) -> None:
        self._native = native
        self._watch = watch
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    @property
    def native(self) -> Any:
        """The connection itself."""
        return self._native

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        timeout: float | None = None,
        *,
        timed: bool = False,
    ) -> Awaitable[Any]:
        """Run a statement, or what fails in its place."""
        if ir[0] == "text" and "advisory" in ir[-1]:
            self._watch.saw_text(ir[-1], call_site())
        if self._faults:
            ir, params, plan, into = self._faults.statement(ir, params, plan, into)
        started: Awaitable[Any] = self._native.run(ir, params, plan, into, timeout, timed=timed)
        return started
