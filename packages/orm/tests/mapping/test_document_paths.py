"""JSON columns whose model is known: conditions, orders, results and indexes on their fields."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from orm_documents import (
    MARK,
    MOMENT,
    C,
    Category,
    DocOrder,
    DocProduct,
    DocRenamed,
    Kind,
    Renamed,
    V,
    rows,
)
from pydantic import BaseModel

from data_bridge.core.errors import ConfigurationError, EncodeError
from data_bridge.postgres import Col, IdMixin, Index, aliased, create_all, fetch_val, func
from data_bridge.query import DocumentColumn

CONDITIONS: dict[str, tuple[Any, Callable[[DocProduct], Any]]] = {
    "text": (C.name == "x", lambda r: r.category.name == "x"),
    "text, item": (C["name"] != "x", lambda r: r.category.name != "x"),
    "like": (C.name.ilike("z%"), lambda r: r.category.name == "Z"),
    "startswith": (C.name.startswith("x"), lambda r: r.category.name == "x"),
    "key": (C.key == "k", lambda r: True),
    "path": (C.path == "p", lambda r: True),
    "owner": (C.owner == "o", lambda r: True),
    "source": (C.source == "no", lambda r: False),
    "field": (C.field == "f", lambda r: True),
    "label": (C.label == "other", lambda r: r.category.label == "other"),
    "set": (C.set > 1, lambda r: r.category.set > 1),
    "nullable": (C.nullable == True, lambda r: True),  # noqa: E712
    "bind": (C.bind == "b", lambda r: True),
    "length": (C.length == 4, lambda r: True),
    "cast": (C.cast == "c", lambda r: True),
    "contains": (C.contains == "in", lambda r: True),
    "any": (C.any == 0, lambda r: True),
    "nested clash": (C.parent.path == "q", lambda r: r.category.parent is not None),
    "int": (C.rank > 2, lambda r: r.category.rank > 2),
    "int, numerically": (C.rank < 10, lambda r: r.category.rank < 10),
    "in": (C.rank.in_([2, -1]), lambda r: r.category.rank in (2, -1)),
    "between": (C.rank.between(0, 5), lambda r: 0 <= r.category.rank <= 5),
    "arithmetic": (C.rank + 1 == 3, lambda r: r.category.rank == 2),
    "enum": (C.kind == Kind.LARGE, lambda r: r.category.kind is Kind.LARGE),
    "enum by value": (C.kind == "small", lambda r: r.category.kind is Kind.SMALL),
    "datetime": (C.at == MOMENT, lambda r: r.category.at == MOMENT),
    "date": (C.day <= date(2024, 5, 1), lambda r: r.category.day is not None),
    "uuid": (C.mark == MARK, lambda r: r.category.mark == MARK),
    "bool": (C.is_on, lambda r: r.category.is_on),
    "not": (~C.is_on, lambda r: not r.category.is_on),
    "interval": (C.lasts > timedelta(hours=1), lambda r: r.category.lasts is not None),
    "float": (C.weight >= 2, lambda r: r.category.weight >= 2),
    "decimal": (C.price == Decimal("9.9"), lambda r: r.category.price == Decimal("9.9")),
    "None": (C.at == None, lambda r: r.category.at is None),  # noqa: E711
    "not None": (C.at != None, lambda r: r.category.at is not None),  # noqa: E711
    "object is None": (C.parent == None, lambda r: r.category.parent is None),  # noqa: E711
    "is_null": (C.parent.is_null(), lambda r: r.category.parent is None),
    "is_not_null": (C.parent.is_not_null(), lambda r: r.category.parent is not None),
    "below None": (C.parent.parent.name == None, lambda r: True),  # noqa: E711
    "object": (C.parent == Category(name="up", rank=7, path="q"), lambda r: r.category.parent is not None),
    "nested": (C.parent.rank == 7, lambda r: r.category.parent is not None),
    "element": (C.tags[0] == "a", lambda r: r.category.tags[:1] == ["a"]),
    "list": (C.tags == ["a", "b"], lambda r: r.category.tags == ["a", "b"]),
    "list contains": (C.tags.contains("b"), lambda r: "b" in r.category.tags),
    "list has": (C.tags.any_("b"), lambda r: "b" in r.category.tags),
    "list length": (C.tags.length() == 2, lambda r: len(r.category.tags) == 2),
    "mapping": (C.sizes["z"] > 4, lambda r: r.category.sizes.get("z", 0) > 4),
    "first": (V[0].price == 5, lambda r: [v.price for v in r.variants][:1] == [5]),
    "last": (V[-1].price == 50, lambda r: [v.price for v in r.variants][-1:] == [50]),
    "part": (V.contains({"sku": "3"}), lambda r: any(v.sku == "3" for v in r.variants)),
    "any element": (V.any(lambda v: v.price > 10), lambda r: any(v.price > 10 for v in r.variants)),
    "any equal": (V.any(sku="3", price=1), lambda r: any(v.sku == "3" for v in r.variants)),
    "any at all": (V.any(), lambda r: bool(r.variants)),
    "none": (V.none(sku="3"), lambda r: all(v.sku != "3" for v in r.variants)),
    "all": (V.all(lambda v: v.price < 10), lambda r: all(v.price < 10 for v in r.variants)),
    "any of any": (
        V.any(lambda v: v.choices.any(lambda c: c.price > 1)),
        lambda r: any(c.price > 1 for v in r.variants for c in v.choices),
    ),
    "any of any equal": (V.any(lambda v: v.choices.any(name="n")), lambda r: r.category.name == "x"),
    "any beside any": (
        V.any(lambda v: V.any(lambda w: w.price > v.price)),
        lambda r: any(w.price > v.price for v in r.variants for w in r.variants),
    ),
    "any of text": (C.tags.any(lambda tag: tag.startswith("b")), lambda r: "b" in r.category.tags),
    "any of a column": (V.any(lambda v: v.price == C.set), lambda r: any(v.price == r.category.set for v in r.variants)),
    "dict of models": (DocProduct.by["q"].price == 50, lambda r: "q" in r.by),
    "optional column": (DocProduct.other.rank == 2, lambda r: r.other is not None),
    "dataclass": (DocProduct.spot.x > 2, lambda r: r.spot.x > 2),
    "dataclass, clash": (DocProduct.spot.label == "here", lambda r: True),
    "TypedDict": (DocProduct.typed.k == 1, lambda r: r.typed.get("k") == 1),
    "free": (DocProduct.free["a"]["b"] == 1, lambda r: bool(r.free)),
    "mapping of conditions": ({C.name: "x", C.rank: 2}, lambda r: r.category.name == "x"),
}  # fmt: skip


@pytest.mark.parametrize("what", CONDITIONS)
async def test_conditions(db: Any, what: str) -> None:
    condition, predicate = CONDITIONS[what]
    await create_all(DocProduct)
    made = await DocProduct.insert_many(rows())
    found = await DocProduct.find(condition).order_by(DocProduct.id)
    assert [r.id for r in found] == [r.id for r in made if predicate(r)]


SERVER_ONLY = {"interval", "mapping of conditions"}
"""What matches() refuses, beside conditions on any element."""


@pytest.mark.parametrize(
    "what", [w for w in CONDITIONS if w not in SERVER_ONLY and not w.startswith(("any", "none", "all"))]
)
def test_conditions_in_memory(what: str) -> None:
    condition, predicate = CONDITIONS[what]
    assert [condition.matches(r) for r in rows()] == [bool(predicate(r)) for r in rows()]


def test_sql() -> None:
    assert DocProduct.find(C.name == "x", C.rank > 3, V.any(lambda v: v.price > 10)).order_by(-C.rank).select(
        DocProduct.title
    ).sql().sql.partition(" WHERE ")[2] == (
        """"doc_product"."category" ->> ('name') = $1 AND ("doc_product"."category" ->> ('rank'))::bigint > $2 AND """
        """EXISTS (SELECT FROM jsonb_array_elements(CASE WHEN jsonb_typeof("doc_product"."variants") = ('array') """
        """THEN "doc_product"."variants" END) AS "DocProduct.variants.item" ("item") """
        """WHERE ("DocProduct.variants.item"."item" ->> ('price'))::bigint > $3) """
        """ORDER BY ("doc_product"."category" ->> ('rank'))::bigint DESC"""
    )


async def test_results_have_the_types_of_the_fields(db: Any) -> None:
    await create_all(DocProduct)
    await DocProduct.insert_many(rows())
    ordered = DocProduct.find().order_by(C.rank)
    assert [r.category.rank for r in await ordered] == [-1, 2, 10]
    assert await ordered.tuples(C.name, C.rank, C.kind, C.at, C.price) == [
        ("Z", -1, Kind.SMALL, None, Decimal("1.10")),
        ("x", 2, Kind.LARGE, MOMENT, Decimal("9.90")),
        ("y", 10, Kind.SMALL, None, Decimal("1.10")),
    ]
    assert (await ordered.scalars(C.parent))[1] == Category(name="up", rank=7, path="q")
    assert (await ordered.scalars(V[0]))[1:] == [rows()[0].variants[0], rows()[1].variants[0]]
    assert await DocProduct.find(C.rank == 2).values(C.name, C.parent.rank) == [{"name": "x", "rank": 7}]
    assert await DocProduct.find(C.rank == 2).values(C.label.label("why")) == [{"why": "l"}]
    assert sorted(await DocProduct.distinct(C.name)) == ["Z", "x", "y"]
    assert await DocProduct.find().sum(C.rank) == 11
    assert await DocProduct.find().max(C.price) == Decimal("9.90")
    assert await DocProduct.find().min(C.kind) is Kind.LARGE
    groups = await DocProduct.find().group_by(C.kind).order_by(C.kind).aggregate(n=func.count(), most=func.max(C.rank))
    assert groups == [{"kind": Kind.LARGE, "n": 1, "most": 2}, {"kind": Kind.SMALL, "n": 2, "most": 10}]


async def test_through_links_aliases_and_subqueries(db: Any) -> None:
    await create_all(DocProduct, DocOrder)
    made = await DocProduct.insert_many(rows())
    await DocOrder.insert_many([DocOrder(product=p) for p in made])
    product: Any = DocOrder.product
    assert await DocOrder.find(product.category.name == "x", product.variants.any(sku="2")).count() == 1
    other: Any = aliased(DocProduct, "other")
    assert await DocProduct.find().join(other, other.category.rank == C.rank).count() == 3
    inner = DocProduct.find().select(DocProduct.id, C).subquery("inner")
    assert await DocProduct.find().join(inner, inner.c.category.rank == C.rank).count() == 3


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "attribute": (lambda: C.nmae, AttributeError, "Category has no field 'nmae': did you mean 'name'"),
    "item": (lambda: C["rnk"], AttributeError, "Category has no field 'rnk': did you mean 'rank'"),
    "nested": (lambda: C.parent.pathh, AttributeError, "did you mean 'path'"),
    "element": (lambda: V[0].prise, AttributeError, "Variant has no field 'prise': did you mean 'price'"),
    "list": (lambda: V.price, AttributeError, r"DocProduct.variants is a list.*\[0\].price, or any"),
    "leaf": (lambda: C.name.foo, AttributeError, "DocProduct.category.name has no attribute 'foo'"),
    "no model": (lambda: DocProduct.free.foo, AttributeError, r"DocProduct.free has no attribute 'foo': \['foo'\]"),
    "position of an object": (lambda: C[0], TypeError, "is a Category, which has no"),
    "name of a list": (lambda: V["a"], TypeError, "is a list, which has no"),
    "called": (lambda: C.name(), TypeError, "DocProduct.category.name is a field of a document, not a method"),
    "any of no list": (lambda: C.parent.any(), TypeError, "not known to be a list"),
    "condition": (lambda: V.any(lambda v: True), TypeError, "returns a condition, not bool"),
    "value": (lambda: C.rank == "x", EncodeError, "DocProduct.category.rank"),
    "enum": (lambda: C.kind == "huge", EncodeError, "DocProduct.category.kind"),
    "object": (lambda: C.parent == {"rank": 1}, EncodeError, "DocProduct.category.parent.*name: Field required"),
}


@pytest.mark.parametrize("what", WRONG)
def test_mistakes_are_found_when_a_query_is_built(what: str) -> None:
    make, error, message = WRONG[what]
    with pytest.raises(error, match=message):
        make()


def test_methods_of_columns_stay() -> None:
    assert C.label("other").name == "other"
    assert repr(C.path("$.x")) == '<Expr "doc_product"."category" @? $1::text::jsonpath>'
    assert repr(C.has_key("x")) == '<Expr "doc_product"."category" ? $1>'
    assert repr(C.cast(str)) == '<Expr "doc_product"."category"::text>'


def test_only_three_names_are_reserved() -> None:
    public = {n for n in dir(DocumentColumn) if not n.startswith("_") and not callable(getattr(DocumentColumn, n))}
    assert public == {"s", "p", "t"}
    for name in sorted(public):
        inner = type("Inner", (BaseModel,), {"__annotations__": {name: int}})
        with pytest.raises(
            ConfigurationError, match=rf"Reserved.docs: the field '{name}' of Inner .*Field\(alias='{name}'\)"
        ):
            type("Reserved", (IdMixin,), {"__annotations__": {"docs": list[inner]}, "__module__": __name__})  # type: ignore[valid-type]


async def test_names_and_serialisers_of_documents(db: Any) -> None:
    await create_all(DocRenamed)
    row = await DocRenamed(doc=Renamed(t=5)).insert()
    doc: Any = DocRenamed.doc
    assert await DocRenamed.count(doc.t_ == 5, doc.when == date(2024, 1, 1)) == 1
    assert await DocRenamed.count(doc["t"] == 5) == 1
    await row.update({doc.t_: 6, doc.when: date(2025, 2, 3)})
    assert await fetch_val("SELECT doc::text FROM doc_renamed") == '{"t": 6, "when": "2025-02-03T00:00:00"}'


async def test_indexes_on_paths_serve_queries(db: Any) -> None:
    await create_all(DocProduct)
    assert (
        'CREATE INDEX "doc_product_category_name_idx" ON "doc_product" (("category" ->> (\'name\')))'
        in DocProduct.ddl()
    )
    assert "doc_product_variants_0_price_title_idx" in DocProduct.ddl()
    assert await DocProduct.check_schema() == []
    await fetch_val("SET LOCAL enable_seqscan = off")
    for condition, index in ((C.name == "x", "category_name"), (C.parent.rank == 5, "category_parent_rank")):
        assert f"doc_product_{index}_idx" in await DocProduct.find(condition).explain()


def test_an_index_on_a_wrong_path_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"BadIndex\.Settings.indexes names 'doc.nmae': Category has no field 'nmae'"
    ):

        class BadIndex(IdMixin):
            class Settings:
                indexes = [Index("doc.nmae")]

            doc: Col[Category]
