"""The programs of examples/ run as their READMEs say, and print what they promise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = Path(sys.executable).parent / "data-bridge"


def run(folder: str, *command: str, **environment: str) -> str:
    """Runs a command in the folder of an example; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=EXAMPLES / folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_has_a_short_readme() -> None:
    for folder in EXAMPLES.iterdir():
        if folder.is_dir() and not folder.name.startswith(("__", ".")):
            assert len((folder / "README.md").read_text().strip().splitlines()) == 4, folder


def test_blocking(isolated_db: Any) -> None:
    assert run("blocking", "report.py", isolated_db.dsn).splitlines() == [
        "4 sales",
        "north: 20.50",
        "south: 40.00",
        "  2026-01-05 north 12.50",
        "  2026-01-07 south 40.00",
        "  2026-01-09 north 8.00",
    ]


def test_bulk(isolated_db: Any) -> None:
    lines = run("bulk", "load.py", "--rows", "20000", isolated_db.dsn).splitlines()
    assert lines[:2] == ["COPY wrote 20,000 rows", "upsert changed 500 rows and added 500"]


def test_migrations(isolated_db: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(EXAMPLES / "migrations", project)

    def migrate(*command: str) -> str:
        return run(str(project), str(COMMAND), "migrate", *command, DATABASE_URL=isolated_db.dsn)

    assert "CREATE INDEX CONCURRENTLY" in migrate("plan")
    migrate("up")
    assert migrate("status") == "current: 20260108090000\nnothing is pending\n"
    migrate("down", "0")
    migrate("lint")


@pytest.mark.parametrize(("program", "row"), [("with_asyncpg.py", "730"), ("with_psycopg.py", "(730,)")])
def test_sql_only(postgres_dsn: str, program: str, row: str) -> None:
    sql, result = run("sql_only", program, postgres_dsn).splitlines()
    assert re.fullmatch(r'SELECT sum\("books"."pages"\) FROM "books" WHERE "books"."title" <> (\$1|%s)', sql)
    assert result == row


def test_suite(tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    shutil.copytree(EXAMPLES / "suite", suite, ignore=shutil.ignore_patterns("__pycache__"))
    assert "3 passed" in run(str(suite), "-m", "pytest", "-q", "-p", "no:cacheprovider")
