"""A class over a view reads like any other and refuses every way of writing, before anything happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from orm_cells import Cell
from orm_write_paths import INSERTS, UPDATES

from data_bridge.core.errors import ConfigurationError, DataBridgeError
from data_bridge.orm.schema.diff import Difference
from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    Delete,
    IdMixin,
    Index,
    Insert,
    Link,
    Save,
    Table,
    Unique,
    Update,
    View,
    before_event,
    create_all,
    drop_all,
    execute,
    fetch_one,
)
from data_bridge.query import cast, delete, func, insert, select, truncate, types, update

RAN: list[str] = []


class StoredCell(Cell):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)


class SeenCell(Cell):
    class Settings:
        view = View(StoredCell.find(StoredCell.n >= 0))

    id: Col[int] = Column(default=None, primary_key=True)


class HookedCell(SeenCell):
    class Settings:
        view = "SELECT * FROM stored_cell"

    @before_event(Insert, Save, Update, Delete)
    def ran(self) -> None:
        RAN.append("ran")


class Shop(IdMixin):
    name: Col[str]
    totals: BackLink[list[Total]] = BackLink("shop")


class Sale(IdMixin):
    shop: Link[Shop]
    amount: Col[int]


class Total(Table):
    class Settings:
        view = View(
            Sale.find()
            .values(Sale.shop_id, cast(func.sum(Sale.amount), types.BigInt).label("sum"))
            .group_by(Sale.shop_id),
            materialized=True,
        )
        indexes = [Index("shop", unique=True)]
        comment = "what each shop sold"

    shop: Link[Shop] = Column(index=False)
    sum: Col[int]


class Name(Table):
    class Settings:
        view = View("SELECT name FROM shop", security_barrier=True)

    name: Col[str | None]


DELETES: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "`row.delete()`": lambda row: row.delete(),
    "`T.find().delete()`": lambda row: type(row).find(type(row).id == row.id).delete(),
    "`T.delete_all()`": lambda row: type(row).delete_all(),
    "`T.find().returning().delete()`": lambda row: type(row).find(type(row).id == row.id).returning().delete(),
    "`T.find().returning().update()`": lambda row: type(row).find(type(row).id == row.id).returning().update(n=5),
    "`T.update_all()`": lambda row: type(row).update_all(n=5),
    "`T.insert_from()`": lambda row: type(row).insert_from(select(StoredCell.id)),
    "`T.insert_many()` with a Conflict": lambda row: type(row).insert_many([row], on_conflict="nothing"),
    "`insert(T)`": lambda row: execute(insert(type(row)).values(n=1)),
    "`update(T)`": lambda row: execute(update(type(row)).set(n=1)),
    "`delete(T)`": lambda row: execute(delete(type(row))),
    "`truncate(T)`": lambda row: execute(truncate(type(row))),
}


@pytest.fixture
async def cell(db: Any) -> Any:
    await create_all(StoredCell, SeenCell, HookedCell)
    RAN.clear()
    return await StoredCell.create(other="one")


async def _unchanged(cell: Any) -> None:
    assert await StoredCell.count() == 1
    assert (await StoredCell.get(cell.id)).model_dump() == cell.model_dump()
    assert RAN == []


@pytest.mark.parametrize("cls", [SeenCell, HookedCell])
@pytest.mark.parametrize("path", INSERTS)
async def test_a_view_refuses_new_rows(cell: Any, cls: Any, path: str) -> None:
    with pytest.raises(TypeError, match=f"{cls.__name__} is a view: its rows are only read"):
        await INSERTS[path](cls, {"other": "mine", "n": 2}, None)
    await _unchanged(cell)


@pytest.mark.parametrize("cls", [SeenCell, HookedCell])
@pytest.mark.parametrize("path", UPDATES)
async def test_a_view_refuses_changes_of_rows(cell: Any, cls: Any, path: str) -> None:
    row = await cls.get(cell.id)
    with pytest.raises(TypeError, match=f"{cls.__name__} is a view: its rows are only read"):
        await UPDATES[path](row, {"n": 7, "other": "new"}, None)
    await _unchanged(cell)


@pytest.mark.parametrize("cls", [SeenCell, HookedCell])
@pytest.mark.parametrize("path", DELETES)
async def test_a_view_refuses_every_other_way_of_writing(cell: Any, cls: Any, path: str) -> None:
    row = await cls.get(cell.id)
    with pytest.raises(TypeError, match=f"{cls.__name__} is a view: its rows are only read"):
        await DELETES[path](row)
    await _unchanged(cell)


async def test_a_view_is_read_like_a_table(cell: Any) -> None:
    row = await SeenCell.find(SeenCell.other == "one").one()
    assert row.id == cell.id and row.name == "n"
    assert await SeenCell.count() == 1
    await row.refresh()
    assert list(await SeenCell.get_many([cell.id])) == [cell.id]


async def test_views_are_made_behind_tables_and_dropped_before_them(db: Any) -> None:
    await create_all(Total, Name, Sale, Shop)
    shop = await Shop.create(name="a")
    await Sale.insert_many([{"shop": shop, "amount": 3}, {"shop": shop, "amount": 4}])
    assert await Total.find().to_list() == []
    await execute('REFRESH MATERIALIZED VIEW "total"')
    total = await Total.find().fetch_links().one()
    assert (total.sum, total.shop.name) == (7, "a")
    (loaded,) = await Shop.find().fetch_links()
    assert [t.sum for t in loaded.totals] == [7]
    found = await fetch_one("SELECT obj_description('total'::regclass, 'pg_class') AS c")
    assert found is not None and found["c"] == "what each shop sold"
    for cls in (Total, Name):
        assert await cls.check_schema() == []
    await create_all(Total, Name)
    await drop_all(Shop, Sale, Total, Name)
    assert await Total.check_schema() == [Difference("view", "total", "total", None)]


async def test_a_view_whose_columns_differ_is_found(db: Any) -> None:
    await execute("CREATE VIEW name AS SELECT 1 AS number, 2 AS name")
    assert [str(d) for d in await Name.check_schema()] == [
        "name.name: type is integer in the database, text in the class",
        "name: column number is unknown to the class",
    ]


KEYLESS: dict[str, Callable[[], Awaitable[Any]]] = {
    "get": lambda: Name.get(1),
    "get_or_none": lambda: Name.get_or_none(1),
    "get_many": lambda: Name.get_many([1]),
    "refresh": lambda: _refreshed(),
    "by_pk_batches": lambda: _batches(),
}


async def _refreshed() -> None:
    await (await Name.find().one()).refresh()


async def _batches() -> None:
    async for _ in Name.find().by_pk_batches(10):
        pass


@pytest.mark.parametrize("way", KEYLESS)
async def test_what_goes_by_key_says_that_a_view_has_none(db: Any, way: str) -> None:
    await create_all(Shop, Name)
    await Shop.create(name="a")
    with pytest.raises(TypeError, match="needs the key of Name, which has none"):
        await KEYLESS[way]()


async def test_rows_without_a_key_are_not_the_same(db: Any) -> None:
    await create_all(Shop, Name)
    await Shop.insert_many([{"name": "a"}, {"name": "b"}])
    one, other = await Name.find().order_by(Name.name)
    assert not one.is_same_row(other)
    assert [r.name for r in await Name.find().order_by(Name.name).limit(1)] == ["a"]


def test_the_ddl_of_a_view_is_that_of_its_query() -> None:
    assert Name.ddl() == 'CREATE VIEW "name" WITH (security_barrier = true) AS SELECT name FROM shop;'
    assert Total.ddl().splitlines()[0].startswith('CREATE MATERIALIZED VIEW "total" AS SELECT "sale"."shop_id"')
    assert Total.ddl().splitlines()[1:] == [
        'CREATE UNIQUE INDEX "total_shop_id_idx" ON "total" ("shop_id");',
        "COMMENT ON MATERIALIZED VIEW \"total\" IS 'what each shop sold';",
    ]


def _declared(**settings: Any) -> type:
    class Wrong(Table):
        class Settings:
            locals().update(settings)

        n: Col[int]

    return Wrong


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no query": (lambda: View(5), "a view needs a query or SQL text, got int"),
    "a setting that is no query": (lambda: _declared(view=5), "a view needs a query or SQL text, got int"),
    "an option of a view": (
        lambda: View("SELECT 1", materialized=True, check_option="local"),
        "a materialized view has no security_barrier",
    ),
    "an index": (
        lambda: _declared(view="SELECT 1 AS n", indexes=[Index("n")]),
        "Wrong.Settings.indexes: a view has no indexes; a View",
    ),
    "a constraint": (
        lambda: _declared(view=View("SELECT 1 AS n", materialized=True), constraints=[Unique("n")]),
        "Wrong.Settings.constraints: a view has no constraints",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_view_cannot_have_is_refused(case: str) -> None:
    make, message = WRONG[case]
    with pytest.raises(ConfigurationError, match=message):
        make()
    assert issubclass(ConfigurationError, DataBridgeError)
