"""The migrations that are applied, and those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from data_bridge.migrate._versions import key
from data_bridge.migrate.history.table import AppliedMigration
from data_bridge.migrate.sources.discovery import checksum
from data_bridge.migrate.sources.migration import Migration


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """The history against the migrations at hand.

    Attributes:
        current: the highest applied version, or None.
        applied: in order.
        pending: versions that would run, in order.
        unknown: applied versions without a migration file.
        modified: applied versions whose migration has changed since.
        failed: versions that stopped half-way.
        late: pending versions below the current one, as after a merge of an older branch.
        undoing: those of them that were being taken back.
    """

    current: str | None = None
    applied: list[AppliedMigration] = field(default_factory=list[AppliedMigration])
    pending: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])
    modified: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])
    late: list[str] = field(default_factory=list[str])
    undoing: list[str] = field(default_factory=list[str])


def compare(migrations: Sequence[type[Migration]], rows: Sequence[AppliedMigration]) -> MigrationStatus:
    """The status."""
    by_version = {m.version: m for m in migrations}
    applied = sorted((r for r in rows if r.state == "applied"), key=lambda r: key(r.version))
    done = {r.version for r in applied}
    pending = [m.version for m in migrations if m.version not in done]
    current = key(applied[-1].version) if applied else ()
    return MigrationStatus(
        current=applied[-1].version if applied else None,
        applied=applied,
        pending=pending,
        unknown=[r.version for r in applied if r.version not in by_version],
        modified=[
            r.version for r in applied if r.version in by_version and checksum(by_version[r.version]) != r.checksum
        ],
        failed=[r.version for r in rows if r.state != "applied"],
        late=[v for v in pending if key(v) < current],
        undoing=sorted((r.version for r in rows if r.state == "undoing"), key=key),
    )
