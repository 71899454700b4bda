"""Tortoise ORM with asyncpg, as its documentation tells to use it."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from tortoise import Tortoise, fields
from tortoise.models import Model
from tortoise.query_utils import Prefetch
from tortoise.transactions import in_transaction

from benchmarks.reference import ITEMS, NEW


class _Columns(Model):
    id = fields.IntField(primary_key=True)
    big = fields.BigIntField()
    name = fields.TextField()
    code = fields.CharField(max_length=32, null=True)
    price = fields.DecimalField(max_digits=12, decimal_places=2)
    at = fields.DatetimeField()
    ref = fields.UUIDField()
    active = fields.BooleanField()
    meta: Any = fields.JSONField()
    score = fields.FloatField()

    class Meta:
        abstract = True


class Item(_Columns):
    class Meta:
        table = "item"


class WItem(_Columns):
    class Meta:
        table = "witem"


class Log(Model):
    id = fields.BigIntField(primary_key=True)
    what = fields.TextField()

    class Meta:
        table = "log"


class Author(Model):
    id = fields.IntField(primary_key=True)
    name = fields.TextField()
    books: fields.ReverseRelation[Book]

    class Meta:
        table = "author"


class Book(Model):
    id = fields.IntField(primary_key=True)
    author: Any = fields.ForeignKeyField("models.Author", related_name="books")
    title = fields.TextField()
    year = fields.IntField()

    class Meta:
        table = "book"


FIELDS = list(Item._meta.fields_map)


class Peer:
    name = "Tortoise"

    def __init__(self, dsn: str) -> None:
        self._url = dsn.replace("postgresql://", "asyncpg://", 1) + "?minsize=10&maxsize=10"

    async def open(self) -> None:
        await Tortoise.init(db_url=self._url, modules={"models": [__name__]}, use_tz=True, timezone="UTC")

    async def close(self) -> None:
        await Tortoise.close_connections()

    @staticmethod
    def data(row: Any) -> dict[str, Any]:
        return {k: getattr(row, k) for k in FIELDS}

    async def o1(self, key: int) -> Any:
        return await Item.get(id=key)

    async def o2(self, big: int) -> Any:
        return await Item.filter(active=True, big__gt=big).order_by("big").limit(100)

    async def o3(self) -> Any:
        return await Item.all().order_by("id").limit(10_000)

    async def o4(self) -> Any:
        return await WItem.create(**NEW)

    async def o5(self, items: list[dict[str, Any]]) -> int:
        await WItem.bulk_create([WItem(**i) for i in items])
        return len(items)

    async def load_written(self, key: int) -> Any:
        return await WItem.get(id=key)

    async def o6(self, item: Any, price: Decimal) -> None:
        item.price = price
        await item.save(update_fields=["price"])

    async def o7(self, low: int) -> None:
        await WItem.filter(id__gte=low, id__lt=low + 100).update(score=random.random())

    async def o8a(self, low: int) -> int:
        return await Item.filter(id__gte=low, id__lt=low + 1000).count()

    async def o8b(self, key: int) -> bool:
        return await Item.filter(id=key).exists()

    async def o9(self) -> Any:
        return await Author.all().order_by("id").prefetch_related(Prefetch("books", Book.all().order_by("id")))

    async def load_many(self, n: int) -> Any:
        return await WItem.all().order_by("id").limit(n)

    async def o10(self, items: list[Any], price: Decimal) -> None:
        for item in items:
            item.price = price
        await WItem.bulk_update(items, fields=["price"])

    async def o11(self, key: int, price: Decimal) -> None:
        async with in_transaction() as connection:
            item = await WItem.get(id=key, using_db=connection)
            item.price = price
            await item.save(update_fields=["price"], using_db=connection)
            await Log.create(what="price changed", using_db=connection)

    async def o13(self, big: int) -> bytes:
        return ITEMS.dump_json(ITEMS.validate_python(await self.o2(big), from_attributes=True))
