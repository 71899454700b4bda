"""What one user does to a session is invisible to the next: settings, roles, tables, locks, cursors, names."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from data_bridge.core import Database

# What user A does, and a question whose answer tells whether user B would notice.
LOCKS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""Those of other databases belong to tests that run at the same time."""

DEEDS: dict[str, tuple[str, str]] = {
    "search_path": ("SET search_path = pg_catalog", "SHOW search_path"),
    "set_config": ("SELECT Set_Config('search_path', 'pg_catalog', false)", "SHOW search_path"),
    "role": ("SET ROLE pg_monitor", "SELECT current_user::text"),
    "authorization": ("SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user::text"),
    "setting": ("SET statement_timeout = '7s'", "SHOW statement_timeout"),
    "own setting": ("SET my.mark = 'x'", "SELECT coalesce(current_setting('my.mark', true), '')"),
    "time zone": ("SET TIME ZONE 'Asia/Tokyo'", "SHOW TimeZone"),
    "temporary table": ("CREATE TEMP\nTABLE mine (a int)", "SELECT to_regclass('mine')::text"),
    "temporary view": ("create Temporary view mine as select 1", "SELECT to_regclass('mine')::text"),
    "table in pg_temp": ("CREATE TABLE pg_temp.mine (a int)", "SELECT to_regclass('mine')::text"),
    "SELECT INTO": ("SELECT 1 AS a INTO TEMP mine", "SELECT to_regclass('mine')::text"),
    "advisory lock": ("SELECT pg_advisory_lock(4712)", LOCKS),
    "shared lock": ("SELECT PG_TRY_ADVISORY_LOCK_SHARED(4712)", LOCKS),
    "prepared name": ('PREPARE "a name" AS SELECT 1', "SELECT count(*) FROM pg_prepared_statements WHERE from_sql"),
    "cursor": ("DECLARE held CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors WHERE name = 'held'"),
    "listen": ("DO $$ BEGIN EXECUTE 'LISTEN gossip'; END $$", "SELECT count(*) FROM pg_listening_channels()"),
}  # fmt: skip


async def a_statement(db: Database, sql: str) -> None:
    await db.execute(sql)


async def a_script(db: Database, sql: str) -> None:
    await db.execute_script(f"SELECT 1; {sql}")


async def in_a_transaction(db: Database, sql: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(sql)


async def a_script_in_a_transaction(db: Database, sql: str) -> None:
    async with db.transaction() as tx:
        await tx.execute_script(sql)


WAYS = [a_statement, a_script, in_a_transaction, a_script_in_a_transaction]


@pytest.mark.fault("D9")
@pytest.mark.parametrize("hooked", [False, True], ids=["", "hooked"])
@pytest.mark.parametrize("way", WAYS)
async def test_nothing_is_left_for_the_next(postgres_dsn: str, way: Any, hooked: bool) -> None:
    async def hook(connection: Any) -> None:
        await connection.fetch_val("SELECT 1")

    async with Database(postgres_dsn, max_connections=1, on_checkout=hook if hooked else None) as db:
        fresh = {name: await db.fetch_val(question) for name, (_, question) in DEEDS.items()}
        process = await db.fetch_val("SELECT pg_backend_pid()")
        for name, (deed, question) in DEEDS.items():
            if name == "role" and "script" in way.__name__:
                deed = f"BEGIN; {deed}; COMMIT" if way is a_script else deed
            await way(db, deed)
            assert await db.fetch_val(question) == fresh[name], name
        assert await db.fetch_val("SELECT pg_backend_pid()") == process, "the session was reset, not replaced"


@pytest.mark.fault("D9")
async def test_what_a_script_leaves_open_is_rolled_back(postgres_dsn: str) -> None:
    async def hook(connection: Any) -> None:
        await connection.fetch_val("SELECT 1")

    state = "SELECT state FROM pg_stat_activity WHERE pid = $1"
    for on_checkout in (None, hook):
        async with (
            Database(postgres_dsn, max_connections=1, on_checkout=on_checkout) as db,
            Database(postgres_dsn, max_connections=1) as admin,
        ):
            process = await db.fetch_val("SELECT pg_backend_pid()")
            await db.execute_script("BEGIN; CREATE TABLE left_open (a int)")
            assert await db.fetch_val("SELECT to_regclass('left_open')::text") is None
            assert await db.fetch_val("SELECT pg_backend_pid()") == process
            assert await admin.fetch_val(state, process) == "idle"


@pytest.mark.fault("D9")
async def test_a_cancelled_user_leaves_nothing_either(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for _ in range(10):
            task = asyncio.create_task(db.execute_script("SET search_path = pg_catalog; SELECT pg_sleep(20)"))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await db.fetch_val("SHOW search_path") == '"$user", public'
