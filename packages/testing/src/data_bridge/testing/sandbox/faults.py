"""Errors of the server on demand: the statement that matches is refused by PostgreSQL itself, with the SQLSTATE of choice."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from data_bridge.core import LoadPlan

__all__ = ["Connection", "Fault"]

SQLSTATE = re.compile(r"[0-9A-Z]{5}")
COUNT = LoadPlan.affected()


@dataclass(slots=True)
class Fault:
    """One order to fail."""

    sqlstate: str
    matching: str
    skip: int
    times: int

    def __post_init__(self) -> None:
        if not SQLSTATE.fullmatch(self.sqlstate):
            raise ValueError(f"{self.sqlstate!r} is no SQLSTATE: five digits or capital letters, such as 40001")

    def strikes(self, sql: str) -> bool:
        """Whether this statement is the one."""
        if self.times < 1 or self.matching.lower() not in sql.lower():
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    @property
    def sql(self) -> str:
        """What is sent in its place."""
        return (
            "DO $fault$ BEGIN RAISE EXCEPTION 'a fault of the test'"
            f" USING ERRCODE = '{self.sqlstate}', HINT = 'ordered by db.fail()'; END $fault$"
        )


class Connection:
    """The connection of the test as transactions see it: the native one, except that statements may be made to fail."""

    __slots__ = ("_native", "faults")

    def __init__(self, native: Any) -> None:
        self._native = native
        self.faults: list[Fault] = []

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
        if self.faults:
            sql = plan.describe(ir).sql
            fault = next((fault for fault in self.faults if fault.strikes(sql)), None)
            if fault is not None:
                ir, params, plan, into = ("text", fault.sql), (), COUNT, None
        started: Awaitable[Any] = self._native.run(ir, params, plan, into, timeout, timed=timed)
        return started
