"""The reference: asyncpg with Pydantic code written by hand, as a careful application would have it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel, TypeAdapter

COLUMNS = "id, big, name, code, price, at, ref, active, meta, score"
WRITTEN = "big, name, code, price, at, ref, active, meta, score"


class Item(BaseModel):
    id: int | None = None
    big: int
    name: str
    code: str | None = None
    price: Decimal
    at: datetime
    ref: UUID
    active: bool
    meta: dict[str, Any]
    score: float


class Book(BaseModel):
    id: int
    author_id: int
    title: str
    year: int


class Author(BaseModel):
    id: int
    name: str
    books: list[Book] = []


ITEMS = TypeAdapter(list[Item])
AUTHORS = TypeAdapter(list[Author])
BOOKS = TypeAdapter(list[Book])
NEW: dict[str, Any] = {
    "big": 77, "name": "new item", "code": "c1", "price": Decimal("12.50"), "at": datetime(2024, 5, 1, tzinfo=UTC),
    "ref": UUID("12345678-1234-5678-1234-567812345678"), "active": True, "meta": {"n": 1, "tag": "t", "ok": True}, "score": 0.5,
}  # fmt: skip


class Reference:
    """asyncpg's pool as shipped, and with `reset=False` without the reset on release."""

    def __init__(self, dsn: str, *, reset: bool = True) -> None:
        self.name = "asyncpg + Pydantic" if reset else "asyncpg without reset"
        self._dsn = dsn
        self._reset = reset

    async def open(self) -> None:
        async def init(connection: asyncpg.Connection) -> None:
            # Binary, as COPY takes nothing else; the first byte is the version of the format.
            await connection.set_type_codec(
                "jsonb",
                encoder=lambda value: b"\x01" + json.dumps(value).encode(),
                decoder=lambda data: json.loads(data[1:]),
                schema="pg_catalog",
                format="binary",
            )

        async def no_reset(connection: asyncpg.Connection) -> None:
            return

        options: dict[str, Any] = {} if self._reset else {"reset": no_reset}
        self.pool = await asyncpg.create_pool(self._dsn, min_size=10, max_size=10, init=init, **options)

    async def close(self) -> None:
        await self.pool.close()

    async def o1(self, key: int) -> Item:
        return Item(**await self.pool.fetchrow(f"SELECT {COLUMNS} FROM item WHERE id = $1", key))

    async def o2(self, big: int) -> list[Item]:
        rows = await self.pool.fetch(
            f"SELECT {COLUMNS} FROM item WHERE active = true AND big > $1 ORDER BY big LIMIT 100", big
        )
        return ITEMS.validate_python([dict(r) for r in rows])

    async def o3(self) -> list[Item]:
        rows = await self.pool.fetch(f"SELECT {COLUMNS} FROM item ORDER BY id LIMIT 10000")
        return ITEMS.validate_python([dict(r) for r in rows])

    async def o4(self) -> Item:
        item = Item(**NEW)
        values = [getattr(item, c.strip()) for c in WRITTEN.split(",")]
        item.id = await self.pool.fetchval(
            f"INSERT INTO witem ({WRITTEN}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) RETURNING id", *values
        )
        return item

    async def o5(self, items: list[dict[str, Any]]) -> int:
        made = [Item(**i) for i in items]
        names = [c.strip() for c in WRITTEN.split(",")]
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.copy_records_to_table(
                "witem", records=[tuple(getattr(m, n) for n in names) for m in made], columns=names
            )
        return len(made)

    async def load_written(self, key: int) -> Item:
        return Item(**await self.pool.fetchrow(f"SELECT {COLUMNS} FROM witem WHERE id = $1", key))

    async def o6(self, item: Item, price: Decimal) -> None:
        item.price = price
        await self.pool.execute("UPDATE witem SET price = $1 WHERE id = $2", item.price, item.id)

    async def o7(self, low: int) -> str:
        return await self.pool.execute(
            "UPDATE witem SET score = $1 WHERE id >= $2 AND id < $3", random.random(), low, low + 100
        )

    async def o8(self, low: int) -> tuple[int, bool]:
        count = await self.pool.fetchval("SELECT count(*) FROM item WHERE id >= $1 AND id < $2", low, low + 1000)
        return count, await self.pool.fetchval("SELECT EXISTS (SELECT 1 FROM item WHERE id = $1)", low)

    async def o9(self) -> list[Author]:
        async with self.pool.acquire() as connection:
            rows = await connection.fetch("SELECT id, name FROM author ORDER BY id")
            authors = AUTHORS.validate_python([dict(r) for r in rows])
            rows = await connection.fetch(
                "SELECT id, author_id, title, year FROM book WHERE author_id = ANY($1) ORDER BY id",
                [a.id for a in authors],
            )
        by_id = {a.id: a for a in authors}
        for book in BOOKS.validate_python([dict(r) for r in rows]):
            by_id[book.author_id].books.append(book)
        return authors

    async def o10(self, items: list[Item], price: Decimal) -> None:
        for item in items:
            item.price = price
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.executemany("UPDATE witem SET price = $1 WHERE id = $2", [(i.price, i.id) for i in items])

    async def load_many(self, n: int) -> list[Item]:
        rows = await self.pool.fetch(f"SELECT {COLUMNS} FROM witem ORDER BY id LIMIT $1", n)
        return ITEMS.validate_python([dict(r) for r in rows])

    async def o11(self, key: int, price: Decimal) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            item = Item(**await connection.fetchrow(f"SELECT {COLUMNS} FROM witem WHERE id = $1", key))
            item.price = price
            await connection.execute("UPDATE witem SET price = $1 WHERE id = $2", item.price, item.id)
            await connection.execute("INSERT INTO log (what) VALUES ($1)", "price changed")

    async def o13(self, big: int) -> bytes:
        return ITEMS.dump_json(await self.o2(big))
