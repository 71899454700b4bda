"""The databases of the fixtures in the hands of asyncpg, psycopg and SQLAlchemy, and templates built by their tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from data_bridge import core
from data_bridge.testing import TestDatabase, TestServer
from data_bridge.testing.databases.sqlalchemy import sqlalchemy_url
from data_bridge.testing.databases.template_builder import TemplateDatabase


class Base(orm.DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "library_book"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(unique=True)


@pytest.fixture(scope="session")
def library() -> Callable[[TemplateDatabase], None]:
    """A schema made by another library's metadata, as Alembic would: it gets a URL and connects by itself."""

    def schema(database: TemplateDatabase) -> None:
        engine = sqlalchemy.create_engine(database.sqlalchemy_url())
        Base.metadata.create_all(engine)
        engine.dispose()

    return schema


pytestmark = pytest.mark.db(template="library")


@pytest.fixture(params=["committed", "isolated_db"])
def real(request: pytest.FixtureRequest) -> TestDatabase:
    found: TestDatabase = request.getfixturevalue(request.param)
    return found


async def titles() -> list[str]:
    return [row["title"] for row in await core.fetch("SELECT title FROM library_book ORDER BY title")]


@pytest.mark.parametrize("attempt", [1, 2])
async def test_asyncpg(real: TestDatabase, attempt: int) -> None:
    async with asyncpg.create_pool(real.dsn, min_size=2, max_size=2) as pool:
        await asyncio.gather(*(pool.execute("INSERT INTO library_book (title) VALUES ($1)", name) for name in "ab"))
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("INSERT INTO library_book (title) VALUES ('undone')")
            await transaction.rollback()
            await connection.copy_records_to_table("library_book", records=[("c",)], columns=["title"])
    assert await titles() == ["a", "b", "c"]


@pytest.mark.parametrize("attempt", [1, 2])
async def test_psycopg(real: TestDatabase, attempt: int) -> None:
    async with await psycopg.AsyncConnection.connect(real.dsn) as connection:
        await connection.execute("INSERT INTO library_book (title) VALUES (%s)", ["a"])
    with psycopg.connect(real.dsn) as second:
        assert second.execute("SELECT title FROM library_book").fetchall() == [("a",)]
        second.rollback()
    assert await titles() == ["a"]


@pytest.mark.parametrize("attempt", [1, 2])
def test_sqlalchemy(real: TestDatabase, attempt: int) -> None:
    engine = sqlalchemy.create_engine(real.sqlalchemy_url())
    with orm.Session(engine) as session, session.begin():
        session.add_all([Book(title="a"), Book(title="b")])
    with orm.Session(engine) as session:
        assert session.scalars(sqlalchemy.select(Book.title).order_by(Book.title)).all() == ["a", "b"]
    engine.dispose()
    assert asyncio.run(titles()) == ["a", "b"]


async def test_sqlalchemy_on_asyncpg(real: TestDatabase) -> None:
    engine = create_async_engine(real.sqlalchemy_url("asyncpg"))
    async with async_sessionmaker(engine)() as session, session.begin():
        session.add(Book(title="a"))
    await engine.dispose()
    assert await titles() == ["a"]


async def test_rollback_mode_is_for_one_connection(db: Any) -> None:
    """Another library sees the schema, and none of the rows."""
    await core.execute("INSERT INTO library_book (title) VALUES ('mine')")
    connection = await asyncpg.connect(db.dsn)
    assert await connection.fetchval("SELECT count(*) FROM library_book") == 0
    await connection.close()


async def test_a_database_for_the_session(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_of_its_own(own_server: TestServer) -> None:
    engine = sqlalchemy.create_engine(sqlalchemy_url(own_server.dsn, "psycopg"))
    with engine.connect() as connection:
        own_server.terminate_backends()
        with pytest.raises(sqlalchemy.exc.OperationalError):
            connection.execute(sqlalchemy.text("SELECT 1"))
    engine.dispose()
