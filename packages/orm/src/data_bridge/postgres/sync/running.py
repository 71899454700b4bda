"""Running what is awaitable from code that cannot await: one event loop for each thread."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, ClassVar, TypeVar

from data_bridge.core import adopt_context, has_new_transaction, settle

__all__ = ["iterate", "run"]

T = TypeVar("T")


class _ThreadLoop:
    """The event loop of one thread. It is closed with the thread, which drops its thread-local data."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._process = os.getpid()

    def close(self) -> None:
        """Cancels what still runs there and closes the loop."""
        loop = self.loop
        if loop.is_closed() or self._process != os.getpid():
            return
        try:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


_local = threading.local()


def _forget() -> None:
    """In the child of a fork: the loop of the parent is not the child's."""
    global _local
    known = getattr(_local, "known", None)
    if known is not None:
        known._process = -1  # neither closed nor used again
    _local = threading.local()
    _Notebook.worker = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _loop() -> asyncio.AbstractEventLoop:
    known: _ThreadLoop | None = getattr(_local, "known", None)
    if known is None or known.loop.is_closed():
        known = _local.known = _ThreadLoop()
        if threading.current_thread() is threading.main_thread():
            # The thread-local data of the main thread goes when modules are gone already.
            atexit.register(known.close)
    return known.loop


def run(awaitable: Awaitable[T]) -> T:
    """Waits for an awaitable and returns its result: a coroutine, a query, a link.

    A transaction that a `with pg_transaction()` block or an earlier `run()` has opened is seen. Ctrl-C cancels the statement
    on the server.

    Raises:
        RuntimeError: the thread runs an event loop, where `await` does the same. (The same holds in a notebook: the cell may
            use `await`; `run()` works there too, on a thread of its own.)

    >>> from data_bridge.postgres import fetch_val
    >>> from data_bridge.postgres.sync import close, init, run
    >>> _ = init("embedded:")  # or postgresql://user:password@host/database
    >>> run(fetch_val("SELECT 6 * 7"))
    42
    >>> close()
    """
    if _is_in_loop():
        return _in_notebook(lambda: run(awaitable))
    return _drive(awaitable)


def iterate(rows: AsyncIterable[T]) -> Generator[T]:
    """The items of an asynchronous iterable one by one, such as the rows of a query, in bounded memory.

    The connection returns to the pool when the generator is closed, or the loop over it is left.

    >>> from data_bridge.postgres import stream
    >>> from data_bridge.postgres.sync import close, init, iterate
    >>> _ = init("embedded:")  # or postgresql://user:password@host/database
    >>> for row in iterate(stream("SELECT n FROM generate_series(1, 2) AS n")):
    ...     print(row)
    {'n': 1}
    {'n': 2}
    >>> close()
    """
    if _is_in_loop():
        _in_notebook(lambda: None)  # raises outside of a notebook
    context = copy_context()
    source: AsyncIterator[T] = context.run(aiter, rows)
    # The iteration has its own transaction, that of where it began. The caller keeps the one that it has by now.
    take: Callable[[], T] = lambda: _drive(anext(source), context, adopts=False)  # noqa: E731 - used by both ways
    try:
        while True:
            try:
                yield take() if not _is_in_loop() else _in_notebook(take)
            except StopAsyncIteration:
                return
    finally:
        end: Any = getattr(source, "aclose", None)
        if end is not None:
            stop: Callable[[], Any] = lambda: _drive(end(), context, adopts=False)  # noqa: E731
            stop() if not _is_in_loop() else _in_notebook(stop)


def _is_in_loop() -> bool:
    return asyncio._get_running_loop() is not None


def _drive(awaitable: Awaitable[T], context: Context | None = None, *, adopts: bool = True) -> T:
    """Runs the loop of this thread until the awaitable is done.

    Args:
        awaitable: what is waited for.
        context: where it runs; a copy of the caller's by default.
        adopts: makes what it has opened, as a transaction, open for the caller as well.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, and the awaitable has been cancelled or was done just then.
    """
    loop = _loop()
    context = copy_context() if context is None else context
    task = loop.create_task(_whole(awaitable), context=context)
    if _is_notebook_worker():
        _Notebook.running = task
    interrupts = _Interrupts(task)
    try:
        with interrupts:
            return _checked(loop.run_until_complete(task), interrupts)
    except BaseException as e:
        if not task.done():  # raised out of the loop: a second Ctrl-C, or the application's own handler of a signal
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                loop.run_until_complete(task)
        if interrupts.count and not isinstance(e, KeyboardInterrupt):
            raise KeyboardInterrupt from e
        raise
    finally:
        # A run of the loop that an exception ended may leave a call behind that would end the next one at once.
        if sys.exc_info()[0] is not None:
            loop.call_soon(loop.stop)
            loop.run_forever()
        settle()
        # The result of an interrupted call is lost, so that a transaction it has begun could not be ended.
        if adopts and (not interrupts.count or not has_new_transaction(context)):
            adopt_context(context)


def _checked(result: T, interrupts: _Interrupts) -> T:
    if interrupts.count:
        raise KeyboardInterrupt
    return result


class _Interrupts:
    """Ctrl-C while a task runs: the first cancels the task, so that its statement is cancelled on the server; the second raises.

    As in `asyncio.Runner`. A handler that the application has installed stays in charge.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.count = 0
        self._task = task
        self._is_installed = False

    def __enter__(self) -> None:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            with suppress(ValueError):  # of a subinterpreter
                signal.signal(signal.SIGINT, self._on_signal)
                self._is_installed = True

    def __exit__(self, *error: object) -> None:
        if self._is_installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_signal(self, number: int, frame: object) -> None:
        self.count += 1
        if self.count > 1 or self._task.done():
            raise KeyboardInterrupt
        self._task.cancel()
        self._task.get_loop().call_soon_threadsafe(_nothing)  # wakes the loop, which waits for its sockets


def _nothing() -> None:
    pass


async def _whole(awaitable: Awaitable[T]) -> T:
    return await awaitable


class _Notebook:
    """The thread beside the loop of a notebook's kernel."""

    worker: ClassVar[ThreadPoolExecutor | None] = None
    running: ClassVar[asyncio.Task[Any] | None] = None


def _is_notebook_worker() -> bool:
    return getattr(_local, "is_notebook_worker", False)


def _become_notebook_worker() -> None:
    _local.is_notebook_worker = True


def _in_notebook(step: Callable[[], T]) -> T:
    """Runs a step on a thread beside the loop of a notebook's kernel, whose cell waits for it.

    Raises:
        RuntimeError: this is not the cell of a notebook.
    """
    kernel = sys.modules.get("ipykernel")
    interactive = sys.modules.get("IPython")
    if _is_notebook_worker() or kernel is None or interactive is None or interactive.get_ipython() is None:
        raise RuntimeError(
            "an event loop is running in this thread: use `await` here, or call the blocking code by asyncio.to_thread()"
        )
    if _Notebook.worker is None:
        _Notebook.worker = ThreadPoolExecutor(
            1, thread_name_prefix="data_bridge_notebook", initializer=_become_notebook_worker
        )
    context = copy_context()
    future = _Notebook.worker.submit(context.run, step)
    try:
        return future.result()
    except KeyboardInterrupt:
        task = _Notebook.running
        if task is not None and not future.done():
            task.get_loop().call_soon_threadsafe(task.cancel)
            with suppress(CancelledError, Exception):
                future.result()
        raise
    finally:
        adopt_context(context)
