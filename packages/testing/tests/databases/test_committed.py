"""What a test with `committed` leaves of its database: nothing but what the template holds."""

from __future__ import annotations

import pytest

from data_bridge.core import execute, fetch_val
from data_bridge.testing import TestDatabase
from data_bridge.testing._worker_databases import WorkerDatabases

SCHEMA = """
    CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
    CREATE MATERIALIZED VIEW plain AS SELECT name FROM item;
    CREATE MATERIALIZED VIEW live AS SELECT name FROM item;
    CREATE UNIQUE INDEX ON live (name);
    CREATE MATERIALIZED VIEW later AS SELECT name FROM item WITH NO DATA;
    CREATE TYPE mood AS ENUM ('sad');
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE VIEW shown AS SELECT name FROM item;
    CREATE SEQUENCE numbers;
    CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER g BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION g()
"""
CHANGES = {
    "rows": "",
    "a table": "CREATE TABLE other (i int)",
    "a column": "ALTER TABLE item ADD COLUMN more int",
    "a dropped column": "ALTER TABLE item DROP COLUMN name CASCADE",
    "a default": "ALTER TABLE item ALTER COLUMN name SET DEFAULT 'x'",
    "NOT NULL": "ALTER TABLE item ALTER COLUMN name SET NOT NULL",
    "a constraint": "ALTER TABLE item ADD CHECK (name <> '')",
    "an index": "CREATE INDEX ON item (name)",
    "a dropped table": "DROP TABLE item CASCADE",
    "a name": "ALTER TABLE item RENAME TO things",
    "a refreshed view": "REFRESH MATERIALIZED VIEW plain",
    "a view refreshed in place": "REFRESH MATERIALIZED VIEW CONCURRENTLY live",
    "a view refreshed first": "REFRESH MATERIALIZED VIEW later",
    "a large object": "SELECT lo_from_bytea(0, 'x')",
    "a label": "ALTER TYPE mood ADD VALUE 'happy'",
    "a function": "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "a view": "CREATE OR REPLACE VIEW shown AS SELECT name, id FROM item",
    "a trigger": "ALTER TABLE item DISABLE TRIGGER ALL",
    "a schema": "CREATE SCHEMA other",
    "an extension": "CREATE EXTENSION pg_trgm",
    "a right": "GRANT SELECT ON item TO PUBLIC",
    "row security": "ALTER TABLE item ENABLE ROW LEVEL SECURITY",
    "a sequence": "ALTER SEQUENCE numbers INCREMENT 7",
    "a setting": "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database()); END $$",
    "a comment is not seen, rows are deleted": "TRUNCATE item",
}


@pytest.fixture(scope="session")
def changing() -> object:
    return lambda: SCHEMA


@pytest.mark.db(template="changing")
@pytest.mark.parametrize("change", CHANGES)
async def test_what_a_test_changes_is_undone(
    committed: TestDatabase, db_homes: WorkerDatabases, changing: object, change: str
) -> None:
    """Each test finds the template, whatever the one before has done."""
    definition = await fetch_val(
        "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'item'::regclass AND attnum > 0"
    )
    assert definition == "id,name"
    for view in ("item", "plain", "live", "shown"):
        assert await fetch_val(f"SELECT count(*) FROM {view}") == 0
    assert await fetch_val("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 9
    assert await fetch_val("SELECT count(*) FROM pg_largeobject_metadata") == 0
    assert await fetch_val("SELECT f()") == 1
    assert await fetch_val("SHOW work_mem") == "4MB"
    await execute("INSERT INTO item (name) VALUES ('a')")
    if CHANGES[change]:
        await execute(CHANGES[change])


@pytest.mark.db(template="changing")
async def test_rows_alone_are_deleted_and_everything_else_is_cloned_again(
    db_homes: WorkerDatabases, changing: object
) -> None:
    for change, sql in CHANGES.items():
        database = db_homes.committed(changing)
        await database.execute("CREATE TEMP TABLE mine (i int)")
        await database.execute("INSERT INTO item (name) VALUES ('a')")
        if sql:
            await database.execute(sql)
        await database.execute("ANALYZE")
        db_homes.reset_committed(changing, database, dirty=False)
        same = db_homes.committed(changing) is database
        assert same == (sql in ("", "TRUNCATE item")), change
