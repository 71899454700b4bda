"""Observers: what logging, tracing and tests hear of every statement. Nothing is paid while there are none."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from data_bridge.core._native import LoadPlan
from data_bridge.core.call_site import call_site

if TYPE_CHECKING:
    from data_bridge.core.connection.transaction_settings import TransactionSettings

observers: list[Observer] = []
annotators: list[tuple[Callable[[], Mapping[str, str]], bool]] = []
"""What adds comments to statements, and whether its values are for one call only; see `add_annotator`."""
_log = logging.getLogger("data_bridge.observers")
_TAG = re.compile(r"/\* (.*?) \*/")


@dataclass(frozen=True, slots=True)
class LoadedLink:
    """A link whose rows a statement loads, because code awaited it on an instance.

    Attributes:
        label: the class and the name of the link, as `Post.author`.
        task: the task that awaited it.
        site: file and line of the code that awaited it.
    """

    label: str
    task: asyncio.Task[Any] | None
    site: tuple[str, int]


_loaded_link: ContextVar[LoadedLink | None] = ContextVar("data_bridge_loaded_link", default=None)


@dataclass(frozen=True, slots=True)
class QueryStarted:
    """A statement is about to run.

    Attributes:
        sql: its text, without values.
        kind: select, insert, update, delete, ddl, …; begin, commit, rollback, savepoint and release; copy, listen, script.
        tables: tables that it names, as far as the builder knows.
        shape: a number that all statements of this text share in this process.
        tag: what `QueryBuilder.tag()` put in front of it, or None.
        database: the alias of its database.
        transaction: the number of its transaction, or None.
        site: file and line of the calling code outside data-bridge, if an observer asks for it.
        params: the values of its parameters, if an observer asks for them; never part of the `repr`.
        namespace: the name of the database on the server.
        server: host and port, if the database has a single host.
        link: the link of an instance that it loads, or None.
    """

    sql: str
    kind: str
    tables: tuple[str, ...]
    database: str
    transaction: int | None
    site: tuple[str, int] | None
    shape: int = 0
    tag: str | None = None
    params: tuple[Any, ...] | None = field(default=None, repr=False)
    namespace: str | None = None
    server: tuple[str, int] | None = None
    link: LoadedLink | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class QueryFinished:
    """A statement has ended.

    Attributes:
        rows: rows returned, or affected.
        queued: seconds until it had a connection.
        wire: seconds from sending to the last byte.
        decode: seconds of turning rows into objects.
        sqlstate: the server's code, if it refused.
        error: the exception, if there is one.
    """

    rows: int
    queued: float
    wire: float
    decode: float
    sqlstate: str | None
    error: BaseException | None


class Observer(Protocol):
    """Is told of everything that is sent to a server: statements, scripts, transaction control, streams, COPY and LISTEN.

    Registered by `add_observer`. An attribute `wants_site = True` asks for call sites, `wants_values = True` for parameters.
    An attribute `only`, a function that returns a Database, limits the observer to the statements of that database. An
    exception of an observer is logged to `data_bridge.observers` and changes nothing, unless an attribute `raises = True` says
    that it is for the caller of the statement.
    """

    def started(self, event: QueryStarted) -> Any:
        """Called before; what it returns is handed to `finished`."""
        ...

    def finished(self, token: Any, event: QueryFinished) -> None:
        """Called after, also when the statement failed or was cancelled."""
        ...


def add_observer(observer: Observer) -> None:
    """Registers an observer for the whole process.

    >>> from data_bridge.core import add_observer, remove_observer
    >>> class Log:
    ...     def started(self, event): print(event.sql)
    ...     def finished(self, token, event): print(event.rows, event.wire)
    >>> log = Log()
    >>> add_observer(log); remove_observer(log)
    """
    observers.append(observer)


def remove_observer(observer: Observer) -> None:
    """Ends `add_observer`."""
    observers.remove(observer)


def begin_link(label: str) -> Token[LoadedLink | None] | None:
    """Says that the statements of this context, and of tasks that it starts, load a link, until `end_link`."""
    if not observers:
        return None
    return _loaded_link.set(LoadedLink(label, asyncio.current_task(), call_site()))


def end_link(token: Token[LoadedLink | None] | None) -> None:
    """Ends `begin_link`."""
    if token is not None:
        _loaded_link.reset(token)


def annotated(ir: tuple[Any, ...], settings: TransactionSettings | None = None) -> tuple[Any, ...]:
    """The structure of a statement, with a comment if there are annotators, or if its transaction has a search path.

    A statement that is prepared knows the tables and types that its names meant then: another path makes it another text.
    """
    path = None if settings is None else settings.search_path
    if not annotators and path is None:
        return ir
    # For start-up time.
    from data_bridge.core.connection.annotators import commented

    return commented(ir, path)


class _Told:
    """What the observers were told of one operation."""

    __slots__ = ("_tokens",)

    def __init__(self, event: QueryStarted, executor: Any) -> None:
        self._tokens: list[tuple[Observer, Any]] = []
        for observer in observers:
            only = getattr(observer, "only", None)
            if only is not None and only() is not _database_of(executor):
                continue
            try:
                self._tokens.append((observer, observer.started(event)))
            except Exception:
                if getattr(observer, "raises", False):
                    raise
                _log.exception("an observer failed when a statement started")

    def finish(self, event: QueryFinished) -> None:
        raised: Exception | None = None
        for observer, token in self._tokens:
            try:
                observer.finished(token, event)
            except Exception as e:
                if getattr(observer, "raises", False):
                    raised = e
                else:
                    _log.exception("an observer failed when a statement ended")
        if raised is not None:
            raise raised


def _database_of(executor: Any) -> Any:
    """The Database of a transaction, of the runner of migrations, or of the sandbox of a test."""
    while (around := executor.__dict__.get("database") or executor.__dict__.get("_database")) is not None:
        executor = around
    return executor


def _place_of(executor: Any) -> tuple[str | None, tuple[str, int] | None]:
    address = getattr(_database_of(executor), "address", None)
    if address is None:
        return None, None
    return address.database or address.user, address.hosts[0] if len(address.hosts) == 1 else None


def _site() -> tuple[str, int] | None:
    return call_site() if any(getattr(o, "wants_site", False) for o in observers) else None


def _tag(sql: str) -> str | None:
    found = _TAG.match(sql)
    return found[1] if found else None


def observed(
    executor: Any,
    run: Callable[..., Any],
    ir: tuple[Any, ...],
    params: tuple[Any, ...],
    plan: LoadPlan,
    into: object,
    timeout: float | None,
) -> Awaitable[Any]:
    """Runs a statement between the calls of all observers."""
    return _observe(executor, run, ir, params, plan, into, timeout, _site())


async def _observe(
    executor: Any,
    run: Callable[..., Any],
    ir: tuple[Any, ...],
    params: tuple[Any, ...],
    plan: LoadPlan,
    into: object,
    timeout: float | None,
    site: tuple[str, int] | None,
) -> Any:
    described = plan.describe(ir)
    number = getattr(executor, "number", None)
    told = _Told(
        QueryStarted(
            described.sql,
            described.kind,
            tuple(described.tables),
            executor.alias,
            number,
            site,
            described.shape,
            _tag(described.sql),
            params if any(getattr(o, "wants_values", False) for o in observers) else None,
            *_place_of(executor),
            _loaded_link.get(),
        ),
        executor,
    )
    op = None
    error: BaseException | None = None
    try:
        op = run(ir, params, plan, into, timeout, timed=True)
        return await op
    except BaseException as e:
        error = e
        raise
    finally:
        queued, wire, decode = (op.seconds if op is not None else None) or (0.0, 0.0, 0.0)
        rows = op.row_count if op is not None and op.done() else 0
        # The traceback of a cancelled statement keeps this frame, and an operation that is still held is not cancelled on
        # the server.
        op = None
        finished = QueryFinished(rows, queued, wire, decode, getattr(error, "sqlstate", None), error)
        error = None
        told.finish(finished)


class Observation:
    """One operation that is not a plain statement, from its start to its end; nothing while there are no observers.

    >>> class Shop:
    ...     alias = "shop"
    >>> watched = Observation(Shop(), "copy", "COPY …")
    >>> watched.finish(rows=3)
    """

    __slots__ = ("_began", "_told")

    def __init__(self, executor: Any, kind: str, sql: str, tables: tuple[str, ...] = ()) -> None:
        self._told: _Told | None = None
        self._began = 0.0
        if observers:
            number = getattr(executor, "number", None)
            event = QueryStarted(
                sql, kind, tables, executor.alias, number, _site(), hash(sql), _tag(sql), None, *_place_of(executor)
            )
            self._told, self._began = _Told(event, executor), time.perf_counter()

    def finish(self, error: BaseException | None = None, rows: int = 0) -> None:
        """Tells how it ended. A second call does nothing."""
        told, self._told = self._told, None
        if told is not None:
            wire = time.perf_counter() - self._began
            told.finish(QueryFinished(rows, 0.0, wire, 0.0, getattr(error, "sqlstate", None), error))


async def observed_step(executor: Any, kind: str, sql: str, operation: Awaitable[Any] | None) -> Any:
    """Awaits an operation that was started just now, between the calls of all observers; returns its result."""
    watched = Observation(executor, kind, sql)
    started: Any = operation
    try:
        result = await started
    except BaseException as e:
        # As in _observe(): the traceback keeps this frame.
        started = operation = None
        watched.finish(e)
        raise
    watched.finish()
    return result


def observed_script(executor: Any, start: Callable[[], Any], sql: str) -> Awaitable[Any]:
    """Runs SQL by the simple protocol between the calls of all observers."""
    return _observe_script(Observation(executor, "script", sql), start)


async def _observe_script(watched: Observation, start: Callable[[], Any]) -> Any:
    try:
        rows = await start()
    except BaseException as e:
        watched.finish(e)
        raise
    watched.finish(rows=rows)
    return rows
