"""Subqueries, common table expressions, functions and lists of values are tables; set operations run; subqueries are values."""

from collections.abc import Callable
from typing import Any

import pytest

from data_bridge.core.errors import MultipleRowsFound
from data_bridge.postgres import Col, Column, Database, IdMixin, Link, create_all, func
from data_bridge.query import column as query_column
from data_bridge.query import literal, table, types, values


class Payer(IdMixin):
    name: Col[str]
    age: Col[int] = Column(default=1)


class Payment(IdMixin):
    payer: Link[Payer]
    total: Col[int]


async def made() -> list[Payer]:
    await create_all(Payer, Payment)
    ann, bob, cyd = await Payer.insert_many(
        [Payer(name="ann", age=5), Payer(name="bob", age=7), Payer(name="cyd", age=9)]
    )
    await Payment.insert_many([Payment(payer=ann, total=3), Payment(payer=ann, total=4), Payment(payer=bob, total=9)])
    return [ann, bob, cyd]


P: Any = Payment
ROWS = [
    {"id": 1, "payer_id": 1, "total": 3},
    {"id": 2, "payer_id": 1, "total": 4},
    {"id": 3, "payer_id": 2, "total": 9},
]
SOURCES: dict[str, Callable[[], Any]] = {
    "subquery": lambda: Payment.find(Payment.total > 1).subquery("s"),
    "cte": lambda: Payment.find(Payment.total > 1).cte("s"),
    "values": lambda: values([(1, 1, 3), (2, 1, 4), (3, 2, 9)], columns=["id", "payer_id", "total"]).table("s"),
    "union": lambda: Payment.find(Payment.total < 5).union(Payment.find(Payment.total >= 5)).subquery("s"),
    "function": lambda: func.jsonb_to_recordset(literal(ROWS, types.Jsonb)).table(
        "s", ("id", int), ("payer_id", int), ("total", int)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES)
async def test_sources_are_queried_like_tables(db: Any, kind: str) -> None:
    await made()
    s = SOURCES[kind]()
    assert await s.find(s.c.total > 3).order_by(s.c.id) == [
        {"id": 2, "payer_id": 1, "total": 4},
        {"id": 3, "payer_id": 2, "total": 9},
    ]
    assert await s.find(total=9).tuples(s.c.id) == [(3,)]
    assert [r["id"] for r in await s.order_by(-s.c.total).limit(2)] == [3, 2]
    assert await s.group_by(s.c.payer_id).order_by(s.c.payer_id).aggregate(n=func.count(), t=func.sum(s.c.total)) == [
        {"payer_id": 1, "n": 2, "t": 7},
        {"payer_id": 2, "n": 1, "t": 9},
    ]
    joined = s.join(Payer, Payer.id == s.c.payer_id).order_by(s.c.id)
    assert await joined.tuples(Payer.name, s.c.total) == [("ann", 3), ("ann", 4), ("bob", 9)]
    assert (await joined.tuples(Payer, s.c.total))[2][0].name == "bob"
    assert await Payer.find().join(s, s.c.payer_id == Payer.id).find(s.c.total == 9).count() == 1
    query = s.find()
    assert (await query.count(), await query.exists(), await query.sum(s.c.total)) == (3, True, 16)
    assert (await query.order_by("id").first())["id"] == 1
    assert await query.find(id=2).one() == {"id": 2, "payer_id": 1, "total": 4}
    page = await query.order_by("total").page(2, 2)
    assert ([r["total"] for r in page.items], page.total) == ([9], 3)
    assert [r["id"] async for r in s.order_by("id")] == [1, 2, 3]
    assert await query.scalars(s.c.total).order_by(s.c.total) == [3, 4, 9]
    again = s.find(s.c.total > 3).subquery("again")
    assert await again.find(again.c.total < 9).values(again.c.id) == [{"id": 2}]


@pytest.mark.parametrize("do", ["update", "delete"])
async def test_sources_are_not_written(do: str) -> None:
    with pytest.raises(TypeError, match="s is not a table: its rows cannot be written"):
        await getattr(SOURCES["subquery"]().find(), do)()
    with pytest.raises(TypeError, match="needs instances"):
        SOURCES["subquery"]().find().fetch_links()
    with pytest.raises(AttributeError, match="s has no column 'totl': did you mean 'total'"):
        SOURCES["subquery"]().find(totl=1)


async def test_recursive_ctes(db: Any) -> None:
    await made()
    n = (
        Payer.find(name="ann")
        .tuples(Payer.age)
        .cte("n", recursive=lambda r: r.find(r.c.age < 9).tuples((r.c.age + 1).label("age")))
    )
    assert await n.order_by("age").scalars(n.c.age) == [5, 6, 7, 8, 9]
    assert await n.join(Payer, Payer.age == n.c.age).order_by(n.c.age).scalars(Payer.name) == ["ann", "bob", "cyd"]


async def test_sources_stay_in_their_database(isolated_db: Any, postgres_dsn: str) -> None:
    await made()
    async with Database(postgres_dsn, alias="derived_other") as other:
        await other.execute("CREATE TABLE payment (id bigint, payer_id bigint, total bigint)")
        there = Payment.using("derived_other").find()
        for source in (there.subquery("s"), there.cte("s"), there.union(there).subquery("s")):
            assert await source.find() == []
        assert await there.union(there) == []
        await other.execute("DROP TABLE payment")


def test_query_alone_compiles() -> None:
    t = table("t", query_column("id", int))
    n = func.generate_series(1, 3).table("n")
    assert n.join(t, t.id == n.c.n).sql().sql == (
        'SELECT "n"."n" FROM generate_series($1::integer, $2::integer) AS "n" JOIN "t" ON "t"."id" = "n"."n"'
    )


# ------------------------------------------------------------------------------------------------------------ set operations
OPERATIONS: dict[str, tuple[Callable[[Any, Any], Any], list[str]]] = {
    "union": (lambda a, b: a.union(b), ["ann", "bob", "cyd"]),
    "union_all": (lambda a, b: a.union_all(b), ["ann", "bob", "bob", "cyd"]),
    "intersect": (lambda a, b: a.intersect(b), ["bob"]),
    "except_": (lambda a, b: a.except_(b), ["ann"]),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_set_operations_run(db: Any, name: str) -> None:
    await made()
    combine, names = OPERATIONS[name]
    young, old = Payer.find(Payer.age < 8), Payer.find(Payer.age > 6)
    both = combine(young, old).order_by("name")
    rows = await both
    assert [r.name for r in rows] == names
    assert all(isinstance(r, Payer) and not r.is_changed for r in rows)
    assert (await both.count(), await both.exists()) == (len(names), True)
    assert (await both.first()).name == names[0]
    assert (await combine(young, old).first()).name == names[0]
    assert [r.name for r in await both.order_by(None).order_by("-name").limit(1)] == [names[-1]]
    assert [r.name for r in await both.offset(1)] == names[1:]
    page = await both.page(1, 1)
    assert ([r.name for r in page.items], page.total) == (names[:1], len(names))
    assert [r.name async for r in both] == names
    assert await combine(young.tuples(Payer.name), old.tuples(Payer.name)).order_by("name") == [(n,) for n in names]
    assert await combine(young.scalars(Payer.name), old.scalars(Payer.name)).order_by("name") == names
    assert await Payer.count(Payer.id.in_(combine(young.select(Payer.id), old.select(Payer.id)))) == len({*names})
    source = both.subquery("both")
    assert await source.find(source.c.name == names[0]).scalars(source.c.age) != []
    if len(names) > 1:
        with pytest.raises(MultipleRowsFound):
            await both.one_or_none()
    else:
        assert (await both.one_or_none()).name == names[0]
    if name != "union_all":  # whose rows may be equal
        assert len((await both.paginate(3)).items) == min(3, len(names))


async def test_instances_of_two_tables_are_no_union(db: Any) -> None:
    await made()
    with pytest.raises(TypeError, match=r"union of instances takes queries of Payer with the same columns.*tuples"):
        await Payer.find().union(Payment.find())
    with pytest.raises(TypeError, match="union of instances"):
        await Payer.find().select(Payer.name).union(Payer.find())
    names = Payer.find().tuples(Payer.name, Payer.id).union(Payment.find().tuples(func.text(Payment.total), Payment.id))
    assert len(await names) == 6


# ------------------------------------------------------------------------------------------------------- scalar subqueries
async def test_correlated_subqueries_are_values(db: Any) -> None:
    await made()
    spent = Payment.find(P.payer.id == Payer.id).aggregate(spent=func.sum(Payment.total))
    ordered = Payer.find().order_by(Payer.name)
    for value in (spent.subquery(), spent.subquery("x"), spent.scalar().label("spent")):
        assert await ordered.tuples(Payer.name, value) == [("ann", 7), ("bob", 9), ("cyd", None)]
        assert await ordered.values("name", value) == [
            {"name": "ann", "spent": 7}, {"name": "bob", "spent": 9}, {"name": "cyd", "spent": None},
        ]  # fmt: skip
    assert await ordered.values("name", total=spent.scalar()) == [
        {"name": "ann", "total": 7}, {"name": "bob", "total": 9}, {"name": "cyd", "total": None},
    ]  # fmt: skip
    assert await ordered.scalars(spent.subquery()) == [7, 9, None]
    assert await Payer.find(Payer.age == Payer.find().aggregate(m=func.max(Payer.age)).subquery()).scalars(
        Payer.name
    ) == ["cyd"]
    with pytest.raises(TypeError, match="the subquery 'two' has 2 columns: as a value it has one"):
        ordered.tuples(Payment.find().tuples(Payment.id, Payment.total).subquery("two"))
