"""`User.using("other")` is the class on another database: whatever it can do, it does there."""

import pickle
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import pytest
from pydantic import BaseModel

from data_bridge.core import add_observer, remove_observer
from data_bridge.core.errors import ConfigurationError, RowNotFound
from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    Database,
    IdMixin,
    Link,
    ManyToMany,
    Table,
    create_all,
    drop_all,
    func,
    pg_transaction,
)
from data_bridge.postgres.operators import Inc


class BoundTeam(IdMixin):
    name: Col[str]
    members: BackLink[list["BoundUser"]] = BackLink("team")


class BoundTag(IdMixin):
    word: Col[str]


class BoundUser(IdMixin):
    name: Col[str] = Column(unique=True)
    age: Col[int] = Column(default=1)
    team: Link[BoundTeam | None] = Column(default=None)
    tags: ManyToMany[BoundTag] = ManyToMany(through="bound_user_tags")

    @classmethod
    def grown(cls) -> Any:
        return cls.find(cls.age > 17)

    @classmethod
    async def renamed(cls, old: str, new: str) -> Self:
        row = await cls.find(name=old).one()
        row.name = new
        return await row.save()

    @classmethod
    async def pair(cls) -> list[Self]:
        return [await cls(name="p1").save(), await cls.create(name="p2")]


class Databases:
    """Which databases statements ran in."""

    def __init__(self) -> None:
        self.seen: set[Any] = set()

    def started(self, event: Any) -> None:
        self.seen.add(event.database)

    def finished(self, token: Any, event: Any) -> None: ...


@contextmanager
def only_in(database: str) -> Iterator[None]:
    heard = Databases()
    add_observer(heard)
    try:
        yield
    finally:
        remove_observer(heard)
    assert heard.seen == {database}


ALL = (BoundTeam, BoundTag, BoundUser)


@asynccontextmanager
async def two_databases(postgres_dsn: str) -> AsyncGenerator[Database]:
    """A second database, with a row "there"; the first has "here"."""
    await create_all(*ALL)
    async with Database(postgres_dsn, alias="bound_other") as database:
        try:
            await create_all(*ALL, using=database)
            await BoundUser(name="here", age=20).save()
            await BoundUser(name="there", age=30).save(tx=database)
            yield database
        finally:
            await drop_all(*ALL, using=database)


async def listed(query: Any) -> list[str]:
    return sorted([r.name for r in await query])


U = Any
METHODS: dict[str, tuple[Callable[[U], Awaitable[Any]], Callable[[Any], bool]]] = {
    "get": (lambda u: u.get(1), lambda r: r.name == "there"),
    "get_or_none": (lambda u: u.get_or_none(1), lambda r: r.name == "there"),
    "get_many": (lambda u: u.get_many([1]), lambda r: r[1].name == "there"),
    "find_one": (lambda u: u.find_one(BoundUser.age > 1), lambda r: r.name == "there"),
    "get_or_create": (lambda u: u.get_or_create(name="there"), lambda r: not r.created),
    "update_or_create": (lambda u: u.update_or_create({"age": 5}, name="there"), lambda r: r.row.age == 5),
    "find": (lambda u: listed(u.find(BoundUser.name != "x")), lambda r: r == ["there"]),
    "find_all": (lambda u: listed(u.find_all()), lambda r: r == ["there"]),
    "all": (lambda u: listed(u.all()), lambda r: r == ["there"]),
    "count": (lambda u: u.count(name="there"), lambda r: r == 1),
    "exists": (lambda u: u.exists(BoundUser.name == "there"), lambda r: r is True),
    "distinct": (lambda u: u.distinct(BoundUser.name), lambda r: r == ["there"]),
    "update_all": (lambda u: u.update_all(age=7), lambda r: r == 1),
    "delete_all": (lambda u: u.delete_all(), lambda r: r == 1),
    "create": (lambda u: u.create(name="new"), lambda r: r.id == 2),
    "insert": (lambda u: u.insert(name="new"), lambda r: r.id == 2),
    "insert_many": (
        lambda u: u.insert_many([BoundUser(name="a"), {"name": "b"}]),
        lambda r: [x.id for x in r] == [2, 3],
    ),
    "bulk_update": (lambda u: bulk(u), lambda r: r == 1),
    "upsert": (lambda u: u.upsert({"name": "there", "age": 9}, conflict=["name"]), lambda r: not r.created),
    "upsert_many": (lambda u: u.upsert_many([{"name": "there"}], conflict=["name"]), lambda r: not r[0].created),
    "insert_from": (
        lambda u: u.insert_from(u.find().tuples(BoundUser.name + "!", BoundUser.age), columns=["name", "age"]),
        lambda r: r == 1,
    ),
    "merge": (lambda u: merged(u), lambda r: r == 1),
    "raw": (lambda u: u.raw("SELECT * FROM bound_user"), lambda r: r[0].name == "there"),
    "create_table": (lambda u: u.create_table(), lambda r: r is None),
    "drop_table": (lambda u: u.drop_table(), lambda r: r is None),
    "check_schema": (lambda u: u.check_schema(), lambda r: r == []),
    # Without a statement.
    "using": (lambda u: u.using("bound_other").count(), lambda r: r == 1),
    # The user's own.
    "grown": (lambda u: listed(u.grown()), lambda r: r == ["there"]),
    "renamed": (lambda u: u.renamed("there", "z"), lambda r: r.name == "z"),
    "pair": (lambda u: u.pair(), lambda r: [x.id for x in r] == [2, 3]),
}
ELSEWHERE = {"ddl", "input_model", "model_rebuild"}
"""Without a database."""


