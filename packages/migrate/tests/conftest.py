"""What the tests of the migrations share."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from data_bridge.core import Database

# Makes migrate_*.py importable: five packages have tests, so their names begin with the package's.
HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)
from migrate_schema_laws import operations_lead, two_databases  # noqa: E402 - found below the folder that was added

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


@pytest.fixture(scope="module")
def server_version(postgres_dsn: str) -> int:
    """The server's version as a number: 180006."""

    async def ask() -> int:
        async with Database(postgres_dsn) as db:
            return int(await db.fetch_val("SELECT current_setting('server_version_num')"))

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def lead(postgres_dsn: str) -> Iterator[Callable[..., None]]:
    """`lead(a, b)`: the laws of the operations, on two databases that stay for all examples."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        place = runner.run(stack.enter_async_context(two_databases(postgres_dsn)))
        try:
            yield lambda a, b, **instructions: runner.run(operations_lead(place, a, b, **instructions))
        finally:
            runner.run(stack.aclose())
