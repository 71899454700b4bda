"""After a rollback Python knows what the database knows; and two databases side by side."""

from typing import Any

import pytest

from data_bridge.postgres import (
    AlreadySaved,
    Column,
    Database,
    NotSaved,
    Table,
    begin_transaction,
    create_all,
    pg_transaction,
    use_database,
)


class Rolled(Table):
    id: int = Column(primary_key=True, auto_increment=True)
    name: str
    tags: list[str] = Column(default_factory=list)


class Stop(Exception):
    pass


@pytest.fixture(params=["sandbox", "real"])
def place(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("db" if request.param == "sandbox" else "isolated_db")


async def test_an_insert_that_was_rolled_back_never_was(place: Any) -> None:
    await create_all(Rolled)
    row, other = Rolled(name="a"), Rolled(name="b")
    with pytest.raises(Stop):
        async with pg_transaction():
            await row.save()
            await Rolled.insert_many([other])
            assert row.id is not None and other.id is not None and not row.is_changed
            raise Stop
    assert row.id is None and other.id is None and row.is_changed
    with pytest.raises(NotSaved):
        await row.delete()
    await row.save()
    assert [r.name for r in await Rolled.find()] == ["a"]


async def test_an_update_that_was_rolled_back_is_still_to_be_saved(place: Any) -> None:
    await create_all(Rolled)
    row = await Rolled(name="a", tags=["t"]).save()
    row = await Rolled.get(row.id)
    row.name = "b"
    row.tags.append("u")
    with pytest.raises(Stop):
        async with pg_transaction():
            await row.save()
            assert not row.is_changed
            raise Stop
    assert row.get_changes() == {"name": "b", "tags": ["t", "u"]}
    await row.save()
    assert (await Rolled.get(row.id)).tags == ["t", "u"]


async def test_update_in_place_is_undone(place: Any) -> None:
    await create_all(Rolled)
    row = await Rolled(name="a").save()
    with pytest.raises(Stop):
        async with pg_transaction():
            await row.update(name="b", tags=["x"])
            assert (row.name, row.tags) == ("b", ["x"])
            raise Stop
    assert (row.name, row.tags, row.is_changed) == ("a", [], False)


async def test_a_changed_key_is_the_old_one_again(place: Any) -> None:
    await create_all(Rolled)
    row = await Rolled(name="a").save()
    old = row.id
    row.id = 4711
    with pytest.raises(Stop):
        async with pg_transaction():
            await row.save()
            raise Stop
    assert row.get_previous_changes() == {"id": old}
    await row.save()
    assert (await Rolled.get(4711)).name == "a" and await Rolled.count() == 1


async def test_a_delete_that_was_rolled_back(place: Any) -> None:
    await create_all(Rolled)
    row = await Rolled(name="a").save()
    tx = await begin_transaction()
    await row.delete()
    await tx.rollback()
    row.name = "b"
    await row.save()
    assert (await Rolled.get(row.id)).name == "b"


async def test_savepoints_undo_just_their_part(place: Any) -> None:
    await create_all(Rolled)
    one, two = Rolled(name="one"), Rolled(name="two")
    async with pg_transaction() as tx:
        await one.save()
        point = await tx.savepoint("p")
        await two.save()
        one.name = "changed"
        await one.save()
        await tx.rollback_to(point)
        assert two.id is None and one.id is not None and one.get_changes() == {"name": "changed"}
        with pytest.raises(Stop):
            async with pg_transaction():
                await two.save()
                raise Stop
        assert two.id is None
        await two.save()
    assert sorted(r.name for r in await Rolled.find()) == ["one", "two"]
    with pytest.raises(AlreadySaved):
        await two.insert()


async def test_upserts_and_bulk_updates_too(place: Any) -> None:
    await create_all(Rolled)
    rows = await Rolled.insert_many([{"name": "a"}, {"name": "b"}])
    for row in rows:
        row.name += "!"
    fresh = Rolled(name="c")
    with pytest.raises(Stop):
        async with pg_transaction():
            assert await Rolled.bulk_update(rows) == 2
            await Rolled.upsert(fresh, conflict=["id"])
            assert not rows[0].is_changed and fresh.id is not None
            raise Stop
    assert [r.get_changes() for r in rows] == [{"name": "a!"}, {"name": "b!"}]
    assert fresh.id is None and fresh.is_changed
    assert await Rolled.bulk_update(rows) == 2
    assert sorted(r.name for r in await Rolled.find()) == ["a!", "b!"]


async def test_using_another_database(isolated_db: Any, postgres_dsn: str) -> None:
    await create_all(Rolled)
    async with Database(postgres_dsn, alias="rolled_other") as other:
        await create_all(Rolled, using=other)
        try:
            await Rolled(name="here").save()
            there = Rolled.using("rolled_other")
            row = await there.create(name="there")
            assert isinstance(row, Rolled)
            assert [r.name for r in await there.find()] == ["there"]
            assert [r.name for r in await Rolled.find()] == ["here"]
            assert [r.name for r in await Rolled.find().using(other)] == ["there"]
            assert await there.count() == 1 and await there.exists(Rolled.name == "there")
            assert not await there.exists(name="here")
            assert (await there.get(row.id)).name == "there"
            assert (await there.find_one(name="there")) == row
            assert len(await there.insert_many([{"name": "x"}, {"name": "y"}])) == 2
            assert there(name="z").name == "z"
            row.name = "changed"
            await row.save(tx=other)
            assert (await there.get(row.id)).name == "changed"
            async with use_database(other):
                assert await Rolled.count() == 3
            assert await Rolled.count() == 1
            # A transaction of one database does not catch statements of the other.
            async with pg_transaction(using=other) as tx:
                await Rolled(name="in tx").save(tx=tx)
                await Rolled(name="here too").save()
                tx.set_rollback_only()
            assert (await Rolled.count(), await there.count()) == (2, 3)
        finally:
            await other.execute_script("DROP TABLE rolled")


class Elsewhere(Table):
    class Settings:
        using = "elsewhere_alias"

    id: int = Column(primary_key=True)


async def test_settings_using(isolated_db: Any, postgres_dsn: str) -> None:
    async with Database(postgres_dsn, alias="elsewhere_alias") as other:
        await other.execute_script("CREATE TABLE elsewhere (id bigint PRIMARY KEY)")
        try:
            await Elsewhere(id=1).save()
            assert await Elsewhere.count() == 1
            assert await other.fetch_val("SELECT count(*) FROM elsewhere") == 1
        finally:
            await other.execute_script("DROP TABLE elsewhere")
