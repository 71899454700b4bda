"""A sandbox that outlived its test, and tasks that are cancelled while they begin, commit or roll back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from data_bridge.core import (
    CheckViolation,
    Database,
    TransactionAborted,
    TransactionClosed,
    UniqueViolation,
    copy_in,
    copy_out,
    execute,
    fetch,
    fetch_val,
    listen,
    on_commit,
    pg_transaction,
    stream,
)
from data_bridge.testing._worker_databases import WorkerDatabases
from data_bridge.testing.sandbox import Sandbox


# --------------------------------------------------------------------------------------------- what outlives its test
async def read(items: Any) -> None:
    async for _ in items:
        pass


async def in_a_block(kept: Any) -> None:
    async with kept.transaction():
        await kept.execute("INSERT INTO t VALUES (1)")


async def by_pg_transaction(kept: Any) -> None:
    async with pg_transaction(using=kept):
        await execute("INSERT INTO t VALUES (1)", using=kept)


async def in_an_example(kept: Any) -> None:
    async with kept.example():
        pass


async def listening(kept: Any) -> None:
    async with listen("a", using=kept) as heard:
        await asyncio.wait_for(anext(heard), 5)


async def streamed(kept: Any) -> None:
    async with stream("SELECT 1", using=kept) as rows:
        await read(rows)


DOORS: dict[str, Callable[[Any], Any]] = {
    "execute": lambda kept: kept.execute("INSERT INTO t VALUES (1)"),
    "execute, using=": lambda kept: execute("INSERT INTO t VALUES (1)", using=kept),
    "fetch": lambda kept: kept.fetch("INSERT INTO t VALUES (1) RETURNING i"),
    "fetch_one": lambda kept: kept.fetch_one("SELECT 1"),
    "fetch_val": lambda kept: kept.fetch_val("SELECT 1"),
    "execute_script": lambda kept: kept.execute_script("INSERT INTO t VALUES (1)"),
    "notify": lambda kept: kept.notify("a", "b"),
    "stream": streamed,
    "copy_in": lambda kept: copy_in("t", [(1,)], columns=["i"], using=kept),
    "copy_out": lambda kept: read(copy_out("SELECT 1", using=kept)),
    "fetch_arrow": lambda kept: kept.fetch_arrow("SELECT 1 AS one"),
    "stream_arrow": lambda kept: read(kept.stream_arrow("SELECT 1 AS one")),
    "copy_in_csv": lambda kept: kept.copy_in_csv("t", b"i\n1\n"),
    "copy_out_csv": lambda kept: kept.copy_out_csv("SELECT 1", "never.csv"),
    "transaction": in_a_block,
    "pg_transaction": by_pg_transaction,
    "example": in_an_example,
    "listen": listening,
    "ping": lambda kept: kept.ping(),
}


@pytest.fixture
def ended(db_homes: WorkerDatabases) -> Iterator[tuple[Sandbox, Sandbox]]:
    """The sandbox of a test that is over, and that of the next one on the same connection."""
    home = db_homes.sandbox_home(None)
    first = home.open()
    home.roll_back(first)
    first.end("tests/test_first.py::test_first")
    second = home.open()
    yield first, second
    home.roll_back(second)
    second.end("second")


@pytest.mark.parametrize("door", DOORS)
async def test_a_kept_sandbox_is_closed(ended: tuple[Sandbox, Sandbox], door: str) -> None:
    kept, current = ended
    await current.execute("CREATE TABLE t (i int)")
    with pytest.raises(
        TransactionClosed,
        match=r"the database of tests/test_first\.py::test_first is closed, because that test is over",
    ):
        await asyncio.wait_for(DOORS[door](kept), 10)
    assert await current.fetch_val("SELECT count(*) FROM t") == 0
    await current.execute("INSERT INTO t VALUES (2)")
    assert current.turn.holder is None


async def test_who_waits_when_the_test_ends_hears_of_it(db_homes: WorkerDatabases) -> None:
    home = db_homes.sandbox_home(None)
    sandbox = home.open()
    sandbox.turn.try_take("somebody")
    waiting = asyncio.create_task(sandbox.execute("SELECT 1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sandbox.turn.give("somebody") if waiting.done() else sandbox.end("test_it")
    with pytest.raises(TransactionClosed, match="test_it"):
        await waiting
    home.roll_back(sandbox)


# ------------------------------------------------------------------------------------------------------ cancellations
SCHEMA = """
    CREATE TABLE t (i int PRIMARY KEY, CHECK (i < 100));
    CREATE TABLE late (i int, CONSTRAINT once UNIQUE (i) DEFERRABLE INITIALLY DEFERRED);
