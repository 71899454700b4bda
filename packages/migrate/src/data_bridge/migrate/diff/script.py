"""The operations of a change by the phase in which they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Planned", "Script"]

PHASES = (
    "old triggers", "old policies", "old objects", "extensions", "schemas", "types", "renames", "unlink", "loosen", "enums", "sequences",
    "functions", "columns", "generated", "tables", "constraints", "indexes", "keys", "owners", "old indexes", "old columns",
    "old tables", "objects", "triggers", "policies", "grants", "old functions", "old types", "old schemas", "comments",
)  # fmt: skip
"""Triggers, and policies, views and functions that are in the way, go first. Then come names, what would be in the way of a change, the
change itself, what relies on it, and what goes last.
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """An operation, and what a person should look at before it runs.

    Attributes:
        operation: of data_bridge.query.ddl, or RunSQL or Backfill.
        note: a comment; empty where there is nothing to say.
    """

    operation: Any
    note: str = ""


@dataclass(slots=True)
class Script:
    """Operations that find their place by their phase.

    Attributes:
        by_phase: the operations of every phase, in the order in which they were added.
    """

    by_phase: dict[str, list[Planned]] = field(default_factory=lambda: {name: [] for name in PHASES})

    def add(self, phase: str, *operations: Any, note: str = "") -> None:
        """Adds operations at the end of a phase; the note is about the first."""
        for i, operation in enumerate(operations):
            self.by_phase[phase].append(Planned(operation, "" if i else note))

    def ordered(self) -> list[Planned]:
        """All operations, in the order in which they run."""
        return [planned for name in PHASES for planned in self.by_phase[name]]
