"""The route of a request as a comment on its statements."""

from __future__ import annotations

from contextvars import ContextVar

from data_bridge.core import add_annotator
from data_bridge.postgres.asgi.messages import Application, Receive, Scope, Send

__all__ = ["RouteComments"]

_scope: ContextVar[Scope | None] = ContextVar("data_bridge_request", default=None)
_is_added = False


class RouteComments:
    """ASGI middleware: statements of a request end with its route, as ``/*action='read_user',route='%2Fusers%2F%7Bid%7D'*/``.

    The route is the template, not the path, so there are few different comments. Frameworks that put `route` or `endpoint`
    into the scope are supported: FastAPI, Starlette and Litestar's `route_handler`.

    >>> from data_bridge.postgres.asgi import RouteComments
    >>> app = RouteComments(app)  # doctest: +SKIP
    """

    def __init__(self, app: Application) -> None:
        global _is_added
        self._app = app
        if not _is_added:
            _is_added = True
            add_annotator(_of_request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        token = _scope.set(scope)
        try:
            await self._app(scope, receive, send)
        finally:
            _scope.reset(token)


def _of_request() -> dict[str, str]:
    scope = _scope.get()
    if scope is None:
        return {}
    # The framework fills these in when it has found the route.
    route = getattr(scope.get("route"), "path", None)
    handler = scope.get("endpoint") or scope.get("route_handler")
    action = getattr(handler, "__name__", None) or getattr(handler, "handler_name", None)
    return {name: str(value) for name, value in (("route", route), ("action", action)) if value}
