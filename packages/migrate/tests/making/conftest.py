"""A project with models, and a live database."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core import Database
from data_bridge.migrate.command import main

_numbers = itertools.count()


class Project:
    """A folder with a pyproject.toml and one module of models, which is another module each time it changes."""

    def __init__(self, place: Path, shadow: str, database: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.place = place
        self.directory = place / "migrations"
        self.database = database
        self._capsys = capsys
        self._shadow = shadow
        self._modules: list[str] = []
        self.models("")

    def models(self, text: str) -> None:
        """The classes are these from now on."""
        name = f"migrate_models_{next(_numbers)}"
        self._modules.append(name)
        (self.place / f"{name}.py").write_text(text)
        (self.place / "pyproject.toml").write_text(
            f'[tool.data-bridge.migrate]\ndirectory = "migrations"\nmodels = ["{name}"]\nshadow = "{self._shadow}"\n'
        )

    def run(self, *argv: str) -> tuple[int, str, str]:
        """`status, out, err` of a command; those that need a database have the live one."""
        self._capsys.readouterr()
        status = main([argv[0], "--database", self.database, *argv[1:]])
        out, err = self._capsys.readouterr()
        return status, out, err

    def make(self, *argv: str) -> str:
        """The text of the migration that make writes; empty when nothing changed."""
        before = self.files()
        status, out, err = self.run("make", *argv)
        assert status == 0, out + err
        new = [path for path in self.files() if path not in before]
        return new[0].read_text() if new else ""

    def files(self) -> list[Path]:
        """The migrations."""
        return (
            sorted(p for p in self.directory.glob("*") if p.suffix in (".py", ".sql"))
            if self.directory.is_dir()
            else []
        )

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the live database."""

        async def ask() -> Any:
            async with Database(self.database, max_connections=1) as database:
                if sql.lstrip().lower().startswith("select"):
                    return await database.fetch(sql)
                return await database.execute_script(sql)

        return asyncio.run(ask()) or []

    def forget(self) -> None:
        """Removes the modules."""
        for name in self._modules:
            sys.modules.pop(name, None)


@pytest.fixture
def project(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    isolated_db: Any,
    postgres_dsn: str,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Project]:
    """A project whose shadow server is that of the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    made = Project(tmp_path, postgres_dsn, isolated_db.dsn, capsys)
    yield made
    made.forget()
