"""The two sides of a merge: which migrations each has, and what its schema.lock says, as git knows them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path as File

from data_bridge.core.errors import ConfigurationError
from data_bridge.migrate._versions import key
from data_bridge.migrate.state.lock_file import NAME, Lock, parsed

__all__ = ["Branches", "branches_of"]


@dataclass(frozen=True, slots=True)
class Branches:
    """A branch that stays as it is, and one whose migrations move behind it.

    Attributes:
        onto: the commit of the branch that stays.
        names: the files and folders that it has among the migrations.
        staying: its schema.lock.
        moving: the schema.lock of the other branch.
        base: the schema.lock that both began with.
    """

    onto: str
    names: frozenset[str]
    staying: Lock
    moving: Lock
    base: Lock


def branches_of(directory: File, onto: str | None) -> Branches:
    """The branches of the merge or rebase that is open, or of HEAD and a named branch.

    In a rebase the commits that are being applied move. In a merge the branch with the newest migration moves.

    Raises:
        ConfigurationError: the folder is not in a git repository, a branch is unknown, or nothing is open and none is named.
    """
    if _git(directory, "rev-parse", "--is-inside-work-tree") is None:
        raise ConfigurationError(f"{directory} is not in a git repository")
    staying, moving = _sides(directory, onto)
    base = _git(directory, "merge-base", staying, moving)
    return Branches(
        staying, frozenset(_names(directory, staying)), _lock(directory, staying), _lock(directory, moving),
        Lock() if base is None else _lock(directory, base.strip()),
    )  # fmt: skip


def _sides(directory: File, onto: str | None) -> tuple[str, str]:
    if onto is not None:
        return _commit(directory, onto), _commit(directory, "HEAD")
    if _git(directory, "rev-parse", "--verify", "--quiet", "REBASE_HEAD") is not None:
        return _commit(directory, "HEAD"), _commit(directory, "REBASE_HEAD")
    if _git(directory, "rev-parse", "--verify", "--quiet", "MERGE_HEAD") is None:
        raise ConfigurationError("neither a merge nor a rebase is open: name the branch that stays, as in --onto main")
    ours, theirs = _commit(directory, "HEAD"), _commit(directory, "MERGE_HEAD")
    here, there = set(_names(directory, ours)), set(_names(directory, theirs))
    return (theirs, ours) if _newest(here - there) > _newest(there - here) else (ours, theirs)


def _newest(names: set[str]) -> tuple[tuple[int, int, str], ...]:
    return max((key(name.partition("_")[0]) for name in names), default=())


def _commit(directory: File, name: str) -> str:
    found = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found is None:
        raise ConfigurationError(f"git knows no commit {name!r}")
    return found.strip()


def _names(directory: File, commit: str) -> list[str]:
    text = _git(directory, "ls-tree", "-z", "--name-only", commit, "./") or ""
    return [name.rpartition("/")[2] for name in text.split("\0") if name and not name.endswith(NAME)]


def _lock(directory: File, commit: str) -> Lock:
    text = _git(directory, "show", f"{commit}:./{NAME}")
    return Lock() if text is None else parsed(text, f"{NAME} of {commit[:12]}")


def _git(directory: File, *arguments: str) -> str | None:
    """What git prints, or None when it fails."""
    try:
        done = subprocess.run(["git", "-C", str(directory), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise ConfigurationError("git is not installed, or its folder does not exist") from None
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None
