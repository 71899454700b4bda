"""What a client that goes away ends."""

from __future__ import annotations

import asyncio

from data_bridge.postgres.asgi.messages import Application, Message, Receive, Scope, Send

__all__ = ["CancelOnDisconnect"]


class CancelOnDisconnect:
    """ASGI middleware: when the client disconnects, the request's task is cancelled, and its statement on the server with it.

    Frameworks go on with a handler whose client is gone until it answers, so that a slow query runs to its end in
    vain. The body of the request is read at most one message ahead.

    >>> from data_bridge.postgres.asgi import CancelOnDisconnect
    >>> app = CancelOnDisconnect(app)  # doctest: +SKIP
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        is_answered = False

        async def answering(message: Message) -> None:
            nonlocal is_answered
            await send(message)
            # What comes behind the last byte, such as a background task, is not done for the client.
            is_answered = message["type"] == "http.response.body" and not message.get("more_body", False)

        running = asyncio.ensure_future(self._app(scope, messages.get, answering))
        watching = asyncio.ensure_future(_watch(receive, messages))
        is_gone = False
        try:
            await asyncio.wait((running, watching), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                # The application may be waiting for this very message.
                if messages.empty():
                    messages.put_nowait({"type": "http.disconnect"})
                if not is_answered:
                    is_gone = True
                    running.cancel()
            await running
        except asyncio.CancelledError:
            if not is_gone:
                running.cancel()
                await asyncio.wait((running,))
                raise
        finally:
            watching.cancel()


async def _watch(receive: Receive, messages: asyncio.Queue[Message]) -> None:
    """Hands messages on until the client disconnects."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        await messages.put(message)
