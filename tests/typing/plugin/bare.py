"""The seed's spelling under the mypy plugin: plain annotations, and columns on the class all the same."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, assert_type

from data_bridge.postgres import Col, Column, ColumnProxy, Expr, IdMixin, Table, TimestampMixin


class Base(Table):
    id: int = Column(primary_key=True, auto_increment=True)

    class Settings:
        abstract = True


class User(Base):
    LIMIT: ClassVar[int] = 5

    email: str = Column(unique=True, max_length=255)
    name: str = Column(max_length=100)
    age: int | None = Column(default=None)
    balance: Decimal = Column(default=Decimal(0))
    created_at: datetime = Column(default="NOW()")
    nick: Col[str | None] = Column(default=None)

    class Settings:
        name = "users"

    def greeting(self) -> str:
        return "Hello " + self.name


class Stamped(IdMixin, TimestampMixin):
    title: str


def attributes(user: User, stamped: Stamped) -> None:
    assert_type(User.age, ColumnProxy[int | None])
    assert_type(User.id, ColumnProxy[int])
    assert_type(User.nick, ColumnProxy[str | None])
    assert_type(User.LIMIT, int)
    assert_type(Stamped.id, ColumnProxy[int])
    assert_type(Stamped.created_at, ColumnProxy[datetime])
    assert_type(Stamped.title, ColumnProxy[str])
    assert_type(user.age, int | None)
    assert_type(user.nick, str | None)
    assert_type(stamped.created_at, datetime)
    assert_type(User(email="x", name="y").created_at, datetime)
    user.age = 5
    user.age = "x"  # error
    User(email="x")  # error
    User(email="x", name="y", age="z")  # error
    User(email="x", name="y", shoe=44)  # error


async def queries() -> None:
    assert_type(User.age > 25, Expr[bool])
    assert_type(~User.email.like("%x"), Expr[bool])
    assert_type(await User.find((User.age > 25) & (User.name == "x"), User.balance > 10), list[User])
    assert_type(await User.find().order_by(-User.created_at).tuples(User.id, User.email), list[tuple[int, str]])
    assert_type(await User.find(User.age.is_null(), User.id.in_([1, 2])).first(), User | None)
    User.find(User.age > "x")  # error
    User.find(User.age.like("x"))  # error
    User.find(User.id.in_(["a"]))  # error
