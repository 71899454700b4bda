"""Running what is awaitable from code that cannot await: one event loop for each thread."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, TypeVar

from data_bridge.core import adopt_context

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
        RuntimeError: the thread runs an event loop, where `await` does the same. (A notebook is no exception: the cell may
            use `await`; `run()` works there too, on a thread of its own.)

    >>> def age_of(name: str) -> int:
    ...     user = run(User.find(User.name == name).one())
    ...     return user.age
    """
    if _is_in_loop():
        return _in_notebook(lambda: run(awaitable))
    return _drive(awaitable)


def iterate(rows: AsyncIterable[T]) -> Generator[T]:
    """The items of an asynchronous iterable one by one, such as the rows of a query, in bounded memory.

    Closing the generator, or leaving the loop over it, gives the connection back.

    >>> def names() -> None:
    ...     for user in iterate(User.find().order_by(User.name)):
    ...         print(user.name)
    """
    if _is_in_loop():
        _in_notebook(lambda: None)  # raises outside of a notebook
    context = copy_context()
    source: AsyncIterator[T] = context.run(aiter, rows)
    take: Callable[[], T] = lambda: _drive(anext(source), context)  # noqa: E731 - used by both ways
    try:
        while True:
            try:
                yield take() if not _is_in_loop() else _in_notebook(take)
            except StopAsyncIteration:
                return
    finally:
        end: Any = getattr(source, "aclose", None)
        if end is not None:
            _drive(end(), context) if not _is_in_loop() else _in_notebook(lambda: _drive(end(), context))


def _is_in_loop() -> bool:
    return asyncio._get_running_loop() is not None


def _drive(awaitable: Awaitable[T], context: Context | None = None) -> T:
    loop = _loop()
    context = copy_context() if context is None else context
    task = loop.create_task(_whole(awaitable), context=context)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        raise
    finally:
        # What the coroutine has opened, as a transaction, is open for the caller as well.
        adopt_context(context)


async def _whole(awaitable: Awaitable[T]) -> T:
    return await awaitable


_worker: ThreadPoolExecutor | None = None


def _in_notebook(step: Callable[[], T]) -> T:
    """Runs a step on a thread beside the loop of a notebook's kernel, whose cell waits for it.

    Raises:
        RuntimeError: this is not the cell of a notebook.
    """
    kernel = sys.modules.get("ipykernel")
    interactive = sys.modules.get("IPython")
    if kernel is None or interactive is None or interactive.get_ipython() is None:
        raise RuntimeError(
            "an event loop is running in this thread: use `await` here, or call the blocking code by asyncio.to_thread()"
        )
    global _worker
    if _worker is None:
        _worker = ThreadPoolExecutor(1, thread_name_prefix="data_bridge_notebook")
    context = copy_context()
    try:
        return _worker.submit(context.run, step).result()
    finally:
        adopt_context(context)
