"""`data-bridge migrate rebase`: branches of a real git repository that both have migrations."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

Project = Any
LOCK = "migrations/schema.lock"
NAME, PRICE = "name: str", "price: int = Column(server_default='1')"
A1, A2, B = (f"{name}: str | None = None" for name in ("first", "second", "theirs"))
_ENV = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_EDITOR": "true", "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


def _git(project: Project, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=project.place, capture_output=True, text=True, check=False, env={**os.environ, **_ENV}
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def _models(project: Project, *columns: str) -> None:
    lines = "".join(f"    {column}\n" for column in (NAME, *columns))
    project.models(
        "from data_bridge.orm import *\n\nclass Item(Table):\n    class Settings:\n        name = 'item'\n"
        f"    id: int = Column(primary_key=True, auto_increment=True)\n{lines}"
    )


def _wait_behind(version: str) -> None:
    """A version is a second: one that is given now is behind this one."""
    while datetime.now(UTC).strftime("%Y%m%d%H%M%S") <= version:
        time.sleep(0.05)


def _commit(project: Project, branch: str, message: str, *columns: str) -> str:
    """A migration of a branch, later than all others; returns its version."""
    newest = max((path.name[:14] for path in project.place.rglob("2*.py")), default="")
    _git(project, "checkout", "-q", branch)
    newest = max([newest, *(path.name[:14] for path in project.files())])
    _wait_behind(newest)
    _models(project, *columns)
    assert project.make("-m", message)
    _git(project, "add", "-A")
    _git(project, "commit", "-qm", message)
    return str(project.files()[-1].name[:14])


@pytest.fixture
def repository(project: Project) -> Project:
    """One migration on main, and the branches `one` and `two` from there."""
    (project.place / ".gitignore").write_text("/*\n!/migrations\n!/.gitignore\n__pycache__\n")
    _git(project, "init", "-q", "-b", "main")
    _git(project, "commit", "-q", "--allow-empty", "-m", "begin")
    _commit(project, "main", "base", PRICE)
    _git(project, "branch", "one")
    _git(project, "branch", "two")
    return project


def _names(project: Project) -> list[str]:
    return [path.name[15:].removesuffix(".py") for path in project.files()]


def _unmerged(project: Project) -> list[str]:
    return _git(project, "diff", "--name-only", "--diff-filter=U").split()


def _is_one_history(project: Project, *columns: str) -> None:
    _models(project, *columns)
    assert project.run("make", "--check")[:2] == (0, "nothing changed\n")
    assert project.run("make")[:2] == (0, "nothing changed\n")
    for command in ("verify", "up", "drift"):
        status, out, err = project.run(command)
        assert status == 0, out + err


def _bytes(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.directory.iterdir() if path.is_file()}


@pytest.mark.parametrize("how", ["merge", "merge from the other side", "rebase", "onto"])
def test_migrations_move_behind_those_of_the_other_branch(repository: Project, how: str) -> None:
    """The branches took turns: none of them is behind the other as a whole."""
    first = _commit(repository, "one", "first", PRICE, A1)
    theirs = _commit(repository, "two", "theirs", PRICE, B)
    _wait_behind(_commit(repository, "one", "second", PRICE, A1, A2))
    if how == "merge from the other side":
        _git(repository, "checkout", "-q", "two")
    if how == "onto":
        _git(repository, "merge", "-q", "-X", "ours", "two", "-m", "merged")
    else:
        _git(repository, *{"merge": ["merge", "two"], "rebase": ["rebase", "two"]}.get(how, ["merge", "one"]), status=1)
        assert _unmerged(repository) == [LOCK]
        assert repository.run("make")[0] == 6
    status, out, err = repository.run("rebase", *(["--onto", "two"] if how == "onto" else []))
    assert status == 0 and f"{first} is " in out, out + err
    assert theirs in [path.name[:14] for path in repository.files()]
    if how == "rebase":
        _git(repository, "add", "-A")
        _git(repository, "rebase", "--continue", status=1)
        assert repository.run("rebase")[0] == 0
        _git(repository, "add", "-A")
        _git(repository, "rebase", "--continue")
    assert _names(repository) == ["base", "theirs", "first", "second"]
    for path in repository.files():
        assert path.read_text().count(f'version = "{path.name[:14]}"') == 1
    _is_one_history(repository, PRICE, A1, A2, B)
    if how.startswith("merge"):
        _git(repository, "add", "-A")
        _git(repository, "commit", "-qm", "merged")
    elif how == "onto":
        assert repository.run("rebase", "--onto", "two")[:2] == (0, "nothing to move\n")


@pytest.mark.parametrize("into", ["one", "two"])
def test_a_branch_that_is_newer_as_a_whole_keeps_its_versions(repository: Project, into: str) -> None:
    _commit(repository, "one", "first", PRICE, A1)
    _commit(repository, "two", "theirs", PRICE, B)
    _git(repository, "checkout", "-q", into)
    _git(repository, "merge", "two" if into == "one" else "one", status=1)
    before = [path.name for path in repository.files()]
    status, out, err = repository.run("rebase")
    assert status == 0 and "nothing to move" in out and out.rstrip().endswith("schema.lock"), out + err
    assert [path.name for path in repository.files()] == before
    assert _names(repository) == ["base", "first", "theirs"]
    _is_one_history(repository, PRICE, A1, B)


def test_what_both_branches_change_is_named(repository: Project) -> None:
    """One branch comments a column, the other gives it another default."""
    commented = PRICE.replace(")", ", comment='in cents')")
    _commit(repository, "one", "first", commented, A1)
    _commit(repository, "two", "theirs", PRICE.replace("1", "3"), B)
    _git(repository, "merge", "one", status=1)
    status, out, err = repository.run("rebase")
    assert status == 0 and "both branches change table item, column price" in out, out + err
    assert "column first" not in out and "column theirs" not in out
    _is_one_history(repository, commented.replace("1", "3"), A1, B)


def test_a_way_back_that_leads_elsewhere_now_is_refused(repository: Project) -> None:
    """Both branches give a column another default: the way back of the later one restores that of the base."""
    _commit(repository, "one", "first", PRICE.replace("1", "2"))
    _commit(repository, "two", "theirs", PRICE.replace("1", "3"))
    _git(repository, "merge", "one", status=1)
    before = _bytes(repository)
    status, _, err = repository.run("rebase")
    assert status == 8 and "both branches change table item, column price" in err and "DEFAULT 2" in err, err
    assert _bytes(repository) == before
    path = repository.files()[-1]
    text = path.read_text()
    at = text.index("down_operations")
    path.write_text(text[:at] + text[at:].replace('"1"', '"2"'))
    assert repository.run("rebase")[0] == 0
    _is_one_history(repository, PRICE.replace("1", "3"))


@pytest.mark.parametrize("is_dry", [True, False])
def test_nothing_is_written_when_a_migration_does_not_run(repository: Project, is_dry: bool) -> None:
    """Both branches add the same column; a dry run writes nothing either way."""
    _commit(repository, "one", "first", PRICE, A1)
    _commit(repository, "two", "theirs", PRICE, B if is_dry else A1)
    _commit(repository, "one", "second", PRICE, A1, A2)
    _git(repository, "merge", "two", status=1)
    before = _bytes(repository)
    status, out, err = repository.run("rebase", *(["--dry-run"] if is_dry else []))
    assert (status == 0 and "is 2" in out) if is_dry else (status == 8 and 'column "first"' in err), out + err
    assert _bytes(repository) == before


def test_files_of_sql_and_folders_move(repository: Project) -> None:
    """A migration in SQL, one in two files and one in a folder."""
    place: Path = repository.directory
    _git(repository, "checkout", "-q", "one")
    base = int(repository.files()[0].name[:14])
    (place / f"{base + 1}_a.sql").write_text("-- up\nCREATE TABLE a (id int);\n-- down\nDROP TABLE a;\n")
    (place / f"{base + 2}_b.up.sql").write_text("CREATE TABLE b (id int);\n")
    (place / f"{base + 2}_b.down.sql").write_text("DROP TABLE b;\n")
    (place / f"{base + 3}_c").mkdir()
    (place / f"{base + 3}_c" / "up.sql").write_text("CREATE TABLE c (id int);\n")
    (place / f"{base + 3}_c" / "down.sql").write_text("DROP TABLE c;\n")
    _git(repository, "add", "-A")
    _git(repository, "commit", "-qm", "by hand")
    _git(repository, "checkout", "-q", "two")
    time.sleep(4)  # versions are seconds
    theirs = _commit(repository, "two", "theirs", PRICE, B)
    _git(repository, "checkout", "-q", "one")
    _git(repository, "merge", "-q", "two", "-m", "merged")
    status, out, err = repository.run("rebase", "--onto", "two")
    assert status == 0, out + err
    names = sorted(p.name for p in place.iterdir() if p.name[:14] > theirs and p.name[:2] == "20")
    assert [name[14:] for name in names] == ["_a.sql", "_b.down.sql", "_b.up.sql", "_c"]
    assert repository.run("verify")[0] == 0 and repository.run("up")[0] == 0
    assert repository.query("SELECT count(*) AS n FROM pg_class WHERE relname IN ('a', 'b', 'c')") == [{"n": 3}]


def test_what_another_migration_depends_on_does_not_move(repository: Project) -> None:
    first = _commit(repository, "one", "first", PRICE, A1)
    _commit(repository, "two", "theirs", PRICE, B)
    _commit(repository, "one", "second", PRICE, A1, A2)
    path = repository.files()[-1]
    path.write_text(path.read_text().replace("    version = ", f'    depends_on = ("{first}",)\n    version = '))
    _git(repository, "commit", "-qam", "depends")
    _git(repository, "merge", "two", status=1)
    before = _bytes(repository)
    status, _, err = repository.run("rebase")
    assert status == 6 and f"depends on {first}" in err and _bytes(repository) == before


def test_without_a_merge_or_a_repository_it_says_what_is_missing(repository: Project) -> None:
    assert "neither a merge nor a rebase is open" in repository.run("rebase")[2]
    assert repository.run("rebase")[0] == 2
    assert "git knows no commit '--all'" in repository.run("rebase", "--onto=--all")[2]
    (repository.place / ".git").rename(repository.place / ".gone")
    status, _, err = repository.run("rebase")
    assert status == 2 and "is not in a git repository" in err
