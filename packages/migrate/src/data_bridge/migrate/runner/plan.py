"""What would run, without running it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from data_bridge.migrate.operations.phase import Phase, Phases
from data_bridge.migrate.operations.recorder import NeedsDatabase, Recorder
from data_bridge.migrate.operations.step import BLOCKS, Step
from data_bridge.migrate.sources.migration import Migration


@dataclass(frozen=True, slots=True)
class Touched:
    """A relation that a step locks.

    Attributes:
        relation: its name.
        lock: what is taken.
        blocks: who waits meanwhile; empty for no reads or writes.
        rewrite: whether it is rewritten.
        scan: whether it is read from end to end under the lock.
        rows, bytes: its size by the statistics of the database that was asked, or None.
    """

    relation: str
    lock: str
    blocks: str
    rewrite: bool
    scan: bool
    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step that would run.

    Attributes:
        version: of its migration.
        sql: its text.
        lock: the strongest lock on a table in use, or None.
        transactional: whether it runs inside the migration's transaction.
        touched: relations that exist before the step, with their locks.
        understood: whether every statement in it was understood.
        phase: "expand" if the release before works on after it, "contract" if it may not; None on the way back.
    """

    version: str
    sql: str
    lock: str | None
    transactional: bool
    touched: tuple[Touched, ...] = field(default=(), compare=False)
    understood: bool = field(default=True, compare=False)
    phase: Phase | None = field(default=None, compare=False)


class Plan(list[str]):
    """The versions that would run, in order; `steps` has their statements.

    `open` names versions that ask the database, so that their steps cannot be known beforehand.
    """

    steps: list[PlannedStep]
    open: list[str]
    warnings: list[str]

    def __init__(self, versions: list[str]) -> None:
        super().__init__(versions)
        self.steps = []
        self.open = []
        self.warnings = []


async def record(migration: type[Migration], direction: str) -> tuple[list[Step], bool]:
    """The steps of a migration, and whether these are all."""
    recorder = Recorder()
    made = migration(recorder)
    with suppress(NeedsDatabase):
        await (made.up() if direction == "up" else made.down())
    return recorder.steps, recorder.is_complete


def planned(version: str, step: Step, phase: Phase | None) -> PlannedStep:
    """A step with what it touches."""
    found = step.facts
    made = {f.object for f in found if f.kind == "create_table"}
    touched: dict[tuple[str, str], Touched] = {}
    for fact in found:
        for relation, lock in fact.locks:
            if relation not in made:
                key = (relation, lock)
                old = touched.get(key)
                touched[key] = Touched(
                    relation, lock, BLOCKS.get(lock, ""), relation in fact.rewrites or (old is not None and old.rewrite),
                    relation in fact.scans or (old is not None and old.scan),
                )  # fmt: skip
    understood = all(f.kind != "unknown" for f in found)
    return PlannedStep(version, step.sql, step.lock, step.transactional, tuple(touched.values()), understood, phase)


async def make(migrations: list[type[Migration]], direction: str) -> Plan:
    """The plan for these migrations."""
    plan = Plan([m.version for m in migrations])
    for m in migrations:
        steps, is_complete = await record(m, direction)
        phases = Phases()
        plan.steps += [planned(m.version, s, phases.read(s.sql) if direction == "up" else None) for s in steps]
        if not is_complete:
            plan.open.append(m.version)
    return plan
