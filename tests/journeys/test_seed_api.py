"""Every code block of the project's first description, as its reader would type it, on a live server."""

from __future__ import annotations

import secrets
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core import Database, QueryFinished, QueryStarted, add_observer, close, init, remove_observer
from data_bridge.migrate.sources.migration import imported

BLOCKS = sorted(p for p in (Path(__file__).parent / "seed").glob("*.py"))


class Heard:
    """Collects the text of every statement."""

    def __init__(self) -> None:
        self.sql: list[str] = []

    def started(self, event: QueryStarted) -> None:
        self.sql.append(event.sql.strip())

    def finished(self, token: Any, event: QueryFinished) -> None:
        pass


def load(path: Path, *, future: bool) -> types.ModuleType:
    """The block as a module of its own, with or without postponed annotations."""
    name = f"seed_{path.stem}_{'future' if future else 'plain'}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    flags = __import__("__future__").annotations.compiler_flag if future else 0
    code = compile(path.read_text(), str(path), "exec", flags=flags, dont_inherit=True)
    exec(code, module.__dict__)
    return module


@pytest.mark.parametrize("future", [False, True], ids=["plain", "future"])
@pytest.mark.parametrize("path", BLOCKS, ids=[p.stem for p in BLOCKS])
async def test_block(path: Path, future: bool, postgres_dsn: str) -> None:
    for m in list(imported):
        imported.discard(m)  # two blocks have a migration of one version
    module = load(path, future=future)
    own = secrets.token_hex(6)
    database = f"seed_{own}"
    heard = Heard()
    async with Database(postgres_dsn, max_connections=1) as admin:
        await admin.execute_script(f'CREATE DATABASE "{database}"')
        try:
            await init(postgres_dsn, database=database)
            add_observer(heard)
            try:
                await module.main()
            finally:
                remove_observer(heard)
                await close()
        finally:
            await admin.execute_script(f'DROP DATABASE "{database}" WITH (FORCE)')
    missing = [sql for sql in module.SQL if sql not in heard.sql]
    assert not missing, f"not among the statements: {missing}\nheard: {heard.sql}"


def test_every_block_is_here() -> None:
    assert [p.stem for p in BLOCKS] == sorted(
        ["key_classes", "column_proxy", "query_builder", "transaction_context", "isolation_levels", "savepoints", "migration_api", "basic_crud",
         "advanced_queries", "transactions", "migrations"]
    )  # fmt: skip
