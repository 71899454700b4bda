"""The fixture `db`: what statements and transactions of the code under test do."""

from __future__ import annotations

import pytest

from data_bridge import core
from data_bridge.testing.sandbox import Sandbox

from ..sandbox_items import add, names

pytestmark = pytest.mark.db(template="sandbox_schema")


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
