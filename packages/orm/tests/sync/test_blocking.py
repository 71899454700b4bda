"""`data_bridge.postgres.sync`: the same tables from scripts, threads, forks, callbacks and notebooks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from orm_blocking import Blocking, BlockingChild, program, soon

from data_bridge.postgres import (
    PoolStats,
    SerializationFailure,
    TransactionClosed,
    create_all,
    current_transaction,
    execute,
    fetch_val,
    get_database,
    stream,
    tenant,
)
from data_bridge.postgres.sync import close, init, iterate, pg_transaction, run, run_migrations

pytestmark = pytest.mark.db_real


def test_everything_that_can_be_awaited(opened: str) -> None:
    ann = run(Blocking.create(name="ann"))
    run(BlockingChild(parent=ann).save())
    assert run(Blocking.get(ann.id)).name == "ann"
    assert [b.name for b in run(Blocking.find(Blocking.hits == 0))] == ["ann"]
    assert run(Blocking.find().count()) == 1
    child = run(BlockingChild.find().one())
    assert run(child.parent).name == "ann"
    assert run(fetch_val("SELECT 1 + $1::int", 2)) == 3
    run(Blocking.insert_many([Blocking(name=str(n)) for n in range(2500)]))
    names = [b.name for b in iterate(Blocking.find(Blocking.name != "ann").order_by(Blocking.id))]
    assert names == [str(n) for n in range(2500)]


def test_a_stream_that_is_left_gives_its_connection_back(opened: str) -> None:
    run(Blocking.insert_many([Blocking(name=str(n)) for n in range(3000)]))
    for _ in range(8):  # twice the size of the pool
        rows = iterate(Blocking.find().order_by(Blocking.id))
        assert next(rows).name == "0"
        rows.close()
    assert soon(lambda: get_database().pool_stats().used == 0)


def test_a_block_commits_and_rolls_back(opened: str) -> None:
    with pg_transaction() as tx:
        assert current_transaction() is tx
        run(Blocking.create(name="kept"))
        with pytest.raises(ZeroDivisionError), pg_transaction() as inner:
            assert current_transaction() is inner
            run(Blocking.create(name="inner"))
            raise ZeroDivisionError
        assert current_transaction() is tx
        assert {b.name for b in run(Blocking.find())} == {"kept"}
        assert sorted(b.name for b in iterate(Blocking.find())) == ["kept"]
        hooks: list[str] = []
        tx.on_commit(lambda: hooks.append("done"))
        assert hooks == []
    assert hooks == ["done"] and current_transaction() is None
    with pytest.raises(KeyError), pg_transaction():
        run(Blocking.create(name="lost"))
        raise KeyError
    assert {b.name for b in run(Blocking.find())} == {"kept"}


def test_a_statement_after_commit_in_the_block(opened: str) -> None:
    with pg_transaction() as tx:
        run(Blocking.create(name="a"))
        run(tx.commit())
        with pytest.raises(TransactionClosed):
            run(Blocking.create(name="b"))
    assert run(Blocking.count()) == 1


def test_the_decorator(opened: str) -> None:
    seen: list[int] = []

    @pg_transaction("SERIALIZABLE", retries=3)
    def counted(name: str, *, failures: int) -> str:
        """Counts."""
        seen.append(1)
        assert current_transaction() is not None
        run(Blocking.create(name=name))
        if len(seen) <= failures:
            run(execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"))
        return name

    assert counted("a", failures=2) == "a"
    assert len(seen) == 3 and run(Blocking.count()) == 1
    assert counted.__name__ == "counted" and counted.__doc__ == "Counts."
    seen.clear()
    with pytest.raises(SerializationFailure):
        counted("b", failures=9)
    assert len(seen) == 4
    with pytest.raises(TypeError, match="plain functions"):

        @pg_transaction()
        async def wrong() -> None: ...

    with pytest.raises(TypeError, match="parentheses"):
        pg_transaction(counted)


def test_threads_have_transactions_of_their_own(opened: str) -> None:
    run(Blocking.create(name="shared"))

    def add(n: int) -> bool:
        assert current_transaction() is None
        with pg_transaction():
            run(Blocking.find(Blocking.name == "shared").update({Blocking.hits: Blocking.hits + 1}))
            run(Blocking.create(name=f"thread {n}"))
            if n % 3 == 0:
                run(current_transaction().rollback())  # type: ignore[union-attr]
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = sum(pool.map(add, range(40)))
    assert run(Blocking.get_or_none(1)).hits == kept  # type: ignore[union-attr]
    assert run(Blocking.count()) == kept + 1


def test_a_thread_that_ends_leaves_nothing(opened: str) -> None:
    before = len(os.listdir("/proc/self/fd"))

    def once() -> None:
        assert run(fetch_val("SELECT 1")) == 1

    for _ in range(30):
        thread = threading.Thread(target=once)
        thread.start()
        thread.join()
    assert get_database().pool_stats().size <= 4
    assert len(os.listdir("/proc/self/fd")) <= before + 16


async def test_a_running_loop_is_told_to_await(postgres_dsn: str) -> None:
    coroutine = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="use `await` here"):
        run(coroutine)
    coroutine.close()
    with pytest.raises(RuntimeError, match="use `await` here"):
        next(iterate(Blocking.find()))


def test_a_callback_of_a_loop_may_block_in_a_thread(opened: str) -> None:
    async def view() -> int:
        return await asyncio.to_thread(lambda: run(Blocking.count()))

    assert asyncio.run(view()) == 0


def test_a_fork_as_a_prefork_worker(opened: str) -> None:
    """The parent has used its loop and its pool; every child gets both anew, and the parent's go on."""
    done = program(
        """
        import os, sys
        from data_bridge.postgres import fetch_val
        from data_bridge.postgres.sync import close, init, pg_transaction, run
        init(sys.argv[1])
        mine = run(fetch_val("SELECT pg_backend_pid()"))
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                with pg_transaction():
                    other = run(fetch_val("SELECT pg_backend_pid()"))
                os._exit(0 if other != mine else 3)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(codes, run(fetch_val("SELECT pg_backend_pid()")) == mine)
        close()
        """,
        opened,
    )
    assert (done.stdout, done.returncode) == ("[0, 0, 0] True\n", 0), done.stderr


