"""Columns go where they are named: rows of SQL text by name, queries inside other statements in the stated order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, PrivateAttr, model_validator

from data_bridge.postgres import (
    Col,
    Column,
    DecodeError,
    IdMixin,
    Link,
    Table,
    create_all,
    execute,
    exists,
    fetch,
    fetch_one,
    func,
    stream,
)
from data_bridge.query import insert


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Address(BaseModel):
    city: str


class Source(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    a: Col[int] = Column(default=0)
    s: Col[str] = Column(default="")
    r: Col[str] = Column(default="")


class Target(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    x: Col[int | None] = Column(default=None)
    y: Col[int | None] = Column(default=None)
    a: Col[int | None] = Column(default=None)


class Rich(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    first: Col[str] = Column(name="second", default="")
    second: Col[str] = Column(name="first", default="")
    mood: Col[Mood] = Column(default=Mood.GOOD)
    address: Col[Address | None] = Column(default=None)
    tags: Col[list[str]] = Column(default_factory=list)
    score: Col[float | None] = Column(default=None)
    secret: Col[str] = Column(default="", exclude_from_select=True)
    note: str = Column(default="plain")
    _seen: list[str] = PrivateAttr(default_factory=list)


class Checked(IdMixin):
    low: Col[int] = Column(default=0)
    high: Col[int] = Column(default=0)

    @model_validator(mode="after")
    def ordered(self) -> Checked:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


# ------------------------------------------------------------------------------------------------------------- SQL text
async def by_raw(table: Any, text: str, *params: Any) -> Any:
    return (await table.raw(text, *params))[0]


async def by_fetch(table: Any, text: str, *params: Any) -> Any:
    return (await fetch(text, *params, as_=table))[0]


async def by_fetch_one(table: Any, text: str, *params: Any) -> Any:
    return await fetch_one(text, *params, as_=table)


async def by_stream(table: Any, text: str, *params: Any) -> Any:
    async with stream(text, *params, as_=table) as rows:
        return await anext(aiter(rows))


async def by_database(table: Any, text: str, *params: Any) -> Any:
    from data_bridge.postgres import get_database

    return (await get_database().fetch(text, *params, as_=table))[0]


WAYS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (by_raw, by_fetch, by_fetch_one, by_stream, by_database)}
ways = pytest.mark.parametrize("way", WAYS)


@ways
@pytest.mark.parametrize("order", list(itertools.permutations(["id", "a", "s", "r"])), ids="".join)
async def test_every_order_of_columns(db: Any, way: str, order: tuple[str, ...]) -> None:
    await create_all(Source)
    await Source(a=100, s="S", r="R").save()
    row = await WAYS[way](Source, f"SELECT {', '.join(order)} FROM source")
    assert (row.id, row.a, row.s, row.r) == (1, 100, "S", "R")
    assert not row.is_changed
    row.s = "changed"
    await row.save()
    assert await Source.count(s="changed", r="R") == 1


@ways
async def test_a_star_after_the_table_has_changed(isolated_db: Any, way: str) -> None:
    await create_all(Source)
    await Source(a=1, s="S", r="R").save()
    await WAYS[way](Source, "SELECT * FROM source")
    await execute("ALTER TABLE source DROP COLUMN s")
    await execute("ALTER TABLE source ADD COLUMN s text DEFAULT 'again'")
    row = await WAYS[way](Source, "SELECT * FROM source")
    assert (row.a, row.s, row.r) == (1, "again", "R")
    await execute("ALTER TABLE source ADD COLUMN later int")
    with pytest.raises(DecodeError, match=r"a column 'later', which is not a field of Source"):
        await WAYS[way](Source, "SELECT * FROM source")


@ways
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT id, a, s FROM source", r"no column 'r' for Source\.r: select every column"),
        ("SELECT id FROM source", r"no column 'a', 's', 'r' for Source\.a"),
        ("SELECT *, 1 AS more FROM source", r"a column 'more', which is not a field of Source"),
        ("SELECT id, a, s, r AS q FROM source", r"a column 'q', which is not a field of Source"),
        ("SELECT id, a, s, r, r FROM source", "two columns named r"),
        (
            "SELECT id, a::text AS a, s, r FROM source",
            r"Source\.a: the column 'a' of the result is text, and the field is int \(bigint\): cast the column, a::bigint",
        ),
        (
            "SELECT id, a, 5 AS s, r FROM source",
            r"Source\.s: the column 's' of the result is int4, and the field is str",
        ),
        ("SELECT id, a = 1 AS a, s, r FROM source", r"Source\.a: the column 'a' of the result is bool"),
        ("SELECT id, a::numeric AS a, s, r FROM source", r"Source\.a: the column 'a' of the result is numeric"),
        ("SELECT id, now() AS a, s, r FROM source", r"Source\.a: the column 'a' of the result is timestamptz"),
    ],
)
async def test_what_does_not_fit_is_an_error(db: Any, way: str, text: str, message: str) -> None:
    await create_all(Source)
    await Source(a=1, s="S", r="R").save()
    with pytest.raises(DecodeError, match=message) as error:
        await WAYS[way](Source, text)
    assert "'S'" not in str(error.value)


@ways
async def test_names_of_columns_and_of_fields(db: Any, way: str) -> None:
    await create_all(Rich)
    await Rich(first="1", second="2", address=Address(city="Bern"), tags=["a"], score=0.5, secret="s").save()
    for text in (
        "SELECT * FROM rich",
        "SELECT score, mood, id, tags, note, address, second, first FROM rich",
        "SELECT id, mood, first, second, tags, address, score, note, secret FROM rich",
    ):
        row = await WAYS[way](Rich, text)
        assert (row.first, row.second) == ("1", "2")
        assert (row.mood, row.address, row.tags, row.score) == (Mood.GOOD, Address(city="Bern"), ["a"], 0.5)
        assert row._seen == []
        assert not row.is_changed
        row.tags.append("b")
        assert row.get_changes() == {"tags": ["a", "b"]}
        row.address.city = "Basel"
        assert set(row.get_changes()) == {"tags", "address"}


@ways
async def test_field_names_where_no_column_has_them(db: Any, way: str) -> None:
    class Renamed(Table):
        key: Col[int] = Column(primary_key=True, name="id")
        title: Col[str] = Column(name="label", default="")

    row = await WAYS[way](Renamed, "SELECT 'x' AS title, 5 AS key")
    assert (row.key, row.title) == (5, "x")
    with pytest.raises(DecodeError, match=r"two columns for Renamed\.title: 'title' and 'label'"):
        await WAYS[way](Renamed, "SELECT 'x' AS title, 'y' AS label, 5 AS key")


@ways
async def test_values_that_the_class_refuses(db: Any, way: str) -> None:
    await create_all(Rich, Checked)
    with pytest.raises(DecodeError, match=r"Rich\.mood: a stored value is not accepted"):
        await WAYS[way](
            Rich,
            "SELECT 1::bigint AS id, '' AS first, '' AS second, 'odd' AS mood, NULL::jsonb AS address, "
            "'{}'::text[] AS tags, NULL::float8 AS score, '' AS note",
        )
    row = await WAYS[way](Checked, "SELECT 2::bigint AS high, 1::bigint AS low, 5::bigint AS id")
    assert (row.id, row.low, row.high) == (5, 1, 2)
    with pytest.raises(ValueError, match="low is above high"):
        await WAYS[way](Checked, "SELECT 1::bigint AS high, 2::bigint AS low, 5::bigint AS id")


async def test_rows_that_a_statement_writes(db: Any) -> None:
    await create_all(Source)
    row = (await Source.raw("INSERT INTO source (r, s, a) VALUES ($1, $2, $3) RETURNING r, s, a, id", "R", "S", 3))[0]
    assert (row.a, row.s, row.r) == (3, "S", "R")
    assert await Source.raw("SELECT r FROM source WHERE false") == []
    await row.delete()
    assert await Source.count() == 0


# ----------------------------------------------------------------------------------------------- queries inside others
SELECTS: dict[str, Callable[[], Any]] = {
    "select": lambda: Source.find().select(Source.a, Source.id),
    "select by name": lambda: Source.find().select("a", "id"),
    "only": lambda: Source.find().only(Source.a, Source.id),
    "select, ordered": lambda: Source.find().order_by(-Source.a).select(Source.a, Source.id),
    "select, limited": lambda: Source.find().select(Source.a, Source.id).limit(10),
    "select, again": lambda: Source.find().select(Source.s).select(Source.a, Source.id),
    "select, then filtered": lambda: Source.find().select(Source.a, Source.id).find(Source.a > 0),
    "select of a join": lambda: Source.find().join(Target, Target.id == Source.id, how="left").select(Source.a, Source.id),
    "tuples": lambda: Source.find().tuples(Source.a, Source.id),
    "values": lambda: Source.find().values(Source.a, Source.id),
    "distinct": lambda: Source.find().select(Source.a, Source.id).distinct(),
    "union": lambda: Source.find(Source.id == 1).select(Source.a, Source.id).union(Source.find(Source.id > 1).select(Source.a, Source.id)),
    "except": lambda: Source.find().select(Source.a, Source.id).except_(Source.find(Source.id > 90).select(Source.a, Source.id)),
    "cte": lambda: (lambda c: c_select(c.c.a, c.c.id))(Source.find().select(Source.a, Source.id).cte("c")),
    "subquery": lambda: (lambda c: c_select(c.c.a, c.c.id))(Source.find().select(Source.a, Source.id).subquery("c")),
}  # fmt: skip


def c_select(*columns: Any) -> Any:
    from data_bridge.query import select

    return select(*columns)


@pytest.mark.parametrize("form", SELECTS)
async def test_insert_from_takes_the_named_columns_in_their_order(db: Any, form: str) -> None:
    await create_all(Source, Target)
    await Source.insert_many([Source(a=100), Source(a=200)])
    assert await Target.insert_from(SELECTS[form](), columns=[Target.x, Target.y]) == 2
    assert sorted(await Target.find().tuples(Target.x, Target.y)) == [(100, 1), (200, 2)]
    await Target.delete_all()
    if form != "union":
        assert await Target.insert_from(SELECTS[form]()) == 2  # by the names of the result
        assert sorted(await Target.find().tuples(Target.a, Target.id)) == [(100, 1), (200, 2)]


@pytest.mark.parametrize("form", SELECTS)
async def test_the_query_builder_alone_takes_them_too(db: Any, form: str) -> None:
    await create_all(Source, Target)
    await Source.insert_many([Source(a=100), Source(a=200)])
    text, params = insert(Target).from_select(SELECTS[form](), ["x", "y"]).sql()
    await execute(text, *params)
    assert sorted(await Target.find().tuples(Target.x, Target.y)) == [(100, 1), (200, 2)]


@pytest.mark.parametrize("form", [f for f in SELECTS if f not in ("cte", "subquery")])
async def test_subqueries_have_the_named_columns(db: Any, form: str) -> None:
    await create_all(Source, Target)
    await Source.insert_many([Source(a=100), Source(a=200)])
    inner = SELECTS[form]().subquery("inside")
    assert list(inner.columns) == ["a", "id"]
    rows = await fetch(*_flat(c_select(inner.c.a, inner.c.id)), as_=tuple)
    assert sorted(rows) == [(100, 1), (200, 2)]
    cte = SELECTS[form]().cte("inside")
    assert list(cte.columns) == ["a", "id"]
    assert sorted(await fetch(*_flat(c_select(cte.c.a, cte.c.id)), as_=tuple)) == [(100, 1), (200, 2)]


def _flat(query: Any) -> tuple[Any, ...]:
    compiled = query.sql()
    return (compiled.sql, *compiled.params)


async def test_one_named_column_is_one_column(db: Any) -> None:
    await create_all(Source, Target)
    await Source.insert_many([Source(a=1), Source(a=3)])
    await Target.insert_many([Target(x=i) for i in range(5)])
    named = Source.find().select(Source.a)
    assert sorted(await Target.find(Target.x.in_(named)).scalars(Target.x)) == [1, 3]
    assert sorted(await Target.find(Target.x.not_in(named)).scalars(Target.x)) == [0, 2, 4]
    assert await Target.find(Target.x == Source.find(Source.a == 3).select(Source.a)).scalars(Target.x) == [3]
    assert sorted(await Target.find(Target.x.in_(named.union(Source.find().select(Source.id)))).scalars(Target.x)) == [
        1,
        2,
        3,
    ]
    assert await Target.find(exists(named.find(Source.a == Target.x))).count() == 2
    assert await Target.find(Target.x.in_(named)).delete() == 2
    assert await Target.find(func.row(Target.x, Target.id).in_(Source.find().select(Source.a, Source.id))).count() == 0


async def test_instances_still_have_their_key(db: Any) -> None:
    await create_all(Source)
    await Source.insert_many([Source(a=2, s="x"), Source(a=2, s="y")])
    rows = await Source.find().order_by(Source.id).select(Source.s)
    assert [(r.id, r.s) for r in rows] == [(1, "x"), (2, "y")]
    assert await Source.find().select(Source.a).distinct().count() == len(
        await Source.find().select(Source.a).distinct()
    )
    assert await Source.find().select(Source.a).limit(1).count() == 1
    returned = await Source.find(Source.s == "x").returning(Source.s).update(s="z")
    assert [(r.id, r.s) for r in returned] == [(1, "z")]


async def test_links_are_named_by_their_columns(db: Any) -> None:
    class Owner(IdMixin):
        pass

    class Owned(IdMixin):
        owner: Link[Owner]

    await create_all(Owner, Owned)
    owner = await Owner().save()
    await Owned(owner=owner).save()
    assert await Owner.find(Owner.id.in_(Owned.find().select(Owned.owner))).count() == 1
