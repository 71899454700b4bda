"""Updates in batches: each row exactly once."""

from typing import Any

import pytest

from data_bridge.migrate import Migration, get_migration_status, run_migrations
from data_bridge.postgres import MigrationError, fetch_val

Folder = Any


async def test_backfill(isolated_db: Any, folder: Folder) -> None:
    await isolated_db.execute_script(
        "CREATE TABLE big (id int PRIMARY KEY, a int, b int); INSERT INTO big SELECT i, i, NULL FROM generate_series(1, 25) i"
    )
    counted: list[int] = []

    class Fill(Migration):
        version = "1"

        async def up(self) -> None:
            counted.append(await self.backfill("big", "b = a * 2", "b IS NULL", batch=10))

    assert await run_migrations([Fill]) == ["1"]
    assert counted == [25] and await fetch_val("SELECT bool_and(b = a * 2) FROM big") is True
    assert await fetch_val("SELECT count(DISTINCT xmin::text) FROM big") == 3, "three batches, three transactions"
    plan: Any = await run_migrations([type("F", (Fill,), {"version": "3"})], dry_run=True)
    assert [s.transactional for s in plan.steps] == [False] and "LIMIT" in plan.steps[0].sql


async def test_backfill_continues_after_a_failure(isolated_db: Any, folder: Folder) -> None:
    await isolated_db.execute_script(
        "CREATE TABLE big (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), a int, b int); INSERT INTO big (a) SELECT i FROM generate_series(1, 20) i"
    )

    class Fill(Migration):
        version = "1"

        async def up(self) -> None:
            await self.execute("CREATE TABLE other (a int)")
            await self.backfill("big", "b = coalesce(b, 0) + 1 + 0 / (a - 20)", batch=5)
            await self.execute("SELECT 1 / (SELECT count(*) FROM mended)")

    with pytest.raises(MigrationError, match="division by zero"):
        await run_migrations([Fill])
    before = await fetch_val("SELECT count(*) FROM big WHERE b = 1")
    assert before % 5 == 0
    assert (await get_migration_status([Fill])).failed == ["1"]
    await isolated_db.execute("UPDATE big SET a = 0 WHERE a = 20")
    for _ in range(2):
        with pytest.raises(MigrationError, match="mended"):
            await run_migrations([Fill])
    await isolated_db.execute_script("CREATE TABLE mended (a int); INSERT INTO mended VALUES (1)")
    assert await run_migrations([Fill]) == ["1"]
    assert await fetch_val("SELECT array_agg(DISTINCT b) FROM big") == [1], "every row exactly once"


async def test_backfill_names_a_missing_key(isolated_db: Any, folder: Folder) -> None:
    await isolated_db.execute_script("CREATE TABLE big (a int)")

    class Fill(Migration):
        version = "1"

        async def up(self) -> None:
            await self.backfill("big", "a = 1")

    with pytest.raises(MigrationError, match="no table big with a column 'id'"):
        await run_migrations([Fill])