def test_the_end_of_a_process_without_close(opened: str) -> None:
    done = program(
        """
        import sys
        from data_bridge.postgres import fetch_val
        from data_bridge.postgres.sync import init, run
        init(sys.argv[1])
        print(run(fetch_val("SELECT 1")))
        """,
        opened,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_a_notebook_cell(opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell runs inside the kernel's loop: blocking code works there on a thread of its own, transactions included."""
    import types

    shell = types.SimpleNamespace(get_ipython=lambda: object())
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython", shell)

    async def cell() -> list[str]:
        with pg_transaction():
            run(Blocking.create(name="a"))
            run(Blocking.create(name="b"))
        return [b.name for b in iterate(Blocking.find().order_by(Blocking.name))]

    assert asyncio.run(cell()) == ["a", "b"]


def test_migrations(opened: str, tmp_path: Any) -> None:
    (tmp_path / "1_sync.sql").write_text(
        "-- up\nCREATE TABLE made_by_sync (a int);\n-- down\nDROP TABLE made_by_sync;\n"
    )
    assert run_migrations(directory=tmp_path) == ["1"]
    assert run_migrations(directory=tmp_path) == []
    assert run_migrations(directory=tmp_path, direction="down") == ["1"]
    run(execute("DROP TABLE IF EXISTS _data_bridge_migrations"))


def test_under_the_db_fixture(db: Any) -> None:
    run(create_all(Blocking))
    with pg_transaction():
        run(Blocking.create(name="in the sandbox"))
    assert run(Blocking.count()) == 1


def test_an_iteration_from_outside_does_not_end_the_transaction_of_the_block(opened: str) -> None:
    run(Blocking.insert_many([Blocking(name=f"row {n}") for n in range(2500)]))
    rows = iterate(Blocking.find().order_by(Blocking.id))
    next(rows)
    with pytest.raises(KeyError), pg_transaction() as tx:
        for _ in range(1500):
            next(rows)
        assert current_transaction() is tx
        run(Blocking.create(name="rolled back"))
        rows.close()
        assert current_transaction() is tx
        run(Blocking.create(name="rolled back too"))
        raise KeyError
    assert run(Blocking.count()) == 2500
    with pg_transaction():
        inside = iterate(Blocking.find().order_by(Blocking.id))
        next(inside)
    with pytest.raises(TransactionClosed):
        for _ in inside:
            pass
    assert current_transaction() is None
    assert run(Blocking.create(name="after")).id


def test_what_the_decorator_cannot_run_is_refused(opened: str) -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def coroutine() -> None: ...

    class AsyncCallable:
        async def __call__(self) -> None: ...

    for function in (generator, coroutine, AsyncCallable()):
        with pytest.raises(TypeError, match="decorates plain functions"):
            pg_transaction()(function)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="returned a coroutine"):
        pg_transaction()(lambda: Blocking.create(name="never"))()
    assert run(Blocking.count()) == 0


def test_what_a_function_has_committed_is_not_done_twice(opened: str) -> None:
    calls: list[int] = []

    @pg_transaction(retries=3)
    def committing() -> None:
        calls.append(1)
        run(Blocking.create(name=f"kept {len(calls)}"))
        tx = current_transaction()
        assert tx is not None
        run(tx.commit())
        raise SerializationFailure("again")

    with pytest.raises(SerializationFailure):
        committing()
    assert len(calls) == run(Blocking.count()) == 1


def stats_of(dsn: str, *, size: int, threads: int, statements: int) -> PoolStats:
    """The pool after each of some threads has run some statements."""
    database = init(dsn, max_connections=size)

    def work(number: int) -> None:
        for _ in range(statements):
            assert run(fetch_val("SELECT $1::int", number)) == number

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    stats = database.pool_stats()
    close()
    return stats


@pytest.mark.parametrize("size", [8, 10])
def test_threads_keep_their_connections(postgres_dsn: str, size: int) -> None:
    """A pool with a connection for each thread makes about one for each, and none for a statement."""
    stats = stats_of(postgres_dsn, size=size, threads=7, statements=40)
    assert stats.opened <= 12, stats
    assert stats.timeouts == 0


def test_more_threads_than_connections_are_served_in_order(postgres_dsn: str) -> None:
    stats = stats_of(postgres_dsn, size=2, threads=5, statements=15)
    assert stats.opened <= 5 * 15 + 10, "at most one connection for each statement"


def test_threads_may_share_one_block(opened: str) -> None:
    unit = pg_transaction()
    barrier = threading.Barrier(2)

    def work(number: int) -> None:
        with unit:
            run(Blocking.create(name=f"shared {number}"))
            barrier.wait(10)
            if number:
                time.sleep(0.2)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert run(Blocking.count()) == 2


def test_a_nested_run_in_a_notebook_is_refused() -> None:
    program = """
    import asyncio, sys, types
    sys.modules["ipykernel"] = types.ModuleType("ipykernel")
    sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: object())
    from data_bridge.postgres.sync import run

    async def inner():
        return run(asyncio.sleep(0, 1))

    async def cell():
        assert run(asyncio.sleep(0, 2)) == 2
        return run(inner())

    try:
        asyncio.run(cell())
    except RuntimeError as e:
        print(e)
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "an event loop is running in this thread" in found.stdout


def test_a_tenant(opened: str) -> None:
    now = "SELECT NULLIF(current_setting('app.tenant', true), '')"
    with tenant("acme"):
        assert run(fetch_val(now)) == "acme"
        with pg_transaction():
            assert run(fetch_val(now)) == "acme"
        assert list(iterate(stream(now, as_=tuple))) == [("acme",)]
    assert run(fetch_val(now)) is None
