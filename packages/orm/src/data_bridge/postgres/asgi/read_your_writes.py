"""A user reads what the same user has written, whichever process and whichever replica serves the next request."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from data_bridge.core import read_your_writes
from data_bridge.postgres.asgi.messages import Application, Message, Receive, Scope, Send

__all__ = ["ReadYourWrites"]


class ReadYourWrites:
    """ASGI middleware: each request is a session of `read_your_writes()`, which a cookie or a header carries on.

    A response to a request that has written sets the cookie and the header to the position of the primary behind the
    writes. The next request of the same client reads on a replica that has replayed it, or on the primary. It stands outside
    of `TransactionMiddleware`, so that the transaction is committed before the position is read.

    Args:
        app: the application.
        cookie: the name of the cookie; None for the header alone.
        header: the name of the header of requests and responses.
        max_age: seconds that the cookie is kept; more than `max_lag`, after which every replica in the rotation has the
            writes.

    >>> from data_bridge.postgres.asgi import ReadYourWrites
    >>> app = ReadYourWrites(app)  # doctest: +SKIP
    """

    def __init__(
        self,
        app: Application,
        *,
        cookie: str | None = "data_bridge_position",
        header: str = "data-bridge-position",
        max_age: int = 60,
    ) -> None:
        self._app = app
        self._cookie = cookie
        self._header = header.lower().encode("ascii")
        self._max_age = max_age

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        with read_your_writes(self._token_of(scope)) as session:

            async def telling(message: Message) -> None:
                if message["type"] == "http.response.start" and session.has_written:
                    token = await session.token() or ""
                    message["headers"] = [*message.get("headers", ()), *self._headers(scope, token)]
                await send(message)

            await self._app(scope, receive, telling)

    def _token_of(self, scope: Scope) -> str | None:
        headers = dict(scope.get("headers", ()))
        named = headers.get(self._header)
        if named is not None or self._cookie is None:
            return None if named is None else named.decode("latin-1")
        try:
            found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(self._cookie)
        except CookieError:
            return None
        return None if found is None else found.value

    def _headers(self, scope: Scope, token: str) -> list[tuple[bytes, bytes]]:
        text = token.encode("ascii")
        made = [(self._header, text)]
        if self._cookie is not None:
            secure = b"; Secure" if scope.get("scheme") == "https" else b""
            parts = f"; Max-Age={self._max_age}; Path=/; HttpOnly; SameSite=Lax".encode()
            made.append((b"set-cookie", self._cookie.encode("ascii") + b"=" + text + parts + secure))
        return made
