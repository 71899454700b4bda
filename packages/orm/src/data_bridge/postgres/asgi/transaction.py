"""One transaction for each request."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from data_bridge.core import begin_transaction
from data_bridge.postgres.asgi.messages import Application, Message, Receive, Scope, Send
from data_bridge.postgres.asgi.problem import problem_of

__all__ = ["TransactionMiddleware"]


def is_error(status: int) -> bool:
    """Whether a response says that the request failed."""
    return status >= 400


class TransactionMiddleware:
    """ASGI middleware: a request is one transaction, committed before the first byte of its response leaves.

    A COMMIT that fails, by a deferred constraint or a serialization failure, becomes the response; a client never reads a
    success that did not happen. The transaction is rolled back when the application raises, and for statuses that
    `rolls_back` names. What runs after the response has begun, such as a background task, is outside of it.

    Args:
        app: the application.
        methods: the HTTP methods whose requests have a transaction.
        rolls_back: which statuses roll back; by default 400 and above.
        isolation: the isolation level; without it that of the database.
        read_only: whether the transaction only reads.
        timeout: seconds for the whole transaction.
        using: an alias or a Database; without it the default database.

    >>> from data_bridge.postgres.asgi import TransactionMiddleware
    >>> app = TransactionMiddleware(app, isolation="REPEATABLE READ")  # doctest: +SKIP
    """

    def __init__(
        self,
        app: Application,
        *,
        methods: Container[str] = ("POST", "PUT", "PATCH", "DELETE"),
        rolls_back: Callable[[int], bool] = is_error,
        isolation: Any = None,
        read_only: bool = False,
        timeout: float | None = None,
        using: Any = None,
    ) -> None:
        self._app = app
        self._methods = methods
        self._rolls_back = rolls_back
        self._isolation = isolation
        self._options: dict[str, Any] = {"read_only": read_only, "timeout": timeout, "using": using}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application."""
        if scope["type"] != "http" or scope["method"] not in self._methods:
            await self._app(scope, receive, send)
            return
        try:
            transaction = await begin_transaction(self._isolation, **self._options)
        except Exception as e:
            await _answer(e, send)
            return
        is_replaced = False

        async def ending(message: Message) -> None:
            nonlocal is_replaced
            if is_replaced:
                return  # the rest of the response that is not sent
            if message["type"] == "http.response.start":
                try:
                    await (transaction.rollback() if self._rolls_back(message["status"]) else transaction.commit())
                except Exception as e:
                    is_replaced = True
                    await _answer(e, send)
                    return
                finally:
                    transaction.dissolve()  # for what runs after the response has begun, in whatever task
            await send(message)

        try:
            await self._app(scope, receive, ending)
        finally:
            try:
                await transaction.rollback()  # does nothing after the response has begun
            finally:
                transaction.restore()


async def _answer(error: Exception, send: Send) -> None:
    """Sends the problem, or raises what is none.

    Raises:
        Exception: the error itself.
    """
    problem = problem_of(error)
    if problem is None:
        raise error
    for message in problem.messages_of_asgi():
        await send(message)
