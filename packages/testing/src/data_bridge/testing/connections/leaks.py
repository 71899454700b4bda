"""What the code under test holds: connections, listeners, tasks and advisory locks, with the lines that took them."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass
from typing import Any

from data_bridge.testing._call_sites import place
from data_bridge.testing.connections.tasks import current_task, existing_tasks, runs_tests, waits_at

__all__ = ["Hold", "Watch", "lock_name"]

REMEDIES = {
    "transaction": "commit it or roll it back, or use a block: `async with pg_transaction():`",
    "stream": "read it to its end, or use it as a block: `async with db.stream(…) as rows:`",
    "COPY": "read it to its end, or use it as a block: `async with db.copy_out(…) as chunks:`",
    "connection": "give it back in a `finally`",
}


@dataclass(slots=True, eq=False, weakref_slot=True)
class Hold:
    """A connection, or a listener, that was taken and not returned."""

    what: str
    site: tuple[str, int] | None
    task: str
    open: bool = True
    kept: bool = False
    """Whether a fixture took it before the test function began, and returns it later."""

    def __str__(self) -> str:
        return f"the {self.what} opened at {place(self.site)} by {self.task}"

    @property
    def remedy(self) -> str:
        """What to do instead."""
        return REMEDIES.get(self.what, "use a block: `async with db.listen(…) as notifications:`")


class Watch:
    """The holdings of one test."""

    def __init__(self) -> None:
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.connections: weakref.WeakSet[Hold] = weakref.WeakSet()
        self.listeners: weakref.WeakSet[Hold] = weakref.WeakSet()
        self.thrown_away: list[str] = []
        self.lock_sites: list[str] = []
        self._kept_tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()

    def call_begins(self) -> None:
        """The test function begins: what is held now belongs to fixtures, which end after it."""
        self._kept_tasks.update(existing_tasks())
        for hold in (*self.connections, *self.listeners):
            hold.kept = True
        self.lock_sites.clear()

    def is_kept(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether a task existed before the test function began: a fixture ends it."""
        return task is not None and task in self._kept_tasks

    def saw_task(self) -> None:
        """A statement comes from the running task."""
        if task := current_task():
            self.tasks.add(task)

    def saw_text(self, sql: str, site: tuple[str, int] | None) -> None:
        """Remember where an advisory lock was asked for; only the server knows later who has it."""
        if "advisory_lock" in sql and len(self.lock_sites) < 20:
            self.lock_sites.append(place(site))

    def forgotten(self, hold: Hold) -> None:
        """An object that holds a connection was thrown away without an end."""
        hold.open = False
        self.thrown_away.append(
            f"{hold} was thrown away before its end; its connection came back by chance\nhint: {hold.remedy}"
        )

    def open_connections(self) -> list[Hold]:
        """Connections that the test function has taken and not given back."""
        return sorted((hold for hold in self.connections if hold.open and not hold.kept), key=str)

    def problems(self) -> list[str]:
        """Running tasks, open listeners and what was thrown away."""
        found, self.thrown_away = self.thrown_away, []
        found += [
            f"{task.get_name()!r} still runs{waits_at(task)} at the end of the test and has used the database"
            "\nhint: await it, or cancel it and await it"
            for task in self.tasks
            if not task.done() and task not in self._kept_tasks and not runs_tests(task)
        ]
        listening = sorted((hold for hold in self.listeners if hold.open and not hold.kept), key=str)
        found += [f"{hold} is still open at the end of the test\nhint: {hold.remedy}" for hold in listening]
        return found

    def left_by_fixtures(self) -> list[str]:
        """What fixtures hold although they are torn down."""
        found = sorted((hold for hold in (*self.connections, *self.listeners) if hold.open and hold.kept), key=str)
        still = [f"{hold} is still open at the end of its fixture\nhint: {hold.remedy}" for hold in found]
        return self.thrown_away + still

    def lock_problem(self, who: str, names: list[str]) -> str:
        """The message about session advisory locks."""
        lines = f" (asked for at {', '.join(dict.fromkeys(self.lock_sites))})" if self.lock_sites else ""
        return (
            f"{len(names)} session advisory lock(s) were still held{who} at the end of the test:"
            f" {', '.join(names)}{lines}\nhint: pg_advisory_unlock() in a `finally`, or `await tx.advisory_lock(key)`,"
            " which ends with its transaction"
        )


def lock_name(classid: int, objid: int, objsubid: int) -> str:
    """An advisory lock as the functions that take it name it.

    >>> lock_name(0, 7, 1), lock_name(3, 4, 2)
    ('7', '(3, 4)')
    """
    if objsubid == 2:
        return f"({_signed(classid, 32)}, {_signed(objid, 32)})"
    return str(_signed(classid << 32 | objid, 64))


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number
