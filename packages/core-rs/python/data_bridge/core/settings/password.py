"""Passwords that a function of the application makes, as the tokens of cloud providers are."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, TypeAlias

__all__ = ["PasswordFunction", "PasswordSource"]

PasswordFunction: TypeAlias = Callable[[], str | Awaitable[str]]
"""Returns a password, or is a coroutine function that does."""

logger = logging.getLogger("data_bridge.core")


class PasswordSource:
    """Asks a function for the password whenever a connection is made.

    A coroutine function runs on the event loop that the connection is made for, outside of the caller's transactions.

    >>> PasswordSource(lambda: "secret").request  # doctest: +ELLIPSIS
    <bound method PasswordSource.request of ...>
    """

    def __init__(self, function: PasswordFunction) -> None:
        self._function = function
        self._loop: Callable[[], asyncio.AbstractEventLoop | None] = lambda: None
        self._running: set[asyncio.Task[None]] = set()

    def request(self, answer: Any) -> None:
        """Starts the function; `answer` is told the password, or why there is none. From any thread, without waiting."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            known = self._loop()
            if known is None or not known.is_running():
                # A blocking caller: nothing here may wait, and nothing else runs coroutines.
                threading.Thread(target=lambda: asyncio.run(self._answer(answer)), daemon=True).start()
                return
            known.call_soon_threadsafe(self._start, answer, context=Context())
        else:
            self._loop = weakref.ref(loop)
            loop.call_soon(self._start, answer, context=Context())

    def _start(self, answer: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(answer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, answer: Any) -> None:
        try:
            password: Any = self._function()
            if inspect.isawaitable(password):
                password = await password
        except Exception as e:
            # Its text may be anything, a secret too: it is for the log of the application, not for a message.
            logger.exception("the function of password= failed")
            answer.fail(f"the function of password= raised {type(e).__name__}")
        except BaseException:
            answer.fail("the function of password= was cancelled")
            raise
        else:
            if isinstance(password, str):
                answer.set(password)
            else:
                answer.fail(f"the function of password= returned {type(password).__name__}, not str")
