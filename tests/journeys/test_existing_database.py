"""docs/how-to/existing-database.md, as it stands there: classes from a database, then migrations from the classes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from data_bridge.core import Database

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "existing-database.md"


def _fence(language: str) -> str:
    found = re.search(rf"```{language}[^\n]*\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


async def test_the_page(isolated_db: Any, postgres_dsn: str, tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "data_bridge.core.cli", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    await isolated_db.execute_script(_fence("sql"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    done = command("inspect", "--database", isolated_db.dsn, "--output", "shop/models.py")
    assert (done.returncode, done.stdout) == (0, "")
    text = (tmp_path / "shop" / "models.py").read_text()
    database = isolated_db.dsn.rpartition("/")[2].partition("?")[0]
    assert text.replace(database, "shop") == _fence("python")
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.data-bridge.migrate]\ndirectory = "migrations"\nmodels = ["shop.models"]\nshadow = "{postgres_dsn}"\n'
    )
    made = command("migrate", "make", "-m", "the schema so far")
    assert made.returncode == 0, made.stderr
    faked = command("migrate", "up", "--fake", "--database", isolated_db.dsn)
    assert faked.returncode == 0, faked.stderr
    drift = command("migrate", "drift", "--database", isolated_db.dsn)
    assert (drift.returncode, drift.stdout) == (0, "the database is as recorded\n")
    assert command("migrate", "make", "--check").stdout == "nothing changed\n"
    async with Database(isolated_db.dsn, max_connections=1) as same:
        assert await same.fetch_val("SELECT count(*) FROM orders") == 0
