"""Queries over Table classes, on a live server."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from data_bridge.postgres import (
    Col,
    Column,
    ConfigurationError,
    EncodeError,
    LockNotAvailable,
    MultipleRowsFound,
    QueryTimeout,
    RowNotFound,
    Table,
    aliased,
    create_all,
    exists,
    func,
    optional,
    pg_transaction,
    sql,
)

Sent = Any


class Person(Table):
    id: Col[int] = Column(primary_key=True)
    name: Col[str]
    age: Col[int | None] = Column(default=None)
    boss_id: Col[int | None] = Column(default=None, foreign_key="person.id")


class Purchase(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    person_id: Col[int] = Column(foreign_key=Person)
    total: Col[Decimal] = Column(precision=10, scale=2)
    label: Col[str] = "x"  # type: ignore[assignment]


PEOPLE = [(1, "Ann", 40, None), (2, "Bob", 30, 1), (3, "Cyd", 30, 1), (4, "Dan", None, 2), (5, "Eve%", 55, None)]


async def people() -> None:
    await create_all(Person, Purchase)
    await Person.insert_many([{"id": i, "name": n, "age": a, "boss_id": b} for i, n, a, b in PEOPLE])
    await Purchase.insert_many(
        [
            {"person_id": 1, "total": Decimal("10.50"), "label": "a"},
            {"person_id": 1, "total": Decimal(5), "label": "b"},
            {"person_id": 2, "total": Decimal(7), "label": "a"},
        ]
    )


async def names(query: Any) -> list[str]:
    return [p.name for p in await query.order_by("id")]


async def test_filters(db: Any) -> None:
    await people()
    for condition, expected in [
        (Person.age > 30, ["Ann", "Eve%"]),
        (Person.age == None, ["Dan"]),  # noqa: E711
        (Person.age.is_not_null() & (Person.name != "Ann"), ["Bob", "Cyd", "Eve%"]),
        ((Person.age == 30) | (Person.name == "Ann"), ["Ann", "Bob", "Cyd"]),
        (~(Person.name == "Ann"), ["Bob", "Cyd", "Dan", "Eve%"]),
        (Person.age.in_([30, 55]), ["Bob", "Cyd", "Eve%"]),
        (Person.age.in_([]), []),
        (Person.age.not_in([30]), ["Ann", "Eve%"]),
        (Person.age.between(30, 40), ["Ann", "Bob", "Cyd"]),
        (Person.name.contains("%"), ["Eve%"]),
        (Person.name.startswith("A"), ["Ann"]),
        (Person.name.endswith("d"), ["Cyd"]),
        (Person.name.ilike("%B%"), ["Bob"]),
        (Person.boss_id == Person.id - 1, ["Bob"]),
        (func.lower(Person.name) == "ann", ["Ann"]),
        (exists(Purchase.find(Purchase.person_id == Person.id)), ["Ann", "Bob"]),
        (Person.id.in_(Purchase.find(Purchase.total > 6).values(Purchase.person_id)), ["Ann", "Bob"]),
        (sql("age % 20 = $1", 0), ["Ann"]),
        ({"age": 30, Person.name: "Bob"}, ["Bob"]),
    ]:
        assert await names(Person.find(condition)) == expected, condition  # type: ignore[call-overload]
    assert await names(Person.find(Person.age == 30, name="Cyd")) == ["Cyd"]
    assert await names(Person.find(age=None)) == ["Dan"]
    assert await names(Person.find().find(Person.age == 30).where(Person.boss_id == 1)) == ["Bob", "Cyd"]


async def test_queries_do_not_change(db: Any) -> None:
    await people()
    base = Person.find(Person.age == 30)
    narrowed = base.find(name="Bob").order_by("-id").limit(1)
    assert await base.count() == 2 and await narrowed.count() == 1
    assert "LIMIT" not in base.sql().sql and "ORDER" not in base.sql().sql


async def test_order_limit_offset(db: Any) -> None:
    await people()

    async def ids(q: Any) -> list[int]:
        return [p.id for p in await q]

    assert await ids(Person.find().order_by(-Person.id)) == [5, 4, 3, 2, 1]
    assert await ids(Person.find().order_by(Person.age, -Person.id)) == [3, 2, 1, 5, 4]
    assert await ids(Person.find().order_by("age", "-id")) == [3, 2, 1, 5, 4]
    assert await ids(Person.find().order_by(Person.age.desc().nulls_last(), "id")) == [5, 1, 2, 3, 4]
    assert await ids(Person.find().order_by("id").limit(2).offset(1)) == [2, 3]
    assert await ids(Person.find().order_by("name").order_by(None).order_by("-id").limit(1)) == [5]
    assert await ids(Person.find().limit(0)) == []
    assert await Person.find().limit(2).count() == 2 and await Person.find().offset(4).count() == 1
    with pytest.raises(ValueError, match="limit"):
        Person.find().limit(-1)
    with pytest.raises(TypeError, match="offset"):
        Person.find().offset("3")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="did you mean 'age'"):
        Person.find().order_by("agee")


async def test_first_last_one(db: Any) -> None:
    await people()
    assert (await Person.find().first()).id == 1  # type: ignore[union-attr]
    assert (await Person.find().last()).id == 5  # type: ignore[union-attr]
    assert (await Person.find().order_by("-name").first()).name == "Eve%"  # type: ignore[union-attr]
    assert (await Person.find().order_by(Person.age.desc().nulls_last()).last()).name == "Dan"  # type: ignore[union-attr]
    assert await Person.find(name="zzz").first() is None
    assert await Person.find().limit(0).first() is None
    assert (await Person.find(name="Ann").one()).id == 1
    assert await Person.find(name="zzz").one_or_none() is None
    with pytest.raises(RowNotFound, match="no Person matches"):
        await Person.find(name="zzz").one()
    with pytest.raises(MultipleRowsFound, match="more than one Person"):
        await Person.find(age=30).one()
    assert (await Person.find().order_by("id").limit(1).one()).id == 1
    assert await Person.find().order_by("id").limit(0).one_or_none() is None


async def test_last_honours_limit_and_offset(db: Any) -> None:
    await people()
    assert (await Person.find().order_by("id").limit(2).last()).id == 2  # type: ignore[union-attr]
    assert (await Person.find().order_by("id").offset(4).last()).id == 5  # type: ignore[union-attr]
    assert await Person.find().order_by("id").offset(5).last() is None


async def test_exists_and_count(db: Any, sent: Sent) -> None:
    await people()
    with sent("^SELECT EXISTS", "^SELECT count"):
        assert await Person.find(age=30).order_by("id").exists()
        assert await Person.find(age=30).order_by("id").count() == 2
    assert not await Person.find(age=31).exists()
    assert not await Person.find().offset(5).exists()
    assert await Person.find().scalars(Person.age).distinct().count() == 4
    assert await Person.find().values(Person.age).group_by(Person.age).count() == 4


async def test_aggregates(db: Any) -> None:
    await people()
    assert await Person.find().sum(Person.age) == 155
    assert type(await Person.find().sum(Person.age)) is int
    assert await Person.find().avg(Person.age) == Decimal("38.75")
    assert (await Person.find().min(Person.name), await Person.find().max(Person.age)) == ("Ann", 55)
    assert await Person.find(name="zzz").sum(Person.age) is None
    assert await Purchase.find().sum(Purchase.total) == Decimal("22.50")
    rows = await Person.find().group_by(Person.age).aggregate(n=func.count(), who=func.min(Person.name)).order_by("age")
    assert rows[0] == {"age": 30, "n": 2, "who": "Bob"} and len(rows) == 4
    assert await Person.find().aggregate(n=func.count()) == [{"n": 5}]
    labelled = Purchase.find().group_by(func.upper(Purchase.label).label("l")).aggregate(total=func.sum(Purchase.total))
    assert await labelled.order_by("l") == [
        {"l": "A", "total": Decimal("17.50")},
        {"l": "B", "total": Decimal("5.00")},
    ]
    having = Person.find().group_by(Person.age).having(func.count() > 1).aggregate(n=func.count())
    assert await having == [{"age": 30, "n": 2}]
    assert sorted(await Person.distinct(Person.boss_id), key=str) == [1, 2, None]
    with pytest.raises(ConfigurationError, match="subquery"):
        await Person.find().limit(1).sum(Person.age)


async def test_shapes(db: Any) -> None:
    await people()
    assert await Person.find(id=1).values(Person.id, "name") == [{"id": 1, "name": "Ann"}]
    assert await Person.find(id=1).values() == [{"id": 1, "name": "Ann", "age": 40, "boss_id": None}]
    assert await Person.find(id=1).tuples(Person.name, Person.age + 1) == [("Ann", 41)]
    assert await Person.find().scalars(Person.name).order_by("id").limit(2) == ["Ann", "Bob"]
    assert await Person.find(id=1).values((Person.age * 2).label("double")).first() == {"double": 80}
    assert await Person.find().tuples(Person.id).order_by("id").first() == (1,)
    assert await Person.find(id=3).scalars(Person.name).one() == "Cyd"

    class Short(BaseModel):
        name: str
        age: int | None

    short = await Person.find(id=1).project(Short).one()
    assert short == Short(name="Ann", age=40) and type(short) is Short
    with pytest.raises(TypeError, match="Pydantic"):
        Person.find().project(dict)
    with pytest.raises(AttributeError, match="name"):
        Person.find().values("nmae")


async def test_joins(db: Any) -> None:
    await people()
    assert await names(Person.find().join(Purchase).distinct()) == ["Ann", "Bob"]
    rows = await Person.find().join(Purchase).tuples(Person, Purchase.total).order_by(Purchase.total)
    assert [(p.name, t) for p, t in rows] == [("Ann", 5), ("Bob", 7), ("Ann", Decimal("10.50"))]
    assert type(rows[0][0]) is Person and not rows[0][0].is_changed
    left = await Person.find().join(Purchase, how="left").tuples(Person.name, optional(Purchase)).order_by("id")
    assert [(n, p and p.label) for n, p in left if n in ("Bob", "Cyd")] == [("Bob", "a"), ("Cyd", None)]
    on = Person.find().join(Purchase, (Purchase.person_id == Person.id) & (Purchase.label == "a"))
    assert await names(on) == ["Ann", "Bob"]
    boss = aliased(Person, "boss")
    pairs = await Person.find().join(boss, boss.id == Person.boss_id).tuples(Person.name, boss.name).order_by("id")
    assert pairs == [("Bob", "Ann"), ("Cyd", "Ann"), ("Dan", "Bob")]
    both = await Person.find(Person.id == 2).join(boss, boss.id == Person.boss_id).tuples(Person, boss)
    assert [(a.name, b.name, type(b)) for a, b in both] == [("Bob", "Ann", Person)]
    sub = Purchase.find().group_by(Purchase.person_id).aggregate(spent=func.sum(Purchase.total)).subquery("s")
    spent = await Person.find().join(sub, sub.c.person_id == Person.id).tuples(Person.name, sub.c.spent).order_by("id")
    assert spent == [("Ann", Decimal("15.50")), ("Bob", Decimal("7.00"))]


async def test_writes_over_joins(db: Any) -> None:
    await people()
    assert await Person.find().join(Purchase).find(Purchase.label == "b").update(name="has b") == 1
    assert (await Person.get(1)).name == "has b"
    assert await Purchase.find().join(Person).find(Person.name == "Bob").delete() == 1
    assert await Purchase.count() == 2
    assert await Person.find(Person.id > 3).join(Purchase, how="left").find(Purchase.id == None).delete() == 2  # noqa: E711
    assert await names(Person.find()) == ["has b", "Bob", "Cyd"]


async def test_distinct_on(db: Any) -> None:
    await people()
    query = Person.find(Person.age != None).distinct_on(Person.age).order_by(Person.age, -Person.id)  # noqa: E711
    assert [p.name for p in await query] == ["Cyd", "Ann", "Eve%"]


async def test_streams(db: Any) -> None:
    await people()
    async with Person.find().order_by("id").stream(batch=2) as rows:
        assert [p.id async for p in rows] == [1, 2, 3, 4, 5]
    seen = []
    async for person in Person.find().order_by("id"):
        seen.append(type(person))
    assert seen == [Person] * 5
    assert [[p.id for p in b] async for b in Person.find().order_by("id").batches(2)] == [[1, 2], [3, 4], [5]]
    assert [v async for v in Person.find().scalars(Person.name).order_by("id").limit(1)] == ["Ann"]
    async with Person.find().order_by("id").stream(batch=1) as rows:
        async for person in rows:
            assert person.id == 1
            break
    assert await Person.count() == 5


async def test_locking(isolated_db: Any) -> None:
    await people()
    async with pg_transaction():
        locked = await Person.find(id=1).for_update().one()
        assert locked.name == "Ann"

        async def other() -> list[int]:
            from data_bridge.postgres import detached

            async with detached():
                async with pg_transaction():
                    free = await Person.find().order_by("id").for_update(skip_locked=True)
                    with pytest.raises(LockNotAvailable):
                        async with pg_transaction():
                            await Person.find(id=1).for_update(nowait=True)
                    return [p.id for p in free]

        assert await asyncio.wait_for(other(), 10) == [2, 3, 4, 5]


async def test_timeouts_tags_plans(db: Any, sent: Sent) -> None:
    await people()
    with pytest.raises(QueryTimeout):
        async with pg_transaction():
            await Person.find(func.pg_sleep(5).cast(str) == "").timeout(0.1)
    with sent(r"^/\* checkout \*/ SELECT"):
        await Person.find().tag("checkout")
    assert "Scan" in await Person.find().explain()
    plan = await Person.find(id=1).explain(analyze=True, format="json")
    assert plan[0]["Plan"]["Actual Rows"] == 1
    with pytest.raises(ConfigurationError, match="yaml"):
        await Person.find().explain(format="yaml")


async def test_raw(db: Any) -> None:
    await people()
    rows = await Person.raw("SELECT * FROM person WHERE age = $1 ORDER BY id", 30)
    assert [r.name for r in rows] == ["Bob", "Cyd"] and not rows[0].is_changed
    rows[0].age = 31
    await rows[0].save()
    assert (await Person.get(2)).age == 31


def test_errors_name_the_field_and_a_near_match() -> None:
    with pytest.raises(EncodeError, match=r"Person\.age.*expected int"):
        Person.find(Person.age == "x")
    with pytest.raises(EncodeError, match=r"Person\.age"):
        Person.find(Person.age > True)
    with pytest.raises(AttributeError, match="did you mean 'name'"):
        Person.nmae  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="name"):
        Person.find(nmae="x")
    with pytest.raises(TypeError, match="in_"):
        assert 1 in Person.age  # type: ignore[operator]
    with pytest.raises(TypeError):
        bool(Person.age == 1)
    with pytest.raises(TypeError):
        assert Person.age < None  # type: ignore[operator]
    with pytest.raises(TypeError):
        Person.name.in_("abc")


def test_sql_needs_no_connection() -> None:
    compiled = Person.find(Person.age > 25).order_by(-Person.name).limit(10).sql()
    assert compiled.sql == (
        'SELECT "person"."id", "person"."name", "person"."age", "person"."boss_id" FROM "person" '
        'WHERE "person"."age" > $1 ORDER BY "person"."name" DESC LIMIT $2'
    )
    assert compiled.params == (25, 10)
    assert Person.find(age=1).sql().sql == Person.find(age=2).sql().sql


async def test_set_operations_and_cte(db: Any) -> None:
    await people()
    young = Person.find(Person.age == 30).values(Person.name)
    old = Person.find(Person.age > 50).values(Person.name)
    both = await db.fetch(young.union(old).sql().sql, *young.union(old).sql().params)
    assert sorted(r["name"] for r in both) == ["Bob", "Cyd", "Eve%"]
    rich = Purchase.find(Purchase.total > 6).values(Purchase.person_id).cte("rich")
    assert await names(Person.find().join(rich, rich.c.person_id == Person.id)) == ["Ann", "Bob"]
