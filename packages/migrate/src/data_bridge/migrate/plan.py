"""What would run, without running it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from data_bridge.migrate.migration import Migration
from data_bridge.migrate.sink import NeedsDatabase, Recorder
from data_bridge.migrate.step import Step


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One statement that would run.

    Attributes:
        version: of its migration.
        sql: its text.
        lock: the strongest lock on a table in use, or None.
        transactional: whether it runs inside the migration's transaction.
    """

    version: str
    sql: str
    lock: str | None
    transactional: bool


class Plan(list[str]):
    """The versions that would run, in order; `steps` has their statements.

    `open` names versions that ask the database, so that their steps cannot be known beforehand.
    """

    steps: list[PlannedStep]
    open: list[str]

    def __init__(self, versions: list[str]) -> None:
        super().__init__(versions)
        self.steps = []
        self.open = []


async def record(migration: type[Migration], direction: str) -> tuple[list[Step], bool]:
    """The steps of a migration, and whether these are all."""
    recorder = Recorder()
    made = migration(recorder)
    with suppress(NeedsDatabase):
        await (made.up() if direction == "up" else made.down())
    return recorder.steps, recorder.is_complete


async def make(migrations: list[type[Migration]], direction: str) -> Plan:
    """The plan for these migrations."""
    plan = Plan([m.version for m in migrations])
    for m in migrations:
        steps, is_complete = await record(m, direction)
        plan.steps += [PlannedStep(m.version, s.sql, s.lock, s.transactional) for s in steps]
        if not is_complete:
            plan.open.append(m.version)
    return plan
