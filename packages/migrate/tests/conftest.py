"""What the tests of the migrations share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Makes migrate_*.py importable: five packages have tests, so their names begin with the package's.
HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)
Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """`folder(**{"0001_a.sql": "…"})`: a folder of migrations; no pyproject.toml above the working directory has settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "pyproject.toml").write_text("[tool.data-bridge.migrate]\n")

    def make(**files: str) -> Path:
        place = tmp_path / "migrations"
        place.mkdir(exist_ok=True)
        for name, text in files.items():
            path = place / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return place

    return make
