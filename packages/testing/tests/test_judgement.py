"""What the plugin says about tests that leave something behind: by name, as a failure, with the remedy."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .conftest import runs_in

CONFTEST = '''
import pytest

@pytest.fixture(scope="session")
def db_template():
    def schema():
        return """
            CREATE TABLE parent (id int PRIMARY KEY);
            CREATE TABLE child (id int PRIMARY KEY, parent_id int CONSTRAINT child_of_parent REFERENCES parent
                                DEFERRABLE INITIALLY DEFERRED)
        """
    return schema
'''
INI = """
    [pytest]
    addopts = -p no:randomly -p no:cacheprovider
    asyncio_default_fixture_loop_scope = function
    filterwarnings = error
"""


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATA_BRIDGE_TEST_URL", "DATABASE_URL", "DATA_BRIDGE_PG_BIN", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)


def test_everything_that_is_left_is_reported_by_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio
        from data_bridge import core

        async def test_good(db):
            await core.execute("INSERT INTO parent VALUES (1)")

        async def test_open_transaction(db):
            await core.begin_transaction()
            await core.execute("INSERT INTO parent VALUES (1)")

        async def test_violated_constraint(db):
            await core.begin_transaction()
            await core.execute("INSERT INTO child VALUES (1, 99)")

        async def test_raw_commit(db):
            await core.execute("INSERT INTO parent VALUES (1)")
            await core.execute("COMMIT")

        async def test_swallowed_commit(db):
            try:
                await core.execute_script("INSERT INTO parent VALUES (1); COMMIT")
            except core.ConfigurationError:
                pass

        def test_running_task(db):
            loop = asyncio.new_event_loop()
            async def work():
                await core.fetch("SELECT 1")
                await asyncio.Event().wait()
            async def main():
                global task
                task = asyncio.create_task(work(), name="the forgotten task")
                await asyncio.sleep(0.05)
            loop.run_until_complete(main())

        async def test_advisory_lock(db):
            await core.fetch("SELECT pg_advisory_lock(7)")

        async def test_afterwards(db):
            assert await core.fetch_val("SELECT count(*) FROM parent") == 0
            async with core.Database(db.dsn) as other:
                assert await other.fetch_val("SELECT pg_try_advisory_lock(7)")

        async def test_open_elsewhere(isolated_db):
            global kept
            kept = await core.begin_transaction()

        async def test_idle_elsewhere(committed):
            import asyncpg
            global session
            session = await asyncpg.connect(committed.dsn)
            await session.execute("BEGIN")

        def test_blocked():
            asyncio.run(core.fetch("SELECT 1"))
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:unraisableexception", "-W", "ignore::ResourceWarning")
    result.assert_outcomes(passed=2, failed=9)
    text = result.stdout.str()
    for expected in (
        "the transaction opened at test_everything_that_is_left_is_reported_by_name.py:8 by task",
        "is still open at the end of the test",
        "hint: commit it or roll it back, or use a block",
        "COMMIT in raw SQL would end the transaction that this test is rolled back with",
        "raw SQL would have ended the transaction of the test: COMMIT, sent by task",
        "'the forgotten task' still runs (at test_everything_that_is_left_is_reported_by_name.py:29) at the end",
        "1 session advisory lock(s) were still held at the end of the test: 7 (asked for at test_everything_that_is_left_is_reported_by_name.py:37)",
        "a connection was not given back at the end of the test: the transaction opened at test_everything_that_is",
        "is idle in a transaction after: BEGIN",
        "hint: add the fixture `db`",
    ):
        assert expected in text, expected
    assert "ERROR" not in text


def test_a_constraint_that_only_the_end_would_find(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio
        from data_bridge import core

        async def test_it(db):
            # Nothing in PostgreSQL checks a constraint that is deferred by hand before the end of the transaction.
            await core.execute_script("SET CONSTRAINTS ALL DEFERRED")
            tx = await core.begin_transaction()
            await core.execute("INSERT INTO child VALUES (1, 99)")
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(failed=1)


def test_fixtures_that_clean_up_still_find_their_rows(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, pytest
        from data_bridge import core

        @pytest.fixture
        def parent(db):
            asyncio.run(core.execute("INSERT INTO parent VALUES (1)"))
            yield 1
            assert asyncio.run(core.execute("DELETE FROM parent WHERE id = 1")) == 1

        async def test_it(parent):
            assert await core.fetch_val("SELECT count(*) FROM parent") == 1

        def test_again(parent):
            pass
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_failing_test_keeps_its_own_message_and_gets_ours_beside_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from data_bridge import core

        async def test_it(db):
            await core.begin_transaction()
            assert 1 == 2, "the reason"
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the reason*", "*data-bridge*", "*is still open at the end of the test*"])


def test_the_whole_suite_runs_on_clones_when_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from data_bridge import core

        async def test_it(db):
            async with core.pg_transaction("SERIALIZABLE"):
                assert await core.fetch_val("SHOW transaction_isolation") == "serializable"
        """
    )
    pytester.runpytest_subprocess("--db-mode=isolated").assert_outcomes(passed=1)
    pytester.runpytest_subprocess().assert_outcomes(failed=1)


