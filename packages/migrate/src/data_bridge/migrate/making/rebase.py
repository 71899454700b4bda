"""Two branches with migrations become one history: those of one branch move behind those of the other."""

from __future__ import annotations

import inspect
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File

from data_bridge.core.errors import ConfigurationError, MigrationConflict
from data_bridge.migrate._config import Config
from data_bridge.migrate._versions import key
from data_bridge.migrate.making.branches import Branches, branches_of
from data_bridge.migrate.making.proof import VerificationFailed, prove_history
from data_bridge.migrate.making.recorded import owners, projected
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.sources import templates
from data_bridge.migrate.sources.discovery import in_directory, ordered
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.state import lock_file
from data_bridge.migrate.state.facts import COMMENT, Path, facts_of
from data_bridge.migrate.state.lock_file import Lock

__all__ = ["Rebased", "rebase"]


@dataclass(slots=True)
class Rebased:
    """What `rebase` did.

    Attributes:
        moved: the new version of each migration that moved, by the old one.
        paths: the files that were written.
        both: objects that both branches have changed.
    """

    moved: dict[str, str] = field(default_factory=dict[str, str])
    paths: list[str] = field(default_factory=list[str])
    both: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class _Move:
    """A file that gets another name, and perhaps another text."""

    old: str
    new: str
    version: tuple[str, str] | None = None

    def run(self, directory: File) -> None:
        path = directory / self.old
        if self.version is not None:
            old, new = self.version
            text = path.read_text(encoding="utf-8")
            path.write_text(_said(old).sub(lambda m: f"{m[1]}{new}{m[2]}", text), encoding="utf-8")
        path.rename(directory / self.new)


def _said(version: str) -> re.Pattern[str]:
    """Where a class says its version."""
    return re.compile(rf"""(^\s+version(?:\s*:[^=\n]+)?\s*=\s*["']){re.escape(version)}(["'])""", re.MULTILINE)


async def rebase(
    directory: File, config: Config, *, onto: str | None = None, shadow: str | None = None, dry_run: bool = False
) -> Rebased:
    """Gives the migrations of one branch versions behind those of the other, runs all of them on a shadow database, and
    writes schema.lock. Changes nothing when one of them does not run.

    Raises:
        ConfigurationError: nothing is open in git, or the branch is unknown.
        MigrationConflict: a migration cannot get another version.
        VerificationFailed: a migration does not run behind those of the other branch, or its way back does not lead back.
    """
    branches = branches_of(directory, onto)
    made = Rebased(both=_changed_by_both(branches))
    with tempfile.TemporaryDirectory() as folder:
        place = File(shutil.copytree(directory, f"{folder}/migrations", ignore=shutil.ignore_patterns("__pycache__")))
        moves = _moves(ordered(in_directory(place)), place, branches, made)
        fresh = _moved_copy(place, moves, f"{folder}/moved")
        migrations = ordered(in_directory(fresh))
        moved = {move.new for move in moves}
        own = [m.version for m in migrations if _file_of(m).name in moved or _file_of(m).name not in branches.names]
        if not migrations:
            raise ConfigurationError(f"{directory} holds no migrations")
        async with Shadow(shadow, config) as server, server.database() as database:
            await server.make_roles({**branches.staying.facts, **branches.moving.facts})
            proof = await prove_history(server, database, migrations, own or [migrations[-1].version])
            if proof.problems:
                said = [*(f"both branches change {name}" for name in made.both), *proof.problems]
                raise VerificationFailed("the history of both branches is not proved:", said)
            wanted = owners(branches.staying.facts, branches.moving.facts)
            facts = facts_of(projected(await server.read(database), wanted))
            lock = Lock(migrations[-1].version, await server.major(), facts, migrations=len(migrations))
    for side in (branches.staying, branches.moving):
        same = {path: text for path, text in side.declared.items() if facts.get(path) == side.facts.get(path)}
        lock.declared.update(same)
    if not dry_run:
        _put_in_place(directory, moves, lock, made)
    return made


def _file_of(m: type[Migration]) -> File:
    """The file or the folder of a migration."""
    return m.source if m.source is not None else File(inspect.getfile(m))


def _moved_copy(place: File, moves: Sequence[_Move], folder: str) -> File:
    # Another folder, because Python remembers what it has imported from a path.
    fresh = File(shutil.copytree(place, folder, ignore=shutil.ignore_patterns("__pycache__")))
    for move in moves:
        move.run(fresh)
    return fresh


def _put_in_place(directory: File, moves: Sequence[_Move], lock: Lock, made: Rebased) -> None:
    for move in moves:
        move.run(directory)
        made.paths.append(str(directory / move.new))
    if lock_file.write(directory, lock):
        made.paths.append(str(directory / lock_file.NAME))


def _moves(migrations: Sequence[type[Migration]], place: File, branches: Branches, made: Rebased) -> list[_Move]:
    """The files that get other names: none where all of the branch are behind those of the other one already."""
    own = [m for m in migrations if _file_of(m).name not in branches.names]
    newest = max((m.version for m in migrations if m not in own), key=key, default="")
    if not own or not newest or key(own[0].version) > key(newest):
        return []
    versions = {m.version for m in own}
    for m in migrations:
        if needed := versions.intersection(m.depends_on):
            raise MigrationConflict(
                f"{m.version} {m.title()} depends on {min(needed)}, which would get another version: change both by hand"
            )
    moves: list[_Move] = []
    last = newest
    for m in own:
        version = templates.version_behind(place, last)
        if key(version) <= key(last):
            raise MigrationConflict(f"no moment is a version behind {last}: give {m.version} {m.title()} one by hand")
        made.moved[m.version] = last = version
        moves += _moves_of(m, version)
    if len({move.old for move in moves}) < len(moves):
        raise MigrationConflict("a file has two migrations of one branch: give them versions behind the others by hand")
    return moves


def _moves_of(m: type[Migration], version: str) -> list[_Move]:
    moves: list[_Move] = []
    for path in dict.fromkeys(p for p in (_file_of(m), m._down_source) if p is not None):
        if path.parent == m.source:
            continue  # it lies in the folder, which moves
        is_python = path.suffix == ".py"
        said = len(_said(m.version).findall(path.read_text(encoding="utf-8"))) if is_python else 1
        if not path.name.startswith(m.version) or said != 1:
            raise MigrationConflict(
                f"{path.name} does not say its version once: give {m.version} a version behind the others by hand"
            )
        new = version + path.name[len(m.version) :]
        moves.append(_Move(path.name, new, (m.version, version) if is_python else None))
    return moves


def _changed_by_both(branches: Branches) -> list[str]:
    """The objects that both branches have changed, and those that one has changed and the other dropped or made."""
    staying = _changes(branches.base.facts, branches.staying.facts)
    moving = _changes(branches.base.facts, branches.moving.facts)
    both = staying & moving
    for one, other in ((staying, moving), (moving, staying)):
        both |= {path for path in one if len(path) == 2 and any(p[:2] == path for p in other)}
    return [", ".join(" ".join(path[i : i + 2]) for i in range(0, len(path), 2)) for path in sorted(both)]


def _changes(old: Mapping[Path, str], new: Mapping[Path, str]) -> set[Path]:
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    return {path[:-1] if path[-1] == COMMENT else path for path in changed}
