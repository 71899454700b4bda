"""Tables with a RowPolicy under tenant(): every way to read and to write, in a sandbox and on connections of a pool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from data_bridge.core.errors import DatabaseError
from data_bridge.postgres import (
    BackLink,
    Col,
    Conflict,
    IdMixin,
    Link,
    RowPolicy,
    create_all,
    execute,
    param,
    pg_transaction,
    tenant,
    transaction_settings,
)

ROLE = "tenant_user"


class Shop(IdMixin):
    class Settings:
        policies = [RowPolicy("owner")]

    owner: Col[str]
    name: Col[str] = ""
    items: BackLink[list[Item]] = BackLink("shop")


class Item(IdMixin):
    class Settings:
        policies = [RowPolicy("owner")]

    owner: Col[str]
    price: Col[int] = 0
    shop: Link[Shop]


async def prepared() -> None:
    await create_all(Shop, Item)
    await execute(f"DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    await execute(f"GRANT ALL ON shop, item TO {ROLE}")
    await execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
    for owner in ("a", "b"):
        shop = await Shop.create(owner=owner, name=owner.upper())
        await Item.insert_many([Item(owner=owner, price=n, shop=shop) for n in range(3)])


async def names(rows: Awaitable[Any]) -> set[str]:
    return {row.owner for row in await rows}


READS: dict[str, Callable[[], Awaitable[set[str]]]] = {
    "find": lambda: names(Item.find()),
    "find of a link": lambda: names(Item.find(Item.shop.name != "")),
    "fetch_links": lambda: names(Shop.find().fetch_links(Shop.items)),
    "prepared": lambda: names(Item.find(Item.price >= param("low")).prepare()(low=0)),
    "page": lambda: pages(),
    "stream": lambda: streamed(),
    "values": lambda: valued(),
    "transaction": lambda: in_transaction(),
}


async def pages() -> set[str]:
    page = await Item.find().order_by(Item.id).paginate(50)
    assert len(page.items) == 3
    return {row.owner for row in page.items}


async def streamed() -> set[str]:
    return {row.owner async for row in Item.find().stream()}


async def valued() -> set[str]:
    return {row["owner"] for row in await Item.find().values(Item.owner)}


async def in_transaction() -> set[str]:
    async with pg_transaction():
        return await names(Item.find())


async def read_everything() -> None:
    for name, read in READS.items():
        for who in ("a", "b"):
            async with transaction_settings({"role": ROLE}), tenant(who):
                assert await read() == {who}, (name, who)
        async with transaction_settings({"role": ROLE}):
            if name == "page":
                assert (await Item.find().paginate(5)).items == []
            else:
                assert await read() == set(), name


async def write_everything() -> None:
    async with transaction_settings({"role": ROLE}), tenant("a"):
        shop = await Shop.find().one()
        item = await Item.create(owner="a", price=10, shop=shop)
        item.price = 11
        await item.save()
        assert await Item.find(Item.price == 11).update(price=12) == 1
        await Item.insert_many([Item(owner="a", price=13, shop=shop) for _ in range(2500)], returning=False)
        assert await Item.find(Item.price == 13).count() == 2500
        await Item.upsert_many([Item(id=item.id, owner="a", price=14, shop=shop)], conflict=[Item.id])
        assert (await Item.get(item.id)).price == 14
        assert (await Item.get_or_create(defaults={"shop": shop}, owner="a", price=14)).created is False
        await item.refresh()
        await item.delete()
        await shop.fetch("items")
        assert len(shop.items) == 2503
        for foreign in (
            lambda: Item(owner="b", shop=shop).save(),
            lambda: Item.insert_many([Item(owner="b", shop=shop) for _ in range(2000)], returning=False),
            lambda: Item.find(Item.price == 0).update(owner="b"),
            lambda: Item.insert_many([Item(owner="b", shop=shop)], on_conflict=Conflict(Item.id, update=[Item.owner])),
        ):
            with pytest.raises(DatabaseError, match="row-level security"):
                await foreign()
        await Item.delete_all()
    assert await Item.find().count() == 3  # the superuser of the tests sees those of "b"
    assert {item.owner for item in await Item.find()} == {"b"}


@pytest.mark.parametrize("work", [read_everything, write_everything])
async def test_in_a_sandbox(db: Any, work: Callable[[], Awaitable[None]]) -> None:
    await prepared()
    await work()


@pytest.mark.parametrize("work", [read_everything, write_everything])
async def test_on_a_pool(isolated_db: Any, work: Callable[[], Awaitable[None]]) -> None:
    await prepared()
    await work()
