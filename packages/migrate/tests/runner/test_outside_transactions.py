"""What PostgreSQL refuses inside of a transaction runs outside of one, by itself or behind `-- no-transaction`."""

from typing import Any

import pytest

from data_bridge.migrate import get_migration_status, run_migrations
from data_bridge.postgres import MigrationError, execute_script

Folder = Any
SCHEMA = """
    CREATE TABLE t (a int PRIMARY KEY);
    CREATE TABLE p (a int PRIMARY KEY) PARTITION BY RANGE (a);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
    CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END $$;
"""


@pytest.mark.parametrize(
    "sql",
    [
        "REINDEX SCHEMA public", "REINDEX (VERBOSE) SCHEMA public", "CLUSTER", "VACUUM t", "VACUUM",
        "REINDEX TABLE CONCURRENTLY t", "-- no-transaction\nREINDEX TABLE p", "-- no-transaction\nREINDEX INDEX p_pkey",
        "-- no-transaction\n/* why */ CALL commits()",
        "-- no-transaction\n/* a /* b */ */ DO $$ BEGIN INSERT INTO t VALUES (2); COMMIT; END $$",
    ],
)  # fmt: skip
async def test_it_runs(isolated_db: Any, folder: Folder, sql: str) -> None:
    await execute_script(SCHEMA)
    place = folder(**{"1_a.sql": f"{sql};", "2_b.sql": "CREATE TABLE later (i int);"})
    assert await run_migrations(directory=place, using=isolated_db) == ["1", "2"]
    assert (await get_migration_status(directory=place, using=isolated_db)).failed == []


@pytest.mark.parametrize("sql", ["DISCARD ALL", "/* x */ deallocate all", "SELECT 1; DISCARD ALL"])
async def test_what_would_drop_the_lock_of_the_runner_is_refused(isolated_db: Any, folder: Folder, sql: str) -> None:
    place = folder(**{"1_a.sql": f"{sql};"})
    with pytest.raises(MigrationError, match=r"line 1: .* would drop the runner's lock"):
        await run_migrations(directory=place, using=isolated_db)
