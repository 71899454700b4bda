"""A statement runs once, whatever error it ends with; errors that have nothing to do with types keep prepared statements."""

from __future__ import annotations

import pytest

from data_bridge.core import Database, DatabaseError, DataBridgeError

# One or two codes of every class of PostgreSQL's manual, appendix A, and all of which the driver knows a cure.
CODES = (
    "02000 03000 08000 08006 09000 0A000 0B000 0F000 0L000 0P000 0Z000 10608 20000 21000 22000 22012 22P02 22P03 23000 23505 "
    "24000 25000 25001 25P02 26000 27000 28000 2B000 2D000 2F000 34000 38000 39000 3B000 3B001 3D000 3F000 40000 40001 "
    "40P01 42000 42601 42703 42704 42804 42846 42883 42P01 42P02 42P05 42P08 42P18 44000 53000 53200 53300 54000 55000 55P03 "
    "57000 57014 58000 72000 F0000 HV000 P0000 P0001 XX000 XX001"
).split()
SETUP = """
    DROP TABLE IF EXISTS ran; CREATE TABLE ran (code text);
    DROP SEQUENCE IF EXISTS counted; CREATE SEQUENCE counted;
    CREATE OR REPLACE PROCEDURE settle(c text) LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO ran VALUES (c); COMMIT; RAISE EXCEPTION 'raised' USING ERRCODE = c; END $$;
    CREATE OR REPLACE PROCEDURE misuse(c text) LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO ran VALUES (c); COMMIT;
        CASE c WHEN 'function' THEN PERFORM no_such_function();
               WHEN 'type' THEN PERFORM 'x'::no_such_type;
               WHEN 'operator' THEN PERFORM 1 = 'x'::text;
               WHEN 'prepared' THEN EXECUTE 'EXECUTE no_such_statement';
               WHEN 'setting' THEN PERFORM current_setting('no.such');
               WHEN 'plan' THEN DROP TABLE IF EXISTS shaped; CREATE TABLE shaped (a int);
                   PERFORM * FROM shaped; ALTER TABLE shaped ALTER a TYPE text; PERFORM a + 1 FROM shaped; END CASE; END $$;
    CREATE OR REPLACE FUNCTION counted_failure(c text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint := nextval('counted'); BEGIN
        RAISE EXCEPTION 'raised' USING ERRCODE = c; END $$;
"""


@pytest.mark.parametrize("statement", ["CALL settle($1)", "DO $$ BEGIN CALL settle('{code}'); END $$"])
async def test_committed_work_is_done_once(postgres_dsn: str, statement: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script(SETUP)
        for code in CODES:
            sql = statement.format(code=code)
            for _ in range(3):  # the second time the server has it prepared
                with pytest.raises(DataBridgeError):
                    await db.execute(sql, *([code] if "$1" in sql else []))
        ran = await db.fetch("SELECT code, count(*) FROM ran GROUP BY 1 HAVING count(*) <> 3", as_=tuple)
        assert ran == []
        assert await db.fetch_val("SELECT count(DISTINCT code) FROM ran") == len(CODES)


async def test_faults_inside_a_procedure(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script(SETUP)
        for kind in ("function", "type", "operator", "prepared", "setting", "plan"):
            for _ in range(3):
                with pytest.raises(DatabaseError):
                    await db.execute("CALL misuse($1)", kind)
        assert await db.fetch("SELECT count(*) FROM ran GROUP BY code", as_=tuple) == [(3,)] * 6


async def test_sequences_advance_once_and_statements_stay_prepared(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script(SETUP)
        count = "SELECT count(*) FROM pg_prepared_statements"
        await db.fetch_val("SELECT 41 + $1::int", 1)
        kept = await db.fetch_val(count)
        expected = 0
        for code in CODES:
            for _ in range(2):
                with pytest.raises(DataBridgeError):
                    await db.fetch_val("SELECT counted_failure($1)", code)
                expected += 1
        for sql in (
            "SELECT nextval('counted'), current_setting('no.such')",
            "SELECT nextval('counted'), 'no_such'::text::regtype",
        ):
            for _ in range(2):
                with pytest.raises(DatabaseError):
                    await db.fetch_val(sql)
                expected += 1
        assert await db.fetch_val("SELECT last_value FROM counted") == expected
        assert await db.fetch_val(count) >= kept


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_without_named_statements(postgres_dsn: str, in_transaction: bool) -> None:
    """As behind a pooler: counts are those of the statement, CALL may commit, and errors are the statement's own."""
    async with Database(postgres_dsn, max_connections=1, statement_cache_size=0) as db:
        await db.execute_script(SETUP)
        async with db.transaction() if in_transaction else _nothing():
            assert await db.execute("INSERT INTO ran VALUES ($1), ($2)", "a", "b") == 2
            assert await db.execute("INSERT INTO ran SELECT 'c' FROM generate_series(1, 5)") == 5
            assert await db.execute("UPDATE ran SET code = 'd' WHERE code = $1", "c") == 5
            assert await db.execute("DELETE FROM ran") == 7
        if not in_transaction:
            with pytest.raises(DatabaseError) as raised:
                await db.execute("CALL settle('22012')")
            assert raised.value.sqlstate == "22012"
            assert await db.fetch_val("SELECT count(*) FROM ran") == 1
            with pytest.raises(DatabaseError) as raised:
                await db.execute("SELECT counted_failure($1)", "25001")
            assert raised.value.sqlstate == "25001"
            assert await db.fetch_val("SELECT last_value FROM counted") == 1
            await db.execute("VACUUM ran")


class _nothing:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *exc: object) -> None:
        pass
