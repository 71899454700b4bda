"""Errors on demand in real databases: statements, transactions, scripts; and the next test knows nothing of them."""

from __future__ import annotations

import pytest

from data_bridge import core
from data_bridge.testing import Sandbox, TestDatabase, TestServer

from ..sandbox_items import add, names

pytestmark = pytest.mark.db(template="sandbox_schema")


@pytest.fixture(params=["committed", "isolated_db"])
def real(request: pytest.FixtureRequest) -> TestDatabase:
    found: TestDatabase = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["db", "committed", "isolated_db"])
def anywhere(request: pytest.FixtureRequest) -> Sandbox | TestDatabase:
    found: Sandbox | TestDatabase = request.getfixturevalue(request.param)
    return found


async def test_a_statement_fails_as_ordered(anywhere: Sandbox | TestDatabase) -> None:
    anywhere.fail("40001", matching="insert into ITEM", skip=1)
    await add("a")
    with pytest.raises(core.SerializationFailure) as caught:
        await add("b")
    assert caught.value.hint == "ordered by fail()"
    await add("c")
    assert await names() == ["a", "c"]


async def test_a_transaction_is_tried_again(anywhere: Sandbox | TestDatabase) -> None:
    calls = 0

    @core.pg_transaction(retries=3)
    async def work() -> None:
        nonlocal calls
        calls += 1
        async with core.pg_transaction():
            await add("a")

    anywhere.fail("40P01", times=2)
    await work()
    assert calls == 3
    assert await names() == ["a"]


async def test_a_savepoint_is_not_what_was_meant(real: TestDatabase) -> None:
    real.fail("57014")
    async with core.pg_transaction():
        with pytest.raises(core.QueryCancelled):
            async with core.pg_transaction():
                await add("a")
        await add("b")
    assert await names() == ["b"]


async def test_scripts_and_streams_fail_too(real: TestDatabase) -> None:
    real.fail("53100", matching="delete")
    with pytest.raises(core.DatabaseError) as caught:
        await core.execute_script("INSERT INTO item (name) VALUES ('a'); DELETE FROM item")
    assert caught.value.sqlstate == "53100"
    real.fail("57014", matching="FETCH")
    with pytest.raises(core.QueryCancelled):
        async for _ in core.stream("SELECT 1"):
            pass
    assert await names() == []


async def test_an_error_needs_a_code(real: TestDatabase) -> None:
    with pytest.raises(ValueError, match="not a SQLSTATE"):
        real.fail("conflict")


@pytest.mark.parametrize("attempt", [1, 2])
async def test_an_order_ends_with_its_test(committed: TestDatabase, attempt: int) -> None:
    await add("a")
    committed.fail("40001", times=100)


async def test_a_script_in_rollback_mode_fails_as_ordered(db: object) -> None:
    assert hasattr(db, "fail")
    db.fail("53100", matching="delete")
    with pytest.raises(core.DatabaseError) as caught:
        await core.execute_script("INSERT INTO item (name) VALUES ('a'); DELETE FROM item")
    assert caught.value.sqlstate == "53100"
    db.fail("40001", matching="delete")
    with pytest.raises(core.SerializationFailure):
        async with core.pg_transaction() as tx:
            await tx.execute_script("INSERT INTO item (name) VALUES ('a'); DELETE FROM item")
    assert await names() == []


async def test_a_pool_on_a_server_of_its_own_is_the_default_database(own_server: TestServer) -> None:
    with own_server.database() as database:
        assert core.get_database() is database
        await core.execute("CREATE TABLE hurt_items (id int PRIMARY KEY)")
        own_server.terminate_backends()
        await core.execute("INSERT INTO hurt_items VALUES (1)")
        database.fail("53300", matching="insert")
        with pytest.raises(core.DatabaseError) as caught:
            await core.execute("INSERT INTO hurt_items VALUES (2)")
        assert caught.value.sqlstate == "53300"
        assert await core.fetch_val("SELECT count(*) FROM hurt_items") == 1
    with pytest.raises(core.NotInitialized):
        core.get_database()
