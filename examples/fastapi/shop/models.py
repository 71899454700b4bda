"""The tables of the shop."""

from datetime import datetime
from decimal import Decimal
from enum import Enum

from data_bridge.postgres import BackLink, Col, Column, IdMixin, Link, ManyToMany, Table, TimestampMixin


class Tag(IdMixin):
    name: Col[str] = Column(unique=True, max_length=40)


class Product(IdMixin, TimestampMixin):
    class Settings:
        use_revision = True

    name: Col[str] = Column(unique=True, max_length=120)
    description: Col[str] = Column(default="")
    price: Col[Decimal] = Column(precision=10, scale=2, check="price >= 0")
    stock: Col[int] = Column(default=0, check="stock >= 0")
    revision: Col[int] = Column(default=1)
    words: Col[str] = Column(
        type="tsvector", computed="to_tsvector('english', name || ' ' || description)", exclude_from_select=True
    )
    tags: ManyToMany[Tag] = ManyToMany(through="ProductTag")


class ProductTag(Table):
    class Settings:
        primary_key = ("product_id", "tag_id")

    product: Link[Product] = Column(on_delete="CASCADE")
    tag: Link[Tag] = Column(on_delete="CASCADE")


class Status(Enum):
    PLACED = "placed"
    SENT = "sent"


class Order(IdMixin):
    customer: Col[str]
    status: Col[Status] = Column(default=Status.PLACED)
    placed_at: Col[datetime] = Column(server_default="now()")
    lines: BackLink[list["OrderLine"]] = BackLink("order")


class OrderLine(IdMixin):
    order: Link[Order] = Column(on_delete="CASCADE")
    product: Link[Product]
    amount: Col[int] = Column(check="amount > 0")
    price: Col[Decimal] = Column(precision=10, scale=2)