async def bulk(u: Any) -> int:
    row = await u.get(1)
    row.age = 3
    return await u.bulk_update([row])  # type: ignore[no-any-return]


async def merged(u: Any) -> int:
    return await u.merge([BoundUser(name="there", age=4)], on=["name"]).when_matched().update()  # type: ignore[no-any-return]


def class_methods() -> set[str]:
    found: set[str] = set()
    for cls in BoundUser.__mro__:
        if cls.__module__.startswith("pydantic"):
            continue
        for name, member in vars(cls).items():
            if not name.startswith("_") and (
                isinstance(member, classmethod) or type(member).__name__ in ("InsertMethod", "CreateMethod")
            ):
                found.add(name)
    return found


def test_every_class_method_is_tried() -> None:
    assert class_methods() == METHODS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", METHODS)
async def test_class_methods(isolated_db: Any, postgres_dsn: str, name: str) -> None:
    async with two_databases(postgres_dsn) as other:  # noqa: F841
        do, check = METHODS[name]
        with only_in("bound_other"):
            assert check(await do(BoundUser.using("bound_other")))
        assert await listed(BoundUser.find(age=20)) == ["here"]
        assert await BoundUser.count() == 1


ROWS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "save": lambda r: changed(r).save(),
    "save_changes": lambda r: changed(r).save_changes(),
    "update": lambda r: r.update(Inc({BoundUser.age: 1})),
    "replace": lambda r: changed(r).replace(),
    "delete": lambda r: r.delete(),
    "refresh": lambda r: r.refresh(),
    "fetch": lambda r: r.fetch("team", "tags"),
    "fetch_all_links": lambda r: r.fetch_all_links(),
    "await a link": lambda r: awaited(r),
    "add": lambda r: added(r),
}


def changed(row: Any) -> Any:
    row.name = "changed"
    return row


async def awaited(row: Any) -> None:
    assert (await row.team).name == "red"


async def added(row: Any) -> None:
    tag = await BoundTag.using("bound_other")(word="w").save()
    await row.tags.add(tag)
    assert [t.word for t in await row.tags.find()] == ["w"]
    await row.tags.set([])
    assert await row.tags.count() == 0


@pytest.mark.parametrize("what", ROWS)
async def test_rows_stay_where_they_come_from(isolated_db: Any, postgres_dsn: str, what: str) -> None:
    async with two_databases(postgres_dsn) as other:  # noqa: F841
        there = BoundUser.using("bound_other")
        team = await BoundTeam.using("bound_other")(name="red").save()
        row = await there.find(name="there").one()
        await row.update(team=team)
        with only_in("bound_other"):
            await ROWS[what](row)
        assert await listed(BoundUser.find(age=20)) == ["here"]


