"""Row locks need a transaction: outside of one they would be released at once, and every way says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from data_bridge.postgres import Col, ConfigurationError, Database, IdMixin, create_all, pg_transaction, use_database


class LockedJob(IdMixin):
    name: Col[str]
    done: Col[bool] = False


async def streamed() -> Any:
    async with LockedJob.find().for_update().stream() as rows:
        return [row async for row in rows]


WAYS: dict[str, Callable[[], Awaitable[Any]]] = {
    "list": lambda: LockedJob.find().for_update().to_list(),
    "awaited": lambda: _awaited(LockedJob.find().for_update(skip_locked=True)),
    "first": lambda: LockedJob.find().order_by("id").for_update(nowait=True).first(),
    "one": lambda: LockedJob.find(LockedJob.id == 1).for_update(of=[LockedJob]).one(),
    "tuples": lambda: LockedJob.find().for_update().tuples(LockedJob.id).to_list(),
    "values": lambda: LockedJob.find().for_update().values(LockedJob.id).to_list(),
    "scalars": lambda: LockedJob.find().for_update().scalars(LockedJob.id).to_list(),
    "get": lambda: LockedJob.get(1, for_update=True),
    "refresh": lambda: _refreshed(),
    "lock": lambda: _locked(),
}


async def _awaited(query: Any) -> Any:
    return await query


async def _refreshed() -> Any:
    return await (await LockedJob.get(1)).refresh(for_update=True)


async def _locked() -> Any:
    return await (await LockedJob.get(1)).lock()


async def prepare() -> None:
    await create_all(LockedJob)
    await LockedJob.insert_many([{"name": "a"}, {"name": "b"}])


async def greet(connection: Any) -> None: ...


@pytest.mark.parametrize("place", ["isolated", "hooked", "sandbox"])
async def test_locks_outside_of_a_transaction(request: pytest.FixtureRequest, place: str) -> None:
    fixture = request.getfixturevalue("db" if place == "sandbox" else "isolated_db")
    hooks = {"on_checkout": greet} if place == "hooked" else {}
    database = fixture if place == "sandbox" else Database(fixture.dsn, **hooks)
    async with use_database(database):
        await prepare()
        for way, run in WAYS.items():
            with pytest.raises(ConfigurationError, match=r"released at once: .*pg_transaction"):
                await run()
            async with pg_transaction():
                assert await run(), way
        # The rows of a stream stay locked while it is open, and a subquery's until the statement ends.
        assert len(await streamed()) == 2
        free = LockedJob.find(LockedJob.done == False).order_by("id").limit(1).for_update(skip_locked=True)  # noqa: E712
        query = LockedJob.find(LockedJob.id.in_(free.select(LockedJob.id)))
        assert await query.update({LockedJob.done: True}) == 1
        assert await LockedJob.find(LockedJob.done == True).count() == 1  # noqa: E712
    if place != "sandbox":
        await database.close()
        assert database.pool_stats().used == 0
