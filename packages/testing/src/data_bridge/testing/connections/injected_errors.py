"""Errors of the server on demand: the statement that matches is refused by PostgreSQL itself, with the SQLSTATE of choice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from data_bridge.core import LoadPlan

__all__ = ["FailsOnDemand", "Faults"]

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
            raise ValueError(f"{self.sqlstate!r} is not a SQLSTATE: five digits or capital letters, such as 40001")

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
            f" USING ERRCODE = '{self.sqlstate}', HINT = 'ordered by fail()'; END $fault$"
        )


class Faults:
    """The orders of one test, in the order in which they were given."""

    __slots__ = ("_orders",)

    def __init__(self) -> None:
        self._orders: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._orders)

    def order(self, sqlstate: str, matching: str, skip: int, times: int) -> None:
        """Take an order.

        Raises:
            ValueError: for a text that is not a SQLSTATE.
        """
        self._orders.append(Fault(sqlstate, matching, skip, times))

    def forget(self) -> None:
        """The test is over."""
        self._orders.clear()

    def in_place_of(self, sql: str) -> str:
        """The text to send: the given one, or one that fails."""
        return next((fault.sql for fault in self._orders if fault.strikes(sql)), sql)

    def statement(
        self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan, into: object
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], LoadPlan, object]:
        """The statement to run: the given one, or one that fails."""
        sql = plan.describe(ir).sql
        sent = self.in_place_of(sql)
        return (ir, params, plan, into) if sent is sql else (("text", sent), (), COUNT, None)


class FailsOnDemand:
    """A database of a test that PostgreSQL refuses statements of when it is told to."""

    def __init__(self) -> None:
        self._faults = Faults()

    def fail(self, sqlstate: str, *, matching: str = "", skip: int = 0, times: int = 1) -> None:
        """Have PostgreSQL refuse the next statement with this SQLSTATE: 40001 for retries, 53300, 57014 …

        Args:
            sqlstate: five characters.
            matching: only a statement whose SQL contains this text, in any case.
            skip: let so many of them through first.
            times: refuse so many.

        Raises:
            ValueError: for a text that is not a SQLSTATE.

        >>> from data_bridge.testing import Sandbox
        >>> async def test_retries(db: Sandbox) -> None:
        ...     db.fail("40001", matching="insert")
        """
        self._faults.order(sqlstate, matching, skip, times)
