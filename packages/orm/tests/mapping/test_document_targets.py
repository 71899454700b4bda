"""Parts of documents where columns stand: what MERGE sets, what pages are sorted by; elsewhere an error with the remedy."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from data_bridge.core.errors import ConfigurationError, EncodeError
from data_bridge.postgres import Col, Column, Conflict, IdMixin, create_all, execute
from data_bridge.postgres.operators import Inc, Push


class Place(BaseModel):
    city: str | None = None
    size: int = 0
    price: Decimal | None = None
    since: datetime | None = None
    is_open: bool = True
    tags: list[str] = []
    stock: dict[str, int] = {}


class Market(IdMixin):
    sku: Col[str] = Column(unique=True)
    amount: Col[int] = Column(default=0, name="quantity")
    place: Col[Place] = Column(default_factory=Place)
    free: Col[dict[str, Any]] = Column(default_factory=dict)
    stamp: Col[int] = Column(default=0, update_default="stamp_of_market()")


async def markets(n: int) -> None:
    await create_all(Market)
    chance = random.Random(14)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for i in range(n):
        place = Place(
            city=chance.choice(["a", "B", "ä", None]),
            size=chance.randrange(3),
            price=chance.choice([Decimal("1.5"), Decimal(10), None]),
            since=chance.choice([start, start + timedelta(days=1), None]),
            is_open=chance.random() < 0.5,
            tags=chance.choice([[], ["x"], ["y", "z"]]),
            stock=chance.choice([{}, {"x": 1}, {"x": 2}]),
        )
        await Market(sku=f"s{i}", place=place, free={"k": chance.choice([None, 2, 11])}).save()


SORTS: dict[str, Callable[[], Any]] = {
    "text": lambda: Market.place.city,
    "text, down": lambda: -Market.place.city,
    "text, nulls first": lambda: Market.place.city.asc().nulls_first(),
    "number": lambda: Market.place.size,
    "numeric": lambda: -Market.place.price,
    "moment": lambda: Market.place.since.desc().nulls_last(),
    "bool": lambda: Market.place.is_open,
    "of a mapping": lambda: Market.place.stock["x"],
    "of a list": lambda: Market.place.tags[0],
    "cast": lambda: Market.free["k"].cast(int),
}


COLUMNS: dict[str, Callable[[], Any]] = SORTS | {
    "text, down": SORTS["text"],
    "text, nulls first": SORTS["text"],
    "numeric": lambda: Market.place.price,
    "moment": lambda: Market.place.since,
}


@pytest.mark.parametrize("size", [1, 4, 50])
@pytest.mark.parametrize("sort", SORTS)
async def test_pages_are_sorted_by_parts_of_documents(db: Any, sort: str, size: int) -> None:
    await markets(17)
    for query in (
        Market.find().order_by(SORTS[sort]()),
        Market.find(Market.place.size > 0).order_by(SORTS[sort](), "sku"),
    ):
        for shaped in (query, query.select(Market.sku), query.values(Market.sku), query.scalars(Market.sku)):
            expected = [getattr(r, "sku", r) for r in await query.select(Market.sku)]
            found: list[Any] = []
            back: list[Any] = []
            page = await shaped.paginate(size)
            found += page.items
            while page.next is not None:
                page = await shaped.paginate(size, after=page.next)
                found += page.items
            back = page.items[::-1]
            while page.prev is not None:
                page = await shaped.paginate(size, before=page.prev)
                back += page.items[::-1]
            assert [str(r) for r in back[::-1]] == [str(r) for r in found]
            names = [r if isinstance(r, str) else r["sku"] if isinstance(r, dict) else r.sku for r in found]
            assert sorted(names) == sorted(expected)
            keys = dict(await Market.find().tuples(Market.sku, COLUMNS[sort]()))
            assert [keys[n] for n in names] == [keys[n] for n in expected]
    page = await Market.find().order_by(SORTS[sort]()).page(2, 5)
    assert len(page.items) == 5 and page.total == 17


async def test_a_part_that_is_a_document_is_not_a_sort_key_of_cursors(db: Any) -> None:
    await create_all(Market)
    for key in (Market.place.tags, Market.place.stock, Market.free["k"]):
        with pytest.raises(
            ConfigurationError, match=r"an object or a list in Market\.(place|free): sort by a part of it"
        ):
            await Market.find().order_by(key).paginate(2)


# ----------------------------------------------------------------------------------------------------------------- merge
ROWS = [{"sku": "a", "amount": 5}, {"sku": "new", "amount": 7}]
Update = Callable[[Any], Any]
UPDATES: dict[str, tuple[Update, dict[str, Any]]] = {
    "a value": (lambda w: w.update({Market.place.city: "x"}), {"city": "x"}),
    "a value of the new row": (lambda w: w.update(lambda new: {Market.place.size: new.amount}), {"size": 5}),
    "a part and a column": (lambda w: w.update({Market.place.size: 3, Market.amount: 9}), {"size": 3, "amount": 9}),
    "two parts": (lambda w: w.update({Market.place.size: 3, Market.place.city: None}), {"size": 3, "city": None}),
    "a part of its own": (lambda w: w.update({Market.place.size: Market.place.size + 2}), {"size": 3}),
    "an operator": (lambda w: w.update(Inc({Market.place.size: 4})), {"size": 5}),
    "operators": (lambda w: w.update({"amount": 1}, Push({Market.place.tags: "t"})), {"amount": 1, "tags": ["q", "t"]}),
    "a member": (lambda w: w.update({Market.place.stock["k"]: 3}), {"stock": {"k": 3}}),
    "an untyped part": (lambda w: w.update({Market.free["k"]: [1]}), {"free": {"k": [1]}}),
    "by name": (lambda w: w.update({"amount": 2}), {"amount": 2}),
    "in a list": (lambda w: w.update([Market.amount]), {"amount": 5}),
}


async def merged() -> Any:
    await execute("CREATE SEQUENCE stamps")
    await execute("CREATE FUNCTION stamp_of_market() RETURNS bigint LANGUAGE sql AS 'SELECT nextval(''stamps'')'")
    await create_all(Market)
    await Market(sku="a", place=Place(city="c", size=1, tags=["q"])).save()
    await Market(sku="b", place=Place(city="c", size=1, tags=["q"])).save()
    return Market.merge(ROWS, on=[Market.sku])


@pytest.mark.parametrize("what", UPDATES)
async def test_merge_sets_parts_of_documents(db: Any, what: str) -> None:
    merge = await merged()
    update, changes = UPDATES[what]
    assert await update(merge.when_matched(Market.place.size == 1)) == 1
    row, other = await Market.find().order_by("sku")
    expected = {"city": "c", "size": 1, "tags": ["q"], "stock": {}, "amount": 0, "free": {}} | changes
    assert {k: getattr(row.place, k) if k in Place.model_fields else getattr(row, k) for k in expected} == expected
    assert row.stamp == 1, "what every UPDATE sets"
    assert (other.place, other.amount, other.stamp) == (Place(city="c", size=1, tags=["q"]), 0, 0)


async def test_merge_of_a_query_sets_parts_of_documents(db: Any) -> None:
    await merged()
    source = Market.find(Market.sku == "a").tuples(Market.sku, (Market.place.size + 5).label("size"))
    count = await Market.merge(source, on=[Market.sku]).when_matched().update(lambda new: {Market.place.size: new.size})
    assert count == 1
    assert await Market.find().order_by("sku").scalars(Market.place.size) == [6, 1]


MISTAKES: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "a wrong value": (lambda m: m.when_matched().update({Market.place.size: "x"}), EncodeError, r"Market\.place\.size"),
    "twice": (lambda m: m.when_matched().update({Market.place: Place(), Market.place.size: 1}), EncodeError, "set twice"),
    "in a list": (lambda m: m.when_matched().update([Market.place.size]), TypeError, "write a mapping"),
    "of a new row": (lambda m: m.when_not_matched().insert({Market.sku: "x", Market.place.size: 1}), TypeError, "insert the whole document"),
    "to compare by": (lambda _: Market.merge(ROWS, on=[Market.place.city]), TypeError, "by whole columns"),
    "a typo": (lambda m: m.when_matched().update({Market.place.sise: 1}), AttributeError, "did you mean 'size'"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
async def test_mistakes_of_merge_are_found_before_it_runs(db: Any, sent: Any, what: str) -> None:
    merge = await merged()
    build, error, message = MISTAKES[what]
    with sent(), pytest.raises(error, match=message):
        await build(merge)


WHOLE: dict[str, Callable[[Any], Any]] = {
    "save(only=)": lambda row: row.save(only=[Market.place.size]),
    "refresh()": lambda row: row.refresh(Market.place.size),
    "bulk_update()": lambda row: Market.bulk_update([row], [Market.place.size]),
    "upsert(update=[…])": lambda _: Market.upsert({"sku": "a"}, conflict=["sku"], update=[Market.place.size]),
    "Conflict(update=[…])": lambda _: Market.insert_many([{"sku": "a"}], on_conflict=Conflict(["sku"], update=[Market.place.size])),
    "get_or_create()": lambda _: Market.get_or_create(defaults={Market.place.size: 1}, sku="n"),
    "update_or_create()": lambda _: Market.update_or_create(defaults={Market.place.size: 1}, sku="a"),
}  # fmt: skip


@pytest.mark.parametrize("what", WHOLE)
async def test_where_a_whole_column_is_needed_the_error_says_so(db: Any, what: str) -> None:
    await merged()
    row = await Market.find_one(sku="a")
    with pytest.raises(
        TypeError, match=r"Market\.place\.size is a part of a document, and a whole column is needed here"
    ):
        await WHOLE[what](row)


async def test_defaults_are_named_by_columns_too(db: Any) -> None:
    await merged()
    row, created = await Market.get_or_create(defaults={Market.amount: 4}, sku="n")
    assert created and row.amount == 4
    row, created = await Market.update_or_create(defaults={Market.amount: 6}, sku="n")
    assert not created and (await Market.get(row.id)).amount == 6
