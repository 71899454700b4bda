"""Expand and contract: whether the release before a migration works on after it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from data_bridge.migrate.operations.step import facts_of, is_readable

Phase: TypeAlias = Literal["expand", "contract"]


class Phases:
    """The phases of the steps of one migration, in their order.

    A step that only adds is "expand". A step that takes something away, renames it, or refuses what was accepted before is
    "contract", and so is one that is not understood. What the migration itself has created counts as added.

    Attributes:
        all: "contract" if one of the steps so far is.

    >>> phases = Phases()
    >>> phases.read("ALTER TABLE t ADD b int"), phases.read("ALTER TABLE t DROP a"), phases.all
    ('expand', 'contract', 'contract')
    >>> Phases().read("CREATE TABLE t (a int); ALTER TABLE t ADD UNIQUE (a)")
    'expand'
    """

    def __init__(self) -> None:
        self.all: Phase = "expand"
        self._made: set[str] = set()

    def read(self, sql: str) -> Phase:
        """Returns the phase of the next step."""
        phase: Phase = "expand" if is_readable(sql) else "contract"
        for fact in facts_of(sql):
            if fact.kind == "create_table" and fact.object is not None:
                self._made.add(fact.object)
            if fact.contracts and fact.on not in self._made:
                phase = "contract"
        if phase == "contract":
            self.all = phase
        return phase
