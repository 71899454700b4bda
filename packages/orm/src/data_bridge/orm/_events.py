"""Events: functions of a class that run before and after its rows are written or loaded."""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from data_bridge.core import pg_transaction
from data_bridge.core.errors import ConfigurationError

if TYPE_CHECKING:
    from data_bridge.core import LoadPlan
    from data_bridge.orm.mapping.entity import Entity

F = TypeVar("F")
Skip = Sequence[Any] | bool
_MARK = "__db_events__"


class Event:
    """Something that happens to a row."""


class Insert(Event):
    """A row is inserted: by insert(), create(), save() of a new row, get_or_create(), and each row of insert_many()."""


class Update(Event):
    """A row is updated: by update(), save() of a changed row, and each row of bulk_update()."""


class Save(Event):
    """save() of a row, new or not; Insert or Update happens inside. Of upsert() and upsert_many() each row."""


class Replace(Event):
    """replace() of a row."""


class Delete(Event):
    """delete() of a row."""


class Load(Event):
    """A row became an instance; only after."""


class BulkUpdate(Event):
    """update() of a query; the function is a class method and gets the query."""


class BulkDelete(Event):
    """delete() of a query; the function is a class method and gets the query."""


def _marked(when: str, events: tuple[Any, ...]) -> Callable[[F], F]:
    if not events:
        raise TypeError(
            f"{when}_event() needs events, such as Insert" if when != "commit" else "after_commit() needs events"
        )
    for e in events:
        if not (isinstance(e, type) and issubclass(e, Event)):
            raise TypeError(
                f"{e!r} is not an event: Insert, Update, Save, Replace, Delete, Load, BulkUpdate or BulkDelete"
            )
        if e is Load and when != "after":
            raise ConfigurationError("Load has no before: the instance is not there yet")

    def mark(function: F) -> F:
        target: Any = getattr(function, "__func__", function)
        known: tuple[Any, ...] = getattr(target, _MARK, ())
        setattr(target, _MARK, (*known, *((when, e) for e in events)))
        return function

    return mark


def before_event(*events: type[Event]) -> Callable[[F], F]:
    """The method runs before these events; what it sets is written by the same statement, what it raises stops it.

    Functions run one after the other in the order of their definition, those of base classes first; sync or async.

    >>> from data_bridge.orm import Column, IdMixin, Insert, Update, before_event
    >>> class Account(IdMixin):
    ...     email: str
    ...     @before_event(Insert, Update)
    ...     def normalise(self) -> None:
    ...         self.email = self.email.lower()
    """
    return _marked("before", events)


def after_event(*events: type[Event]) -> Callable[[F], F]:
    """The method runs after these events, in the same transaction: what it raises undoes the statement."""
    return _marked("after", events)


def after_commit(*events: type[Event]) -> Callable[[F], F]:
    """The method runs when what these events wrote is committed: at once outside a transaction, never after a rollback."""
    return _marked("commit", events)


class Hooks:
    """The functions of a class, by when and event."""

    __slots__ = ("_by_event", "_transactional")

    def __init__(self, by_event: dict[tuple[str, Any], tuple[str, ...]], transactional: set[Any]) -> None:
        self._by_event = by_event
        self._transactional = transactional

    @classmethod
    def of(cls, table: Any) -> Hooks | None:
        """Those of a class and its bases; None when there are none."""
        by_event: dict[tuple[str, Any], tuple[str, ...]] = {}
        transactional: set[Any] = set()
        bases = [base for base in reversed(table.__mro__) if base not in _UNMARKED]
        names = dict.fromkeys(n for base in bases for n, v in vars(base).items() if _events(v))
        for name in names:
            # A class that defines the name again decides for itself, even that it is not such a function any more.
            function = next(vars(base)[name] for base in table.__mro__ if name in vars(base))
            for when, event in _events(function):
                by_event[when, event] = (*by_event.get((when, event), ()), name)
                if when == "after" or inspect.iscoroutinefunction(getattr(function, "__func__", function)):
                    transactional.add(event)
        return cls(by_event, transactional) if by_event else None

    def concern(self, event: Any) -> bool:
        """Whether a function waits for this event."""
        return any((when, event) in self._by_event for when in ("before", "after", "commit"))

    def are_transactional(self, events: Iterable[Any]) -> bool:
        """Whether statements and functions must stand or fall together."""
        return any(e in self._transactional for e in events)

    async def run(self, when: str, event: Any, on: Any, skip: Skip, *arguments: Any) -> None:
        """Runs the functions for an event one after the other."""
        names = self._by_event.get((when, event))
        if not names or _skips(skip, event):
            return
        for name in names:
            if skip and name in skip:  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
                continue
            done = getattr(on, name)(*arguments)
            if inspect.isawaitable(done):
                await done

    async def after_commit(self, event: Any, on: Any, skip: Skip, executor: Any, *arguments: Any) -> None:
        """Has the functions run when the transaction is committed; outside one, now."""
        if ("commit", event) not in self._by_event or _skips(skip, event):
            return

        async def callback() -> None:
            await self.run("commit", event, on, skip, *arguments)

        if executor.is_transaction and hasattr(executor, "on_commit"):
            executor.on_commit(callback)
        else:
            await callback()


_UNMARKED = frozenset(BaseModel.__mro__)
"""Classes that mark no functions, and have most of the names that a table inherits."""


def _events(value: Any) -> tuple[Any, ...]:
    if not (callable(value) or isinstance(value, classmethod)):
        return ()
    found: tuple[Any, ...] = getattr(getattr(value, "__func__", value), _MARK, ())
    return found


def _skips(skip: Skip, event: Any) -> bool:
    return skip is True or (bool(skip) and event in skip)  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]


async def happening(
    hooks: Hooks,
    events: Sequence[Any],
    rows: Sequence[Any],
    skip: Skip,
    executor: Any,
    work: Callable[[Any], Awaitable[Any]],
    *arguments: Any,
) -> Any:
    """`work` with what runs before and after it; the first event is the outermost.

    `work` gets the executor: the given one, or a transaction when functions and statement stand or fall together.
    """
    if skip is True:
        return await work(executor)
    if not hooks.are_transactional(events):
        return await sequence(hooks, events, rows, skip, executor, work, *arguments)
    async with pg_transaction(using=executor) as tx:
        return await sequence(hooks, events, rows, skip, tx, work, *arguments)


async def sequence(
    hooks: Hooks,
    events: Sequence[Any],
    rows: Sequence[Any],
    skip: Skip,
    executor: Any,
    work: Callable[[Any], Awaitable[Any]],
    *arguments: Any,
) -> Any:
    """Functions before, `work`, functions after."""
    for event in events:
        for row in rows:
            await hooks.run("before", event, row, skip, *arguments)
    result = await work(executor)
    for event in reversed(events):
        for row in rows:
            await hooks.run("after", event, row, skip, *arguments)
    for event in reversed(events):
        for row in rows:
            await hooks.after_commit(event, row, skip, executor, *arguments)
    return result


async def loaded(entity: Entity, rows: Iterable[Any]) -> None:
    """Runs what waits for the loading of these rows."""
    if entity.has_load_hooks and entity.hooks is not None:
        for row in rows:
            await entity.hooks.run("after", Load, row, ())


async def loaded_as(entity: Entity, plan: LoadPlan, rows: Any) -> None:
    """The same for what a plan made: instances, or tuples with instances."""
    parts = entity.load_hooked[plan]
    if parts is None:
        await loaded(entity, rows)
        return
    for position, of in parts:
        await loaded(of, [t[position] for t in rows if t[position] is not None])
