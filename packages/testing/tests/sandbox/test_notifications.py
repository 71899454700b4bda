"""NOTIFY by raw SQL, triggers, functions and builders: recorded and delivered when PostgreSQL would deliver it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from data_bridge import core
from data_bridge.query import func, select
from data_bridge.testing import Sandbox, TestDatabase

SCHEMA = """
    CREATE TABLE job (id int PRIMARY KEY, name text);
    CREATE TABLE told (id int PRIMARY KEY);
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
    BEGIN
        -- notify nobody;
        PERFORM pg_notify('jobs', NEW.name);
        RETURN NEW;
    END $body$;
    CREATE TRIGGER tell AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION tell();
    CREATE FUNCTION tell_by_command() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        NOTIFY "Loud", 'it''s here';
        NOTIFY quiet;
        RETURN NEW;
    END $body$;
    CREATE TRIGGER tell AFTER INSERT ON told FOR EACH ROW EXECUTE FUNCTION tell_by_command();
    CREATE FUNCTION by_sql(text) RETURNS void LANGUAGE sql AS $$ SELECT pg_catalog.pg_notify('sql', $1) $$;
    CREATE PROCEDURE by_procedure() LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('procedure', NULL); END $$;
"""


@pytest.fixture(scope="session")
def sending() -> Callable[[], str]:
    return lambda: SCHEMA


@pytest.fixture(scope="session")
def silent() -> Callable[[], str]:
    return lambda: "CREATE TABLE job (id int PRIMARY KEY, name text)"


pytestmark = pytest.mark.db(template="sending")


def heard(db: Sandbox) -> list[tuple[str, str]]:
    found = [(one.channel, one.payload) for one in db.notifications]
    db.notifications.clear()
    return found


async def test_triggers_are_heard(db: Sandbox) -> None:
    await core.execute("INSERT INTO job VALUES (1, 'a'), (2, 'b'), (3, 'a')")
    assert heard(db) == [("jobs", "a"), ("jobs", "b")], "what is sent twice in one transaction is delivered once"
    await core.execute("INSERT INTO told VALUES (1)")
    assert heard(db) == [("Loud", "it's here"), ("quiet", "")]


async def test_functions_and_procedures_are_heard(db: Sandbox) -> None:
    await core.fetch("SELECT by_sql('x')")
    await core.execute("CALL by_procedure()")
    assert heard(db) == [("sql", "x"), ("procedure", "")]


async def test_only_what_is_committed_is_delivered(db: Sandbox) -> None:
    async with core.pg_transaction():
        await core.execute("INSERT INTO job VALUES (1, 'first')")
        with pytest.raises(KeyError):
            async with core.pg_transaction():
                await core.execute("INSERT INTO job VALUES (2, 'undone')")
                raise KeyError
        async with core.pg_transaction() as inner:
            await inner.notify("jobs", "in between")
        await core.execute("NOTIFY jobs, 'last'")
        assert heard(db) == []
    assert heard(db) == [("jobs", "first"), ("jobs", "in between"), ("jobs", "last")]
    with pytest.raises(KeyError):
        async with core.pg_transaction():
            await core.execute("INSERT INTO job VALUES (3, 'undone')")
            raise KeyError
    with pytest.raises(core.UniqueViolation):
        await core.execute("INSERT INTO job VALUES (3, 'undone'), (1, 'undone')")
    assert heard(db) == []


@pytest.mark.db(template="silent")
async def test_raw_sql_is_heard(db: Sandbox) -> None:
    await core.execute("NOTIFY Jobs")
    await core.execute("  notify \"Jo\"\"bs's\" , 'it''s' ")
    await core.fetch("SELECT pg_notify($1, $2), 'pg_notify(1)' AS text", "a", "b")
    await core.fetch("WITH x AS (SELECT pg_catalog . PG_NOTIFY('c', 'd')) SELECT * FROM x")
    await core.execute_script("CREATE TABLE t (id int); NOTIFY e, 'f'; SELECT pg_notify('g', 'h')")
    await core.execute("DO $$ BEGIN PERFORM pg_notify('i', 'j'); NOTIFY k; END $$")
    assert heard(db) == [
        ("jobs", ""), ("Jo\"bs's", "it's"), ("a", "b"), ("c", "d"), ("e", "f"), ("g", "h"), ("i", "j"), ("k", ""),
    ]  # fmt: skip
    assert await core.fetch("SELECT 'NOTIFY x' AS notify") == [{"notify": "NOTIFY x"}]
    assert heard(db) == []


@pytest.mark.db(template="silent")
async def test_functions_that_the_test_makes_are_heard(db: Sandbox) -> None:
    await core.execute_script(SCHEMA.replace("CREATE TABLE job (id int PRIMARY KEY, name text);", ""))
    await core.execute("INSERT INTO job VALUES (1, 'a')")
    await core.execute("INSERT INTO told VALUES (1)")
    assert heard(db) == [("jobs", "a"), ("Loud", "it's here"), ("quiet", "")]


@pytest.mark.db(template="silent")
async def test_builders_are_heard(db: Sandbox) -> None:
    for payload in ("1", "2"):
        await core.resolve().run(*_run_arguments(select(func.pg_notify("built", payload))))
    assert heard(db) == [("built", "1"), ("built", "2")]


def _run_arguments(built: object) -> tuple[object, ...]:
    statement = built.__statement__()  # type: ignore[attr-defined]
    return statement.ir, statement.params, core.LoadPlan.affected()


@pytest.mark.db(template="silent")
async def test_what_postgresql_refuses_is_refused(db: Sandbox) -> None:
    with pytest.raises(core.DatabaseError, match="channel name"):
        await core.notify("", "x")
    with pytest.raises(core.DatabaseError, match="payload string too long"):
        await core.notify("x", "y" * 8000)
    assert heard(db) == []


async def test_listeners_hear_triggers(db: Sandbox) -> None:
    async with core.listen("jobs") as notifications:
        await core.execute("INSERT INTO job VALUES (1, 'a')")
        async with asyncio.timeout(5):
            first = await anext(aiter(notifications))
    assert isinstance(first, core.Notification)
    assert first.payload == "a"


async def test_copy_fires_triggers_too(db: Sandbox) -> None:
    await core.copy_in("job", [(1, "copied")])
    assert heard(db) == [("jobs", "copied")]


async def test_a_real_database_delivers_by_itself(isolated_db: TestDatabase) -> None:
    """The law that the emulation follows."""
    async with core.listen("jobs") as notifications:
        await core.execute("INSERT INTO job VALUES (1, 'a'), (2, 'b'), (3, 'a')")
        async with asyncio.timeout(5):
            found = [(await anext(aiter(notifications))) for _ in range(2)]
    assert [getattr(one, "payload", None) for one in found] == ["a", "b"]
