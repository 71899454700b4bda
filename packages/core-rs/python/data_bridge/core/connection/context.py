"""Which executor is the current one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from data_bridge.core.errors import ConfigurationError, NotInitialized

if TYPE_CHECKING:
    from data_bridge.core.connection.database import Database
    from data_bridge.core.connection.executor import Executor
    from data_bridge.core.connection.transaction_settings import TransactionSettings
    from data_bridge.core.replication.consistency import ConsistencyBlock, Session
    from data_bridge.core.transactions.transaction import Transaction

Consistency: TypeAlias = Literal["primary", "read_your_writes", "eventual"]
"""How old the rows of a read may be."""
LEVELS: tuple[Consistency, ...] = get_args(Consistency)
_databases: dict[str, Database] = {}
_NONE_OPEN: Mapping[Any, Transaction] = {}
_open: ContextVar[Mapping[Any, Transaction]] = ContextVar("data_bridge_transactions", default=_NONE_OPEN)
_chosen: ContextVar[Any] = ContextVar("data_bridge_database", default=None)
_settings: ContextVar[TransactionSettings | None] = ContextVar("data_bridge_settings", default=None)
level_block: ContextVar[ConsistencyBlock | None] = ContextVar("data_bridge_consistency", default=None)
"""The innermost consistency() block."""
SessionBlock: TypeAlias = "tuple[Session, SessionBlock | None]"
session_block: ContextVar[SessionBlock | None] = ContextVar("data_bridge_session", default=None)
"""The innermost read_your_writes() block: its session, and the block around it."""
_PLACE: tuple[ContextVar[Any], ...] = (_chosen, _settings, level_block, session_block)
_scopes: list[Any] = []
_blockers: list[str] = []
_refusals: list[str] = []
_real_aliases: set[str] = set()


def register(alias: str, database: Database) -> None:
    """Makes `database` known under `alias`."""
    _databases[alias] = database


def unregister(database: Database) -> None:
    """Forgets `database` under every alias."""
    for alias in [a for a, d in _databases.items() if d is database]:
        del _databases[alias]


def registered() -> dict[str, Database]:
    """The databases by alias."""
    return dict(_databases)


def named(alias: str = "default") -> Any:
    """The database under `alias`; inside a test scope, the test's.

    Raises:
        NotInitialized: when there is none.
    """
    if _scopes and alias == "default":
        return _scopes[-1]
    database = _databases.get(alias)
    if database is None:
        if _blockers:
            raise NotInitialized(_blockers[-1])
        known = ", ".join(sorted(_databases)) or "none"
        raise NotInitialized(
            f"no database {alias!r} (open: {known}): call `await init(...)` or open a Database(alias={alias!r}) first"
        )
    return database


def current_database() -> Any:
    """The database of this context: use_database(), else the test scope's, else the default one."""
    return _chosen.get() or named()


def checked_level(level: Any) -> Consistency:
    """Returns a level of consistency unchanged.

    Raises:
        ConfigurationError: it is not one.
    """
    if level not in LEVELS:
        raise ConfigurationError(f"consistency={level!r} is not one of {', '.join(LEVELS)}")
    checked: Consistency = level
    return checked


class AtLevel:
    """What a query runs on, and how old the rows that it reads may be.

    Args:
        using: as for `resolve`.
        level: one of `LEVELS`.

    Raises:
        ConfigurationError: it is not one.
    """

    __slots__ = ("level", "using")

    def __init__(self, using: Any, level: Consistency) -> None:
        self.using: Any = using.using if isinstance(using, AtLevel) else using
        self.level: Consistency = checked_level(level)


def resolve(using: Any = None) -> Executor:
    """What runs a statement: an explicit transaction or database, else the open transaction, else the pool.

    Raises:
        NotInitialized: when no database is open.
    """
    if using is None:
        database = _chosen.get() or named()
    elif isinstance(using, str):
        database = named(using)
    elif hasattr(using, "run"):
        if getattr(using, "is_transaction", False):
            executor: Executor = using
            return executor
        database = using
    elif isinstance(using, AtLevel):
        return resolve(using.using).at(using.level)
    else:
        raise ConfigurationError(f"using= takes an alias, a Database or a Transaction, not {type(using).__name__}")
    opened = _open.get()
    if opened:
        transaction = opened.get(database)
        if transaction is not None and transaction._is_dissolved:
            transaction = open_transaction(database)
        if transaction is not None:
            return transaction
    found: Executor = database
    return found


def forget_transactions() -> None:
    """In the child of a fork: the transactions of the parent, and their connections, are not the child's."""
    global _open
    _open = ContextVar("data_bridge_transactions", default=_NONE_OPEN)


def open_transaction(database: Any) -> Transaction | None:
    """The transaction on `database` that statements of this context join."""
    opened = _open.get()
    if not opened:
        return None
    transaction = opened.get(database)
    while transaction is not None and transaction._is_dissolved:
        transaction = transaction._outer
    return transaction


def is_joined(transaction: Transaction) -> bool:
    """Whether statements of this context join just this transaction, or would if it had not ended."""
    return _open.get().get(transaction.database) is transaction


def set_transaction(database: Any, transaction: Transaction | None) -> None:
    """Changes what statements of this context join; by value, so that any context may restore it."""
    opened = dict(_open.get())
    if transaction is None:
        opened.pop(database, None)
    else:
        opened[database] = transaction
    _open.set(opened or _NONE_OPEN)


