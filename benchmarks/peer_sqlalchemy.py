"""SQLAlchemy's ORM on asyncio with asyncpg, as its documentation tells to use it."""

from __future__ import annotations

import random
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Numeric, String, exists, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from benchmarks.reference import ITEMS, NEW


class Base(DeclarativeBase):
    pass


class _Columns:
    id: Mapped[int] = mapped_column(primary_key=True)
    big: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    code: Mapped[str | None] = mapped_column(String(32))
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ref: Mapped[UUID]
    active: Mapped[bool]
    meta: Mapped[dict[str, Any]] = mapped_column(JSONB)
    score: Mapped[float]


class Item(_Columns, Base):
    __tablename__ = "item"


class WItem(_Columns, Base):
    __tablename__ = "witem"


class Log(Base):
    __tablename__ = "log"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    what: Mapped[str]


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship(order_by="Book.id")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str]
    year: Mapped[int]


FIELDS = [c.key for c in Item.__table__.columns]


class Peer:
    name = "SQLAlchemy"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn.replace("postgresql://", "postgresql+asyncpg://", 1)

    async def open(self) -> None:
        self.engine = create_async_engine(self._dsn, pool_size=10, max_overflow=0)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False)

    async def close(self) -> None:
        await self.engine.dispose()

    @staticmethod
    def data(row: Any) -> dict[str, Any]:
        return {k: getattr(row, k) for k in FIELDS}

    async def o1(self, key: int) -> Any:
        async with self.session() as session:
            return await session.get_one(Item, key)

    async def o2(self, big: int) -> Any:
        wanted = select(Item).where(Item.active.is_(True), Item.big > big).order_by(Item.big).limit(100)
        async with self.session() as session:
            return list(await session.scalars(wanted))

    async def o3(self) -> Any:
        async with self.session() as session:
            return list(await session.scalars(select(Item).order_by(Item.id).limit(10_000)))

    async def o4(self) -> Any:
        item = WItem(**NEW)
        async with self.session.begin() as session:
            session.add(item)
        return item

    async def o5(self, items: list[dict[str, Any]]) -> int:
        async with self.session.begin() as session:
            session.add_all([WItem(**i) for i in items])
        return len(items)

    async def load_written(self, key: int) -> Any:
        async with self.session() as session:
            return await session.get_one(WItem, key)

    async def o6(self, item: Any, price: Decimal) -> None:
        async with self.session.begin() as session:
            session.add(item)
            item.price = price

    async def o7(self, low: int) -> None:
        async with self.session.begin() as session:
            await session.execute(
                update(WItem).where(WItem.id >= low, WItem.id < low + 100).values(score=random.random())
            )

    async def o8a(self, low: int) -> int:
        async with self.session() as session:
            count = await session.scalar(
                select(func.count()).select_from(Item).where(Item.id >= low, Item.id < low + 1000)
            )
        return count or 0

    async def o8b(self, key: int) -> bool:
        async with self.session() as session:
            return bool(await session.scalar(select(exists().where(Item.id == key))))

    async def o9(self) -> Any:
        async with self.session() as session:
            return list(await session.scalars(select(Author).order_by(Author.id).options(selectinload(Author.books))))

    async def load_many(self, n: int) -> Any:
        async with self.session() as session:
            return list(await session.scalars(select(WItem).order_by(WItem.id).limit(n)))

    async def o10(self, items: list[Any], price: Decimal) -> None:
        async with self.session.begin() as session:
            session.add_all(items)
            for item in items:
                item.price = price

    async def o11(self, key: int, price: Decimal) -> None:
        async with self.session.begin() as session:
            item = await session.get_one(WItem, key)
            item.price = price
            session.add(Log(what="price changed"))

    async def o13(self, big: int) -> bytes:
        return ITEMS.dump_json(ITEMS.validate_python(await self.o2(big), from_attributes=True))
