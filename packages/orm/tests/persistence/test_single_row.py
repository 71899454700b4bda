"""One row: save, insert, update, replace, delete, refresh, lock, get; what each sends and what it refuses."""

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from data_bridge.postgres import (
    AlreadySaved,
    Column,
    ConfigurationError,
    EncodeError,
    NotNullViolation,
    NotSaved,
    RowNotFound,
    Table,
    TimestampMixin,
    UniqueViolation,
    Upserted,
    UUIDMixin,
    create_all,
    execute,
    fetch_val,
    func,
    pg_transaction,
)
from data_bridge.postgres.operators import CurrentDate, Inc, Max, Min, Mul, Pull, Push, Set, Unset

Sent = Any


class Persisted(Table):
    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True)
    name: str = "nobody"
    visits: int = 0
    created_at: datetime = Column(server_default="now()")
    tags: list[str] = Column(default_factory=list)


class Keyed(Table):
    code: str = Column(primary_key=True)
    name: str = "-"
    size: int = 0


async def test_a_new_row_is_inserted_and_gets_what_the_database_fills(db: Any, sent: Sent) -> None:
    await create_all(Persisted)
    row = Persisted(email="a@x")
    assert row.id is None and row.created_at is None
    with sent(
        r'^INSERT INTO "persisted" \("email", "name", "visits", "tags"\) VALUES .* RETURNING "id", "created_at", "tags"$'
    ):
        assert await row.save() is row
    assert isinstance(row.id, int) and isinstance(row.created_at, datetime) and not row.is_changed
    assert row == await Persisted.get(row.id)


async def test_a_server_default_that_is_given_is_sent(db: Any) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x", created_at=datetime.fromisoformat("2020-01-01T00:00:00+00:00")).save()
    assert (await Persisted.get(row.id)).created_at.year == 2020


async def test_a_new_row_with_a_key_is_an_upsert_of_what_was_set(db: Any, sent: Sent) -> None:
    await create_all(Keyed)
    await Keyed(code="a", name="first", size=1).save()
    second = Keyed(code="a", size=2)
    with sent(r'^INSERT .* ON CONFLICT \("code"\) DO UPDATE SET "size" = "excluded"\."size"'):
        await second.save()
    assert await Keyed.get("a") == Keyed(code="a", name="first", size=2)
    only_key = await Keyed(code="a").save()
    assert not only_key.is_changed and (await Keyed.get("a")).name == "first"
    assert (await Keyed(code="b").save()) == await Keyed.get("b")


async def test_insert_is_a_plain_insert(db: Any) -> None:
    await create_all(Keyed)
    assert (await Keyed(code="a").insert()).code == "a"
    with pytest.raises(UniqueViolation) as caught:
        async with pg_transaction():
            await Keyed(code="a").insert()
    assert (caught.value.sqlstate, caught.value.table) == ("23505", "keyed")
    assert (await Keyed.insert(code="b", name="x")).name == "x"  # type: ignore[call-arg]
    row = Keyed(code="c")
    assert await Keyed.insert(row) is row
    with pytest.raises(AlreadySaved, match="Keyed is in the database already"):
        await row.insert()
    with pytest.raises(TypeError, match="not both"):
        await Keyed.insert(Keyed(code="d"), name="x")  # type: ignore[call-arg]
    assert (await Keyed.create(code="e", size=3)).size == 3
    assert await Keyed.count() == 4


async def test_a_failed_insert_leaves_a_row_that_can_be_saved(db: Any) -> None:
    await create_all(Persisted)
    await Persisted(email="a@x").save()
    row = Persisted(email="a@x")
    with pytest.raises(UniqueViolation):
        async with pg_transaction():
            await row.save()
    assert row.id is None and row.is_changed
    row.email = "b@x"
    await row.save()
    assert await Persisted.count() == 2


async def test_what_the_database_refuses(db: Any) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    row.name = None  # type: ignore[assignment]
    with pytest.raises(NotNullViolation) as caught:
        async with pg_transaction():
            await row.save()
    assert caught.value.column == "name" and row.get_changes() == {"name": None}


