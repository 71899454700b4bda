"""One suite, run on `db` rolled back and on clones: what is documented of `db` works in both."""

from __future__ import annotations

import pytest

SUITE = '''
import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from data_bridge import core
from data_bridge.core import TransactionBusy, execute, fetch_val, listen, pg_transaction

SCHEMA = """
    CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, made timestamptz DEFAULT now(),
        day date DEFAULT CURRENT_DATE);
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('items', NEW.name); RETURN NULL; END $$;
    CREATE TRIGGER tell AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION tell();
    CREATE FUNCTION the_time() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'
"""
AT = datetime(2031, 5, 6, 7, tzinfo=UTC)

@pytest.fixture(scope="session")
def db_template():
    return lambda: SCHEMA

@pytest.mark.parametrize("n", [1, 2])
async def test_notifications(db, n):
    assert db.notifications == []
    async with pg_transaction():
        await execute("INSERT INTO item (name) VALUES ('a')")
        await execute("NOTIFY jobs, 'x'")
        await execute("NOTIFY jobs, 'x'")
        await execute("SELECT pg_notify('jobs', $1)", "y")
        assert db.notifications == []
    expected = [("items", "a"), ("jobs", "x"), ("jobs", "y")]
    assert [(one.channel, one.payload) for one in db.notifications] == expected
    with pytest.raises(KeyError):
        async with pg_transaction():
            await execute("INSERT INTO item (name) VALUES ('b')")
            raise KeyError
    assert len(db.notifications) == 3
    db.notifications.clear()
    await execute("NOTIFY jobs")
    assert [(one.channel, one.payload) for one in db.notifications] == [("jobs", "")]

async def test_listen(db):
    async with listen("items") as heard:
        await execute("INSERT INTO item (name) VALUES ('a')")
        assert (await asyncio.wait_for(anext(heard), 10)).payload == "a"

async def test_on_commit_calls(db):
    calls = []
    async with pg_transaction() as tx:
        tx.on_commit(lambda: calls.append(1))
        async with pg_transaction():
            core.on_commit(lambda: calls.append(2))
        assert (calls, len(db.on_commit_calls)) == ([], 2)
    assert calls == [1, 2]
    assert len(db.on_commit_calls) == 2

@pytest.mark.parametrize("n", [1, 2])
async def test_the_clock(db, n):
    await execute("INSERT INTO item (name) VALUES ('before')")
    db.freeze(AT)
    assert await fetch_val("SELECT now()") == AT
    assert await fetch_val("SELECT clock_timestamp()") == AT
    assert await fetch_val("SELECT CURRENT_DATE") == AT.date()
    assert await fetch_val("SELECT the_time()") == AT
    await execute("INSERT INTO item (name) VALUES ('a')")
    assert await fetch_val("SELECT made FROM item WHERE name = 'a'") == AT
    assert await fetch_val("SELECT day FROM item WHERE name = 'a'") == AT.date()
    db.tick(timedelta(days=1, hours=1))
    async with pg_transaction():
        assert await fetch_val("SELECT now()") == AT + timedelta(days=1, hours=1)
    db.freeze(AT)
    assert await fetch_val("SELECT now()") == AT
    db.unfreeze()
    assert abs(await fetch_val("SELECT now()") - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(ValueError, match="time zone"):
        db.freeze(datetime(2031, 5, 6))

async def test_tick_freezes(db):
    db.tick(timedelta(days=1))
    first = await fetch_val("SELECT now()")
    await asyncio.sleep(0.01)
    assert await fetch_val("SELECT now()") == first

@pytest.mark.db(clock="live")
async def test_a_live_clock(db):
    first = await fetch_val("SELECT now()")
    await asyncio.sleep(0.01)
    assert await fetch_val("SELECT now()") > first

@pytest.mark.db(isolation="SERIALIZABLE")
async def test_isolation(db):
    assert await fetch_val("SHOW transaction_isolation") == "serializable"
    async with pg_transaction():
        assert await fetch_val("SHOW transaction_isolation") == "serializable"

@pytest.mark.db(reset_sequences=True)
@pytest.mark.parametrize("n", [1, 2])
async def test_sequences(db, n):
    assert await fetch_val("INSERT INTO item (name) VALUES ('a') RETURNING id") == 1

async def test_examples(db):
    await execute("INSERT INTO item (name) VALUES ('kept')")
    for n in range(3):
        async with db.example():
            assert await fetch_val("SELECT count(*) FROM item") == 1
            await execute("INSERT INTO item (name) VALUES ('example')")
            async with pg_transaction():
                await execute("DELETE FROM item WHERE name = 'kept'")
        assert await fetch_val("SELECT string_agg(name, ',') FROM item") == "kept"

@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, database=None)
@given(number=st.integers(0, 3))
async def test_property(db, number):
    async with db.example():
        await execute("INSERT INTO item (name) VALUES ($1)", str(number))
        assert await fetch_val("SELECT count(*) FROM item") == 1

async def test_faults_and_dsn(db):
    db.fail("40001", matching="insert")
    with pytest.raises(core.SerializationFailure):
        await execute("INSERT INTO item (name) VALUES ('a')")
    assert db.dsn.startswith("postgresql://")
'''
INI = "[pytest]\naddopts = -p no:randomly -p no:cacheprovider -p no:asyncio\nfilterwarnings = error\n"


@pytest.mark.parametrize("mode", ["rollback", "isolated"])
def test_the_whole_api_works_in_both_modes(pytester: pytest.Pytester, mode: str) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess(f"--db-mode={mode}").assert_outcomes(passed=14)


def test_what_is_wrong_is_an_error_in_both_modes(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile("import pytest\n@pytest.mark.db(clock='dead')\ndef test_it(db): ...")
    for mode in ("rollback", "isolated"):
        result = pytester.runpytest_subprocess(f"--db-mode={mode}")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*clock='dead'*"])


def test_an_example_beside_an_open_transaction_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(
        """
        import pytest
        from data_bridge.core import TransactionBusy, execute, pg_transaction

        async def test_it(db):
            await execute("CREATE TABLE t (i int)")
            async with pg_transaction():
                await execute("INSERT INTO t VALUES (1)")
                with pytest.raises(TransactionBusy, match="end it before the example"):
                    async with db.example(): ...
        """
    )
    pytester.runpytest_subprocess("--db-mode=isolated").assert_outcomes(passed=1)
