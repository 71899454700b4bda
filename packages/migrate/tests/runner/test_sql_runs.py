"""MigrationRunner SQL files on a live server: what they leave, and what an error says about them."""

from typing import Any

import pytest

from data_bridge.migrate import get_migration_status, run_migrations
from data_bridge.postgres import (
    IrreversibleMigration,
    MigrationConflict,
    MigrationError,
    MigrationModified,
    UniqueViolation,
    fetch_val,
)

Folder = Any


async def exists(name: str) -> bool:
    return await fetch_val("SELECT to_regclass($1::text) IS NOT NULL", name)


async def test_a_failure_points_at_the_place_in_the_file(isolated_db: Any, folder: Folder) -> None:
    place = folder(
        **{"1_a.sql": "\n-- first\n-- up\n\n-- the table\nselect 1;\nselect nothing\n  from here;\n-- down\nselect 1;"}
    )
    with pytest.raises(MigrationError) as caught:
        await run_migrations(directory=place)
    text = str(caught.value)
    assert "1 a (" in text and "1_a.sql): step 1 failed in line 8: select nothing\n  from here" in text
    assert 'relation "here" does not exist [42P01]' in text
    assert "    from here;\n         ^" in text
    assert "Nothing of this migration is left in the database." in text


async def test_files_with_transactions_of_their_own(isolated_db: Any, folder: Folder) -> None:
    place = folder(
        **{
            "1_whole.sql": "-- by pg_dump\nBEGIN;\ncreate table a (x int);\nCOMMIT;\n",
            "2_two.sql": "begin; insert into a values (1); commit; begin; insert into a values (1 / 0); commit;",
        }
    )
    with pytest.raises(MigrationError, match=r"division by zero[\s\S]*1 steps before it are committed"):
        await run_migrations(directory=place)
    assert await fetch_val("SELECT count(*) FROM a") == 1
    (place / "2_two.sql").write_text(
        "begin; insert into a values (1); commit; begin; insert into a values (2); commit;"
    )
    assert await run_migrations(directory=place) == ["2"]
    assert await fetch_val("SELECT sum(x) FROM a") == 3


async def test_a_migration_may_change_its_session(isolated_db: Any, folder: Folder) -> None:
    place = folder(
        **{
            "1_dump.sql": "SELECT pg_catalog.set_config('search_path', '', false);\nSET row_security = off;\n"
            "CREATE TABLE public.a (x int);\nCREATE TEMP TABLE scratch (x int);",
            "2_next.sql": "insert into a values (1); create temp table scratch (y int);",
        }
    )
    assert await run_migrations(directory=place) == ["1", "2"]
    assert await fetch_val("SELECT count(*) FROM a") == 1


async def test_changed_and_unknown_migrations(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_a.sql": "create table a (x int)", "2_b.sql": "create table b (x int)"})
    assert await run_migrations(directory=place) == ["1", "2"]
    (place / "1_a.sql").write_text("create table a (x bigint)")
    folder(**{"3_c.sql": "create table c (x int)"})
    status = await get_migration_status(directory=place)
    assert (status.modified, status.pending) == (["1"], ["3"])
    with pytest.raises(MigrationModified, match="changed since: 1"):
        await run_migrations(directory=place)
    assert not await exists("c")
    (place / "1_a.sql").write_text("create table a (x int)\n")
    (place / "2_b.sql").unlink()
    assert (await get_migration_status(directory=place)).unknown == ["2"]
    with pytest.raises(MigrationConflict, match="unknown to this project: 2"):
        await run_migrations(directory=place)
    with pytest.raises(
        MigrationConflict, match="2 is applied, but its migration file is missing: it cannot be rolled back"
    ):
        await run_migrations(directory=place, direction="down", target="1")


async def test_sql_files_both_ways(isolated_db: Any, folder: Folder) -> None:
    place = folder(
        **{
            "1_a.sql": "-- up\ncreate table a (x int);\ninsert into a values (1);\n-- down\ndrop table a;",
            "2_b.sql": "create index concurrently a_x on a (x); create index concurrently a_x2 on a (x);",
        }
    )
    assert await run_migrations(directory=place) == ["1", "2"]
    with pytest.raises(IrreversibleMigration, match=r"2_b\.sql has no down section"):
        await run_migrations(directory=place, direction="down")
    assert (await get_migration_status(directory=place)).current == "2"
    folder(**{"2_b.sql": "create index concurrently a_x on a (x); create index concurrently a_x2 on a (x);"})
    assert await fetch_val("SELECT count(*) FROM a") == 1


@pytest.mark.parametrize("words", ["index concurrently i", "index concurrently if not exists i"])
async def test_an_invalid_index_does_not_pass_for_the_real_one(isolated_db: Any, folder: Folder, words: str) -> None:
    place = folder(**{"1_a.sql": f"create unique {words} on t (a);"})
    await isolated_db.execute_script("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(UniqueViolation):
        await isolated_db.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")
    await isolated_db.execute("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
    assert await run_migrations(directory=place) == ["1"]
    assert await fetch_val("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") is True


async def test_why_there_is_no_way_back(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_a.sql": "-- irreversible: the rows are gone\ncreate table a (x int);"})
    await run_migrations(directory=place)
    with pytest.raises(IrreversibleMigration, match="no down section: the rows are gone"):
        await run_migrations(directory=place, direction="down")