async def test_saving_a_row_that_is_gone(db: Any) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    await execute("DELETE FROM persisted")
    row.name = "x"
    for doing in (row.save(), row.update(name="y"), row.replace(), row.refresh()):
        with pytest.raises(RowNotFound, match=f"Persisted with key {row.id}"):
            await doing
    assert row.is_changed and await Persisted.count() == 0
    assert await row.delete() is False


async def test_update_writes_its_values_and_nothing_else(db: Any, sent: Sent) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    row.name = "pending"
    with sent(r'^UPDATE "persisted" SET "visits" = \$1 WHERE .*RETURNING'):
        assert await row.update(visits=5) is row
    assert row.visits == 5 and row.get_changes() == {"name": "pending"}
    assert (await Persisted.get(row.id)).name == "nobody"
    await row.update({Persisted.visits: Persisted.visits + 1}, Set({Persisted.name: "done"}))
    assert (row.visits, row.name, row.is_changed) == (6, "done", False)
    await row.update(Inc({Persisted.visits: 4}), Push({Persisted.tags: "t"}))
    assert (row.visits, row.tags) == (10, ["t"]) and not row.is_changed
    await row.update(created_at=func.now(), tags=["z"])
    assert row.tags == ["z"]
    assert await Persisted.get(row.id) == row


@pytest.mark.parametrize(
    ("operator", "field", "expected"),
    [
        (lambda t: Inc({t.visits: 2}), "visits", 12),
        (lambda t: Mul({t.visits: 3}), "visits", 30),
        (lambda t: Min({t.visits: 4}), "visits", 4),
        (lambda t: Max({t.visits: 4}), "visits", 10),
        (lambda t: Set({t.visits: 1}), "visits", 1),
        (lambda t: Set({"visits": 1}), "visits", 1),
        (lambda t: Push({t.tags: "b"}), "tags", ["a", "b"]),
        (lambda t: Pull({t.tags: "a"}), "tags", []),
        (lambda t: Unset({t.nick: None}), "nick", None),
    ],
)
async def test_operators(db: Any, operator: Any, field: str, expected: Any) -> None:
    await create_all(Operated)
    await Operated(id=1, visits=10, tags=["a"], nick="n").save()
    assert await Operated.find(Operated.id == 1).update(operator(Operated)) == 1
    assert getattr(await Operated.get(1), field) == expected


class Operated(Table):
    id: int = Column(primary_key=True)
    visits: int = 0
    tags: list[str] = Column(default_factory=list)
    nick: str | None = None
    seen_at: datetime | None = None


async def test_current_date(db: Any) -> None:
    await create_all(Operated)
    row = await Operated(id=1).save()
    await row.update(CurrentDate({Operated.seen_at: True}))
    assert row.seen_at is not None and row.seen_at.tzinfo is not None


async def test_update_says_what_is_wrong_before_anything_is_sent(db: Any, sent: Sent) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    with sent():
        with pytest.raises(AttributeError, match="visits"):
            await row.update(vists=1)
        with pytest.raises(EncodeError, match=r"Persisted\.visits.*expected int"):
            await row.update(visits="many")
        with pytest.raises(EncodeError, match="set twice"):
            await row.update({"visits": 1}, Inc({"visits": 1}))
        assert await row.update() is row  # nothing to write
        with pytest.raises(TypeError, match="mappings, keywords and operators"):
            await row.update({"visits": 1}, 5)
        with pytest.raises(NotSaved, match="save"):
            await Persisted(email="b@x").update(visits=1)


async def test_replace_writes_every_column(db: Any, sent: Sent) -> None:
    await create_all(Keyed)
    await Keyed(code="a", name="x", size=3).save()
    row = Keyed(code="a")
    with sent(r'^UPDATE "keyed" SET "name" = \$1, "size" = \$2 WHERE'):
        await row.replace()
    assert await Keyed.get("a") == Keyed(code="a", name="-", size=0)
    assert not row.is_changed
    with pytest.raises(RowNotFound):
        await Keyed(code="zzz").replace()


