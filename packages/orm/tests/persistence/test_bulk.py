"""Many rows by few statements."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from data_bridge.postgres import (
    AlreadySaved,
    Col,
    Column,
    ColumnNotLoaded,
    ConfigurationError,
    Conflict,
    EncodeError,
    NotSaved,
    Table,
    UnfilteredWrite,
    UniqueViolation,
    copy_in,
    create_all,
    excluded,
    execute,
    pg_transaction,
)

Sent = Any


class Bulk(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    email: Col[str] = Column(unique=True)
    name: Col[str] = "n"  # type: ignore[assignment]
    visits: Col[int] = 0  # type: ignore[assignment]
    price: Col[Decimal | None] = Column(default=None, precision=10, scale=2)
    meta: Col[dict[str, Any]] = Column(default_factory=dict)


class WithArray(Table):
    id: int = Column(primary_key=True)
    tags: list[str] = Column(default_factory=list)
    grid: list[list[int]] = Column(type="bigint[]", default_factory=list)


async def test_insert_many_fills_keys_in_order(db: Any, sent: Sent) -> None:
    await create_all(Bulk)
    rows = [Bulk(email=f"{i}@x", visits=i, price=Decimal(i), meta={"i": i}) for i in range(100)]
    with sent("^INSERT.*unnest"):
        back = await Bulk.insert_many(rows)
    assert back == rows and all(a is b for a, b in zip(back, rows, strict=True))
    assert [r.id for r in rows] == sorted(r.id for r in rows) and not any(r.is_changed for r in rows)
    assert await Bulk.find().order_by("visits") == rows
    rows[3].meta["new"] = 1
    assert rows[3].get_changes() == {"meta": {"i": 3, "new": 1}}
    with pytest.raises(AlreadySaved, match="row 0"):
        await Bulk.insert_many(rows)
    assert await Bulk.insert_many([]) == []


async def test_mappings_generators_and_mixed_shapes(db: Any) -> None:
    await create_all(Bulk)
    made = await Bulk.insert_many({"email": f"{i}@x"} for i in range(3))
    assert [type(r) for r in made] == [Bulk] * 3
    mixed = await Bulk.insert_many([Bulk(email="a"), Bulk(id=1000, email="b"), Bulk(email="c")])
    assert [r.email for r in mixed] == ["a", "b", "c"] and mixed[1].id == 1000
    assert await Bulk.insert_many([{"email": "q"}, {"email": "r"}], returning=False) == 2
    with pytest.raises(TypeError, match="instances or mappings, not int"):
        await Bulk.insert_many([5])  # type: ignore[list-item]


async def test_batches_are_all_or_nothing(isolated_db: Any) -> None:
    await create_all(Bulk)
    seen: list[int] = []
    rows = [Bulk(email=f"{i}@x") for i in range(10)]
    await Bulk.insert_many(rows, batch_size=4, progress=seen.append)
    assert seen == [4, 8, 10] and await Bulk.count() == 10
    again = [Bulk(email=f"new{i}") for i in range(5)] + [Bulk(email="0@x")]
    with pytest.raises(UniqueViolation):
        await Bulk.insert_many(again, batch_size=2)
    assert await Bulk.count() == 10
    assert all(r.id is None and r.is_changed for r in again)
    with pytest.raises(ConfigurationError, match="batch_size=0"):
        await Bulk.insert_many(rows, batch_size=0)


async def test_the_failing_row_is_named_where_it_is_alone(db: Any) -> None:
    await create_all(Bulk)
    await Bulk(email="dup").save()
    with pytest.raises(UniqueViolation) as caught:
        async with pg_transaction():
            await Bulk.insert_many([{"email": "a"}, {"email": "b"}, {"email": "dup"}], batch_size=1)
    assert caught.value.row_index == 2  # type: ignore[attr-defined]
    with pytest.raises(EncodeError, match=r"Bulk\.visits"):
        await Bulk.insert_many([Bulk.model_construct(email="z", visits="many", name="n", price=None, meta={})])


async def test_insert_many_with_conflicts(db: Any) -> None:
    await create_all(Bulk)
    await Bulk(email="a", visits=1).save()
    written = await Bulk.insert_many([{"email": "a"}, {"email": "b"}], on_conflict="nothing")
    assert [r.email for r in written] == ["b"]
    assert await Bulk.insert_many([{"email": "a"}, {"email": "c"}], on_conflict="nothing", returning=False) == 1
    written = await Bulk.insert_many(
        [{"email": "a", "name": "new", "visits": 9}], on_conflict=Conflict(["email"], update=["name"])
    )
    assert [(r.name, r.visits) for r in written] == [("new", 1)] and not written[0].is_changed
    written = await Bulk.insert_many(
        [{"email": "a", "visits": 10}],
        on_conflict=Conflict([Bulk.email], update={"visits": Bulk.visits + excluded(Bulk.visits)}),
    )
    assert [r.visits for r in written] == [11]
    written = await Bulk.insert_many(
        [{"email": "a"}, {"email": "d"}],
        on_conflict=Conflict(["email"], update={"visits": Bulk.visits + 5, "name": "literal"}),
    )
    assert sorted((r.email, r.visits, r.name) for r in written) == [("a", 16, "literal"), ("d", 0, "n")]
    written = await Bulk.insert_many([{"email": "a"}], on_conflict=Conflict(constraint="bulk_email_key"))
    assert written == []
    with pytest.raises(ConfigurationError, match="not both"):
        Conflict(["email"], constraint="x")
    with pytest.raises(ConfigurationError, match="on_conflict"):
        await Bulk.insert_many([{"email": "a"}], on_conflict="ignore")
    with pytest.raises(AttributeError, match="email"):
        await Bulk.insert_many([{"email": "a"}], on_conflict=Conflict(["emial"]))


async def test_rows_with_arrays(db: Any) -> None:
    await create_all(WithArray)
    rows = [WithArray(id=i, tags=["x"] * i, grid=[[i, 1], [2, 3]]) for i in range(4)]
    await WithArray.insert_many(rows)
    assert await WithArray.find().order_by("id") == rows
    for row in rows:
        row.tags.append("new")
    assert await WithArray.bulk_update(rows) == 4
    assert await WithArray.find().order_by("id") == rows and not any(r.is_changed for r in rows)


async def test_more_rows_than_parameters(db: Any) -> None:
    await create_all(WithArray, Bulk)
    assert len(await WithArray.insert_many({"id": i, "tags": ["t"]} for i in range(12_000))) == 12_000
    assert await WithArray.count() == 12_000
    assert len(await Bulk.insert_many({"email": str(i)} for i in range(25_000))) == 25_000
    assert await Bulk.count() == 25_000
    many = [WithArray(id=i, grid=[]) for i in range(12_000, 36_000)]
    assert len(await WithArray.insert_many(many, batch_size=24_000)) == 24_000
    pairs = await WithArray.upsert_many(
        [{"id": i, "tags": ["u"], "grid": []} for i in range(30_000, 60_000)], conflict=["id"]
    )
    assert [p.created for p in pairs] == [False] * 6_000 + [True] * 24_000


async def test_one_instance_is_one_row(db: Any) -> None:
    await create_all(Bulk)
    row = Bulk(email="a")
    with pytest.raises(AlreadySaved, match="the same Bulk instance twice"):
        await Bulk.insert_many([row, row])
    assert row.id is None


async def test_bulk_update(db: Any, sent: Sent) -> None:
    await create_all(Bulk)
    rows = await Bulk.insert_many({"email": str(i)} for i in range(10))
    for row in rows:
        row.visits = row.id * 2
        row.price = Decimal("1.5") if row.id % 2 else None
    with sent(r"^UPDATE .*unnest"):
        assert await Bulk.bulk_update(rows) == 10
    assert await Bulk.find().order_by("id") == rows and not any(r.is_changed for r in rows)
    with sent():
        assert await Bulk.bulk_update(rows) == 0
    rows[0].name, rows[0].visits, rows[1].name = "x", 1, "y"
    assert await Bulk.bulk_update(rows, ["name"]) == 10
    assert rows[0].get_changes() == {"visits": 1} and (await Bulk.get(rows[0].id)).name == "x"
    with pytest.raises(NotSaved, match="row 1"):
        await Bulk.bulk_update([rows[0], Bulk(email="new")])


async def test_bulk_update_of_documents_edited_in_place(db: Any) -> None:
    await create_all(Bulk)
    rows = await Bulk.insert_many({"email": str(i)} for i in range(3))
    for row in rows:
        row.meta["a"] = 1
    assert await Bulk.bulk_update(rows) == 3
    assert not any(r.is_changed for r in rows)
    rows[1].meta["b"] = 2
    assert rows[1].get_changes() == {"meta": {"a": 1, "b": 2}}
    assert await Bulk.bulk_update(rows) == 1
    assert (await Bulk.get(rows[1].id)).meta == {"a": 1, "b": 2}


async def test_bulk_update_of_a_changed_key(db: Any) -> None:
    await create_all(WithArray)
    rows = await WithArray.insert_many([{"id": 1}, {"id": 2}])
    rows[0].id = 10
    assert await WithArray.bulk_update(rows) == 1
    assert [r.id for r in await WithArray.find().order_by("id")] == [2, 10]


async def test_mass_updates_and_deletes(db: Any, sent: Sent) -> None:
    await create_all(Bulk)
    await Bulk.insert_many({"email": str(i), "visits": i} for i in range(10))
    assert await Bulk.find(Bulk.visits < 3).update({"name": "few"}) == 3
    assert await Bulk.find(Bulk.visits >= 5).update(visits=Bulk.visits * 10) == 5
    assert await Bulk.find(name="few").count() == 3
    assert await Bulk.find().order_by(-Bulk.visits).limit(2).update(name="top") == 2
    assert [r.visits for r in await Bulk.find(name="top").order_by("visits")] == [80, 90]
    assert await Bulk.find(Bulk.visits == 90).delete() == 1
    back = await Bulk.find(name="top").returning().update(name="was top")
    assert [(r.name, r.visits) for r in back] == [("was top", 80)] and not back[0].is_changed
    part = await Bulk.find(name="was top").returning(Bulk.email).delete()
    assert [r.email for r in part] == ["8"]
    for write in (Bulk.find().update(name="x"), Bulk.find().delete(), Bulk.find().order_by("id").delete()):
        with pytest.raises(UnfilteredWrite, match="_all"):
            with sent():
                await write
    assert await Bulk.update_all(name="all") == 8
    assert await Bulk.find_all().update(visits=0) == 8
    assert await Bulk.find_all().delete() == 8
    await Bulk(email="z").save()
    assert await Bulk.delete_all() == 1


async def test_bool_filters_are_refused(db: Any) -> None:
    for wrong in (True, None, 5):
        with pytest.raises(TypeError):
            Bulk.find(wrong)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="&"):
        Bulk.find(Bulk.visits > 1 and Bulk.visits < 5)
    with pytest.raises(AttributeError, match="email"):
        Bulk.find(emial="x")
    with pytest.raises(EncodeError, match=r"Bulk\.visits"):
        Bulk.find(visits="many")
    with pytest.raises(AttributeError, match="email"):
        Bulk.emial  # type: ignore[attr-defined]


async def test_copy_in_takes_a_table(db: Any) -> None:
    await create_all(WithArray)

    async def rows() -> AsyncIterator[tuple[Any, ...]]:
        for i in range(3):
            yield (i, ["a"], [])

    assert await copy_in(WithArray, rows()) == 3
    assert await copy_in(WithArray, [([], 10, ["b"])], columns=["grid", "id", "tags"]) == 1
    assert [r.tags for r in await WithArray.find().order_by("id")] == [["a"]] * 3 + [["b"]]


async def test_a_where_of_a_conflict(db: Any) -> None:
    await create_all(Bulk)
    await execute("CREATE UNIQUE INDEX bulk_partial ON bulk (name) WHERE visits > 0")
    await Bulk(email="a", name="u", visits=1).save()
    written = await Bulk.insert_many(
        [{"email": "b", "name": "u", "visits": 2}],
        on_conflict=Conflict(["name"], where=Bulk.visits > 0, update=["visits"]),
    )
    assert [(r.email, r.visits) for r in written] == [("a", 2)]


async def test_bulk_update_of_a_field_that_was_not_loaded(db: Any) -> None:
    await create_all(Bulk)
    await Bulk.insert_many([{"email": str(i), "name": "kept"} for i in range(3)])
    rows = await Bulk.find().order_by(Bulk.id).select(Bulk.id, Bulk.email)
    rows[0].email = "changed"
    with pytest.raises(ColumnNotLoaded, match=r"Bulk\.name"):
        await Bulk.bulk_update(rows, ["email", "name"])
    assert await Bulk.find(Bulk.name == "kept").count() == 3 and rows[0].is_changed
    assert await Bulk.bulk_update(rows) == 1 and not rows[0].is_changed
