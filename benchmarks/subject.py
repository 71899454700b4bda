"""data-bridge, as its documentation tells to use it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from benchmarks.reference import NEW
from data_bridge import core
from data_bridge.orm import BackLink, Col, Column, Link, Table
from data_bridge.query import types


class _Item(Table):
    class Settings:
        abstract = True

    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True, type=types.Integer)
    big: Col[int]
    name: Col[str]
    code: Col[str | None] = Column(default=None, max_length=32)
    price: Col[Decimal] = Column(precision=12, scale=2)
    at: Col[datetime]
    ref: Col[UUID]
    active: Col[bool]
    meta: Col[dict[str, Any]]
    score: Col[float]


class Item(_Item):
    pass


class WItem(_Item):
    class Settings:
        name = "witem"


class Log(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    what: Col[str]


class Author(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True, type=types.Integer)
    name: Col[str]
    books: BackLink[list[Book]] = BackLink("author")


class Book(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True, type=types.Integer)
    author: Link[Author]
    title: Col[str]
    year: Col[int] = Column(type=types.Integer)


ITEMS = TypeAdapter(list[Item])


class Subject:
    """data-bridge-orm."""

    name = "data-bridge"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def open(self) -> None:
        self.database = await core.init(self._dsn, max_connections=10, min_connections=10)

    async def close(self) -> None:
        await core.close()

    async def o1(self, key: int) -> Item:
        return await Item.get(key)

    async def o2(self, big: int) -> list[Item]:
        return await Item.find(Item.active == True, Item.big > big).order_by(Item.big).limit(100).to_list()  # noqa: E712

    async def o3(self) -> list[Item]:
        return await Item.find().order_by(Item.id).limit(10_000).to_list()

    async def o4(self) -> WItem:
        return await WItem(**NEW).save()

    async def o5(self, items: list[dict[str, Any]]) -> int:
        return await WItem.insert_many(
            [WItem(**i) for i in items], returning=False
        )  # COPY gives the reference no keys either

    async def load_written(self, key: int) -> WItem:
        return await WItem.get(key)

    async def o6(self, item: WItem, price: Decimal) -> None:
        item.price = price
        await item.save()

    async def o7(self, low: int) -> int:
        return await WItem.find(WItem.id >= low, WItem.id < low + 100).update(score=random.random())

    async def o8a(self, low: int) -> int:
        return await Item.find(Item.id >= low, Item.id < low + 1000).count()

    async def o8b(self, key: int) -> bool:
        return await Item.find(Item.id == key).exists()

    async def load_many(self, n: int) -> list[WItem]:
        return await WItem.find().order_by(WItem.id).limit(n).to_list()

    async def o9(self) -> list[Author]:
        return await Author.find().order_by(Author.id).fetch_links(Author.books.order_by(Book.id))

    async def o10(self, items: list[WItem], price: Decimal) -> None:
        for item in items:
            item.price = price
        await WItem.bulk_update(items)

    async def o11(self, key: int, price: Decimal) -> None:
        async with core.pg_transaction():
            item = await WItem.get(key)
            item.price = price
            await item.save()
            await Log(what="price changed").save()

    async def o13(self, big: int) -> bytes:
        return ITEMS.dump_json(await self.o2(big))

    async def insert_keys(self, count: int) -> list[WItem]:
        return await WItem.insert_many([WItem(**NEW) for _ in range(count)])

    async def load_dicts(self, rows: Iterable[dict[str, Any]]) -> int:
        return await WItem.insert_many(rows, returning=False)

    async def upsert(self, count: int) -> None:
        await WItem.upsert_many([WItem(id=i + 1, **NEW) for i in range(count)], conflict=["id"])