async def test_delete(db: Any) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    twin = await Persisted.get(row.id)
    assert await row.delete() is True
    assert await twin.delete() is False
    for doing in (row.delete(), row.save(), row.update(visits=1), row.refresh()):
        with pytest.raises(NotSaved):
            await doing
    with pytest.raises(NotSaved, match="Persisted is not in the database"):
        await Persisted(email="b@x").delete()
    await row.insert()  # a deleted row may be written again
    assert await Persisted.count() == 1


async def test_refresh(db: Any, sent: Sent) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    await execute("UPDATE persisted SET visits = 7, name = 'other', tags = '{q}'")
    row.name = "mine"
    with sent(r'^SELECT "persisted"\."visits"'):
        await row.refresh("visits")
    assert (row.visits, row.name) == (7, "mine") and row.get_changes() == {"name": "mine"}
    await row.refresh(keep_changes=True)
    assert (row.name, row.tags) == ("mine", ["q"]) and row.get_changes() == {"name": "mine"}
    await row.refresh()
    assert row.name == "other" and not row.is_changed
    with pytest.raises(AttributeError, match="visits"):
        await row.refresh("vists")
    with pytest.raises(NotSaved):
        await Persisted(email="b@x").refresh()


async def test_locks(db: Any, sent: Sent) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    async with pg_transaction():
        with sent("FOR UPDATE$", "FOR UPDATE NOWAIT$", "FOR UPDATE SKIP LOCKED$", "FOR UPDATE$", "FOR UPDATE$"):
            await row.lock()
            await row.lock(nowait=True)
            await row.lock(skip_locked=True)
            await Persisted.get(row.id, for_update=True)
            await row.refresh(for_update=True)


async def test_a_lock_outside_a_transaction_is_refused(committed: Any) -> None:
    await create_all(Persisted)
    row = await Persisted(email="a@x").save()
    with pytest.raises(ConfigurationError, match="pg_transaction"):
        await row.lock()
    await committed.execute("DROP TABLE persisted")


async def test_get_and_its_kin(db: Any) -> None:
    await create_all(Keyed, Persisted)
    await Keyed.insert_many([{"code": c} for c in "abc"])
    assert (await Keyed.get("a")).code == "a"
    assert await Keyed.get_or_none("z") is None
    with pytest.raises(RowNotFound, match="Keyed with key 'z'"):
        await Keyed.get("z")
    assert isinstance(RowNotFound("x"), LookupError)
    assert sorted(await Keyed.get_many(["c", "a", "z"])) == ["a", "c"]
    assert await Keyed.get_many([]) == {}
    with pytest.raises(EncodeError, match=r"Keyed\.code.*expected str, got int"):
        await Keyed.get(1)
    with pytest.raises(EncodeError):
        await Persisted.get(True)
    assert (await Keyed.find_one(Keyed.code == "b")).code == "b"  # type: ignore[union-attr]
    assert (await Keyed.find_one(code="b")).code == "b"  # type: ignore[union-attr]
    assert await Keyed.find_one({"code": "q"}) is None
    assert await Keyed.exists(Keyed.code == "a") and not await Keyed.exists(code="q")
    assert await Keyed.count(Keyed.code > "a") == 2
    assert sorted(await Keyed.distinct(Keyed.size)) == [0]


class Pair(Table):
    a: int = Column(primary_key=True)
    b: str = Column(primary_key=True)
    v: int = 0


async def test_keys_of_several_columns(db: Any) -> None:
    await create_all(Pair)
    row = await Pair(a=1, b="x", v=1).save()
    assert row.pk == (1, "x")
    assert await Pair.get((1, "x")) == row and await Pair.get({"b": "x", "a": 1}) == row
    with pytest.raises(TypeError, match="2 columns"):
        await Pair.get(1)
    row.b, row.v = "y", 5
    await row.save()
    assert (await Pair.get((1, "y"))).v == 5
    await Pair(a=1, b="y", v=6).save()
    assert await Pair.count() == 1 and (await Pair.get((1, "y"))).v == 6
    with pytest.raises(RowNotFound, match="a=9, b='q'"):
        await Pair.get((9, "q"))
    assert await Pair.get_many([(9, "q")]) == {}


