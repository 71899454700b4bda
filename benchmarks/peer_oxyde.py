"""Oxyde, Pydantic models on a Rust core, as its documentation tells to use it."""

from __future__ import annotations

import random
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from oxyde import AsyncDatabase, Field, Model, PoolSettings, disconnect_all
from oxyde.db import transaction
from pydantic import TypeAdapter

from benchmarks.reference import NEW

LIMIT = 5_000
"""Rows of one INSERT: all of their values are parameters of their own, of which there may be 65,535."""


class Item(Model):
    id: int | None = Field(default=None, db_pk=True)
    big: int = Field(db_type="BIGINT")
    name: str
    code: str | None = Field(default=None, max_length=32)
    price: Decimal = Field(max_digits=12, decimal_places=2)
    at: datetime = Field(db_type="TIMESTAMPTZ")
    ref: UUID
    active: bool
    meta: dict[str, Any] = Field(db_type="JSONB")
    score: float

    class Meta:
        is_table = True
        table_name = "item"


class WItem(Model):
    id: int | None = Field(default=None, db_pk=True)
    big: int = Field(db_type="BIGINT")
    name: str
    code: str | None = Field(default=None, max_length=32)
    price: Decimal = Field(max_digits=12, decimal_places=2)
    at: datetime = Field(db_type="TIMESTAMPTZ")
    ref: UUID
    active: bool
    meta: dict[str, Any] = Field(db_type="JSONB")
    score: float

    class Meta:
        is_table = True
        table_name = "witem"


class Log(Model):
    id: int | None = Field(default=None, db_pk=True, db_type="BIGINT")
    what: str

    class Meta:
        is_table = True
        table_name = "log"


class Author(Model):
    id: int | None = Field(default=None, db_pk=True)
    name: str
    books: list[Book] = Field(db_reverse_fk="author")

    class Meta:
        is_table = True
        table_name = "author"


class Book(Model):
    id: int | None = Field(default=None, db_pk=True)
    author: Author | None = Field(default=None, db_on_delete="CASCADE")
    title: str
    year: int

    class Meta:
        is_table = True
        table_name = "book"


ITEMS = TypeAdapter(list[Item])
FIELDS = list(Item.model_fields)


class Peer:
    name = "Oxyde"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def open(self) -> None:
        self.database = AsyncDatabase(
            self._dsn, name="default", settings=PoolSettings(max_connections=10, min_connections=10)
        )
        await self.database.connect()

    async def close(self) -> None:
        await disconnect_all()

    @staticmethod
    def data(row: Any) -> dict[str, Any]:
        return {k: getattr(row, k) for k in FIELDS}

    async def o1(self, key: int) -> Any:
        return await Item.objects.get(id=key)

    async def o2(self, big: int) -> Any:
        return await Item.objects.filter(active=True, big__gt=big).order_by("big").limit(100).all()

    async def o3(self) -> Any:
        return await Item.objects.order_by("id").limit(10_000).all()

    async def o4(self) -> Any:
        return await WItem.objects.create(**NEW)

    async def o5(self, items: list[dict[str, Any]]) -> int:
        async with transaction.atomic():
            made = await WItem.objects.bulk_create([WItem(**i) for i in items], batch_size=LIMIT)
        return len(made)

    async def load_written(self, key: int) -> Any:
        return await WItem.objects.get(id=key)

    async def o6(self, item: Any, price: Decimal) -> None:
        item.price = price
        await item.save(update_fields=["price"])

    async def o7(self, low: int) -> None:
        await WItem.objects.filter(id__gte=low, id__lt=low + 100).update(score=random.random())

    async def o8a(self, low: int) -> int:
        return await Item.objects.filter(id__gte=low, id__lt=low + 1000).count()

    async def o8b(self, key: int) -> bool:
        return await Item.objects.filter(id=key).exists()

    async def o9(self) -> Any:
        return await Author.objects.order_by("id").prefetch("books").all()

    async def load_many(self, n: int) -> Any:
        return await WItem.objects.order_by("id").limit(n).all()

    async def o10(self, items: list[Any], price: Decimal) -> None:
        for item in items:
            item.price = price
        await WItem.objects.bulk_update(items, ["price"])

    async def o11(self, key: int, price: Decimal) -> None:
        async with transaction.atomic():
            item = await WItem.objects.get(id=key)
            item.price = price
            await item.save(update_fields=["price"])
            await Log.objects.create(what="price changed")

    async def o13(self, big: int) -> bytes:
        return ITEMS.dump_json(await self.o2(big))
