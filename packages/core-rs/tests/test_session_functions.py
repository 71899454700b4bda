"""A session that comes back is clean, also when a function, trigger or view changed it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from data_bridge.core import Database

CHANGES = {
    "setting": "PERFORM set_config('app.tenant', 'acme', false)",
    "SET": "SET app.tenant = 'acme'",
    "SET behind a comment": "/* a */ SET /* b */ app.tenant = 'acme'",
    "dynamic": "EXECUTE format('S' || 'ET app.tenant = %L', 'acme')",
    "lock": "PERFORM pg_advisory_lock(77)",
    "temporary table": "CREATE TEMP TABLE IF NOT EXISTS pg_temp_left (a int)",
    "role": "SET ROLE pg_monitor",
    "search_path": "PERFORM set_config('search_path', 'pg_catalog', false)",
}
WAYS = {
    "call": ("", "SELECT changes()"),
    "call of a caller": (
        "CREATE FUNCTION outer_one() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN changes(); END'",
        "SELECT outer_one()",
    ),
    "SQL body": (
        "CREATE FUNCTION standard() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT changes(); END",
        "SELECT standard()",
    ),
    "view": ("CREATE VIEW seen AS SELECT changes()", "SELECT * FROM seen"),
    "trigger": (
        "CREATE FUNCTION react() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM changes(); RETURN NEW; END';"
        "CREATE TABLE held (a int); CREATE TRIGGER t BEFORE INSERT ON held FOR EACH ROW EXECUTE FUNCTION react()",
        "INSERT INTO held VALUES (1)",
    ),
    "trigger of a partition": (
        "CREATE FUNCTION react() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM changes(); RETURN NEW; END';"
        "CREATE TABLE held (a int) PARTITION BY LIST (a); CREATE TABLE held_1 PARTITION OF held FOR VALUES IN (1);"
        "CREATE TRIGGER t BEFORE INSERT ON held_1 FOR EACH ROW EXECUTE FUNCTION react()",
        "INSERT INTO held VALUES (1)",
    ),
    "trigger of a child row": (
        "CREATE FUNCTION react() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM changes(); RETURN OLD; END';"
        "CREATE TABLE parents (a int PRIMARY KEY); CREATE TABLE children (a int REFERENCES parents ON DELETE CASCADE);"
        "INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1);"
        "CREATE TRIGGER t BEFORE DELETE ON children FOR EACH ROW EXECUTE FUNCTION react()",
        "DELETE FROM parents",
    ),
    "default": ("CREATE TABLE held (a int DEFAULT changes(), b int)", "INSERT INTO held (b) VALUES (1)"),
    "domain": (
        "CREATE DOMAIN checked AS int CHECK (changes() > 0); CREATE TABLE held (a checked)",
        "INSERT INTO held VALUES (1)",
    ),
    "policy": (
        "CREATE TABLE held (a int); ALTER TABLE held ENABLE ROW LEVEL SECURITY; ALTER TABLE held FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON held USING (changes() > 0); CREATE ROLE {role}; GRANT ALL ON held TO {role}",
        "INSERT INTO held SELECT 1 WHERE changes() > 0",
    ),
    "operator": (
        "CREATE FUNCTION compare(int, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM changes(); RETURN true; END';"
        "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = text, FUNCTION = compare)",
        "SELECT 1 === 'x'::text",
    ),
    "COPY": (
        "CREATE FUNCTION react() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM changes(); RETURN NEW; END';"
        "CREATE TABLE held (a int); CREATE TRIGGER t BEFORE INSERT ON held FOR EACH ROW EXECUTE FUNCTION react()",
        "COPY",
    ),
}
LEFT = """
    SELECT current_setting('app.tenant', true) IN ('', 'none') IS NOT FALSE
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objid = 77 AND pid = pg_backend_pid())
       AND to_regclass('pg_temp.pg_temp_left') IS NULL AND current_user = session_user
       AND current_setting('search_path') = '"$user", public'