async def test_get_or_create_and_update_or_create(db: Any) -> None:
    await create_all(Persisted)
    first = await Persisted.get_or_create({"name": "n"}, email="a@x")
    assert isinstance(first, Upserted) and first.created and first.row.name == "n" and first.row.id is not None
    row, created = await Persisted.get_or_create({"name": "other"}, email="a@x")
    assert (row.id, row.name, created) == (first.row.id, "n", False)
    row, created = await Persisted.update_or_create({"name": "other"}, email="a@x")
    assert (row.name, created) == ("other", False) and (await Persisted.get(row.id)).name == "other"
    row, created = await Persisted.update_or_create({"name": "new"}, email="b@x")
    assert (row.name, created) == ("new", True)
    assert not row.is_changed
    with pytest.raises(ConfigurationError):
        await Persisted.get_or_create({"name": "x"})


async def test_upsert(db: Any) -> None:
    await create_all(Persisted)
    row, created = await Persisted.upsert(Persisted(email="a@x", name="1"), conflict=["email"])
    assert created and row.id is not None and not row.is_changed
    again, created = await Persisted.upsert({"email": "a@x", "name": "2"}, conflict=[Persisted.email])
    assert not created and again.id == row.id and (await Persisted.get(row.id)).name == "2"
    third, created = await Persisted.upsert(
        Persisted(email="a@x", name="3", visits=9), conflict=["email"], update=["visits"]
    )
    assert (third.name, third.visits, created) == ("2", 9, False)
    fourth, _ = await Persisted.upsert(
        Persisted(email="a@x"), conflict=["email"], update={"visits": Persisted.visits + 5, "name": "set"}
    )
    assert (fourth.visits, fourth.name) == (14, "set")
    pairs = await Persisted.upsert_many([{"email": "a@x"}, {"email": "c@x"}], conflict=["email"])
    assert [p.created for p in pairs] == [False, True]
    assert await Persisted.upsert_many([], conflict=["email"]) == []


class Stamped(UUIDMixin, TimestampMixin):
    name: str


async def test_mixins(db: Any) -> None:
    await create_all(Stamped)
    row = Stamped(name="a")
    assert isinstance(row.id, UUID) and row.id.version == 7
    await row.save()
    assert row.created_at == row.updated_at
    await execute("UPDATE stamped SET updated_at = updated_at - interval '1 day'")
    await row.refresh()
    before = row.updated_at
    row.name = "b"
    await row.save()
    assert row.updated_at > before and (await Stamped.get(row.id)).updated_at == row.updated_at
    await execute("UPDATE stamped SET updated_at = updated_at - interval '1 day'")
    await Stamped.find(Stamped.name == "b").update(name="c")
    assert await fetch_val("SELECT updated_at = now() FROM stamped") is True
    await execute("UPDATE stamped SET updated_at = updated_at - interval '1 day'")
    await row.refresh()
    row.name = "d"
    assert await Stamped.bulk_update([row]) == 1
    assert await fetch_val("SELECT updated_at = now() FROM stamped") is True
    assert Stamped(name="x").id != Stamped(name="x").id


class Color(Enum):
    RED = "r"


class Enumerated(Table):
    id: int = Column(primary_key=True)
    color: Color


async def test_enums_in_filters_and_updates(db: Any) -> None:
    await create_all(Enumerated)
    row = await Enumerated(id=1, color=Color.RED).save()
    assert await Enumerated.find(Enumerated.color == Color.RED) == [row]
    assert await Enumerated.find(Enumerated.color == "r") == [row]
    assert await Enumerated.find(color=Color.RED).count() == 1
    await row.update(color=Color.RED)
    assert row.color is Color.RED
    with pytest.raises(EncodeError, match=r"Enumerated\.color"):
        Enumerated.find(Enumerated.color == "purple")
