"""Two tables of one name in two schemas: every condition speaks of the table that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    IdMixin,
    Link,
    ManyToMany,
    SoftDeleteMixin,
    aliased,
    create_all,
    execute,
    execute_script,
    exists,
    fetch_val,
    func,
)
from data_bridge.query import column, delete, merge, select, table, update
from data_bridge.query.statements.disambiguation import alias_of


class One(IdMixin):
    class Settings:
        schema = "one"
        name = "item"

    n: Col[int] = Column(default=0)
    others: BackLink[list[Two]] = BackLink("one")
    many: ManyToMany[Two] = ManyToMany(through="items")


class Two(IdMixin):
    class Settings:
        schema = "two"
        name = "item"

    n: Col[int] = Column(default=0)
    one: Link[One | None] = Column(default=None)


class Bare(IdMixin):
    class Settings:
        name = "item"

    n: Col[int] = Column(default=0)


class Soft(SoftDeleteMixin, IdMixin):
    class Settings:
        schema = "soft"
        name = "item"

    n: Col[int] = Column(default=0)


TABLES: tuple[Any, ...] = (One, Two, Bare, Soft)
PAIRS = [(a, b) for a in TABLES for b in TABLES if a is not b]
pairs = pytest.mark.parametrize(("outer", "inner"), PAIRS, ids=lambda c: c.__name__)


async def fill(outer: Any, inner: Any) -> None:
    """Five rows outside, of which those with n 1 and 2 have a partner inside."""
    await execute_script('CREATE SCHEMA "one"; CREATE SCHEMA "two"; CREATE SCHEMA "soft"')
    await create_all(*TABLES)
    await outer.insert_many([outer(n=i) for i in range(5)])
    await inner.insert_many([inner(n=i) for i in (1, 2, 9)])


READS: dict[str, Callable[[Any, Any], Any]] = {
    "exists": lambda a, b: a.find(exists(b.find(b.n == a.n))),
    "exists of named columns": lambda a, b: a.find(exists(b.find(b.n == a.n).select(b.n))),
    "not exists": lambda a, b: a.find(a.n != 0, a.n < 3).find(~~exists(b.find(b.n == a.n))),
    "in, correlated": lambda a, b: a.find(a.n.in_(b.find(b.n == a.n).select(b.n))),
    "in, uncorrelated": lambda a, b: a.find(a.n.in_(b.find().select(b.n))),
    "scalar": lambda a, b: a.find(a.n == b.find(b.n == a.n).scalars(b.n)),
    "scalar of an aggregate": lambda a, b: a.find(b.find(b.n == a.n).scalars(func.count()).scalar() == 1),
    "two levels": lambda a, b: a.find(exists(Level.find(exists(b.find(b.n == a.n, b.n >= Level.n))))),
    "grouped": lambda a, b: a.find(exists(b.find(b.n == a.n).group_by(b.n).aggregate(k=func.count()))),
    "join": lambda a, b: a.find().join(b, a.n == b.n),
    "join, filtered and ordered": lambda a, b: a.find(b.n < 9).join(b, a.n == b.n).order_by(-b.n, a.n),
    "join of an alias": lambda a, b: (lambda c: a.find().join(c, a.n == c.n))(aliased(b, "other")),
    "left join": lambda a, b: a.find(b.n.is_not_null()).join(b, a.n == b.n, how="left"),
    "union inside": lambda a, b: a.find(a.n.in_(b.find(b.n == a.n).select(b.n).union(b.find(b.n == 1).select(b.n)))),
    "lateral": lambda a, b: (lambda s: a.find().join(s, s.c.n == a.n))(
        b.find(b.n == a.n).select(b.n).subquery("s", lateral=True)
    ),
}


class Level(IdMixin):
    n: Col[int] = Column(default=0)


@pytest.mark.parametrize("read", READS)
@pairs
async def test_reads(db: Any, outer: Any, inner: Any, read: str) -> None:
    await fill(outer, inner)
    await create_all(Level)
    await Level(n=0).save()
    found = await READS[read](outer, inner)
    assert sorted(row.n for row in found) == [1, 2]
    assert all(type(row) is outer for row in found)


@pairs
async def test_counts_values_and_tuples(db: Any, outer: Any, inner: Any) -> None:
    await fill(outer, inner)
    joined = outer.find().join(inner, outer.n == inner.n)
    assert await joined.count() == 2
    assert await joined.order_by(inner.n).tuples(inner.n, outer.n * 10) == [(1, 10), (2, 20)]
    assert [r.n for _, r in await joined.order_by(outer.n).tuples(outer, inner)] == [1, 2]
    assert await joined.group_by(inner.n).order_by(inner.n).aggregate(k=func.sum(outer.n)) == [
        {"n": 1, "k": 1},
        {"n": 2, "k": 2},
    ]


@pairs
async def test_writes(db: Any, outer: Any, inner: Any) -> None:
    await fill(outer, inner)
    partner = exists(inner.find(inner.n == outer.n))
    assert await outer.find(partner).update(n=outer.n + 100) == 2
    assert await outer.find(outer.n > 50).update(n=outer.n - 100) == 2
    assert await outer.find().join(inner, outer.n == inner.n).update({outer.n: inner.n + 100}) == 2
    assert await outer.find(outer.n > 50).update(n=outer.n - 100) == 2
    rows = await outer.find().join(inner, outer.n == inner.n).returning(outer.n).update({outer.n: inner.n * 1})
    assert sorted(r.n for r in rows) == [1, 2]
    assert await outer.find(inner.n == 1).join(inner, outer.n == inner.n).delete() == 1
    assert await outer.find(partner).delete() == 1
    assert sorted(await outer.find().scalars(outer.n)) == [0, 3, 4]
    assert await inner.count() == 3


@pairs
async def test_insert_from_and_merge(db: Any, outer: Any, inner: Any) -> None:
    await fill(outer, inner)
    missing = inner.find(~exists(outer.find(outer.n == inner.n)))
    assert await outer.insert_from(missing.select(inner.n)) == 1
    assert sorted(await outer.find().scalars(outer.n)) == [0, 1, 2, 3, 4, 9]


async def test_relations_between_them(db: Any) -> None:
    await fill(Bare, Soft)
    first, second = await One(n=1).save(), await One(n=2).save()
    await Two.insert_many([Two(n=1, one=first), Two(n=7, one=first), Two(n=7, one=second)])
    assert [r.n for r in await One.find(One.others.any(Two.n == One.n))] == [1]
    assert await One.find().order_by(One.n).tuples(One.n, One.others.count()) == [(1, 2), (2, 1)]
    assert [r.n for r in await Two.find(Two.one.n == 2)] == [7]
    loaded = await One.find().order_by(One.n).fetch_links(One.others)
    assert [[o.n for o in r.others] for r in loaded] == [[1, 7], [7]]
    loaded_links = await Two.find(Two.n == 1).fetch_links(Two.one).one()
    assert loaded_links.one is not None
    assert loaded_links.one.n == 1
    await first.many.add(*await Two.find(Two.n == 7))
    assert await first.many.count(Two.n == 7) == 2
    assert [r.n for r in await One.find(One.many.any(Two.n > One.n))] == [1]
    assert await One.find(One.many.any(Two.n < One.n)).count() == 0


async def test_the_query_builder_alone(db: Any) -> None:
    await fill(One, Two)
    a = table("item", column("id", int, primary_key=True), column("n", int), schema="one")
    b = table("item", column("id", int, primary_key=True), column("n", int), schema="two")

    async def run(statement: Any) -> int:
        text, params = statement.sql()
        return await execute(text, *params)

    assert await run(select(a.n).where(exists(select(b.n).where(b.n == a.n)))) == 2
    assert await run(select(a.n, b.n).from_(a).join(b, a.n == b.n)) == 2
    assert await run(select(a, b).from_(a).join(b, a.n == b.n).where(b.n > 1)) == 1
    assert await run(update(a).set({a.n: b.n + 100}).from_(b).where(a.n == b.n)) == 2
    assert await run(update(a).set({a.n: a.n - 100}).join(b, a.n == b.n + 100).returning(a.n, b.n)) == 2
    assert await run(merge(a).using(b, a.n == b.n).when_matched(b.n == 1).update({a.n: b.n + 50}).when_not_matched().insert({a.n: b.n})) == 2  # fmt: skip
    assert await run(delete(a).using(b).where(a.n == b.n)) == 2
    assert sorted(await One.find().scalars(One.n)) == [0, 3, 4, 51]


async def test_a_statement_over_one_of_them_has_no_alias(db: Any) -> None:
    assert One.find(One.n > 1).sql().sql == ('SELECT "item"."id", "item"."n" FROM "one"."item" WHERE "item"."n" > $1')
    inner = Two.find(Two.n.in_(One.find().select(One.n)))
    assert " AS " not in inner.sql().sql
    assert '"one"."item" AS "one:item"' in Two.find(exists(One.find(One.n == Two.n))).sql().sql


async def test_two_classes_of_one_table(db: Any) -> None:
    class Node(IdMixin):
        class Settings:
            name = "tree_node"

        parent_id: Col[int | None] = Column(default=None)

    class Slim(IdMixin):
        class Settings:
            name = "tree_node"

        parent_id: Col[int | None] = Column(default=None)

    await create_all(Node)
    root = await Node().save()
    await Node.insert_many([Node(parent_id=root.id), Node(parent_id=root.id)])
    assert await Node.find(exists(Slim.find(Slim.parent_id == Node.id))).scalars(Node.id) == [root.id]
    assert await Node.find().join(Slim, Slim.parent_id == Node.id).count() == 2


async def test_long_names(db: Any) -> None:
    schema, name = "s" * 40, "t" * 40
    await execute_script(
        f'CREATE SCHEMA "{schema}"; CREATE TABLE "{schema}"."{name}" (n int); CREATE TABLE "{name}" (n int);'
        f'INSERT INTO "{name}" VALUES (1), (2); INSERT INTO "{schema}"."{name}" VALUES (2)'
    )
    a = table(name, column("n", int))
    b = table(name, column("n", int), schema=schema)
    assert await fetch_val(select(a.n).where(exists(select(b.n).where(b.n == a.n))).sql().sql) == 2


def test_aliases_are_distinct() -> None:
    tables = [("a", "b:c"), ("a:b", "c"), ("a.b", "c"), ("a", "b.c"), (None, "a:c"), ("a", "c"), ("s" * 40, "t" * 40)]
    names = [alias_of(("table", schema, name, None)) for schema, name in tables]
    assert len(set(names)) == len(tables)
    assert all(len(name.encode()) <= 63 and "." not in name for name in names)
