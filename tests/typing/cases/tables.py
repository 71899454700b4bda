"""Tables with columns annotated as `Col[...]`, as checkers see them; and the seed's spelling with `col()`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self, TypeVar, assert_type

from data_bridge.postgres import (
    Col,
    Column,
    ColumnProxy,
    Expr,
    IdMixin,
    QueryBuilder,
    Table,
    TimestampMixin,
    Upserted,
    aliased,
    col,
    func,
    pg_transaction,
)


class User(IdMixin, TimestampMixin, Table):
    name: Col[str]
    age: Col[int]
    nick: Col[str | None] = Column(default=None)

    class Settings:
        name = "users"


class Post(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    author_id: Col[int | None] = Column(foreign_key="users.id", default=None)
    price: Col[Decimal]
    qty: Col[int] = Column(default=1)
    created_at: Col[datetime] = Column(default="NOW()")
    tags: Col[list[str]] = Column(default_factory=list)


class VIP(User):
    level: Col[int]

    async def twice(self) -> Self:
        assert_type(await self.insert(), Self)
        return await self.insert()


class Bare(Table):
    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True, max_length=255)
    age: int | None = Column(nullable=True)


T = TypeVar("T", bound=Table)


async def newest(cls: type[T]) -> Sequence[T]:
    return await cls.find().limit(10).to_list()


def attributes(user: User, vip: VIP) -> None:
    assert_type(User.age, ColumnProxy[int])
    assert_type(User.nick, ColumnProxy[str | None])
    assert_type(VIP.name, ColumnProxy[str])
    assert_type(User.created_at, ColumnProxy[datetime])
    assert_type(user.age, int)
    assert_type(user.nick, str | None)
    assert_type(vip.created_at, datetime)
    user.age = 5
    user.nick = None
    user.age = "x"  # error
    user.age = None  # error
    user.nothing  # error


def construction() -> None:
    User(name="x", age=3)
    User(name="x", age=3, nick="n")
    Post(price=Decimal(3))
    VIP(name="x", age=3, level=1)
    User(name="x")  # error: mypy pyright ty pyrefly
    User(name="x", age=3, shoe=44)  # error: mypy pyright ty
    User(name="x", age=[])  # error: mypy pyright ty


async def one_row(user: User, vip: VIP) -> None:
    assert_type(await user.insert(), User)
    assert_type(await vip.save(), VIP)
    assert_type(await User.insert(user), User)
    assert_type(await VIP.create(name="x", age=3, level=1), VIP)
    assert_type(await User.get(1), User)
    assert_type(await User.get_or_none(1), User | None)
    assert_type(await User.find_one(User.age > 3), User | None)
    assert_type(await User.find_one(name="x"), User | None)
    assert_type(await User.insert_many([user]), list[User])
    assert_type(await User.insert_many([user], returning=False), int)
    assert_type(await newest(VIP), Sequence[VIP])
    assert_type(await user.delete(), bool)
    await User.insert(3)  # error


async def queries() -> None:
    q = User.find(User.age > 3, User.name.like("A%"))
    assert_type(q, QueryBuilder[User])
    assert_type(await q, list[User])
    assert_type(await q.to_list(), list[User])
    assert_type(await q.first(), User | None)
    assert_type(await q.count(), int)
    assert_type(await q.exists(), bool)
    assert_type(User.age > 3, Expr[bool])
    assert_type(await User.find().tuples(User.id, User.name), list[tuple[int, str]])
    assert_type(await User.find().tuples(User.id, func.count()), list[tuple[int, int]])
    assert_type(
        await User.find().join(Post, Post.author_id == User.id).tuples(User, Post.price), list[tuple[User, Decimal]]
    )
    async for user in q:
        assert_type(user, User)
    again = aliased(User, "again")
    assert_type(again.age, ColumnProxy[int])
    User.find(Post.author_id == User.id, User.id == Post.author_id, User.id.in_([1, 2]), User.nick == None)  # noqa: E711
    Post.find(Post.price > 10, Post.price * Post.qty > Decimal(3))
    Post.find(Post.created_at > func.now() - timedelta(days=7), Post.created_at + timedelta(days=7) > datetime.now())
    User.find().order_by(-User.age, User.created_at.desc(), "name")
    User.find(User.age > "x")  # error
    User.find(User.age.like("x"))  # error
    User.find(User.age == User.name > 3)  # error
    User.find(User.name.in_([1, 2]))  # error
    User.find(User.age)  # error
    User.find(User.nick.in_(["a", None]), Post.price.in_([1, Decimal(2)]), User.id.in_(Post.find()))
    User.find(None)  # error


async def transactions() -> None:
    async with pg_transaction() as tx:
        sp = await tx.savepoint("n")
        await tx.rollback_to(sp)
        await tx.rollback_to(tx.savepoint("x"))  # error


@pg_transaction(retries=3)
async def work(a: int, *, b: str) -> str:
    return b * a


async def decorated() -> None:
    assert_type(await work(1, b="x"), str)
    await work("1", b="x")  # error


async def bare() -> None:
    Bare(email="x")
    assert_type(col(Bare.age), ColumnProxy[int | None])
    assert_type(col(Bare.email).like("%x"), Expr[bool])
    assert_type(await Bare.find(col(Bare.age) > 3, col(Bare.email).like("%x")).tuples(col(Bare.id)), list[tuple[int]])
    assert_type(col(User.age), ColumnProxy[int])
    Bare.find(col(Bare.age) > "x")  # error


async def typed_queries() -> None:
    query = User.find()
    assert_type(query.find(User.age.between(1, 5), Post.price.between(1, Decimal(2))), QueryBuilder[User])
    User.find(User.age.between(User.id, 5), User.created_at.between(datetime.now(), datetime.now()))
    User.find(User.age.between("a", "b"))  # error
    query.join(Post, Post.author_id == User.id, how="left").join(Post, using="id").join(Post)
    query.join(Post, how="outer")  # error
    User.using("other")
    query.using("other")
    User.using(5)  # error
    query.using(5)  # error
    assert_type((await User.using("other").get(1)), User)
    assert_type(await query.sum(User.age), int | None)
    assert_type(await query.avg(User.age), Decimal | None)
    assert_type(await Post.find().sum(Post.price), Decimal | None)
    assert_type((await User.get_or_create(name="x")).row, User)
    assert_type(await User.upsert({"name": "x"}, conflict=["name"]), Upserted[User])
    assert_type(await query.union(User.find()), list[User])
    assert_type(await query.tuples(User.age).union(query.tuples(User.id)).first(), tuple[int] | None)
    assert_type(await query.distinct(User.age), list[int])
