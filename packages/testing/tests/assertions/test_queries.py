"""Counting, finding and comparing SQL."""

from __future__ import annotations

import asyncio
import threading

import pytest

from data_bridge import core
from data_bridge.testing import (
    Sandbox,
    TestDatabase,
    assert_no_n_plus_one,
    assert_queries,
    assert_sql,
    capture_sql,
    explain_guard,
)


@pytest.fixture(scope="session")
def items() -> object:
    def build() -> str:
        return (
            "CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, other text);"
            "CREATE TABLE big (id int PRIMARY KEY, name text);"
            "INSERT INTO big SELECT n, n::text FROM generate_series(1, 200) n"
        )

    return build


pytestmark = pytest.mark.db(template="items")


async def add(name: str) -> None:
    await core.execute("INSERT INTO item (name) VALUES ($1)", name)


async def test_exactly(db: Sandbox) -> None:
    with assert_queries(2) as log:
        await add("a")
        await core.fetch("SELECT * FROM item")
    assert [query.kind for query in log] == ["insert", "select"]
    assert log[0].tables == ("item",)
    assert log[0].rows == 1
    assert log[0].seconds > 0
    assert log[0].place.endswith("test_queries.py:38")


async def test_what_the_harness_says_does_not_count(db: Sandbox) -> None:
    with assert_queries(1):
        async with core.pg_transaction():
            await add("a")


async def test_a_failure_lists_everything(db: Sandbox) -> None:
    with pytest.raises(AssertionError) as caught, assert_queries(1):
        await add("a")
        await add("b")
    text = str(caught.value)
    assert text.startswith("1 statement(s) expected, 2 run:")
    assert "  2. INSERT INTO item (name) VALUES ($1)\n     at " in text
    assert "test_queries.py:38" in text


async def test_at_most_table_and_kind(db: Sandbox) -> None:
    with assert_queries(at_most=2):
        await add("a")
    with assert_queries(1, table="item"), assert_queries(1, kind="SELECT"), assert_queries(0, kind="delete"):
        await add("a")
        await core.fetch("SELECT * FROM public.big")
    with pytest.raises(AssertionError, match=r"(?s)at most 0 statement\(s\) on table big.*all 2 statements"):
        with assert_queries(at_most=0, table="big"):
            await add("a")
            await core.fetch("SELECT * FROM public.big")


async def test_an_exception_of_the_block_is_not_hidden(db: Sandbox) -> None:
    with pytest.raises(KeyError), assert_queries(7):
        raise KeyError


@pytest.mark.parametrize("arguments", [{}, {"n": 1, "at_most": 2}])
def test_a_number_is_needed(arguments: dict[str, int]) -> None:
    with pytest.raises(TypeError), assert_queries(**arguments):  # type: ignore[arg-type]
        pass


async def test_failed_statements_count_and_carry_their_error(db: Sandbox) -> None:
    with capture_sql() as log, pytest.raises(core.UndefinedTable):
        await core.fetch("SELECT * FROM nowhere")
    assert isinstance(log[0].error, core.UndefinedTable)


async def test_children_count_and_strangers_do_not(db: Sandbox) -> None:
    go, done = asyncio.Event(), asyncio.Event()

    async def stranger() -> None:
        await go.wait()
        await add("stranger")
        done.set()

    task = asyncio.create_task(stranger())
    with assert_queries(3):
        await asyncio.gather(add("a"), add("b"))
        await asyncio.to_thread(lambda: asyncio.run(add("c")))
        go.set()
        await done.wait()
    await task


def test_a_server_in_another_thread_counts(db: Sandbox) -> None:
    ready, go = threading.Event(), threading.Event()

    def serve() -> None:
        ready.set()
        go.wait()
        asyncio.run(add("for the test"))

    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait()
    with assert_queries(1):
        go.set()
        thread.join()


async def test_snapshots(db: Sandbox) -> None:
    with capture_sql() as log:
        await core.fetch("SELECT *\n  FROM item WHERE id IN (1, 2, 3) AND name = $1", "a")
        await core.execute("INSERT INTO item (name, other) VALUES ('x', 'y'), ('z', NULL)")
    assert log.texts == [
        "SELECT * FROM item WHERE id IN (?, ...) AND name = $?",
        "INSERT INTO item(name, other) VALUES (?, ...), (?, NULL)",
    ]
    assert str(log).count("\n") == 1
    log.clear()
    assert len(log) == 0
    with capture_sql(normalise=False) as log:
        await core.fetch("SELECT 1")
    assert log.texts == ["SELECT 1"]


async def test_one_statement_per_row_is_found(db: Sandbox) -> None:
    with pytest.raises(AssertionError, match=r"(?s)5 times at .*test_queries.py:\d+.*hint: fetch the rows together"):
        with assert_no_n_plus_one():
            for number in range(5):
                await core.fetch("SELECT * FROM item WHERE id = $1", number)


async def test_what_may_repeat(db: Sandbox) -> None:
    with assert_no_n_plus_one(threshold=6):
        for number in range(5):
            await core.fetch("SELECT * FROM item WHERE id = $1", number)
    with assert_no_n_plus_one(allow=["FROM item"]):
        for number in range(5):
            await core.fetch("SELECT * FROM item WHERE id = $1", number)
    with assert_no_n_plus_one():
        await core.fetch("SELECT 1")
        await core.fetch("SELECT 2")


def test_sql_of_a_statement() -> None:
    statement = core.text("SELECT  1\n AS x")
    assert_sql(statement, "SELECT 1 AS x")
    with pytest.raises(AssertionError, match="here they part") as caught:
        assert_sql(statement, "SELECT 1 AS y")
    assert str(caught.value).splitlines()[-1].index("^") == len("  SELECT 1 AS ")


@pytest.mark.parametrize("fixture", ["db", "isolated_db"])
def test_sequential_scans(request: pytest.FixtureRequest, fixture: str) -> None:
    request.getfixturevalue(fixture)

    async def work() -> None:
        with explain_guard(max_seq_rows=100):
            await core.fetch("SELECT * FROM big WHERE id = $1", 7)
            await core.fetch("SELECT * FROM item WHERE name = $1", "small tables may be read")
            await core.execute("INSERT INTO item (name) VALUES ('a')")
        with explain_guard(max_seq_rows=1000):
            await core.fetch("SELECT * FROM big WHERE name = $1", "7")
        with pytest.raises(
            AssertionError, match=r'(?s)all 200 rows of "public"."big" are read for .*name.*hint: add an index'
        ):
            with explain_guard(max_seq_rows=100):
                await core.fetch("SELECT b.* FROM item i JOIN big b ON b.name = i.name WHERE b.name = $1", "7")
        assert await core.fetch_val("SHOW enable_seqscan") == "on"
        with explain_guard():
            pass

    asyncio.run(work())


async def test_the_guard_sees_what_only_this_test_sees(db: Sandbox) -> None:
    await core.execute("CREATE TABLE grown (id int)")
    await core.execute("INSERT INTO grown SELECT generate_series(1, 150)")
    with pytest.raises(AssertionError, match="all 150 rows"), explain_guard(max_seq_rows=100):
        await core.fetch("SELECT * FROM grown WHERE id = 7")


async def test_the_types_of_the_fixtures(committed: TestDatabase) -> None:
    assert committed.dsn.endswith(committed.name)
