"""Forks with an open pool, by hand and by others: the child cannot hurt the parent, and has a pool of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from .encrypted import encrypted
from .interpreter import script

FORKS = """
    import asyncio, gc, os, sys, warnings
    from data_bridge.core import Database, detached
    warnings.simplefilter("ignore", DeprecationWarning)  # this process has threads and forks
    dsn = sys.argv[1]

    def child(db, lease, tx, op, how):
        asyncio.events._set_running_loop(None)
        loop = asyncio.new_event_loop()
        async def use():
            for what in (lambda: lease.run(("text", "SELECT 1"), (), COUNT), lambda: tx.execute("SELECT 1")):
                try:
                    await what()
                except RuntimeError as e:
                    assert "belongs to the parent" in str(e), e
                else:
                    raise AssertionError("the child used the parent's connection")
            assert await db.fetch_val("SELECT 11") == 11  # on a connection of its own
            return await db.fetch_val("SELECT pg_backend_pid()")
        pid = loop.run_until_complete(use())
        gc.collect()
        if how == "exit":
            os.write(1, b"child fine\\n")
            sys.exit(0)  # with everything that runs at the end of an interpreter
        os.write(1, b"child fine\\n")
        os._exit(0)

    async def main():
        db = await Database(dsn, max_connections=4, application_name="forks").connect()
        lease = db.lease()
        await lease.take()
        before = await lease.run(("text", "SELECT pg_backend_pid()"), (), VALUE)
        async with db.transaction() as tx:
            await tx.execute("CREATE TEMP TABLE mine (a int)")
            async with detached():
                running = asyncio.create_task(db.fetch_val("SELECT 9 FROM pg_sleep(0.3)"))
            await asyncio.sleep(0.05)
            for how in ("exit", "_exit", "exit"):
                pid = os.fork()
                if pid == 0:
                    code = 3
                    try:
                        child(db, lease, tx, running, how)
                    except SystemExit as e:
                        code = e.code
                        # As the interpreter does it: atexit first, then whatever is collected.
                        import atexit; atexit._run_exitfuncs(); gc.collect()
                    except BaseException:
                        import traceback; traceback.print_exc()
                    os._exit(code)
                _, status = os.waitpid(pid, 0)
                assert os.waitstatus_to_exitcode(status) == 0, status
                assert await tx.fetch_val("SELECT count(*) FROM mine") == 0, "the transaction has gone on"
                async with detached():
                    assert await db.fetch_val("SELECT 12") == 12
            assert await running == 9
        assert await lease.run(("text", "SELECT pg_backend_pid()"), (), VALUE) == before
        await lease.give_back()
        assert db.pool_stats().closed_broken == 0
        await db.close()

    from data_bridge.core import LoadPlan
    COUNT, VALUE = LoadPlan.affected(), LoadPlan.scalars(many=False)
    asyncio.run(main())
    print("parent fine")
"""


@pytest.mark.fault("E1")
@pytest.mark.parametrize("tls", ["plain", "tls"])
def test_a_child_cannot_hurt_its_parent(postgres_dsn: str, tmp_path: Path, tls: str) -> None:
    with encrypted(postgres_dsn, tmp_path) as front:
        done = script(FORKS, front.dsn if tls == "tls" else postgres_dsn, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("child fine") == 3 and "parent fine" in done.stdout, done.stderr
    assert done.stderr == ""
    if tls == "tls":
        # Three of the parent at least, one of each child; and no record of one in the stream of another.
        assert front.handshakes >= 6
        assert front.broken == []


PREFORK = """
    import asyncio, gc, os, signal, sys, warnings
    from data_bridge import core
    from data_bridge.core import Database, detached
    warnings.simplefilter("ignore", DeprecationWarning)
    dsn = sys.argv[1]

    # As gunicorn --preload and Celery do it: the application is imported, connects and works in the master, then workers
    # are forked, killed and forked again.
    db = asyncio.run(core.init(dsn, max_connections=2, application_name="prefork"))
    assert asyncio.run(core.fetch_val("SELECT 1")) == 1

    def worker(n):
        async def serve():
            for i in range(20):
                assert await asyncio.gather(*(core.fetch_val("SELECT $1::int", i * 3 + k) for k in range(3))) == [i * 3 + k for k in range(3)]
            async with core.pg_transaction():
                assert await core.fetch_val("SELECT $1::int", n) == n
            if n % 2:
                await core.close()
        asyncio.run(serve())

    for generation in range(2):
        pids = []
        for n in range(4):
            pid = os.fork()
            if pid == 0:
                code = 3
                try:
                    worker(n)
                    code = 0
                except BaseException:
                    import traceback; traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    if n == 3:
                        os.kill(os.getpid(), signal.SIGKILL)
                    os._exit(code)
            pids.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        assert codes == [0, 0, 0, -9], codes
        assert asyncio.run(core.fetch_val("SELECT 2")) == 2
    asyncio.run(core.close())
    print("master fine")
"""


@pytest.mark.fault("E2")
def test_servers_that_fork_their_workers(postgres_dsn: str) -> None:
    done = script(PREFORK, postgres_dsn, timeout=60)
    assert done.returncode == 0 and "master fine" in done.stdout, done.stderr
    assert done.stderr == ""


SPAWN = """
    import asyncio, multiprocessing, sys
    from data_bridge.core import Database

    def work(dsn, n):
        async def main():
            async with Database(dsn, max_connections=2, application_name="spawned") as db:
                return await db.fetch_val("SELECT $1::int * 2", n)
        return asyncio.run(main())

    if __name__ == "__main__":
        dsn = sys.argv[1]
        async def main():
            async with Database(dsn, max_connections=2) as db:
                running = asyncio.create_task(db.fetch_val("SELECT 9 FROM pg_sleep(0.5)"))
                loop = asyncio.get_running_loop()
                with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
                    found = await loop.run_in_executor(None, pool.starmap, work, [(dsn, n) for n in range(4)])
                assert found == [0, 2, 4, 6], found
                assert await running == 9
                assert await db.fetch_val("SELECT 1") == 1
        asyncio.run(main())
        print("parent fine")
"""


@pytest.mark.fault("E2")
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing(postgres_dsn: str, tmp_path: Path, method: str) -> None:
    module = tmp_path / "spawning.py"
    module.write_text(textwrap.dedent(SPAWN))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(module), postgres_dsn, method],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and "parent fine" in done.stdout, done.stderr
    with psycopg.connect(postgres_dsn, autocommit=True) as session:
        left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'spawned' AND state <> 'idle'"
        assert session.execute(left).fetchone() == (0,)