"""


async def commits() -> None:
    async with pg_transaction():
        on_commit(lambda: CALLS.append("committed"))
        await execute("INSERT INTO t VALUES (1)")


async def commits_with_notification() -> None:
    async with pg_transaction():
        on_commit(lambda: CALLS.append("committed"))
        await execute("NOTIFY heard, 'x'")
        await execute("INSERT INTO t VALUES (1)")


async def commits_a_nested_block() -> None:
    async with pg_transaction():
        on_commit(lambda: CALLS.append("committed"))
        async with pg_transaction():
            await execute("INSERT INTO t VALUES (1)")


async def rolls_back() -> None:
    async with pg_transaction() as tx:
        await execute("INSERT INTO t VALUES (1)")
        await tx.rollback()


async def fails_at_the_commit() -> None:
    async with pg_transaction():
        await execute("INSERT INTO t VALUES (1)")
        await execute("INSERT INTO late VALUES (1), (1)")


async def commits_what_has_failed() -> None:
    async with pg_transaction():
        await execute("INSERT INTO t VALUES (1)")
        try:
            await execute("INSERT INTO t VALUES (1000)")
        except CheckViolation:
            pass


WORK: dict[str, tuple[Callable[[], Any], tuple[type[BaseException], ...]]] = {
    "commit": (commits, ()),
    "commit with a notification": (commits_with_notification, ()),
    "nested commit": (commits_a_nested_block, ()),
    "rollback": (rolls_back, ()),
    "failing commit": (fails_at_the_commit, (UniqueViolation,)),
    "commit of a failed transaction": (commits_what_has_failed, (TransactionAborted,)),
}
CALLS: list[str] = []


class Counted:
    """Counts the operations on the connection, and cancels a task when a given one is under way.

    The server process stands still from the start of that operation until the task was cancelled: on no machine is it
    quicker.
    """

    def __init__(self, sandbox: Sandbox, at: int, later: int, pid: int) -> None:
        self.count = 0
        self.at = at
        self.later = later
        self.pid = pid
        self.task: asyncio.Task[Any] | None = None
        handle = sandbox.lease_handle
        for name in ("run", "script", "rollback_to"):
            setattr(handle, name, self._watched(getattr(handle, name)))

    def _watched(self, start: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.at and self.task is not None:
                os.kill(self.pid, signal.SIGSTOP)
                self._cancel(self.later)
            return start(*arguments, **options)

        return watched

    def _cancel(self, later: int) -> None:
        assert self.task is not None
        loop = asyncio.get_running_loop()
        if later:
            loop.call_soon(self._cancel, later - 1)
        else:
            self.task.cancel()
            loop.call_later(0.01, os.kill, self.pid, signal.SIGCONT)


@pytest.mark.parametrize("later", [0, 1, 2])
@pytest.mark.parametrize("work", WORK)
async def test_cancelled_at_every_operation(db: Sandbox, work: str, later: int) -> None:
    await db.execute_script(SCHEMA)
    do, allowed = WORK[work]
    handle = db.lease_handle
    pid = await fetch_val("SELECT pg_backend_pid()")
    outcomes: list[str] = []
    for at in range(1, 40):
        CALLS.clear()
        await db.execute_script("DELETE FROM t; DELETE FROM late")
        counted = Counted(db, at, later, pid)
        counted.task = task = asyncio.create_task(do())
        try:
            await asyncio.wait_for(asyncio.shield(task), 10)
            outcome = "done"
        except asyncio.CancelledError:
            assert task.cancelled()
            outcome = "cancelled"
        except allowed as error:
            outcome = type(error).__name__
        finally:
            os.kill(pid, signal.SIGCONT)
        for name in ("run", "script", "rollback_to"):
            del handle.__dict__[name]
        outcomes.append(outcome)
        assert db.turn.holder is None, f"operation {at}: the turn was not given back"
        rows = await fetch_val("SELECT count(*) FROM t")
        assert rows == len(CALLS) if work.startswith(("commit with", "nested")) or work == "commit" else rows == 0
        if outcome == "done" and do in (commits, commits_with_notification, commits_a_nested_block):
            assert rows == 1
        async with pg_transaction():
            await execute("INSERT INTO t VALUES (50)")
        assert await fetch_val("SELECT count(*) FROM t WHERE i = 50") == 1
        if counted.count < at:
            break
    else:
        raise AssertionError("the work does not end")
    # An error that the server reports is not hidden by the cancellation.
    assert set(outcomes[:-1]) <= {"cancelled", *(error.__name__ for error in allowed)}
    assert "cancelled" in outcomes
    assert outcomes[-1] == (allowed[0].__name__ if allowed else "done")


@pytest.mark.parametrize("which", ["db", "isolated_db"])
async def test_cancelled_while_a_trigger_runs_at_the_commit(request: pytest.FixtureRequest, which: str) -> None:
    database = request.getfixturevalue(which)
    await database.execute_script("""create table t(i int);
        create function f() returns trigger language plpgsql as $$
            begin perform pg_advisory_lock(7); perform pg_advisory_unlock(7); return null; end $$;
        create constraint trigger x after insert on t deferrable initially deferred for each row execute function f()""")
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted"
    async with Database(database.dsn) as other:
        for n in range(1, 4):
            async with other.transaction() as lock:
                await lock.execute("SELECT pg_advisory_xact_lock(7)")
                task = asyncio.create_task(commits_one())
                while not await other.fetch_val(waits):
                    await asyncio.sleep(0.005)
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert "committed before the task was cancelled" in "".join(getattr(caught.value, "__notes__", []))
            assert await fetch_val("SELECT count(*) FROM t") == n


async def commits_one() -> None:
    async with pg_transaction():
        await execute("insert into t values (1)")


async def test_fetching_goes_on_afterwards(db: Sandbox) -> None:
    await db.execute_script(SCHEMA)
    pid = await fetch_val("SELECT pg_backend_pid()")
    os.kill(pid, signal.SIGSTOP)
    try:
        task = asyncio.create_task(commits())
        await asyncio.sleep(0)
        task.cancel()
    finally:
        asyncio.get_running_loop().call_later(0.01, os.kill, pid, signal.SIGCONT)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await fetch("SELECT 1 AS a") == [{"a": 1}]
