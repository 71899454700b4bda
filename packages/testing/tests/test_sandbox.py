"""The fixture `db`: what a transaction of the code under test does, and what a test leaves."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from data_bridge import core
from data_bridge.testing.sandbox import Sandbox

SCHEMA = """
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE strict (id int PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE);
    CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE)
"""


@pytest.fixture(scope="session")
def schema() -> object:
    def build() -> str:
        return SCHEMA

    return build


pytestmark = pytest.mark.db(template="schema")


async def names(using: Any = None) -> list[str]:
    return [row[0] for row in await core.fetch("SELECT name FROM item ORDER BY name", as_=tuple, using=using)]


async def add(name: str) -> None:
    await core.execute("INSERT INTO item (name) VALUES ($1)", name)


@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_test_meets_an_empty_database(db: Sandbox, attempt: int) -> None:
    assert await names() == []
    await add("left behind?")
    assert await names() == ["left behind?"]


async def test_another_session_sees_nothing(db: Sandbox) -> None:
    await add("a")
    async with core.Database(db.dsn) as other:
        assert await names(other) == []


async def test_a_failed_statement_stands_alone(db: Sandbox) -> None:
    await add("a")
    with pytest.raises(core.UniqueViolation):
        await add("a")
    await add("b")
    assert await names() == ["a", "b"]


async def test_a_value_that_does_not_fit_harms_nothing(db: Sandbox) -> None:
    with pytest.raises(core.EncodeError):
        await core.execute("INSERT INTO parent VALUES ($1)", "seven")
    await add("a")
    assert await names() == ["a"]


async def test_commit_keeps_and_rollback_undoes(db: Sandbox) -> None:
    async with core.pg_transaction():
        await add("kept")
    with pytest.raises(ZeroDivisionError):
        async with core.pg_transaction():
            await add("undone")
            raise ZeroDivisionError
    assert await names() == ["kept"]


async def test_begin_transaction_by_hand(db: Sandbox) -> None:
    tx = await core.begin_transaction()
    await add("a")
    await tx.rollback()
    tx = await core.begin_transaction()
    await add("b")
    await tx.commit()
    assert await names() == ["b"]
    with pytest.raises(core.TransactionClosed):
        await tx.commit()


async def test_a_failed_transaction_refuses_statements_and_its_commit(db: Sandbox) -> None:
    tx = await core.begin_transaction()
    await add("a")
    with pytest.raises(core.UniqueViolation):
        await add("a")
    assert tx.is_aborted
    with pytest.raises(core.TransactionAborted):
        await add("b")
    with pytest.raises(core.TransactionAborted) as caught:
        await tx.commit()
    assert isinstance(caught.value.__cause__, core.UniqueViolation)
    await add("afterwards")
    assert await names() == ["afterwards"]


async def test_savepoints_and_nested_blocks(db: Sandbox) -> None:
    async with core.pg_transaction() as tx:
        await add("a")
        savepoint = await tx.savepoint("before")
        with pytest.raises(core.UniqueViolation):
            await add("a")
        await tx.rollback_to(savepoint)
        await add("b")
        with pytest.raises(KeyError):
            async with core.pg_transaction():
                await add("c")
                raise KeyError
        async with core.pg_transaction():
            await add("d")
    assert await names() == ["a", "b", "d"]


async def test_deferred_constraints_are_checked_at_commit(db: Sandbox) -> None:
    with pytest.raises(core.ForeignKeyViolation) as caught:
        async with core.pg_transaction():
            await core.execute("INSERT INTO child VALUES (1, 99)")
            await add("goes too")
    assert caught.value.constraint == "child_parent_id_fkey"
    assert await names() == []
    for number in (1, 2):  # the check must not leave the constraint immediate
        async with core.pg_transaction():
            await core.execute("INSERT INTO child VALUES ($1, $1)", number)
            await core.execute("INSERT INTO parent VALUES ($1)", number)


async def test_what_is_immediate_by_default_stays_so(db: Sandbox) -> None:
    async with core.pg_transaction():
        await core.execute("INSERT INTO parent VALUES (1)")
    async with core.pg_transaction() as tx:
        with pytest.raises(core.ForeignKeyViolation):
            await core.execute("INSERT INTO strict VALUES (1, 99)")
        tx.set_rollback_only()


async def test_a_statement_alone_is_checked_at_its_end(db: Sandbox) -> None:
    with pytest.raises(core.ForeignKeyViolation):
        await core.execute("INSERT INTO child VALUES (1, 99)")
    assert await core.fetch_val("SELECT count(*) FROM child") == 0


async def test_callbacks_run_at_the_outermost_commit_only(db: Sandbox) -> None:
    told: list[str] = []
    async with core.pg_transaction() as tx:
        tx.on_commit(lambda: told.append("outer"))
        async with core.pg_transaction():
            core.on_commit(lambda: told.append("inner"))
        with pytest.raises(KeyError):
            async with core.pg_transaction():
                core.on_commit(lambda: told.append("never"))
                raise KeyError
        assert told == []
    assert told == ["outer", "inner"]
    with pytest.raises(KeyError):
        async with core.pg_transaction():
            core.on_commit(lambda: told.append("nor this"))
            raise KeyError
    assert told == ["outer", "inner"]
    assert len(db.on_commit_calls) == 4


async def test_notifications_are_recorded_at_commit(db: Sandbox) -> None:
    async with core.pg_transaction() as tx:
        await tx.notify("jobs", "1")
        assert db.notifications == []
    with pytest.raises(KeyError):
        async with core.pg_transaction() as tx:
            await tx.notify("jobs", "2")
            raise KeyError
    await core.notify("jobs", "3")
    assert [(one.channel, one.payload) for one in db.notifications] == [("jobs", "1"), ("jobs", "3")]


async def test_listeners_of_this_process_hear_what_is_committed(db: Sandbox) -> None:
    heard: list[Any] = []

    async def hear() -> None:
        async with core.listen("jobs", "other") as notifications:
            ready.set()
            async for one in notifications:
                heard.append((one.channel, one.payload))
                if one.payload == "last":
                    return

    ready = asyncio.Event()
    listener = asyncio.create_task(hear())
    await ready.wait()
    with pytest.raises(KeyError):
        async with core.pg_transaction() as tx:
            await tx.notify("jobs", "rolled back")
            raise KeyError
    async with core.pg_transaction() as tx:
        await tx.notify("jobs", "first")
        await tx.notify("elsewhere", "not for us")
        await asyncio.sleep(0)
        assert heard == []
    await asyncio.to_thread(lambda: asyncio.run(core.notify("other", "last")))
    await listener
    assert heard == [("jobs", "first"), ("other", "last")]


async def test_copy_in_and_out(db: Sandbox) -> None:
    assert await core.copy_in("item", [("a",), ("b",)], columns=["name"]) == 2
    with pytest.raises(core.UniqueViolation):
        await core.copy_in("item", [("c",), ("a",)], columns=["name"])
    assert await names() == ["a", "b"]
    with pytest.raises(KeyError):
        async with core.pg_transaction() as tx:
            await tx.copy_in("item", [("d",)], columns=["name"])
            raise KeyError
    assert await names() == ["a", "b"]
    chunks = [chunk async for chunk in core.copy_out("SELECT name FROM item ORDER BY name")]
    assert b"".join(chunks) == b"a\nb\n"
    await add("afterwards")


async def test_set_local_ends_with_its_transaction(db: Sandbox) -> None:
    before = await core.fetch_val("SHOW work_mem")
    async with core.pg_transaction() as tx:
        await tx.set_local("work_mem", "7MB")
        assert await core.fetch_val("SHOW work_mem") == "7MB"
    assert await core.fetch_val("SHOW work_mem") == before


async def test_read_only_is_kept_and_ends(db: Sandbox) -> None:
    with pytest.raises(core.ReadOnlyError):
        async with core.pg_transaction(read_only=True):
            await add("a")
    await add("b")
    assert await names() == ["b"]


async def test_isolation_requests_are_recorded(db: Sandbox) -> None:
    async with core.pg_transaction("SERIALIZABLE") as tx:
        assert tx.isolation is core.IsolationLevel.SERIALIZABLE
        await add("a")
    (request,) = db.isolation_requests
    assert request.startswith("SERIALIZABLE at ")


@pytest.mark.db(isolation="REPEATABLE READ")
async def test_the_marker_sets_the_level_of_the_test(db: Sandbox) -> None:
    async with core.pg_transaction("repeatable read"):
        assert await core.fetch_val("SHOW transaction_isolation") == "repeatable read"
    assert db.isolation_requests == []


async def test_transactions_of_tasks_take_turns(db: Sandbox) -> None:
    async def work(name: str, fail: bool) -> None:
        try:
            async with core.pg_transaction():
                await add(name)
                await asyncio.sleep(0.001)
                await add(name + "'")
                if fail:
                    raise KeyError
        except KeyError:
            pass

    await asyncio.gather(*(work(f"t{number}", number % 2 == 0) for number in range(6)))
    assert await names() == ["t1", "t1'", "t3", "t3'", "t5", "t5'"]


async def test_statements_of_many_tasks(db: Sandbox) -> None:
    async def one(number: int) -> bool:
        try:
            await add(f"{number % 10}")
        except core.UniqueViolation:
            return False
        return True

    outcome = await asyncio.gather(*(one(number) for number in range(40)))
    assert sum(outcome) == 10
    assert len(await names()) == 10


async def test_children_join_the_transaction_of_their_parent(db: Sandbox) -> None:
    with pytest.raises(KeyError):
        async with core.pg_transaction():
            await asyncio.gather(add("a"), add("b"))
            raise KeyError
    assert await names() == []


async def test_a_second_connection_inside_a_transaction_is_refused_at_once(db: Sandbox) -> None:
    async with core.pg_transaction() as tx:
        with pytest.raises(core.TransactionBusy, match="isolated_db"):
            async with core.detached():
                await add("a")
        with pytest.raises(core.TransactionBusy, match="isolated_db"):
            async with core.pg_transaction(nested="independent"):
                pass
        tx.set_rollback_only()


async def test_waiting_too_long_names_both_tasks(db: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.turn, "patience", 0.1)
    ready, leave = asyncio.Event(), asyncio.Event()

    async def holder() -> None:
        async with core.pg_transaction():
            ready.set()
            await leave.wait()

    task = asyncio.create_task(holder(), name="the holder")
    await ready.wait()
    waiter = asyncio.create_task(add("a"), name="the waiter")
    with pytest.raises(core.TransactionBusy, match=r"the waiter.*the holder"):
        await waiter
    leave.set()
    await task
    await add("b")


async def test_a_cancelled_statement_leaves_the_connection_usable(db: Sandbox) -> None:
    await add("before")
    for delay in (0.0, 0.001, 0.02):
        task = asyncio.create_task(core.fetch("SELECT pg_sleep(5)"))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await names() == ["before"]


async def test_a_cancelled_transaction_is_rolled_back(db: Sandbox) -> None:
    async def work() -> None:
        async with core.pg_transaction():
            await add("undone")
            await core.fetch("SELECT pg_sleep(5)")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names() == []


async def test_a_timeout_ends_one_statement(db: Sandbox) -> None:
    with pytest.raises(core.QueryTimeout):
        await core.fetch("SELECT pg_sleep(5)", timeout=0.05)
    await add("a")
    assert await names() == ["a"]


async def test_a_transaction_with_a_deadline(db: Sandbox) -> None:
    with pytest.raises(core.QueryTimeout):
        async with core.pg_transaction(timeout=0.05):
            await add("a")
            await core.fetch("SELECT pg_sleep(5)")
    assert await names() == []


def test_other_loops_and_threads_share_the_connection(db: Sandbox) -> None:
    asyncio.run(add("main loop"))
    thread = threading.Thread(target=lambda: asyncio.run(add("another thread")))
    thread.start()
    thread.join()

    async def outer() -> list[str]:
        await asyncio.to_thread(lambda: asyncio.run(add("a loop below a loop")))
        return await names()

    assert asyncio.run(outer()) == ["a loop below a loop", "another thread", "main loop"]


async def test_streams_work_inside_and_outside_transactions(db: Sandbox) -> None:
    for number in range(7):
        await add(f"{number}")
    seen = [row["name"] async for row in core.stream("SELECT name FROM item ORDER BY id", batch=3)]
    assert seen == [f"{number}" for number in range(7)]
    async with core.pg_transaction():
        seen = [row["name"] async for row in core.stream("SELECT name FROM item ORDER BY id", batch=3)]
        assert len(seen) == 7
    async with core.stream("SELECT name FROM item ORDER BY id", batch=3) as rows:
        async for _ in rows:
            break
    await add("afterwards")
    assert len(await names()) == 8


async def test_scripts_are_whole(db: Sandbox) -> None:
    await core.execute_script("INSERT INTO item (name) VALUES ('a'); INSERT INTO item (name) VALUES ('b')")
    with pytest.raises(core.UniqueViolation):
        await core.execute_script("INSERT INTO item (name) VALUES ('c'); INSERT INTO item (name) VALUES ('a')")
    assert await names() == ["a", "b"]


async def test_schema_changes_are_undone(db: Sandbox) -> None:
    await core.execute("CREATE TABLE brand_new (id int PRIMARY KEY, parent_id int)")
    await core.execute("INSERT INTO brand_new VALUES (1, 1)")
    assert await core.fetch_val("SELECT count(*) FROM brand_new") == 1


@pytest.mark.parametrize("kind", ["int", "text", "uuid"])
async def test_a_table_of_the_same_name_with_other_types(db: Sandbox, kind: str) -> None:
    """Plans made for a table that was rolled back must not be met again."""
    await core.execute(f"CREATE TABLE changing (value {kind})")
    assert await core.fetch("SELECT value FROM changing") == []
    await core.execute("INSERT INTO changing VALUES (NULL)")
    assert await core.fetch("SELECT value FROM changing") == [{"value": None}]


@pytest.mark.parametrize("sql", ["VACUUM", "CREATE DATABASE x", "CREATE INDEX CONCURRENTLY i ON item (name)"])
async def test_what_no_transaction_contains_is_refused_with_advice(db: Sandbox, sql: str) -> None:
    with pytest.raises(core.ConfigurationError, match="isolated_db"):
        await core.execute(sql)
    await add("a")


@pytest.mark.db(reset_sequences=True)
@pytest.mark.parametrize("attempt", [1, 2])
async def test_sequences_start_again_when_asked(db: Sandbox, attempt: int) -> None:
    await add("a")
    assert await core.fetch_val("SELECT id FROM item") == 1


async def test_examples_are_rolled_back_one_by_one(db: Sandbox) -> None:
    await add("outside")
    for _ in range(3):
        async with db.example():
            await add("inside")
            async with core.pg_transaction():
                await add("in a transaction")
            with pytest.raises(core.UniqueViolation):
                await add("inside")
            assert len(await names()) == 3
        assert await names() == ["outside"]


async def test_what_an_application_does_to_its_database(db: Sandbox) -> None:
    """Lifespans and health checks use the default database as if it were theirs."""
    database = core.get_database()
    assert database is db
    assert await database.ping() >= 0
    assert database.pool_stats().max >= 1
    await database.expire()
    await database.close()
    await add("still there")
    assert await names() == ["still there"]
    assert "Sandbox" in repr(database)
    with pytest.raises(AttributeError):
        _ = database._no_such_thing


async def test_the_seed_of_a_transaction_with_retries(db: Sandbox) -> None:
    calls = 0

    @core.pg_transaction(retries=2)
    async def work() -> None:
        nonlocal calls
        calls += 1
        await add(f"{calls}")
        if calls < 3:
            await core.execute("DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END $$")

    await work()
    assert await names() == ["3"]


async def test_errors_on_demand(db: Sandbox) -> None:
    db.fail("40001", matching="insert into ITEM", skip=1)
    await add("a")
    with pytest.raises(core.SerializationFailure) as caught:
        await add("b")
    assert caught.value.sqlstate == "40001"
    await add("b")
    assert await names() == ["a", "b"]


async def test_errors_on_demand_inside_transactions(db: Sandbox) -> None:
    calls = 0

    @core.pg_transaction(retries=3)
    async def work() -> None:
        nonlocal calls
        calls += 1
        async with core.pg_transaction():
            await add("a")

    db.fail("40P01", times=2)
    await work()
    assert calls == 3
    assert await names() == ["a"]


def test_an_error_needs_a_code(db: Sandbox) -> None:
    with pytest.raises(ValueError, match="no SQLSTATE"):
        db.fail("conflict")
