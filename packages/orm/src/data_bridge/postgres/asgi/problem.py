"""Errors as HTTP responses: RFC 9457, "Problem Details for HTTP APIs"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from data_bridge.core import (
    CheckViolation,
    CommitUnknown,
    ConnectError,
    ConnectionLost,
    DatabaseError,
    DataBridgeError,
    DeadlockDetected,
    EncodeError,
    ExclusionViolation,
    ForeignKeyViolation,
    InvalidCursor,
    LockNotAvailable,
    NotNullViolation,
    PoolTimeout,
    QueryCancelled,
    QueryTimeout,
    ReadOnlyError,
    RevisionConflict,
    RowNotFound,
    SerializationFailure,
    ServerResourceError,
    TransactionBusy,
    UniqueViolation,
)
from data_bridge.postgres.asgi.fields import field_names

__all__ = ["Problem", "problem_of"]

_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (RowNotFound, 404, "The requested row does not exist"),
    (UniqueViolation, 409, "A row with this value already exists"),
    (ForeignKeyViolation, 409, "A related row does not exist, or is still in use"),
    (ExclusionViolation, 409, "The value overlaps with another row"),
    (RevisionConflict, 409, "The row was changed meanwhile"),
    (CheckViolation, 422, "A value is not allowed"),
    (NotNullViolation, 422, "A value is missing"),
    (InvalidCursor, 400, "The cursor is not valid for this query"),
    (EncodeError, 422, "A value does not fit its column"),
    (SerializationFailure, 503, "The transaction conflicted with another one"),
    (DeadlockDetected, 503, "The transaction conflicted with another one"),
    (LockNotAvailable, 503, "The row is locked by another transaction"),
    (TransactionBusy, 503, "The database is busy"),
    (PoolTimeout, 503, "The database is busy"),
    (ServerResourceError, 503, "The database is busy"),
    (ReadOnlyError, 503, "The database accepts no writes at the moment"),
    (QueryTimeout, 504, "The database did not answer in time"),
    (QueryCancelled, 504, "The database did not answer in time"),
    (CommitUnknown, 500, "It is not known whether the change was made"),
    (ConnectError, 503, "The database cannot be reached"),
    (ConnectionLost, 503, "The database cannot be reached"),
)
_RETRIED = frozenset({503})
_FAULTS = ("22004", "22012", "2201")
"""Data exceptions that say more about an expression of the application than about a value that it was sent: a NULL where none
may be, division by zero, and arguments of functions such as logarithms and LIMIT."""
_RETRY_AFTER = 1
"""Seconds after which a client may ask again; the pool and the server are free long before a person is."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One HTTP response about an error. Neither the title nor the fields show a value.

    Attributes:
        status: the HTTP status.
        title: what happened, the same for every error of the kind.
        code: a stable name of the kind, such as `unique_violation`, for programs.
        fields: the fields concerned, by their names in the API.
        constraint: the name of the violated constraint.
        retry_after: seconds after which the request may succeed.
        messages: what is wrong with a field, where the error says it.
    """

    status: int
    title: str
    code: str
    fields: tuple[str, ...] = ()
    constraint: str | None = None
    retry_after: int | None = None
    messages: dict[str, str] = field(default_factory=dict[str, str])

    def body(self) -> dict[str, Any]:
        """The members of the `application/problem+json` document."""
        found: dict[str, Any] = {
            "type": f"urn:data-bridge:{self.code}",
            "title": self.title,
            "status": self.status,
        }
        if self.fields:
            found["errors"] = [{"field": name, "detail": self.messages.get(name, self.title)} for name in self.fields]
        if self.constraint is not None:
            found["constraint"] = self.constraint
        return found

    def headers(self) -> dict[str, str]:
        """The headers beside the content type."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}

    def messages_of_asgi(self) -> Iterable[dict[str, Any]]:
        """The two messages that send this response."""
        body = json.dumps(self.body()).encode()
        headers = {
            **self.headers(),
            "content-type": "application/problem+json",
            "content-length": str(len(body)),
        }
        yield {
            "type": "http.response.start",
            "status": self.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        yield {"type": "http.response.body", "body": body}


def problem_of(error: BaseException) -> Problem | None:
    """The response for an exception of data-bridge; None for one that is a fault of the application.

    >>> from data_bridge.postgres import RowNotFound
    >>> from data_bridge.postgres.asgi import problem_of
    >>> problem_of(RowNotFound("there is no User with id 7")).status
    404
    """
    if not isinstance(error, DataBridgeError):
        return None
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            names, messages = field_names(error)
            return Problem(
                status,
                title,
                _code(kind),
                names,
                error.constraint if isinstance(error, DatabaseError) else None,
                _RETRY_AFTER if status in _RETRIED else None,
                messages,
            )
    if isinstance(error, DatabaseError) and error.sqlstate.startswith("22") and not error.sqlstate.startswith(_FAULTS):
        return Problem(422, "A value does not fit its column", "data_exception")
    return None


def _code(kind: type[Exception]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
