"""Ends of the process: whatever is open, it is over in two seconds, silent, and the server notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import psycopg
import pytest

START = """
    import asyncio, os, sys
    from data_bridge import core
    from data_bridge.core import Database
    dsn, name = sys.argv[1:]

    def database(**options):
        return Database(dsn, max_connections=3, application_name=name, **options)
"""
# What is open when the interpreter ends.
OPEN = {
    "a pool": """
        async def main():
            await database(min_connections=2).connect()
        asyncio.run(main())
    """,
    "a registered pool": """
        async def main():
            await core.init(dsn, application_name=name)
            await core.fetch_val("SELECT 1")
        asyncio.run(main())
    """,
    "a pool of a loop that was left": """
        loop = asyncio.new_event_loop()
        db = loop.run_until_complete(database().connect())
        import warnings; warnings.simplefilter("ignore", ResourceWarning)
    """,
    "a transaction": """
        async def main():
            global db, tx
            db = await database().connect()
            tx = await core.begin_transaction(using=db)
            await tx.execute("SELECT 1")
            import warnings; warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(main())
    """,
    "a statement": """
        async def main():
            global db, task
            db = await database().connect()
            task = asyncio.get_running_loop().create_task(db.execute("SELECT pg_sleep(25)"))
            await asyncio.sleep(0.1)
        asyncio.run(main())
    """,
    "a statement of a loop that was left": """
        loop = asyncio.new_event_loop()
        db = loop.run_until_complete(database().connect())
        async def start():
            global op
            op = db.run(("text", "SELECT pg_sleep(25)"), (), core.LoadPlan.affected())
            await asyncio.sleep(0.1)
        loop.run_until_complete(start())
        import warnings; warnings.simplefilter("ignore", ResourceWarning)
    """,
    "a stream, a COPY and a LISTEN": """
        async def main():
            global kept
            db = await database().connect()
            rows = db.stream("SELECT generate_series(1, 100000)", batch=10)
            await anext(rows)
            chunks = db.copy_out("SELECT repeat('x', 999), generate_series(1, 10000000)")
            await anext(chunks)
            hearing = db.listen("news")
            await hearing.__aenter__()
            kept = [db, rows, chunks, hearing]
        asyncio.run(main())
    """,
    "a thread that waits": """
        import threading
        db = database()
        def work():
            try:
                asyncio.run(db.execute("SELECT pg_sleep(25)"))
            except BaseException:
                pass
        threading.Thread(target=work, daemon=True).start()
        import time; time.sleep(0.3)
    """,
}


def left(dsn: str, name: str) -> list[tuple[object, ...]]:
    """Sessions of a process that has ended, after a second at most."""
    until = time.monotonic() + 1.5
    with psycopg.connect(dsn, autocommit=True) as session:
        while True:
            found = session.execute(
                "SELECT state, query FROM pg_stat_activity WHERE application_name = %s", (name,)
            ).fetchall()
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.02)


@pytest.mark.fault("E4")
@pytest.mark.parametrize("what", OPEN)
def test_the_interpreter_ends(postgres_dsn: str, what: str) -> None:
    name = f"exit {os.getpid()} {list(OPEN).index(what)}"
    told = textwrap.dedent("""
        import atexit, time
        atexit.register(lambda: print(time.monotonic(), flush=True))  # runs before those of the library
    """)
    text = textwrap.dedent(START) + textwrap.dedent(OPEN[what]) + told
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text, postgres_dsn, name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ended = time.monotonic()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert ended - float(done.stdout) < 2
    assert left(postgres_dsn, name) == []


SIGNALLED = """
    import signal
    async def main():
        async with database() as db:
            await db.execute("SELECT 1")
            async def work():
                async with db.transaction() as tx:
                    await tx.execute("CREATE TABLE never_kept (a int)")
                    print("working", flush=True)
                    await tx.execute("SELECT pg_sleep(25)")
            {how}
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(5)
    except asyncio.CancelledError:
        sys.exit(6)
"""
WAYS = {
    # asyncio.run() turns SIGINT into a cancellation of the main task.
    "SIGINT": (signal.SIGINT, "await work()", 5),
    # As servers do it.
    "SIGTERM, handled": (
        signal.SIGTERM,
        "task = asyncio.ensure_future(work()); asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel); await task",
        6,
    ),
    "SIGTERM": (signal.SIGTERM, "await work()", -signal.SIGTERM),
    "SIGINT in uvloop": (signal.SIGINT, "await work()", 5),
    "SIGINT of a blocking caller": (signal.SIGINT, "", 5),
}
BLOCKING = """
    db = database()
    lease = db.lease(shared=True)
    lease.bridge.wait(lease.take(), 5)
    lease.bridge.wait(lease.begin("BEGIN"), 5)
    lease.bridge.wait(lease.script("CREATE TABLE never_kept (a int)"), 5)
    print("working", flush=True)
    try:
        lease.bridge.wait(lease.script("SELECT pg_sleep(25)"))
    except KeyboardInterrupt:
        sys.exit(5)
"""


@pytest.mark.fault("C8", "E4")
@pytest.mark.parametrize("way", WAYS)
def test_a_signal_in_the_middle_of_a_transaction(postgres_dsn: str, way: str) -> None:
    number, how, code = WAYS[way]
    name = f"signal {os.getpid()} {way}"
    body = BLOCKING if "blocking" in way else SIGNALLED.replace("{how}", how)
    text = textwrap.dedent(START) + textwrap.dedent(body)
    if "uvloop" in way:
        text = text.replace("asyncio.run(main())", "__import__('uvloop').run(main())")
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", text, postgres_dsn, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in the background has inherited an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    time.sleep(0.1)  # the statement runs
    started = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - started < 2
    assert process.returncode == code, errors
    assert errors == ""
    if code > 0:
        assert left(postgres_dsn, name) == []
    with psycopg.connect(postgres_dsn, autocommit=True) as session:
        # Killed at once, the process could tell the server nothing.
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", (name,))
        assert session.execute("SELECT to_regclass('never_kept')").fetchone() == (None,)