"""

OWN_ROLES = f"session_test_{os.getpid()}_"


@pytest.fixture(autouse=True)
def no_function_stays(postgres_dsn: str) -> Iterator[None]:
    """Other tests of this database must not meet functions that change sessions."""
    yield
    with contextlib.closing(psycopg.connect(postgres_dsn, autocommit=True)) as session:
        session.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")
        # The roles of other workers depend on objects of their databases.
        own = f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{OWN_ROLES}%'"
        for (role,) in session.execute(own).fetchall():
            session.execute(f"DROP ROLE {role}")


async def use(db: Database, sql: str) -> None:
    if sql == "COPY":
        await db.copy_in("held", [(1,)])
    else:
        await db.execute(sql)


async def define(db: Database, change: str, way: str) -> str:
    """A schema of its own with the function and the way to it; the statement that takes it."""
    setup, sql = WAYS[way]
    await db.execute_script(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP OPERATOR IF EXISTS === (int, text);"
        f"CREATE FUNCTION changes() RETURNS int LANGUAGE plpgsql VOLATILE AS $f$ BEGIN {CHANGES[change]}; RETURN 1; END $f$;"
        + setup.replace("{role}", f"{OWN_ROLES}{random.getrandbits(40)}")
    )
    return sql


@pytest.mark.fault("D9")
@pytest.mark.parametrize("way", WAYS)
async def test_no_way_to_a_function_leaks_its_change(postgres_dsn: str, way: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for change in CHANGES:
            if (way, change) == ("trigger of a child row", "role"):
                continue  # the server refuses it itself
            sql = await define(db, change, way)
            for _ in range(2):
                await use(db, sql)
                assert await db.fetch_val(LEFT), (change, way)
            async with db.transaction() as tx:
                if sql == "COPY":
                    await tx.copy_in("held", [(1,)])
                else:
                    await tx.execute(sql)
            assert await db.fetch_val(LEFT), (change, way, "transaction")


async def test_a_function_that_another_program_made_is_found(postgres_dsn: str) -> None:
    """After DDL of this pool at once; the knowledge of functions made elsewhere is some minutes old at most."""
    async with Database(postgres_dsn, max_connections=2) as db:
        assert await db.fetch_val("SELECT 1") == 1
        async with db.transaction() as tx:
            sql = "CREATE OR REPLACE FUNCTION changes() RETURNS int LANGUAGE sql AS $$ SELECT set_config('app.tenant', 'x', false); SELECT 1 $$"
            await tx.execute(sql)
            await tx.execute("SELECT changes()")
        assert await db.fetch_val(LEFT)
        await asyncio.gather(*(db.execute("SELECT changes()") for _ in range(6)))
        assert await asyncio.gather(*(db.fetch_val(LEFT) for _ in range(6))) == [True] * 6


async def test_harmless_functions_cost_no_reset(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script(
            """DROP SCHEMA public CASCADE; CREATE SCHEMA public;
            CREATE TABLE held (a int, updated timestamptz, role text, session int);
            CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                NEW.updated = now(); UPDATE held SET session = 1, role = 'set' WHERE a = 0; RETURN NEW; END $$;
            CREATE TRIGGER t BEFORE INSERT OR UPDATE ON held FOR EACH ROW WHEN (NEW.a <> 0) EXECUTE FUNCTION touch();
            CREATE FUNCTION total() RETURNS bigint LANGUAGE sql SET search_path = public AS 'SELECT sum(a) FROM held';"""
        )
        await db.fetch_val("SELECT 1")
        resets = "SELECT count(*) FROM pg_catalog.pg_prepared_statements WHERE statement LIKE '%kept%'"
        for _ in range(3):
            await db.execute("INSERT INTO held (a) VALUES (1)")
            await db.execute("UPDATE held SET a = 2")
            await db.fetch_val("SELECT total() /* kept */")
        assert await db.fetch_val(resets) >= 1
        # A reset would have undone what only this session knows.
        lease = db.lease()
        await lease.take()
        await lease.script("SET app.seen = 'yes'", None, False, False)
        await lease.give_back()
        await db.execute("INSERT INTO held (a) VALUES (1)")
        await db.fetch_val("SELECT total()")
        assert await db.fetch_val("SELECT current_setting('app.seen', true)") == "yes"


@pytest.mark.parametrize(("mode", "seen"), [("auto", None), ("always", None), ("never", "x")])
async def test_the_option(postgres_dsn: str, mode: Any, seen: str | None) -> None:
    async with Database(postgres_dsn, max_connections=1, session_reset=mode) as db:
        await db.execute("SELECT set_config('app.tenant', 'x', false)")
        assert (await db.fetch_val("SELECT current_setting('app.tenant', true)") or None) == seen
