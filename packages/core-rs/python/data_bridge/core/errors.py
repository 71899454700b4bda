"""Every exception of data-bridge, grouped by what a caller does next.

SQLSTATE classes are those of PostgreSQL's manual, appendix A. Values of parameters never appear in a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from data_bridge.core._advice import advice

__all__ = [
    "AlreadySaved",
    "CheckViolation",
    "ColumnNotLoaded",
    "CommitUnknown",
    "CompileError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLost",
    "DataBridgeError",
    "DatabaseError",
    "DeadlockDetected",
    "DecodeError",
    "EncodeError",
    "ExclusionViolation",
    "ForeignKeyViolation",
    "IncompatibleCore",
    "IntegrityError",
    "InvalidCursor",
    "IrreversibleMigration",
    "LinkNotLoaded",
    "LockNotAvailable",
    "MigrationConflict",
    "MigrationError",
    "MigrationLocked",
    "MigrationModified",
    "MultipleRowsFound",
    "NotInitialized",
    "NotNullViolation",
    "NotSaved",
    "PoolTimeout",
    "QueryCancelled",
    "QueryTimeout",
    "ReadOnlyError",
    "RevisionConflict",
    "RowNotFound",
    "SerializationFailure",
    "ServerResourceError",
    "SyntaxOrAccessError",
    "TransactionAborted",
    "TransactionBusy",
    "TransactionClosed",
    "UndefinedColumn",
    "UndefinedTable",
    "UnfilteredWrite",
    "UniqueViolation",
]


class DataBridgeError(Exception):
    """The root of all exceptions of data-bridge."""


# ---------------------------------------------------------------------------------------------------------- settings
class NotInitialized(DataBridgeError):
    """No database was opened under this alias, or it was closed."""


class ConfigurationError(DataBridgeError, ValueError):
    """Settings, or the way a function is used, contradict each other."""


class IncompatibleCore(DataBridgeError, ImportError):
    """The installed data-bridge-core is too old or too new for another package; the message holds the pip command."""


# -------------------------------------------------------------------------------------------------------- connection
class ConnectError(DataBridgeError, ConnectionError):
    """No connection could be made.

    Attributes:
        host: host name, address or socket folder.
        port: port.
        step: where it failed: connect, TLS, authentication, start-up, target_session_attrs or deadline.
        sqlstate: the server's code, if it answered.
    """

    def __init__(
        self,
        message: str,
        *,
        host: str | None = None,
        port: int | None = None,
        step: str = "connect",
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(message)
        self.host = host
        self.port = port
        self.step = step
        self.sqlstate = sqlstate


class ConnectionLost(DataBridgeError, ConnectionError):
    """The connection ended under a statement.

    Attributes:
        safe_to_retry: True when the statement cannot have been executed.
        sqlstate: the server's reason, if it gave one (57P01 …).
    """

    def __init__(self, message: str, *, safe_to_retry: bool = False, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.safe_to_retry = safe_to_retry
        self.sqlstate = sqlstate


class CommitUnknown(DataBridgeError, ConnectionError):
    """The connection ended between COMMIT and its answer: the transaction may or may not be committed."""


class PoolTimeout(DataBridgeError, TimeoutError):
    """No connection became free in time.

    Attributes:
        size: connections open.
        idle: connections idle.
        waiting: callers waiting.
        oldest_holder: what holds a connection longest, if known.
    """

    def __init__(
        self, message: str, *, size: int = 0, idle: int = 0, waiting: int = 0, oldest_holder: str | None = None
    ) -> None:
        super().__init__(message)
        self.size = size
        self.idle = idle
        self.waiting = waiting
        self.oldest_holder = oldest_holder


# -------------------------------------------------------------------------------------------------------------- rows
class RowNotFound(DataBridgeError, LookupError):
    """There is no such row."""


class MultipleRowsFound(DataBridgeError, LookupError):
    """There is more than one such row."""


class NotSaved(DataBridgeError):
    """The instance is not in the database."""


class AlreadySaved(DataBridgeError):
    """The instance is in the database already."""


class RevisionConflict(DataBridgeError):
    """Another session changed the row since it was loaded."""


class ColumnNotLoaded(DataBridgeError):
    """The column was not selected when the row was loaded.

    Not an AttributeError: Pydantic's `from_attributes`, hasattr() and getattr() with a default take that for "there is no
    such attribute", and what was not loaded would become a default without a word.
    """


class LinkNotLoaded(DataBridgeError):
    """The relation was not fetched; the message names the fetch_links(...) to add.

    Not an AttributeError, for the reason of ColumnNotLoaded.
    """


class InvalidCursor(DataBridgeError, ValueError):
    """A cursor that a client sent is not one of this query: a web application answers 400."""


class UnfilteredWrite(DataBridgeError):
    """A mass update or delete without any filter; update_all() and delete_all() are the explicit forms."""


# ------------------------------------------------------------------------------------------------------ transactions
class TransactionClosed(DataBridgeError):
    """The transaction has ended."""


class TransactionAborted(DataBridgeError):
    """A statement of the transaction failed; `__cause__` is its error. Roll back to a savepoint, or end it."""


class TransactionBusy(DataBridgeError, TimeoutError):
    """Another task has held the transaction's connection for too long."""


