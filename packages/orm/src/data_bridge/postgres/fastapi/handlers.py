"""Errors of the database as responses."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.applications import Starlette

from data_bridge.core import DataBridgeError
from data_bridge.postgres.asgi import problem_of

__all__ = ["add_exception_handlers"]


def add_exception_handlers(app: FastAPI | Starlette) -> None:
    """Answers errors of data-bridge with `application/problem+json` (RFC 9457) instead of 500.

    | error | status |
    |---|---|
    | RowNotFound | 404 |
    | UniqueViolation, ForeignKeyViolation, ExclusionViolation, RevisionConflict | 409 |
    | CheckViolation, NotNullViolation, EncodeError, a value that the server refuses | 422 |
    | InvalidCursor | 400 |
    | PoolTimeout, a lost connection, a serialization failure, a lock | 503 with Retry-After |
    | QueryTimeout, QueryCancelled | 504 |

    Fields are named as the API names them; values are not shown. Other errors are faults of the application and stay 500.

    >>> from fastapi import FastAPI
    >>> from data_bridge.postgres.fastapi import add_exception_handlers
    >>> app = FastAPI()
    >>> add_exception_handlers(app)
    """
    app.add_exception_handler(DataBridgeError, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    if problem is None:
        raise error
    return JSONResponse(
        problem.body(), problem.status, headers=problem.headers(), media_type="application/problem+json"
    )