async def test_rows_are_instances_of_the_class(isolated_db: Any, postgres_dsn: str) -> None:
    async with two_databases(postgres_dsn) as other:  # noqa: F841
        there = BoundUser.using("bound_other")
        assert there is BoundUser.using("bound_other")
        assert issubclass(there, BoundUser) and there.__name__ == "BoundUser"
        assert there.name is BoundUser.name
        row = await there.get(1)
        assert isinstance(row, BoundUser)
        same = BoundUser.model_validate(row.model_dump())
        assert row == same and same == row
        assert row.model_dump_json() == same.model_dump_json()
        made = there(name="made")
        assert (await made.save()).id == 2
        assert (await there.model_validate({"name": "validated"}).save()).id == 3

        class Out(BaseModel):
            row: BoundUser

        assert Out(row=row).row is row
        copied = pickle.loads(pickle.dumps(row))
        assert copied == row and type(copied) is there
        assert pickle.loads(pickle.dumps(BoundUser)) is BoundUser
        copied.age = 99
        await copied.save()
        assert (await there.get(1)).age == 99


async def test_rows_of_relations_are_there_too(isolated_db: Any, postgres_dsn: str) -> None:
    async with two_databases(postgres_dsn) as other:  # noqa: F841
        there = BoundUser.using("bound_other")
        teams = BoundTeam.using("bound_other")
        team = await teams(name="red").save()
        await there.find(name="there").update(team=team)
        queries: list[Any] = [
            there.find().fetch_links(BoundUser.team, BoundUser.tags),
            there.find().fetch_links("team"),
            there.find(fetch_links=True),
            there.find(BoundUser.team.name.startswith("red")).fetch_links(there.team),
        ]
        for query in queries:
            with only_in("bound_other"):
                (row,) = await query
                row.team.name += "!"
                await row.team.save()
        with only_in("bound_other"):
            (found,) = await teams.find().fetch_links(BoundTeam.members.order_by(BoundUser.name).limit(3))
            found.members[0].age = 44
            await found.members[0].save()
            assert await there.find().join(teams).tuples(BoundUser.age, BoundTeam.name) == [(44, "red!!!!")]
            assert await teams.find(BoundTeam.members.any(BoundUser.age == 44)).count() == 1
            assert await there.find().group_by(BoundUser.age).aggregate(n=func.count()) == [{"age": 44, "n": 1}]
        assert await BoundTeam.count() == 0


async def test_a_database_or_a_transaction(isolated_db: Any, postgres_dsn: str) -> None:
    async with two_databases(postgres_dsn) as other:
        there = BoundUser.using(other)
        assert await there.count(name="there") == 1
        async with pg_transaction(using=other) as tx:
            assert BoundUser.using(tx) is there
            await BoundUser.using(tx)(name="inside").save()
            assert await there.count() == 2
            tx.set_rollback_only()
        assert await there.count() == 1
        with pytest.raises(
            ConfigurationError, match=r"BoundUser.using\(tx\): tx is not the current transaction.*pass tx=tx"
        ):
            BoundUser.using(tx)
        with pytest.raises(RowNotFound):
            await BoundUser.using("bound_other").get(2)
        row = pickle.dumps(await there.get(1))
        assert type(pickle.loads(row)) is BoundUser.using("bound_other")


async def test_create_all_follows_the_settings(isolated_db: Any, postgres_dsn: str) -> None:
    async with two_databases(postgres_dsn) as other:

        class SettledThere(Table):
            class Settings:
                using = "bound_other"

            id: Col[int] = Column(primary_key=True)

        is_there = "SELECT to_regclass('settled_there') IS NOT NULL"
        await create_all(SettledThere, BoundUser)
        assert await other.fetch_val(is_there)
        assert not await other.fetch_val("SELECT false") and await BoundUser.exists(name="here")
        await SettledThere(id=1).save()
        await drop_all(SettledThere)
        assert not await other.fetch_val(is_there)
        await create_all(BoundTag.using("bound_other"))


async def test_an_abstract_class_has_no_database() -> None:
    with pytest.raises(ConfigurationError, match="maps no table"):
        IdMixin.using("bound_other")
