"""The proof of a migration: on a shadow database up leads to the wanted schema, and down leads back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_bridge.core.errors import IrreversibleMigration, MigrationError
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.runner import run_migrations
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.state.facts import Path, differences

__all__ = ["Proof", "VerificationFailed", "prove", "prove_history"]


class VerificationFailed(MigrationError):
    """A migration does not do what it has to do.

    Attributes:
        problems: the differences, in words.
    """

    def __init__(self, text: str, problems: Sequence[str]) -> None:
        super().__init__("\n".join([text, *(f"  {line}" for line in problems)]))
        self.problems = list(problems)


@dataclass(slots=True)
class Proof:
    """What the verification of a history found.

    Attributes:
        verified: versions whose way forward and way back were tried.
        irreversible: versions without a way back, with the reason.
        reordered: versions whose way back leaves the columns of a table in another order.
        problems: what is wrong, in words.
    """

    verified: list[str] = field(default_factory=list[str])
    irreversible: dict[str, str] = field(default_factory=dict[str, str])
    reordered: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])


async def prove(
    shadow: Shadow,
    database: Any,
    migration: type[Migration],
    earlier: Sequence[type[Migration]],
    old: Mapping[Path, str],
    new: Mapping[Path, str],
) -> list[Path]:
    """Runs a new migration on a database that has the old schema, and takes it back unless it is irreversible; returns the
    order of the facts behind it, which is that of the columns.

    Raises:
        VerificationFailed: either way does not lead where it should.
    """
    before = await shadow.facts(database)
    wanted = {**{path: text for path, text in before.items() if path not in old}, **new}
    await _run(database, [*earlier, migration], migration.version, "up")
    after = await shadow.facts(database)
    if wrong := differences(wanted, after):
        raise VerificationFailed("up() does not lead to the schema of the classes (- wanted, + made):", wrong)
    if migration.irreversible:
        return list(after)
    await _run(database, [*earlier, migration], migration.version, "down")
    if wrong := _left(before, await shadow.facts(database)):
        raise VerificationFailed("down() does not lead back to the schema before (- before, + afterwards):", wrong)
    return list(after)


def _left(before: Mapping[Path, str], back: Mapping[Path, str]) -> list[str]:
    """What a way back leaves otherwise; an extension may stay, because others may use it."""
    return differences(before, {p: text for p, text in back.items() if p in before or p[0] != "extension"})


async def _run(database: Any, migrations: Sequence[type[Migration]], version: str, direction: Any) -> None:
    try:
        # Down takes back the last one alone; up runs it because nothing else is pending.
        await run_migrations(
            list(migrations), using=database, direction=direction, target=version if direction == "up" else None
        )
    except IrreversibleMigration:
        raise
    except MigrationError as e:
        raise VerificationFailed(f"{direction}() of {version} fails on a database without rows:", [str(e)]) from e


async def prove_history(
    shadow: Shadow, database: Any, migrations: Sequence[type[Migration]], wanted: Sequence[str] = ()
) -> Proof:
    """Runs migrations one after the other on an empty database; those that are wanted, or all, up, down and up again."""
    proof = Proof()
    for i, migration in enumerate(migrations):
        version = migration.version
        there = list(migrations[: i + 1])
        if wanted and version not in wanted:
            await _run(database, there, version, "up")
            continue
        before = await shadow.facts(database)
        await _run(database, there, version, "up")
        after = await shadow.facts(database)
        proof.verified.append(version)
        try:
            await _run(database, there, version, "down")
        except IrreversibleMigration as e:
            proof.irreversible[version] = migration.irreversible or str(e)
            continue
        back = await shadow.facts(database)
        if wrong := _left(before, back):
            proof.problems += [
                f"{version}: down() does not lead back (- before, + afterwards):",
                *(f"  {line}" for line in wrong),
            ]
            # What comes behind it would meet a schema that no database has.
            return proof
        if list(before) != [path for path in back if path in before]:
            proof.reordered.append(version)
        await _run(database, there, version, "up")
        if wrong := differences(after, await shadow.facts(database)):
            proof.problems += [
                f"{version}: up() leads elsewhere behind down() (- once, + twice):",
                *(f"  {w}" for w in wrong),
            ]
    return proof
