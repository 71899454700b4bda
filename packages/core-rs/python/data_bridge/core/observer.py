"""Observers: what logging, tracing and tests hear of every statement. Nothing is paid while there are none."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from data_bridge.core._native import LoadPlan
from data_bridge.core.call_site import call_site

observers: list[Observer] = []


@dataclass(frozen=True, slots=True)
class QueryStarted:
    """A statement is about to run.

    Attributes:
        sql: its text, without values.
        kind: select, insert, update, delete, ddl, …
        tables: tables that it names, as far as the builder knows.
        database: the alias of its database.
        transaction: the number of its transaction, or None.
        site: file and line of the calling code outside data-bridge, if an observer asks for it.
    """

    sql: str
    kind: str
    tables: tuple[str, ...]
    database: str
    transaction: int | None
    site: tuple[str, int] | None


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
    """Hears of every statement; registered by add_observer(). An attribute `wants_site = True` asks for call sites."""

    def started(self, event: QueryStarted) -> Any:
        """Called before; what it returns is handed to :meth:`finished`."""
        ...

    def finished(self, token: Any, event: QueryFinished) -> None:
        """Called after, also when the statement failed or was cancelled."""
        ...


def add_observer(observer: Observer) -> None:
    """Registers an observer for the whole process.

    >>> class Log:
    ...     def started(self, event): print(event.sql)
    ...     def finished(self, token, event): print(event.rows, event.wire)
    >>> log = Log()
    >>> add_observer(log); remove_observer(log)
    """
    observers.append(observer)


def remove_observer(observer: Observer) -> None:
    """Ends :func:`add_observer`."""
    observers.remove(observer)


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
    site = call_site() if any(getattr(o, "wants_site", False) for o in observers) else None
    return _observe(executor, run, ir, params, plan, into, timeout, site)


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
    listening = list(observers)
    described = plan.describe(ir)
    event = QueryStarted(
        described.sql, described.kind, tuple(described.tables), executor.alias, getattr(executor, "number", None), site
    )
    tokens = [o.started(event) for o in listening]
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
        finished = QueryFinished(rows, queued, wire, decode, getattr(error, "sqlstate", None), error)
        for observer, token in zip(listening, tokens, strict=True):
            observer.finished(token, finished)


def observed_script(executor: Any, start: Callable[[], Any], sql: str) -> Awaitable[Any]:
    """Runs SQL by the simple protocol between the calls of all observers."""
    site = call_site() if any(getattr(o, "wants_site", False) for o in observers) else None
    return _observe_script(executor, start, sql, site)


async def _observe_script(executor: Any, start: Callable[[], Any], sql: str, site: tuple[str, int] | None) -> Any:
    listening = list(observers)
    event = QueryStarted(sql, "script", (), executor.alias, getattr(executor, "number", None), site)
    tokens = [o.started(event) for o in listening]
    error: BaseException | None = None
    rows, began = 0, time.perf_counter()
    try:
        rows = await start()
        return rows
    except BaseException as e:
        error = e
        raise
    finally:
        finished = QueryFinished(rows, 0.0, time.perf_counter() - began, 0.0, getattr(error, "sqlstate", None), error)
        for observer, token in zip(listening, tokens, strict=True):
            observer.finished(token, finished)
