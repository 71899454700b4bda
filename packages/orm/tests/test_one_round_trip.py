"""Every operation is one statement, and so one round trip where no transaction has to be opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from data_bridge.core import add_observer, remove_observer
from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    IdMixin,
    Link,
    ManyToMany,
    TimestampMixin,
    create_all,
    func,
    pg_transaction,
)


class Trip(IdMixin, TimestampMixin):
    name: Col[str] = Column(unique=True)
    n: Col[int] = Column(default=0)
    doc: Col[dict[str, Any]] = Column(default_factory=dict)
    parent: Link[Trip | None] = Column(default=None)
    children: BackLink[list[Trip]] = BackLink("parent")
    marks: ManyToMany[Mark] = ManyToMany(through="trip_marks")


class Mark(IdMixin):
    name: Col[str] = Column(default="")


def changed(row: Any) -> Any:
    row.n += 1
    row.doc["x"] = row.n
    return row


Operation = Callable[[Any, Any], Awaitable[Any]]
OPERATIONS: dict[str, Operation] = {
    "save of a new row": lambda row, mark: Trip(name="new").save(),
    "save of a new row with a key": lambda row, mark: Trip(id=99, name="new").save(),
    "save of a changed row": lambda row, mark: changed(row).save(),
    "insert": lambda row, mark: Trip(name="new").insert(),
    "create": lambda row, mark: Trip.create(name="new"),
    "update": lambda row, mark: row.update({Trip.n: Trip.n + 1}, name="x"),
    "replace": lambda row, mark: row.replace(),
    "delete": lambda row, mark: row.delete(),
    "refresh": lambda row, mark: row.refresh(),
    "refresh of some": lambda row, mark: row.refresh("n"),
    "get": lambda row, mark: Trip.get(row.id),
    "get with its parent": lambda row, mark: Trip.get(row.id, fetch_links=[Trip.parent]),
    "get_or_none": lambda row, mark: Trip.get_or_none(row.id),
    "get_many": lambda row, mark: Trip.get_many([row.id, 3, 4]),
    "find": lambda row, mark: Trip.find(Trip.n >= 0).to_list(),
    "find through a link": lambda row, mark: Trip.find(Trip.parent.name == "x").to_list(),
    "find with a join": lambda row, mark: Trip.find().fetch_links(Trip.parent.parent).to_list(),
    "find_one": lambda row, mark: Trip.find_one(name="row"),
    "first": lambda row, mark: Trip.find().first(),
    "last": lambda row, mark: Trip.find().last(),
    "one": lambda row, mark: Trip.find(name="row").one(),
    "count": lambda row, mark: Trip.count(),
    "exists": lambda row, mark: Trip.exists(name="row"),
    "distinct": lambda row, mark: Trip.distinct(Trip.n),
    "sum": lambda row, mark: Trip.find().sum(Trip.n),
    "aggregate": lambda row, mark: Trip.find().group_by(Trip.n).aggregate(k=func.count()).to_list(),
    "get_or_create of one that is there": lambda row, mark: Trip.get_or_create(name="row"),
    "upsert": lambda row, mark: Trip.upsert(Trip(name="row", n=5), conflict=[Trip.name]),
    "upsert_many": lambda row, mark: Trip.upsert_many([Trip(name="row"), Trip(name="b")], conflict=["name"]),
    "insert_many": lambda row, mark: Trip.insert_many([Trip(name=str(i)) for i in range(2000)]),
    "insert_many of few that bring nothing back": lambda row, mark: Trip.insert_many([{"name": "b"}], returning=False),
    "bulk_update": lambda row, mark: Trip.bulk_update([changed(row)]),
    "update of a query": lambda row, mark: Trip.find(name="row").update(n=1),
    "delete of a query": lambda row, mark: Trip.find(name="row").delete(),
    "returning": lambda row, mark: Trip.find(name="row").returning(Trip.n).update(n=1),
    "raw": lambda row, mark: Trip.raw("SELECT * FROM trip WHERE false"),
    "a page without its total": lambda row, mark: Trip.find().page(1, 10, total=False),
    "a page by key": lambda row, mark: Trip.find().paginate(10),
    "explain": lambda row, mark: Trip.find().explain(),
    "fetch": lambda row, mark: row.fetch("children"),
    "add": lambda row, mark: row.marks.add(mark),
    "remove": lambda row, mark: row.marks.remove(mark),
    "has": lambda row, mark: row.marks.has(mark),
    "insert_from": lambda row, mark: Mark.insert_from(Trip.find().values(Trip.name)),
    "merge": lambda row, mark: _awaited(Trip.merge([{"name": "row", "n": 3}], on=["name"]).when_matched().update()),
}


async def _awaited(value: Any) -> Any:
    return await value


class Statements:
    """Hears what is sent."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, event: Any) -> None:
        self.seen.append(event.sql)

    def finished(self, token: Any, event: Any) -> None:
        """Nothing to do."""


@pytest.mark.parametrize("name", OPERATIONS)
async def test_one_statement(isolated_db: Any, name: str) -> None:
    await create_all(Trip, Mark)
    row = await Trip(name="row").save()
    mark = await Mark().save()
    statements = Statements()
    add_observer(statements)
    try:
        await OPERATIONS[name](row, mark)
    finally:
        remove_observer(statements)
    assert len(statements.seen) == 1, "\n".join(statements.seen)


async def test_a_lock_and_nothing(isolated_db: Any) -> None:
    await create_all(Trip, Mark)
    row = await Trip(name="row").save()
    statements = Statements()
    async with pg_transaction():
        add_observer(statements)
        try:
            await row.lock()
            await row.save()
        finally:
            remove_observer(statements)
    assert len(statements.seen) == 1
