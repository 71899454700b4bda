"""QueryBuilder.consistency(): the server of one query, whatever runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import (
    BackLink,
    Col,
    IdMixin,
    Link,
    ReplicatedDatabase,
    add_observer,
    create_all,
    pg_transaction,
    read_your_writes,
    remove_observer,
    use_database,
)
from data_bridge.testing import EmbeddedCluster


class Owner(IdMixin):
    name: Col[str]
    pets: BackLink[list[Pet]] = BackLink("owner")


class Pet(IdMixin):
    name: Col[str]
    owner: Link[Owner]


Owner.model_rebuild()


class Servers:
    """Hears which database runs each statement."""

    def __init__(self) -> None:
        self.aliases: list[str] = []

    def started(self, event: Any) -> None:
        if event.kind in ("select", "declare"):
            self.aliases.append("replica" if "replica" in event.database else "primary")

    def finished(self, token: Any, event: Any) -> None: ...

    def taken(self) -> set[str]:
        """The servers since the last call."""
        aliases, self.aliases = set(self.aliases), []
        return aliases


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    with EmbeddedCluster(replicas=1) as cluster:
        async with ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns) as db, use_database(db):
            await create_all(Owner, Pet)
            ann = await Owner.create(name="ann")
            await Pet.create(name="rex", owner=ann)
            await asyncio.to_thread(cluster.catch_up)
            heard = Servers()
            add_observer(heard)
            try:
                async with asyncio.timeout(20), read_your_writes():
                    while "replica" not in heard.taken():
                        await Owner.find().first()
                        await asyncio.sleep(0.02)
                    yield heard
            finally:
                remove_observer(heard)


async def streamed(query: Any) -> None:
    assert [row.name async for row in query.stream()] == ["ann"]


async def test_everything_that_a_query_does(servers: Servers) -> None:
    works: list[Any] = [
        lambda q: q,
        lambda q: q.first(),
        lambda q: q.one(),
        lambda q: q.count(),
        lambda q: q.exists(),
        lambda q: q.values(Owner.name),
        lambda q: q.max(Owner.id),
        lambda q: q.paginate(5),
        lambda q: q.page(1, 5),
        lambda q: q.fetch_links(Owner.pets),
        lambda q: q.prepare()(),
        lambda q: q.arrow(),
        lambda q: q.union(q),
        streamed,
    ]
    for number, work in enumerate(works):
        await work(Owner.find())
        assert servers.taken() == {"replica"}, number
        await work(Owner.find().consistency("primary"))
        assert servers.taken() == {"primary"}, number
        async with pg_transaction():
            await work(Owner.find().consistency("eventual"))
        assert servers.taken() == {"primary"}, number


async def test_after_a_write(servers: Servers) -> None:
    owner = await Owner.create(name="bob")
    assert (await Owner.get(owner.id)).name == "bob"
    assert servers.taken() == {"primary"}
    await Owner.find().consistency("eventual").first()
    assert servers.taken() == {"replica"}
    with pytest.raises(ConfigurationError, match="consistency='soon'"):
        Owner.find().consistency("soon")  # type: ignore[arg-type]


async def test_writes_of_a_query_with_a_level_go_to_the_primary(servers: Servers) -> None:
    assert await Owner.find(Owner.name == "ann").consistency("eventual").update(name="eve") == 1
    assert await Owner.find(Owner.name == "eve").count() == 1
    assert await Pet.find(Pet.name == "rex").consistency("eventual").delete() == 1
    assert await Pet.find().count() == 0
