"""run_migrations() of the code under test: on `db` as in production, which `isolated_db` stands for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core import ConfigurationError, MigrationError, execute, fetch_val, pg_transaction, stream
from data_bridge.migrate import get_migration_history, run_migrations
from data_bridge.testing import Sandbox

FIRST = "-- up\nCREATE TABLE t (i int);\nINSERT INTO t VALUES (1);\nSET work_mem = '5MB';\n-- down\nDROP TABLE t;\n"
SECOND = "-- up\nALTER TABLE t ADD COLUMN j int DEFAULT 7;\n-- down\nALTER TABLE t DROP COLUMN j;\n"
FAILING = "-- up\nINSERT INTO t VALUES (2);\nSELECT 1 / 0;\n-- down\n"
CONCURRENTLY = "-- up\nCREATE INDEX CONCURRENTLY i ON t (i);\n-- down\nDROP INDEX i;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text(FIRST)
    (tmp_path / "0002_second.sql").write_text(SECOND)
    return tmp_path


@pytest.fixture(params=["db", "isolated_db"])
def database(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


async def test_up_down_and_up_again(database: Any, folder: Path) -> None:
    assert await run_migrations(directory=folder) == ["0001", "0002"]
    assert await fetch_val("SELECT sum(j) FROM t") == 7
    assert [one.version for one in await get_migration_history()] == ["0001", "0002"]
    assert await run_migrations(directory=folder) == []
    await run_migrations(directory=folder, direction="down", target="0001")
    assert await fetch_val("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'j'") == 0
    assert await run_migrations(directory=folder) == ["0002"]


async def test_what_fails_is_undone_and_the_rest_stays(database: Any, folder: Path) -> None:
    (folder / "0003_failing.sql").write_text(FAILING)
    with pytest.raises(MigrationError, match="division by zero"):
        await run_migrations(directory=folder)
    assert await fetch_val("SELECT count(*) FROM t") == 1
    (folder / "0003_failing.sql").write_text(FAILING.replace("1 / 0", "1 / 1"))
    assert await run_migrations(directory=folder) == ["0003"]
    assert await fetch_val("SELECT count(*) FROM t") == 2


async def test_locks_and_timeouts_end_with_the_session(database: Any, folder: Path) -> None:
    names = ("lock_timeout", "statement_timeout", "work_mem", "search_path")
    before = [await fetch_val(f"SHOW {name}") for name in names]
    await run_migrations(directory=folder)
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    assert await fetch_val(held) == 0
    assert [await fetch_val(f"SHOW {name}") for name in names] == before


async def test_inside_a_transaction_they_are_refused(database: Any, folder: Path) -> None:
    async with pg_transaction():
        with pytest.raises(ConfigurationError, match="outside of pg_transaction"):
            await run_migrations(directory=folder)


async def test_locks_of_the_test_are_not_touched(db: Sandbox, folder: Path) -> None:
    await execute("SELECT pg_advisory_lock(7), pg_advisory_lock(1, 2)")
    await run_migrations(directory=folder)
    assert await fetch_val("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == 2
    await execute("SELECT pg_advisory_unlock_all()")


async def test_a_stream_and_the_clock_of_the_test_live_on(db: Sandbox, folder: Path) -> None:
    db.freeze(datetime(2031, 5, 6, tzinfo=UTC))
    seen = 0
    async with stream("SELECT * FROM generate_series(1, 3)") as rows:
        async for _ in rows:
            if not seen:
                await run_migrations(directory=folder)
            seen += 1
    assert seen == 3
    assert await fetch_val("SELECT now()") == datetime(2031, 5, 6, tzinfo=UTC)


async def test_what_no_transaction_takes_names_the_other_fixture(db: Sandbox, folder: Path) -> None:
    (folder / "0003_index.sql").write_text(CONCURRENTLY)
    with pytest.raises(MigrationError, match="isolated_db"):
        await run_migrations(directory=folder)