def adopt_context(other: Context) -> None:
    """Makes the database, the transactions, and the settings and levels of another context those of this one.

    For code that runs coroutines in contexts of their own, and whose callers go on with what those have opened.
    """
    _open.set(other.get(_open, _NONE_OPEN))
    go_to([other.get(variable, None) for variable in _PLACE])


def has_new_transaction(other: Context) -> bool:
    """Whether statements of another context join an open transaction that those of this one do not."""
    mine = _open.get()
    return any(
        not transaction._ended and mine.get(database) is not transaction
        for database, transaction in other.get(_open, _NONE_OPEN).items()
    )


local_settings = _settings.get
"""Returns what every transaction that begins in this context sets, or None."""


def place() -> Sequence[Any]:
    """Returns the default database of this context, its settings, its level and its session: all but the transactions."""
    return [variable.get() for variable in _PLACE]


def go_to(place: Sequence[Any]) -> None:
    """Makes a place, as `place()` returned it, that of this context."""
    for variable, value in zip(_PLACE, place, strict=True):
        variable.set(value)


def reading_context() -> Hashable:
    """Returns what decides which rows a read of this context sees, beside its executor.

    Reads of several tasks may share one query only where it is equal: the settings of tenant() and
    transaction_settings(), the level of consistency() and the session of read_your_writes().
    """
    settings, level, session = _settings.get(), level_block.get(), session_block.get()
    if settings is None and level is None and session is None:
        return None
    # A session is compared by identity, and the context keeps it alive.
    return (
        None if settings is None else tuple(settings.values.items()),
        None if level is None else level.level,
        None if session is None else session[0],
    )


def refuse_settings() -> None:
    """Refuses a session outside of the pool, such as that of the runner of migrations, which would not have the settings.

    Raises:
        ConfigurationError: the context has settings of tenant() or transaction_settings().
    """
    if _settings.get() is not None:
        raise ConfigurationError(
            "migrations run on a session of their own, which has no settings of tenant() or transaction_settings(): run them "
            "outside of the block"
        )


def begin(lease: Any, sql: str, timeout: float | None) -> Any:
    """Starts BEGIN on a connection, with the settings of this context.

    Args:
        lease: the connection.
        sql: BEGIN, with its options.
        timeout: seconds.
    """
    settings = _settings.get()
    if settings is None:
        return lease.begin(sql, timeout)
    # Few programs have settings.
    from data_bridge.core.connection import transaction_settings

    return transaction_settings.begin(settings, lease, sql, timeout)


def set_local_settings(settings: TransactionSettings | None) -> None:
    """Changes what transactions that begin in this context set."""
    _settings.set(settings)


@asynccontextmanager
async def detached() -> AsyncGenerator[None]:
    """Inside, statements do not join the surrounding transaction.

    >>> from data_bridge.core import detached
    >>> async def audit() -> None:
    ...     async with detached():
    ...         ...  # committed on its own, whatever becomes of the transaction around it
    """
    before = _open.get()
    _open.set(_NONE_OPEN)
    try:
        yield
    finally:
        _open.set(before)


@asynccontextmanager
async def use_database(database: Any) -> AsyncGenerator[Any]:
    """Makes `database` (an alias or a Database) the default one inside the block.

    Raises:
        NotInitialized: for an unknown alias.
    """
    chosen = named(database) if isinstance(database, str) else database
    before = _chosen.get()
    _chosen.set(chosen)
    try:
        yield chosen
    finally:
        _chosen.set(before)


def enter_test_scope(executor: Any) -> None:
    """Until left, `executor` is the default database of the whole process: of every thread, loop and task.

    Meanwhile init() of the code under test returns it, whatever DSN it names, and close() leaves it open.
    """
    _scopes.append(executor)


def leave_test_scope(executor: Any) -> None:
    """Ends `enter_test_scope`."""
    _scopes.remove(executor)
    unregister(executor)


def test_database(alias: str) -> Any:
    """What init() of the code under test gets instead of a database of its own; None outside of a test scope.

    Raises:
        NotInitialized: the running test did not ask for a database.
    """
    if alias in _real_aliases:
        return None
    if _scopes:
        return _scopes[-1]
    if _refusals:
        raise NotInitialized(_refusals[-1])
    return None


def has_test_scope(alias: str) -> bool:
    """Whether a test's database stands for this alias."""
    return bool(_scopes) and alias == "default"


def is_test_database(executor: Any) -> bool:
    """Whether it belongs to the running test, which closes it."""
    return any(scope is executor for scope in _scopes)


def keep_real(*aliases: str) -> None:
    """Databases under these aliases are opened for real, also inside a test scope; replaces what was said before."""
    _real_aliases.clear()
    _real_aliases.update(aliases)


def refuse_init(reason: str) -> None:
    """Until allowed, init() raises with `reason` outside of a test scope."""
    _refusals.append(reason)


def allow_init(reason: str) -> None:
    """Ends `refuse_init`."""
    _refusals.remove(reason)


def block(reason: str) -> None:
    """Until unblocked, use of a default database that was not opened by init() raises with `reason`."""
    _blockers.append(reason)


def unblock(reason: str) -> None:
    """Ends `block`."""
    _blockers.remove(reason)
