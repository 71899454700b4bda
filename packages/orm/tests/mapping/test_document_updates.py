"""Updates of parts of JSON columns whose model is known."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from orm_documents import (
    MOMENT,
    C,
    Category,
    Choice,
    DocProduct,
    Kind,
    V,
    Variant,
    rows,
)

from data_bridge.core.errors import EncodeError
from data_bridge.postgres import create_all, fetch_val
from data_bridge.postgres.operators import Inc, Max, Pull, Push, Set, Unset
from data_bridge.query import DocumentPath
from data_bridge.query import update as update_statement


async def by_row(row: DocProduct, *values: Any) -> None:
    await row.update(*values)


async def by_query(row: DocProduct, *values: Any) -> None:
    assert await DocProduct.find(id=row.id).update(*values) == 1


UPDATES: dict[str, tuple[Any, Callable[[DocProduct], Any], Any]] = {
    "text": ({C.name: "new"}, lambda r: r.category.name, "new"),
    "item": ({C["name"]: "new"}, lambda r: r.category.name, "new"),
    "clash": ({C.label: "new"}, lambda r: r.category.label, "new"),
    "int": ({C.rank: 5}, lambda r: r.category.rank, 5),
    "decimal": ({C.price: Decimal("2.50")}, lambda r: r.category.price, Decimal("2.50")),
    "datetime": ({C.at: MOMENT + timedelta(1)}, lambda r: r.category.at, MOMENT + timedelta(1)),
    "enum": ({C.kind: Kind.SMALL}, lambda r: r.category.kind, Kind.SMALL),
    "None": ({C.at: None}, lambda r: r.category.at, None),
    "object": ({C.parent: Category(name="p")}, lambda r: r.category.parent, Category(name="p")),
    "object to None": ({C.parent: None}, lambda r: r.category.parent, None),
    "nested": ({C.parent.name: "p"}, lambda r: r.category.parent and r.category.parent.name, "p"),
    "element": ({V[0].price: 9}, lambda r: [v.price for v in r.variants], [9, 50]),
    "last": ({V[-1]: Variant(sku="z", price=0)}, lambda r: [v.sku for v in r.variants], ["1", "z"]),
    "no such element": ({V[7].price: 9}, lambda r: [v.price for v in r.variants], [5, 50]),
    "no such element, whole": ({V[7]: Variant(sku="z", price=0)}, lambda r: [v.sku for v in r.variants], ["1", "2"]),
    "key of a mapping": ({C.sizes["n"]: 1}, lambda r: r.category.sizes, {"z": 5, "n": 1}),
    "dict of models": ({DocProduct.by["q"].price: 1}, lambda r: r.by["q"].price, 1),
    "no model": ({DocProduct.free["a"]["b"]: [2]}, lambda r: r.free, {"a": {"b": [2]}}),
    "no model, None": ({DocProduct.free["a"]: None}, lambda r: r.free, {"a": None}),
    "expression": ({C.rank: C.rank * 2}, lambda r: r.category.rank, 4),
    "of another column": ({C.name: DocProduct.title}, lambda r: r.category.name, "t"),
    "NULL for a required field": ({C.rank: C.parent.parent.rank}, lambda r: r.category.rank, 2),
    "NULL for an optional field": ({C.at: C.parent.at}, lambda r: r.category.at, None),
    "several": (
        {C.name: "n", C.rank: 3, C.parent.rank: 4, V[1].price: 5},
        lambda r: (r.category.name, r.category.rank, r.category.parent and r.category.parent.rank, r.variants[1].price),
        ("n", 3, 4, 5),
    ),
    "Set": (Set({C.name: "n"}), lambda r: r.category.name, "n"),
    "Inc": (Inc({C.rank: 3}), lambda r: r.category.rank, 5),
    "Max": (Max({C.rank: 9}), lambda r: r.category.rank, 9),
    "Unset": (Unset({C.at: None}), lambda r: r.category.at, None),
    "Push": (Push({C.tags: "c"}), lambda r: r.category.tags, ["a", "b", "c"]),
    "Push a list": (Push({DocProduct.free: 1}), lambda r: r.free, [1]),
    "Push a model": (Push({V: Variant(sku="3", price=1)}), lambda r: [v.sku for v in r.variants], ["1", "2", "3"]),
    "Push below": (Push({V[1].choices: Choice(name="n", price=Decimal(1))}), lambda r: len(r.variants[1].choices), 1),
    "Pull": (Pull({C.tags: "a"}), lambda r: r.category.tags, ["b"]),
    "Pull a model": (Pull({V: Variant(sku="2", price=50)}), lambda r: [v.sku for v in r.variants], ["1"]),
}  # fmt: skip


@pytest.mark.parametrize("write", [by_row, by_query])
@pytest.mark.parametrize("what", [w for w in UPDATES if w != "Push a list"])
async def test_update_sets_just_the_path(db: Any, what: str, write: Callable[..., Awaitable[None]]) -> None:
    values, read, wanted = UPDATES[what]
    await create_all(DocProduct)
    row, *others = await DocProduct.insert_many(rows())
    before = row.category.model_copy()
    await write(row, values)
    found = await DocProduct.get(row.id)
    assert read(found) == wanted
    assert (found.category.owner, found.category.lasts, found.category.weight) == (
        before.owner,
        before.lasts,
        before.weight,
    )
    if write is by_row:
        assert read(row) == wanted
        assert not row.is_changed
    assert [await DocProduct.get(r.id) for r in others] == others


async def test_update_of_the_query_package(db: Any) -> None:
    await create_all(DocProduct)
    row = await rows()[0].insert()
    made = update_statement(DocProduct).set({C.name: "q", C.rank: C.rank + 1, DocProduct.title: "u"}).all_rows()
    assert made.sql().sql == (
        """UPDATE "doc_product" SET "title" = $1, "category" = jsonb_set_lax(jsonb_set("doc_product"."category", $2::text[], """
        """$3::jsonb), $4::text[], to_jsonb(("doc_product"."category" ->> ('rank'))::bigint + $5), TRUE, 'return_target')"""
    )
    await fetch_val(made.sql().sql, *made.sql().params)
    await row.refresh()
    assert (row.title, row.category.name, row.category.rank) == ("u", "q", 3)


async def test_a_document_that_is_null_stays_so(db: Any) -> None:
    await create_all(DocProduct)
    row = await rows()[1].insert()
    await row.update({DocProduct.other.name: "x"})
    assert row.other is None
    await row.update({C.parent.rank: 5})
    assert row.category.parent is None


BAD: dict[str, tuple[Any, str]] = {
    "type": ({C.rank: "x"}, "DocProduct.category.rank: .*valid integer"),
    "None": ({C.rank: None}, "DocProduct.category.rank: .*valid integer"),
    "enum": ({C.kind: "huge"}, "DocProduct.category.kind"),
    "object": ({C.parent: {"rank": 1}}, "DocProduct.category.parent: name: Field required"),
    "element": (Push({V: {"sku": "1"}}), r"DocProduct.variants\[\]: price: Field required"),
    "twice": ({C: Category(name="x"), C.name: "y"}, "DocProduct.category is set twice"),
    "within": ({C.parent: None, C.parent.name: "y"}, "DocProduct.category.parent.name is set twice"),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_does_not_fit_is_not_sent(db: Any, sent: Any, what: str) -> None:
    values, message = BAD[what]
    await create_all(DocProduct)
    row = await rows()[0].insert()
    for write in (row.update, DocProduct.find(id=row.id).update):
        with sent(), pytest.raises(EncodeError, match=message):
            await write(values)
    element: list[DocumentPath[Any]] = []
    V.any(lambda v: element.append(v) or v.price > 1)
    with pytest.raises(TypeError, match="is any element of a list"):
        await row.update({element[0].price: 1})