# ------------------------------------------------------------------------------------------------------------ values
class CompileError(DataBridgeError, ValueError):
    """A statement that cannot be compiled.

    Attributes:
        path: where in the statement, from the outside in.
    """

    def __init__(self, message: str, path: object = ()) -> None:
        super().__init__(f"{message} (at {path})" if path else message)
        self.path = path


class EncodeError(DataBridgeError, ValueError):
    """A value that does not fit its parameter or column. Nothing was sent."""


class DecodeError(DataBridgeError, ValueError):
    """A value from the server that has no Python form."""


# -------------------------------------------------------------------------------------------------------- migrations
class MigrationError(DataBridgeError):
    """A migration cannot be run."""


class MigrationLocked(MigrationError):
    """Another runner holds the lock."""


class MigrationModified(MigrationError):
    """An applied migration has changed since."""


class IrreversibleMigration(MigrationError):
    """A migration has no way back."""


class MigrationConflict(MigrationError):
    """Two migrations contradict each other, or the history."""


# ------------------------------------------------------------------------------------------------------------ server
class DatabaseError(DataBridgeError):
    """The server refused a statement. Every field of its answer is an attribute.

    Attributes:
        sqlstate: five characters.
        message: the primary message.
        detail: more of it.
        hint: the server's advice.
        position: character in `sql`, from 1.
        schema, table, column, constraint, data_type: the object concerned.
        sql: the text of the statement, without its parameters.
    """

    _sqlstate = "XX000"

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        severity: str = "ERROR",
        detail: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        context: str | None = None,
        schema: str | None = None,
        table: str | None = None,
        column: str | None = None,
        constraint: str | None = None,
        data_type: str | None = None,
        sql: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate: str = sqlstate or self._sqlstate
        self.severity = severity
        self.detail = detail
        self.hint = hint
        self.position = position
        self.context = context
        self.schema = schema
        self.table = table
        self.column = column
        self.constraint = constraint
        self.data_type = data_type
        self.sql = sql

    @property
    def message_without_values(self) -> str:
        """The primary message without the values that the server quotes in it: what `str()` shows.

        >>> from data_bridge.core import DatabaseError
        >>> DatabaseError('invalid input syntax for type integer: "x"', sqlstate="22P02").message_without_values
        'invalid input syntax for type integer: "…"'
        """
        sql = self.sql or ""
        if self.sqlstate.startswith("22"):
            known = f"{_SETTING.findall(self.message)[0]} {sql}"  # the name of a setting is not a value
            return _without_values(self.message, lambda text: f"'{text}'" in known or f'"{text}"' in known)
        if self.sqlstate == "42601" and sql:
            # Of the statement, or of a value that is a query of its own: jsonpath, tsquery. A script has no values.
            return _without_values(self.message, lambda text: text in sql)
        return self.message

    def __str__(self) -> str:
        sql = self.sql or ""  # `detail` of a constraint violation, which repeats the values, is an attribute only
        text = f"{self.message_without_values} [{self.sqlstate}]"
        if self.hint:
            text += f"\nHint: {self.hint}"
        if sql:
            text += f"\nSQL: {sql if len(sql) <= 1000 else sql[:1000] + ' …'}"
            if self.position:
                text += f"\nAt: {sql[self.position - 1 : self.position + 39]!r}"
        return text