@pytest.mark.parametrize("arguments", [["-n", "2"], ["-p", "randomly", "-p", "no:xdist"], ["-p", "no:xdist"]])
def test_parallel_random_and_plain_runs_leave_nothing(
    pytester: pytest.Pytester, place: Path, arguments: list[str]
) -> None:
    pytester.makepyfile(
        **{
            f"test_{name}": """
        import pytest
        from data_bridge import core

        @pytest.mark.parametrize("n", range(5))
        async def test_rolled_back(db, n):
            await core.execute("INSERT INTO parent VALUES (1)")

        @pytest.mark.parametrize("n", range(3))
        async def test_committed(committed, n):
            async with core.pg_transaction():
                await core.execute("INSERT INTO parent VALUES (1)")

        @pytest.mark.parametrize("n", range(3))
        async def test_isolated(isolated_db, n):
            await core.execute("INSERT INTO parent VALUES (1)")
        """
            for name in "ab"
        }
    )
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=22)
    assert runs_in(place) == []


def test_statements_that_still_run_are_cancelled(pytester: pytest.Pytester) -> None:
    """In a thread, or in a task of the loop that has stopped: the next test waits for none of them."""
    pytester.makepyfile(
        """
        import asyncio, threading, time
        import pytest
        from data_bridge import core

        SLEEP = "SELECT pg_sleep(60)"

        async def alone():
            await core.execute(SLEEP)

        async def in_a_block():
            async with core.pg_transaction():
                await core.execute("INSERT INTO parent VALUES (1)")
                await core.execute(SLEEP)

        def wait_until_it_runs(db):
            async def look():
                async with core.Database(db.dsn) as other:
                    while not await other.fetch_val("SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'", SLEEP):
                        await asyncio.sleep(0.01)
            thread = threading.Thread(target=lambda: asyncio.run(look()))
            thread.start()
            return thread

        @pytest.mark.parametrize("work", [alone, in_a_block])
        def test_thread(db, work):
            global thread
            def target():
                with pytest.raises(core.QueryCancelled):
                    asyncio.run(work())
            thread = threading.Thread(target=target)
            thread.start()
            wait_until_it_runs(db).join()

        @pytest.mark.parametrize("work", [alone, in_a_block])
        async def test_task(db, work):
            global task
            task = asyncio.create_task(work())
            await asyncio.to_thread(wait_until_it_runs(db).join)

        @pytest.mark.parametrize("n", range(2))
        async def test_next(db, n):
            assert await core.fetch_val("SELECT count(*) FROM parent") == 0

        def test_the_threads_have_ended():
            thread.join(5)
            assert not thread.is_alive()
        """
    )
    started = time.monotonic()
    result = pytester.runpytest_subprocess()
    assert time.monotonic() - started < 30
    result.assert_outcomes(passed=3, failed=4)
    assert result.stdout.str().count("still runs (at ") == 4
