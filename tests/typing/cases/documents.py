"""JSON columns whose model is known: their fields are attributes of the column."""

from typing import Any, assert_type

from pydantic import BaseModel

from data_bridge.postgres import Col, Column, IdMixin, Index
from data_bridge.postgres.operators import Inc, Pull, Push
from data_bridge.query import ColumnProxy, DocumentColumn, DocumentPath, Expr, Order


class Category(BaseModel):
    name: str
    rank: int = 0
    tags: list[str] = []


class Variant(BaseModel):
    price: int


class Product(IdMixin):
    class Settings:
        indexes = [Index("category.name")]

    title: Col[str]
    count_: Col[int]
    flag: Col[Any]
    category: Col[Category]
    other: Col[Category | None] = Column(default=None)
    variants: Col[list[Variant]] = Column(default_factory=list)
    by: Col[dict[str, Variant]] = Column(default_factory=dict)
    free: Col[dict[str, Any]] = Column(default_factory=dict)
    words: Col[list[str]] = Column(default_factory=list)


async def fields(row: Product) -> None:
    assert_type(Product.category, DocumentColumn[Category])
    assert_type(Product.other, DocumentColumn[Category | None])
    assert_type(Product.variants, DocumentColumn[list[Variant]])
    assert_type(Product.by, DocumentColumn[dict[str, Variant]])
    assert_type(Product.title, ColumnProxy[str])
    assert_type(Product.count_, ColumnProxy[int])
    assert_type(Product.words, ColumnProxy[list[str]])
    assert_type(row.category, Category)
    assert_type(row.other, Category | None)
    assert_type(row.variants, list[Variant])
    assert_type(row.category.name, str)
    assert_type(Product.category.name, DocumentPath[Any])
    assert_type(Product.category.name == "x", Expr[bool])
    assert_type(Product.category.name.desc(), Order)
    assert_type(Product.variants.any(lambda v: v.price > 5), Expr[bool])
    assert_type(await Product.find(Product.category.rank > 3).to_list(), list[Product])
    assert_type(await Product.find().order_by(Product.category.name).first(), Product | None)
    await Product.find(Product.category.name == "x").order_by(-Product.category.rank, Product.variants[0].price)
    await Product.find(Product.other.is_null(), Product.category == Category(name="x"))
    await Product.find(Product.category.name == "x").update(
        {Product.category.name: "y"}, Inc({Product.category.rank: 1}), Push({Product.category.tags: "t"})
    )
    await row.update({Product.category.name: "y"}, Pull({Product.variants: Variant(price=1)}))
    await Product.find().tuples(Product.category.name, Product.id)
    row.category.nmae = "x"  # error
    row.category.name = 5  # error
    Product.title.name  # error
    Product.words.any(lambda w: w == "x")  # error
