"""The reference: asyncpg with Pydantic code written by hand, as a careful application would have it."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
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


NAMES = [c.strip() for c in WRITTEN.split(",")]
BATCH = 10_000
_ARRAYS = "$1::int8[], $2::text[], $3::text[], $4::numeric[], $5::timestamptz[], $6::uuid[], $7::bool[], $8::jsonb[], $9::float8[]"
_INSERT = f"INSERT INTO witem ({WRITTEN}) SELECT * FROM unnest({_ARRAYS}) RETURNING id"
_UPSERT = (
    f"INSERT INTO witem ({WRITTEN}, id) SELECT * FROM unnest({_ARRAYS}, $10::int4[]) ON CONFLICT (id) DO UPDATE SET "
    f"{', '.join(f'{n} = excluded.{n}' for n in NAMES)} RETURNING id"
)


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """JSON as Python objects. Binary, as COPY takes nothing else; the first byte is the version of the format."""
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + json.dumps(value).encode(),
        decoder=lambda data: json.loads(data[1:]),
        schema="pg_catalog",
        format="binary",
    )


class Reference:
    """asyncpg on a dedicated connection: no pool, no reset of the session."""

    name = "asyncpg + Pydantic"
    is_shared = False

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def open(self) -> None:
        self.on: Any = await asyncpg.connect(self._dsn)
        await prepare_connection(self.on)

    async def close(self) -> None:
        await self.on.close()

    @asynccontextmanager
    async def acquired(self) -> AsyncGenerator[Any]:
        """A connection for several statements."""
        yield self.on

    async def o1(self, key: int) -> Item:
        return Item(**await self.on.fetchrow(f"SELECT {COLUMNS} FROM item WHERE id = $1", key))

    async def o2(self, big: int) -> list[Item]:
        rows = await self.on.fetch(
            f"SELECT {COLUMNS} FROM item WHERE active = true AND big > $1 ORDER BY big LIMIT 100", big
        )
        return ITEMS.validate_python([dict(r) for r in rows])

    async def o3(self) -> list[Item]:
        rows = await self.on.fetch(f"SELECT {COLUMNS} FROM item ORDER BY id LIMIT 10000")
        return ITEMS.validate_python([dict(r) for r in rows])

    async def o4(self) -> Item:
        item = Item(**NEW)
        values = [getattr(item, n) for n in NAMES]
        item.id = await self.on.fetchval(
            f"INSERT INTO witem ({WRITTEN}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) RETURNING id", *values
        )
        return item

    async def o5(self, items: list[dict[str, Any]]) -> int:
        made = [Item(**i) for i in items]
        async with self.acquired() as connection, connection.transaction():
            await connection.copy_records_to_table(
                "witem", records=[tuple(getattr(m, n) for n in NAMES) for m in made], columns=NAMES
            )
        return len(made)

    async def load_written(self, key: int) -> Item:
        return Item(**await self.on.fetchrow(f"SELECT {COLUMNS} FROM witem WHERE id = $1", key))

    async def o6(self, item: Item, price: Decimal) -> None:
        item.price = price
        await self.on.execute("UPDATE witem SET price = $1 WHERE id = $2", item.price, item.id)

    async def o7(self, low: int) -> str:
        return await self.on.execute(
            "UPDATE witem SET score = $1 WHERE id >= $2 AND id < $3", random.random(), low, low + 100
        )

    async def o8a(self, low: int) -> int:
        return await self.on.fetchval("SELECT count(*) FROM item WHERE id >= $1 AND id < $2", low, low + 1000)

    async def o8b(self, key: int) -> bool:
        return await self.on.fetchval("SELECT EXISTS (SELECT 1 FROM item WHERE id = $1)", key)

    async def o9(self) -> list[Author]:
        async with self.acquired() as connection:
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
        async with self.acquired() as connection, connection.transaction():
            await connection.executemany("UPDATE witem SET price = $1 WHERE id = $2", [(i.price, i.id) for i in items])

    async def load_many(self, n: int) -> list[Item]:
        rows = await self.on.fetch(f"SELECT {COLUMNS} FROM witem ORDER BY id LIMIT $1", n)
        return ITEMS.validate_python([dict(r) for r in rows])

    async def o11(self, key: int, price: Decimal) -> None:
        async with self.acquired() as connection, connection.transaction():
            item = Item(**await connection.fetchrow(f"SELECT {COLUMNS} FROM witem WHERE id = $1", key))
            item.price = price
            await connection.execute("UPDATE witem SET price = $1 WHERE id = $2", item.price, item.id)
            await connection.execute("INSERT INTO log (what) VALUES ($1)", "price changed")

    async def o13(self, big: int) -> bytes:
        return ITEMS.dump_json(await self.o2(big))

    async def insert_keys(self, count: int) -> list[Item]:
        made = [Item(**NEW) for _ in range(count)]
        async with self.acquired() as connection, connection.transaction():
            for at in range(0, count, BATCH):
                part = made[at : at + BATCH]
                for item, row in zip(part, await connection.fetch(_INSERT, *_columns(part, NAMES)), strict=True):
                    item.id = row[0]
        return made

    async def load_dicts(self, rows: Iterable[dict[str, Any]]) -> None:
        """COPY by hand: no model looks at the rows."""
        async with self.acquired() as connection, connection.transaction():
            await connection.copy_records_to_table(
                "witem", records=(tuple(row[n] for n in NAMES) for row in rows), columns=NAMES
            )

    async def upsert(self, count: int) -> list[Item]:
        made = [Item(id=i + 1, **NEW) for i in range(count)]
        async with self.acquired() as connection, connection.transaction():
            for at in range(0, count, BATCH):
                await connection.fetch(_UPSERT, *_columns(made[at : at + BATCH], (*NAMES, "id")))
        return made


def _columns(items: Sequence[Item], names: Sequence[str]) -> list[list[Any]]:
    return [[getattr(item, name) for item in items] for name in names]


class PooledReference(Reference):
    """asyncpg's pool as shipped, and with `reset=False` without the reset on release."""

    is_shared = True

    def __init__(self, dsn: str, *, reset: bool = True) -> None:
        super().__init__(dsn)
        self.name = "asyncpg's pool" if reset else "asyncpg's pool without reset"
        self._reset = reset

    async def open(self) -> None:
        async def no_reset(connection: asyncpg.Connection) -> None:
            return

        options: dict[str, Any] = {} if self._reset else {"reset": no_reset}
        self.on = await asyncpg.create_pool(self._dsn, min_size=10, max_size=10, init=prepare_connection, **options)

    @asynccontextmanager
    async def acquired(self) -> AsyncGenerator[Any]:
        async with self.on.acquire() as connection:
            yield connection
