"""Every way to load a row gives the same row, and every way to write one the same record of what changed."""

from typing import Any

import pytest

from data_bridge.postgres import Col, Column, Table, create_all, execute, pg_transaction, stream


class Loaded(Table):
    id: Col[int] = Column(primary_key=True)
    name: Col[str]
    tags: Col[list[str]] = Column(default_factory=list)
    meta: Col[dict[str, int] | None] = Column(default=None)


def ways() -> list[Any]:
    async def in_stream() -> Any:
        async with Loaded.find().stream() as rows:
            (row,) = [r async for r in rows]
            return row

    async def in_batches() -> Any:
        ((row,),) = [b async for b in Loaded.find().batches(1)]
        return row

    async def iterated() -> Any:
        (row,) = [r async for r in Loaded.find()]
        return row

    async def returned() -> Any:
        return (await Loaded.find(id=1).returning().update(name="a"))[0]

    async def in_tuples() -> Any:
        return (await Loaded.find().tuples(Loaded, Loaded.name))[0][0]

    async def in_transaction() -> Any:
        async with pg_transaction():
            return await Loaded.get(1, for_update=True)

    async def upserted() -> Any:
        row, created = await Loaded.upsert(
            Loaded(id=1, name="a", tags=["t"], meta={"m": 1}), conflict=["id"], update=["name"]
        )
        assert not created
        return row

    async def refreshed() -> Any:
        row = Loaded(id=1, name="a", tags=["t"], meta={"m": 1})
        await row.save()
        await execute("UPDATE loaded SET tags = '{t}'")
        return await row.refresh()

    async def on_conflict() -> Any:
        from data_bridge.postgres import Conflict

        row = {"id": 1, "name": "a", "tags": ["t"], "meta": {"m": 1}}
        return (await Loaded.insert_many([row], on_conflict=Conflict(["id"], update=["name"])))[0]

    async def found() -> Any:
        return await Loaded.get(1)

    async def first() -> Any:
        return await Loaded.find().first()

    async def raw() -> Any:
        return (await Loaded.raw("SELECT * FROM loaded"))[0]

    async def many() -> Any:
        return (await Loaded.get_many([1]))[1]

    async def paged() -> Any:
        return (await Loaded.find().paginate(1)).items[0]

    async def created() -> Any:
        return (await Loaded.get_or_create({"name": "z"}, id=1)).row

    functions = [
        in_stream, in_batches, iterated, returned, in_tuples, in_transaction, upserted, refreshed, on_conflict, found, first, raw, many, paged,
        created,
    ]  # fmt: skip
    return [pytest.param(f, id=f.__name__) for f in functions]


@pytest.mark.parametrize("way", ways())
async def test_loaded_rows_know_what_changes(db: Any, sent: Any, way: Any) -> None:
    await create_all(Loaded)
    await Loaded(id=1, name="a", tags=["t"], meta={"m": 1}).save()
    row = await way()
    assert row == Loaded(id=1, name="a", tags=["t"], meta={"m": 1})
    assert type(row) is Loaded and not row.is_changed and row.model_fields_set == set(Loaded.model_fields)
    row.tags.append("u")
    row.meta["n"] = 2
    row.name = "b"
    assert row.get_changes() == {"name": "b", "tags": ["t", "u"], "meta": {"m": 1, "n": 2}}
    with sent("^UPDATE"):
        await row.save()
    with sent():
        await row.save()
    assert await Loaded.get(1) == row
    row.tags.clear()
    assert row.get_changes() == {"tags": []}
    row.discard_changes()
    assert row.tags == ["t", "u"] and not row.is_changed
    await row.delete()
    assert await Loaded.count() == 0


async def test_a_stream_in_sql_gives_dicts(db: Any) -> None:
    await create_all(Loaded)
    await Loaded(id=1, name="a").save()
    async with stream("SELECT id, meta FROM loaded") as rows:
        assert [r async for r in rows] == [{"id": 1, "meta": None}]


async def test_tuples_and_upserts_are_the_first_that_load_a_class(db: Any) -> None:
    class FirstTuple(Loaded):
        class Settings:
            name = "loaded"

    class FirstUpsert(Loaded):
        class Settings:
            name = "loaded"

    await create_all(Loaded)
    await execute("INSERT INTO loaded VALUES (1, 'a', '{t}', '{}')")
    (row, _) = await FirstTuple.find().tuples(FirstTuple, FirstTuple.name).one()
    row.tags.append("u")
    assert row.get_changes() == {"tags": ["t", "u"]}
    upserted, _ = await FirstUpsert.upsert({"id": 1, "name": "b"}, conflict=["id"], update=["name"])
    upserted.tags.append("v")
    assert upserted.get_changes() == {"tags": ["t", "v"]}
