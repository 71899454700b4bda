"""The fixture `db`: one connection for tasks, threads and loops, and everything that is not a plain statement."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from data_bridge import core
from data_bridge.testing.sandbox import Sandbox

from ..sandbox_items import add, names

pytestmark = pytest.mark.db(template="sandbox_schema")


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


async def test_a_loop_over_a_stream_may_use_the_database(db: Sandbox) -> None:
    """In production the stream has a connection of its own; here it must not look as if there were only one."""
    for number in range(6):
        await add(f"{number}")
    seen: list[str] = []
    async with core.stream("SELECT id, name FROM item ORDER BY id", batch=2) as rows:
        async for row in rows:
            seen.append(row["name"])
            await core.execute("UPDATE item SET name = $1 WHERE id = $2", row["name"] + "!", row["id"])
            with pytest.raises(core.UniqueViolation):
                await add(row["name"] + "!")
            async with core.pg_transaction() as tx:
                await add(f"new {row['id']}")
                if len(seen) % 2:
                    tx.set_rollback_only()
            await asyncio.gather(names(), names())
    assert seen == ["0", "1", "2", "3", "4", "5"], "the rows of the moment at which it began"
    assert len(await names()) == 9
    async with db.example():
        unfinished = core.stream("SELECT name FROM item", batch=2)
        await anext(unfinished)
    await unfinished.aclose()
    assert len(await names()) == 9
    with pytest.raises(core.DatabaseError):
        async for _ in core.stream("SELECT no_such_column FROM item"):
            pass
    assert len(await names()) == 9


async def test_two_streams_at_once(db: Sandbox) -> None:
    for number in range(4):
        await add(f"{number}")
    pairs: list[tuple[str, str]] = []
    async for one in core.stream("SELECT name FROM item ORDER BY id", batch=1):
        async for other in core.stream("SELECT name FROM item ORDER BY id", batch=3):
            pairs.append((one["name"], other["name"]))
    assert len(set(pairs)) == 16


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


def test_an_error_needs_a_code(db: Sandbox) -> None:
    with pytest.raises(ValueError, match="not a SQLSTATE"):
        db.fail("conflict")


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
