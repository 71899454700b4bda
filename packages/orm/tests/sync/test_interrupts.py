"""Ctrl-C in blocking code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from orm_blocking import Blocking, program, soon

from data_bridge.postgres import (
    add_observer,
    begin_transaction,
    current_transaction,
    execute,
    fetch_val,
    remove_observer,
)
from data_bridge.postgres.sync import pg_transaction, run

pytestmark = pytest.mark.db_real


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts here and in child processes, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_control_c_cancels_on_the_server(opened: str) -> None:
    began = time.monotonic()
    done = program(
        """
        import sys
        from data_bridge.postgres import fetch_val
        from data_bridge.postgres.sync import close, init, run
        init(sys.argv[1], application_name="interrupted")
        print("ready", flush=True)
        try:
            run(fetch_val("SELECT pg_sleep(50)"))
        except KeyboardInterrupt:
            print("interrupted", run(fetch_val("SELECT 7")))
            close()
        """,
        opened,
        send=signal.SIGINT,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted 7\n", "", 0)
    assert time.monotonic() - began < 15
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'interrupted' AND state = 'active'"
    assert run(fetch_val(running)) == 0


def test_ctrl_c_at_the_moment_of_the_answer(opened: str) -> None:
    async def answered() -> int:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        return 1

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(answered())
        assert run(Blocking.count()) == 0, "the next run() is not ended by what the interrupt left behind"


def test_ctrl_c_after_begin_leaves_no_transaction(opened: str) -> None:
    class Interrupting:
        def started(self, event: Any) -> Any:
            return event.sql

        def finished(self, sql: Any, event: Any) -> None:
            if sql == "BEGIN":
                asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)

    observer = Interrupting()
    add_observer(observer)
    try:
        with pytest.raises(KeyboardInterrupt), pg_transaction():
            raise AssertionError("the block is not entered")
        assert current_transaction() is None
        with pytest.warns(ResourceWarning, match="neither committed nor rolled back"):
            with suppress(KeyboardInterrupt):
                run(begin_transaction())
            gc.collect()
    finally:
        remove_observer(observer)
    assert current_transaction() is None
    run(Blocking.create(name="after"))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: run(Blocking.count())).result() == 1, "others see what is written afterwards"


def test_an_interrupted_statement_stops_at_the_server(opened: str) -> None:
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(execute("SELECT pg_sleep(30)"))
    assert time.monotonic() - begun < 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active' "
        "AND datname = current_database()"
    )
    assert soon(lambda: run(fetch_val(sleeping)) == 0)


def test_what_has_swallowed_ctrl_c_is_interrupted_all_the_same(opened: str) -> None:
    async def stubborn() -> int:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            pass
        return 1

    threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        run(stubborn())


def test_a_handler_of_the_application_stays(opened: str) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
        run(execute("SELECT pg_sleep(0.5)"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]
