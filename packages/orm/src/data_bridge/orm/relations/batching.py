"""Awaited links: what several tasks ask for in one turn of the event loop is one query."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from data_bridge.core import begin_link, end_link, reading_context
from data_bridge.core.errors import RowNotFound
from data_bridge.orm._state import keep
from data_bridge.query.spi import among

if TYPE_CHECKING:
    from data_bridge.orm.mapping.relation import Relation


class _Batch:
    """Keys that are loaded together."""

    __slots__ = ("keys", "task")

    def __init__(self) -> None:
        self.keys: set[tuple[Any, ...]] = set()
        self.task: asyncio.Task[dict[tuple[Any, ...], Any]]


_open: dict[tuple[Any, ...], _Batch] = {}
"""Those that still take keys, by event loop, columns, where they run, and what they see there."""


async def load(row: Any, relation: Relation) -> Any:
    """The row that a link points to, which the instance has from then on.

    Raises:
        RowNotFound: the foreign key points nowhere, which only a table without the constraint allows.
    """
    key = tuple(row.__dict__[k] for k in relation.near)
    executor = relation.target.executor(None)
    loop = asyncio.get_running_loop()
    at = (id(loop), relation.target.number, relation.far, id(executor), reading_context())
    batch = _open.get(at)
    if batch is None:
        batch = _open[at] = _Batch()
        # A task begins when everything that is ready now has run: until then others add their keys.
        token = begin_link(relation.label)
        batch.task = loop.create_task(_run(at, batch, relation, executor))
        end_link(token)
        batch.task.add_done_callback(_seen)
    batch.keys.add(key)
    # A task that is cancelled must not take the query of the others with it.
    rows = await asyncio.shield(batch.task)
    found = rows.get(key)
    if found is None:
        raise RowNotFound(f"{relation.label} points to a {relation.target.label} that is not there")
    keep(row, relation.name, found)
    return found


async def _run(at: tuple[Any, ...], batch: _Batch, relation: Relation, executor: Any) -> dict[tuple[Any, ...], Any]:
    if _open.get(at) is batch:
        del _open[at]
    entity = relation.target
    query = entity.query().with_deleted()
    rows = await query.find(among([entity.columns[k] for k in relation.far], list(batch.keys))).using(executor)
    return {tuple(r.__dict__[k] for k in relation.far): r for r in rows}


def _seen(task: asyncio.Task[Any]) -> None:
    # When every waiting task was cancelled, no one else retrieves the exception.
    if not task.cancelled():
        task.exception()
