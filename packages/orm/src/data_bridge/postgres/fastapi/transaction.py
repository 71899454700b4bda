"""One transaction for each request: a dependency, or the class of a router's routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import UploadFile

from data_bridge.core import (
    DeadlockDetected,
    SerializationFailure,
    Transaction,
    backoff,
    pg_transaction,
)
from data_bridge.postgres.asgi.transaction import is_error

__all__ = ["Tx", "transaction", "transactional"]


def transaction(
    isolation: Any = None, *, read_only: bool = False, timeout: float | None = None, using: Any = None
) -> Any:
    """A dependency: the transaction of the request, with these options.

    It is committed when the function has returned and its result has been serialised, before the response is sent; a COMMIT
    that fails becomes an error response. It is rolled back when the function raises, `HTTPException` included. Inside the
    transaction of a route class or a middleware it is that one.

    Raises:
        ConfigurationError: at the request, when the transaction around it does not have these options.

    >>> from data_bridge.postgres import Transaction
    >>> from data_bridge.postgres.fastapi import transaction
    >>> from typing import Annotated
    >>> ReadOnly = Annotated[Transaction, transaction("REPEATABLE READ", read_only=True)]
    """

    async def opened() -> AsyncGenerator[Transaction]:
        # A route class or a middleware ends the one that it has begun.
        block = pg_transaction(isolation, read_only=read_only, timeout=timeout, nested="join", using=using)
        async with block as tx:
            yield tx

    return Depends(opened, scope="function")


Tx: TypeAlias = Annotated[Transaction, transaction()]
"""The transaction of the request: `async def create(body: NewUser, tx: Tx)`. Statements join it without naming it."""


def transactional(
    isolation: Any = None,
    *,
    retries: int = 0,
    rolls_back: Callable[[int], bool] = is_error,
    read_only: bool = False,
    timeout: float | None = None,
    using: Any = None,
) -> type[APIRoute]:
    """A route class whose requests are one transaction each: `APIRouter(route_class=transactional())`.

    Beside what `Tx` does, it sees the status of the response, also of one that the function returns, and it can run the
    function again.

    Args:
        isolation: the isolation level; without it that of the database.
        read_only: whether the transaction only reads.
        timeout: seconds for the whole transaction.
        using: an alias or a Database; without it the default database.
        retries: how often a request is run again after a serialization failure or a deadlock. The function must be safe to
            run twice: its dependencies are solved again, and what it did outside of the database stays done.
        rolls_back: which statuses roll back; by default 400 and above.

    >>> from data_bridge.postgres.fastapi import transactional
    >>> from fastapi import APIRouter
    >>> router = APIRouter(prefix="/accounts", route_class=transactional("SERIALIZABLE", retries=3))
    """

    class TransactionRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def inside(request: Request) -> Response:
                attempt = 0
                while True:
                    tx: Transaction | None = None
                    try:
                        async with pg_transaction(isolation, read_only=read_only, timeout=timeout, using=using) as tx:
                            response = await handle(request)
                            if rolls_back(response.status_code):
                                await tx.rollback()
                            return response
                    except (SerializationFailure, DeadlockDetected):
                        attempt += 1
                        # What the function has committed explicitly would be done twice.
                        if attempt > retries or (tx is not None and tx.is_committed) or not await _rewound(request):
                            raise
                        await asyncio.sleep(backoff(attempt))

            return inside

    return TransactionRoute


async def _rewound(request: Request) -> bool:
    """Whether the function can read the uploaded files of the request once more, from their beginning."""
    form: Any = getattr(request, "_form", None)
    if form is None:  # not parsed
        return True
    try:
        for _, value in form.multi_items():
            if isinstance(value, UploadFile):
                await value.seek(0)
    except ValueError:  # the function has closed it
        return False
    return True
