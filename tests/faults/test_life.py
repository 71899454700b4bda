"""Loops that come and go, threads, forks, exits."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest

from data_bridge.core import Database, _native

from .interpreter import script

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.fault("E3")
def test_many_short_loops_share_one_database(postgres_dsn: str, loop_run: Run) -> None:
    db = Database(postgres_dsn, max_connections=4)

    async def once(i: int) -> list[int]:
        return await asyncio.gather(*(db.fetch_val("SELECT $1::int", i * 10 + k) for k in range(3)))

    for i in range(20):
        assert loop_run(once(i)) == [i * 10 + k for k in range(3)]
    before, reactors = _descriptors(), len(_native.reactors())
    for i in range(300):
        assert loop_run(once(i)) == [i * 10 + k for k in range(3)]
    assert len(_native.reactors()) == reactors
    assert _descriptors() <= before + 8
    assert db.pool_stats().size <= 4
    loop_run(db.close())


@pytest.mark.fault("E3")
def test_loops_that_are_closed_without_ceremony(postgres_dsn: str) -> None:
    db = Database(postgres_dsn, max_connections=4)
    for i in range(50):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(db.fetch_val("SELECT $1::int", i)) == i
        # Something is still running when the loop is closed.
        task = loop.create_task(db.execute("SELECT pg_sleep(20)"))
        loop.run_until_complete(asyncio.sleep(0.001))
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    assert asyncio.run(db.fetch_val("SELECT 1")) == 1
    asyncio.run(db.close())


@pytest.mark.fault("E3")
def test_a_run_that_ends_with_statements_under_way(postgres_dsn: str, loop_run: Run) -> None:
    db = Database(postgres_dsn, max_connections=4)

    async def leave() -> None:
        for _ in range(3):
            asyncio.get_running_loop().create_task(db.execute("SELECT pg_sleep(20)"))
        await asyncio.sleep(0.05)

    started = time.monotonic()
    loop_run(leave())
    assert time.monotonic() - started < 3
    assert loop_run(db.fetch_val("SELECT 5")) == 5
    assert (
        loop_run(
            db.fetch_val(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20)%' AND state = 'active' "
                "AND datname = current_database()"
            )
        )
        == 0
    )
    loop_run(db.close())


@pytest.mark.fault("E3")
def test_threads_have_one_limit(postgres_dsn: str) -> None:
    db = Database(postgres_dsn, max_connections=3, acquire_timeout=20)
    wrong: list[Any] = []

    def work(k: int) -> None:
        async def main() -> None:
            for j in range(30):
                got = await asyncio.gather(
                    *(db.fetch_val("SELECT $1::int FROM pg_sleep(0.001)", k * 1000 + j * 4 + n) for n in range(4))
                )
                if got != [k * 1000 + j * 4 + n for n in range(4)]:
                    wrong.append(got)
                if db.pool_stats().size > 3:
                    wrong.append(db.pool_stats())

        asyncio.run(main())

    threads = [threading.Thread(target=work, args=(k,)) for k in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not any(t.is_alive() for t in threads)
    assert wrong == []
    asyncio.run(db.close())


@pytest.mark.fault("E3", "D8")
def test_closing_from_another_thread_ends_every_session(postgres_dsn: str) -> None:
    """The loop that owns the connections does not run any more: it stopped while some of them were still on their way."""
    for timeout in (0, 0.05):
        db = Database(postgres_dsn, max_connections=6, application_name="closed from elsewhere")
        loop = asyncio.new_event_loop()

        async def leave(db: Database = db) -> None:
            # One that was still being made could not be ended from elsewhere.
            while (db.pool_stats().size, db.pool_stats().used) != (6, 0):
                await asyncio.gather(*(db.execute("SELECT pg_sleep(0.02)") for _ in range(6)))
                await asyncio.sleep(0.02)
            # An answer reaches its caller before its session has been reset.
            await asyncio.gather(*(db.execute_script("SET search_path = pg_catalog") for _ in range(3)))
            asyncio.get_running_loop().create_task(db.execute("SELECT pg_sleep(20)"))
            await db.lease().begin("BEGIN")

        loop.run_until_complete(leave())
        assert db.pool_stats().used > 0
        thread = threading.Thread(target=lambda db=db, t=timeout: asyncio.run(db.close(timeout=t)))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        with psycopg.connect(postgres_dsn, autocommit=True) as session:
            left = "SELECT query FROM pg_stat_activity WHERE application_name = 'closed from elsewhere'"
            until = time.monotonic() + 2
            while found := session.execute(left).fetchall():
                assert time.monotonic() < until, found
                time.sleep(0.02)
        # The loop, when it runs again, only finds out.
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.mark.fault("E5")
def test_operations_that_nobody_awaits(postgres_dsn: str) -> None:
    async def main() -> None:
        async with Database(postgres_dsn, max_connections=2) as db:
            for _ in range(20):
                db.run(("text", "SELECT pg_sleep(20)"), (), _native.LoadPlan.affected())
            gc.collect()
            await asyncio.sleep(0.2)
            assert await db.fetch_val("SELECT 1") == 1
            op = db._pool.run(("text", "SELECT 3 AS a"), (), _native.LoadPlan.scalars(many=False))
            assert await op == 3
            assert await op == 3, "awaiting again gives the value again"

    asyncio.run(main())


@pytest.mark.fault("E4")
@pytest.mark.parametrize("how", ["return", "raise", "os._exit", "open loop"])
def test_exit_with_a_statement_running(postgres_dsn: str, how: str) -> None:
    marker = f"/* exit {how} {os.getpid()} */"
    done = script(
        f"""
        import asyncio, os, sys
        from data_bridge.core import Database
        async def main():
            db = await Database(sys.argv[1], application_name="exits").connect()
            global task
            task = asyncio.get_running_loop().create_task(db.execute("SELECT pg_sleep(25) {marker}"))
            await asyncio.sleep(0.2)
            if {how!r} == "raise": raise SystemExit(7)
            if {how!r} == "os._exit": os._exit(0)
            if {how!r} == "open loop": return
        if {how!r} == "open loop":
            loop = asyncio.new_event_loop()
            loop.run_until_complete(main())
            import warnings; warnings.simplefilter("ignore")
        else:
            asyncio.run(main())
        """,
        postgres_dsn,
        timeout=30,
    )
    assert done.returncode == (7 if how == "raise" else 0), done.stderr
    assert "panicked" not in done.stderr

    async def left() -> int:
        async with Database(postgres_dsn) as db:
            if how == "os._exit":  # nothing of ours could run: the server notices when it answers, or here
                await db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE $1 "
                    "AND pid <> pg_backend_pid()",
                    f"%{marker}",
                )
            for _ in range(50):
                n = await db.fetch_val(
                    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1", f"%{marker}"
                )
                if n == 0:
                    return 0
                await asyncio.sleep(0.05)
            return int(n)

    assert asyncio.run(left()) == 0, "the server still runs the statement of a process that has ended"


@pytest.mark.fault("E1")
def test_fork(postgres_dsn: str) -> None:
    done = script(
        """
        import asyncio, os, sys, gc
        from data_bridge.core import Database
        dsn = sys.argv[1]
        async def main():
            db = await Database(dsn, max_connections=2).connect()
            running = asyncio.create_task(db.fetch_val("SELECT 9 FROM pg_sleep(0.5)"))
            await asyncio.sleep(0.05)
            for _ in range(5):
                pid = os.fork()
                if pid == 0:
                    code = 3
                    try:
                        asyncio.events._set_running_loop(None)
                        loop = asyncio.new_event_loop()
                        if loop.run_until_complete(db.fetch_val("SELECT 11")) == 11:
                            code = 0
                        gc.collect()
                    finally:
                        os._exit(code)
                _, status = os.waitpid(pid, 0)
                assert os.waitstatus_to_exitcode(status) == 0, status
                assert await db.fetch_val("SELECT 12") == 12
            assert await running == 9
            await db.close()
        import warnings; warnings.simplefilter("ignore")
        asyncio.run(main())
        print("parent fine")
        """,
        postgres_dsn,
        timeout=30,
    )
    assert done.returncode == 0 and "parent fine" in done.stdout, done.stderr


def test_blocking_callers(postgres_dsn: str) -> None:
    db = Database(postgres_dsn, max_connections=2)
    lease = db.lease(shared=True)
    bridge = lease.bridge
    bridge.wait(lease.take(), 5)
    value = _native.LoadPlan.scalars(many=False)
    assert bridge.wait(lease.run(("text", "SELECT $1::int"), (4,), value), 5) == 4

    results: list[int] = []

    def elsewhere() -> None:
        results.append(bridge.wait(lease.run(("text", "SELECT 5"), (), value), 5))

        async def inside() -> int:
            got: int = await lease.run(("text", "SELECT 6"), (), value)
            return got

        results.append(asyncio.run(inside()))

    t = threading.Thread(target=elsewhere)
    t.start()
    t.join(10)
    assert results == [5, 6]
    with pytest.raises(TimeoutError):
        bridge.wait(lease.run(("text", "SELECT pg_sleep(5)"), (), value), 0.1)
    bridge.wait(lease.give_back(), 5)
    asyncio.run(db.close())