# The quotes of the server's languages (its `po` files): "x", „x“, “x”, «x», ‹x›, ‘x’, 「x」, 『x』.
_OPENING, _CLOSING = '"„“«‹‘「『', '"“”»›’」』'
_SETTING = re.compile(r'(?:invalid value for parameter "[\w.]+")?')
_QUOTED = re.compile(rf"[{_OPENING}](.*?)[{_CLOSING}]", re.DOTALL)
_LAST_QUOTED = re.compile(rf"[{_OPENING}].*[{_CLOSING}]", re.DOTALL)


def _without_values(message: str, is_known: Callable[[str], bool]) -> str:
    """Cuts what the server quotes and the statement does not hold: `value "4111…" is out of range for type integer`.

    A value may hold quotes, which the server does not escape: all up to the last one is cut.
    """
    at = 0
    while found := _QUOTED.search(message, at):
        if not is_known(found[1]):
            return message[: found.start()] + _LAST_QUOTED.sub('"…"', message[found.start() :])
        at = found.end()
    return message


class QueryCancelled(DatabaseError):
    """57014: the statement was cancelled by another session, by statement_timeout, or with its task."""

    _sqlstate = "57014"


class QueryTimeout(DatabaseError, TimeoutError):
    """The statement took longer than its timeout; the message says what became of it on the server."""

    _sqlstate = "57014"


class IntegrityError(DatabaseError):
    """A constraint refused the change (class 23)."""


class UniqueViolation(IntegrityError):
    """23505."""


class ForeignKeyViolation(IntegrityError):
    """23503."""


class NotNullViolation(IntegrityError):
    """23502."""


class CheckViolation(IntegrityError):
    """23514."""


class ExclusionViolation(IntegrityError):
    """23P01."""


class SerializationFailure(DatabaseError):
    """40001: the transaction must be run again."""


class DeadlockDetected(DatabaseError):
    """40P01: the transaction must be run again."""


class LockNotAvailable(DatabaseError):
    """55P03: NOWAIT or lock_timeout."""


class SyntaxOrAccessError(DatabaseError):
    """Class 42: a mistake in the statement, or a missing right."""


class UndefinedTable(SyntaxOrAccessError):
    """42P01."""


class UndefinedColumn(SyntaxOrAccessError):
    """42703."""


class ReadOnlyError(DatabaseError):
    """25006: a write in a read-only transaction, or on a standby."""


class ServerResourceError(DatabaseError):
    """Class 53: disk full, out of memory, too many connections."""


_BY_CODE: dict[str, type[DatabaseError]] = {
    "57014": QueryCancelled,
    "23505": UniqueViolation,
    "23503": ForeignKeyViolation,
    "23502": NotNullViolation,
    "23514": CheckViolation,
    "23P01": ExclusionViolation,
    "40001": SerializationFailure,
    "40P01": DeadlockDetected,
    "55P03": LockNotAvailable,
    "42P01": UndefinedTable,
    "42703": UndefinedColumn,
    "25006": ReadOnlyError,
}
_BY_CLASS: dict[str, type[DatabaseError]] = {
    "23": IntegrityError,
    "40": SerializationFailure,
    "42": SyntaxOrAccessError,
    "53": ServerResourceError,
}


def database_error_class(sqlstate: str) -> type[DatabaseError]:
    """The class for a SQLSTATE: by the code, else by its first two characters, else DatabaseError.

    >>> database_error_class("23505").__name__
    'UniqueViolation'
    """
    return _BY_CODE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2]) or DatabaseError


def from_native(kind: str, **fields: Any) -> DataBridgeError:
    """The exception for what the driver reports."""
    message: str = fields.pop("message")
    if kind == "ConnectionLost" and fields["sqlstate"] == "40001":
        # A standby ends sessions that stand in the way of what the primary did; the work can be done again.
        return SerializationFailure(message, sqlstate="40001", severity="FATAL")
    if kind != "Server":
        made: DataBridgeError = globals()[kind](message, **fields)
        return made
    fields["hint"] = fields.get("hint") or advice(fields["sqlstate"], message)
    return database_error_class(fields["sqlstate"])(message, **fields)
