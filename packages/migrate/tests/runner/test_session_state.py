"""What a file sets holds to its end: behind steps of their own, after a lock was waited for, and for the runner that continues."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from data_bridge.migrate import run_migrations
from data_bridge.migrate.runner.session_state import touches_session
from data_bridge.postgres import (
    ConfigurationError,
    MigrationError,
    begin_transaction,
    detached,
    execute,
    execute_script,
    fetch,
    fetch_val,
    tenant,
)

Folder = Any

SEEN = """
INSERT INTO public.seen SELECT current_setting('search_path'), current_user::text, current_setting('app.tenant', true),
    current_setting('work_mem'), current_setting('statement_timeout')"""
BETWEEN = "CREATE INDEX CONCURRENTLY {name} ON public.other (a)"
SETS = {
    "SET": "SET search_path = s2, public; SET app.tenant = 'x y'; SET work_mem = '5MB'; SET ROLE worker",
    "SET TO": "SET search_path TO s2, public; SET SESSION app.tenant TO 'x y'; set work_mem to '5MB'; SET ROLE 'worker'",
    "behind comments": "/* quiet */ SET search_path = s2, public; -- x\n /* y */ SET app.tenant = 'x y'; /**/ SET work_mem = 5120; SET ROLE worker",
    "set_config": "SELECT set_config('search_path', 's2, public', false), set_config('app.tenant', 'x y', false); "
    "SELECT set_config('work_mem', '5MB', false), set_config('role', 'worker', false)",
    "DO": "DO $$ BEGIN SET search_path = s2, public; PERFORM set_config('app.tenant', 'x y', false); SET work_mem = '5MB'; SET ROLE worker; END $$",
    "a function": "SELECT settle(); SET app.tenant = 'x y'; SET ROLE worker",
    "in a transaction": "BEGIN; SET search_path = s2, public; SET app.tenant = 'x y'; SET work_mem = '5MB'; SET ROLE worker; COMMIT",
    "the session's user": "SET search_path = s2, public; SET app.tenant = 'x y'; SET work_mem = '5MB'; SET SESSION AUTHORIZATION worker",
}  # fmt: skip
ways = pytest.mark.parametrize("way", SETS)
EXPECTED = {"path": "s2, public", "who": "worker", "tenant": "x y", "mem": "5MB", "time": "0"}


async def prepare(folder: Folder) -> None:
    await execute_script("""
        DO $$ BEGIN CREATE ROLE worker; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
        CREATE SCHEMA s2;
        CREATE TABLE public.t (a int); CREATE TABLE s2.t (a int); CREATE TABLE public.other (a int);
        CREATE TABLE public.seen (path text, who text, tenant text, mem text, time text);
        CREATE FUNCTION settle() RETURNS void LANGUAGE sql AS
            $$ SELECT set_config('search_path', 's2, public', false), set_config('work_mem', '5MB', false) $$;
        GRANT ALL ON SCHEMA public, s2 TO worker; GRANT ALL ON ALL TABLES IN SCHEMA public, s2 TO worker;
        ALTER TABLE public.other OWNER TO worker; ALTER TABLE s2.t OWNER TO worker; ALTER TABLE public.t OWNER TO worker;
    """)
    (folder().parent / "pyproject.toml").write_text('[tool.data-bridge.migrate]\nstep_lock_timeout = "50ms"\n')


async def seen() -> list[dict[str, Any]]:
    return await fetch("SELECT * FROM public.seen")


async def columns() -> dict[str, int]:
    rows = await fetch(
        "SELECT n.nspname::text AS schema, count(*) AS n FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 't' AND attnum > 0 GROUP BY 1"
    )
    return {r["schema"]: r["n"] for r in rows}


@ways
async def test_behind_commits_in_the_file(isolated_db: Any, folder: Folder, way: str) -> None:
    await prepare(folder)
    place = folder(
        **{
            "1_a.sql": f"{SETS[way]};{SEEN};{BETWEEN.format(name='i1')};{SEEN};{BETWEEN.format(name='i2')};{SEEN};ALTER TABLE t ADD b int;"
        }
    )
    assert await run_migrations(directory=place) == ["1"]
    assert await seen() == [EXPECTED] * 3
    assert await columns() == {"public": 1, "s2": 2}


@ways
async def test_with_every_statement_for_itself(isolated_db: Any, folder: Folder, way: str) -> None:
    await prepare(folder)
    place = folder(**{"1_a.sql": f"-- no-transaction\n{SETS[way]};{SEEN};ALTER TABLE t ADD b int;{SEEN};"})
    assert await run_migrations(directory=place) == ["1"]
    assert await seen() == [EXPECTED] * 2
    assert await columns() == {"public": 1, "s2": 2}


@ways
async def test_after_a_lock_was_waited_for(isolated_db: Any, folder: Folder, way: str) -> None:
    await prepare(folder)
    place = folder(**{"1_a.sql": f"{SETS[way]};{BETWEEN.format(name='i1')};{SEEN};ALTER TABLE t ADD b int;"})
    tx = await begin_transaction()
    await tx.execute("LOCK TABLE s2.t IN ACCESS SHARE MODE")
    retries: list[str] = []
    try:
        async with detached():
            running = asyncio.create_task(
                run_migrations(directory=place, lock_timeout=20, watch=lambda what, _: retries.append(what))
            )
            async with asyncio.timeout(20):
                while "retry" not in retries:
                    await asyncio.sleep(0.02)
    finally:
        await tx.rollback()
    assert await running == ["1"]
    assert await seen() == [EXPECTED]
    assert await columns() == {"public": 1, "s2": 2}


@ways
@pytest.mark.parametrize("at", [1, 2])
async def test_when_another_runner_continues(isolated_db: Any, folder: Folder, way: str, at: int) -> None:
    await prepare(folder)
    parts = [
        f"{SETS[way]};{BETWEEN.format(name='i1')};",
        f"{SEEN};{BETWEEN.format(name='i2')};{SEEN};ALTER TABLE t ADD b int;",
    ]
    place = folder(
        **{"1_a.sql": f"{parts[0]}{'' if at == 1 else SEEN + ';' + BETWEEN.format(name='i3') + ';'} SELECT 1 / 0;"}
    )
    with pytest.raises(MigrationError, match="division by zero"):
        await run_migrations(directory=place)
    folder(**{"1_a.sql": f"{parts[0]}{'' if at == 1 else SEEN + ';' + BETWEEN.format(name='i3') + ';'}{parts[1]}"})
    assert await run_migrations(directory=place) == ["1"]
    assert await seen() == [EXPECTED] * (1 + at)
    assert await columns() == {"public": 1, "s2": 2}


async def test_what_was_reset_stays_reset(isolated_db: Any, folder: Folder) -> None:
    await prepare(folder)
    text = (
        f"SET search_path = s2, public; SET ROLE worker; SET app.tenant = 'x'; {BETWEEN.format(name='i1')}; RESET search_path; RESET ROLE; "
        f"RESET app.tenant; {BETWEEN.format(name='i2')}; "
    )
    place = folder(**{"1_a.sql": f"{text} SELECT 1 / 0;"})
    with pytest.raises(MigrationError, match="division by zero"):
        await run_migrations(directory=place)
    folder(**{"1_a.sql": f"{text} {SEEN};"})
    assert await run_migrations(directory=place) == ["1"]
    (row,) = await seen()
    assert (row["path"], row["tenant"] or "") == ('"$user", public', "")
    assert row["who"] != "worker"


@pytest.mark.parametrize(
    "way", ["SET LOCAL search_path = s2; SET LOCAL ROLE worker", "SELECT set_config('search_path', 's2', true)"]
)
async def test_what_is_set_for_a_transaction_ends_with_it(isolated_db: Any, folder: Folder, way: str) -> None:
    await prepare(folder)
    text = f"{way}; {BETWEEN.format(name='i1')};"
    place = folder(**{"1_a.sql": f"{text} {SEEN}; {BETWEEN.format(name='i2')}; SELECT 1 / 0;"})
    with pytest.raises(MigrationError, match="division by zero"):
        await run_migrations(directory=place)
    folder(**{"1_a.sql": f"{text} {SEEN}; {BETWEEN.format(name='i2')}; {SEEN};"})
    assert await run_migrations(directory=place) == ["1"]
    rows = await seen()
    assert [r["path"] for r in rows] == ['"$user", public'] * 2
    assert all(r["who"] != "worker" for r in rows)


@ways
async def test_nothing_of_it_is_left_for_the_next_file(isolated_db: Any, folder: Folder, way: str) -> None:
    await prepare(folder)
    place = folder(**{"1_a.sql": f"{SETS[way]};{BETWEEN.format(name='i1')};", "2_b.sql": f"{SEEN};"})
    assert await run_migrations(directory=place) == ["1", "2"]
    (row,) = await seen()
    assert (row["path"], row["mem"], row["tenant"] or "") == ('"$user", public', "4MB", "")
    assert row["who"] != "worker"


async def test_the_record_of_a_failure_is_written_by_the_own_role(isolated_db: Any, folder: Folder) -> None:
    await prepare(folder)
    await execute("REVOKE ALL ON SCHEMA public FROM worker")
    place = folder(**{"1_a.sql": f"SET ROLE worker; CREATE TABLE s2.made (a int); VACUUM s2.t; SELECT 1 / 0; {SEEN};"})
    await execute("GRANT CREATE, USAGE ON SCHEMA s2 TO worker")
    with pytest.raises(MigrationError, match="division by zero"):
        await run_migrations(directory=place)
    row = (await fetch("SELECT state, steps_done, error FROM _data_bridge_migrations"))[0]
    assert (row["state"], row["steps_done"]) == ("failed", 2)
    assert "division by zero" in row["error"]
    assert await fetch_val("SELECT tableowner FROM pg_tables WHERE tablename = 'made'") == "worker"


@pytest.mark.parametrize(
    ("sql", "touches"),
    [
        ("SET x = 1", True), ("/* a */ SET x = 1", True), ("-- a\nRESET ALL", True), ("select f()", True), ("CALL p()", True),
        ("create table t (a int); do $$ $$", True), ("with a as (select 1) select * from a", True), ("create temp table t (a int)", True),
        ("create table t (a int); alter table t add b int", False), ("update t set a = 1", False), ("insert into t values (1)", False),
        ("create index concurrently i on t (a)", False), ("comment on table t is 'SET x'", False), ("select 'open", True),
    ],
)  # fmt: skip
def test_what_may_change_a_session(sql: str, touches: bool) -> None:
    assert touches_session(sql) is touches


@pytest.mark.parametrize("database", ["db", "isolated_db"])
async def test_migrations_do_not_run_for_a_tenant(
    request: pytest.FixtureRequest, database: str, folder: Folder
) -> None:
    request.getfixturevalue(database)
    place = folder(**{"0001_a.sql": "CREATE TABLE public.made (a int)"})
    async with tenant("acme"):
        with pytest.raises(ConfigurationError, match="outside of the block"):
            await run_migrations(directory=place)
    assert await run_migrations(directory=place) == ["0001"]
