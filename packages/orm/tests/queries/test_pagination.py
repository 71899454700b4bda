"""Pages by number and by key."""

import base64
import json
import random
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from data_bridge.postgres import (
    Col,
    Column,
    ConfigurationError,
    InvalidCursor,
    Page,
    Range,
    Table,
    aliased,
    create_all,
    func,
)

START = datetime(2024, 1, 1, tzinfo=UTC)


class Paged(Table):
    id: Col[int] = Column(primary_key=True)
    at: Col[datetime]
    price: Col[Decimal] = Column(precision=8, scale=2)
    nick: Col[str | None] = Column(default=None)


async def fill(count: int = 23) -> list[Paged]:
    await create_all(Paged)
    rows = [
        Paged(id=i, at=START + timedelta(microseconds=i // 5), price=Decimal(i % 3), nick=str(i) if i % 2 else None)
        for i in range(count)
    ]
    return await Paged.insert_many(rows)


async def test_numbered_pages(db: Any) -> None:
    await fill()
    page = await Paged.find().page(2, 10)
    assert [r.id for r in page.items] == list(range(10, 20)) and page.total == 23
    last = await Paged.find(Paged.id > 2).order_by("-id").page(2, 10, total=False)
    assert [r.id for r in last.items] == list(range(12, 2, -1)) and last.total is None
    assert (await Paged.find().page(9, 10)).items == []
    with pytest.raises(ConfigurationError, match="from 1"):
        await Paged.find().page(0, 10)


@pytest.mark.parametrize("size", [1, 4, 5, 23, 50])
@pytest.mark.parametrize("keys", [(), ("at",), ("-at",), ("price", "-at"), ("-price", "at", "-id"), ("-id",)])
async def test_pages_by_key_walk_everything_both_ways(db: Any, keys: tuple[str, ...], size: int) -> None:
    await fill()
    query = Paged.find(Paged.id < 20).order_by(*keys)
    forward: list[list[int]] = []
    cursor = None
    pages: list[Page[Paged]] = []
    while True:
        page = await query.paginate(size, after=cursor)
        pages.append(page)
        forward.append([r.id for r in page.items])
        cursor = page.next
        if cursor is None:
            break
    walked = [i for p in forward for i in p]
    assert sorted(walked) == list(range(20))
    assert all(len(p) == size for p in forward[:-1])
    direction = bool(keys) and keys[-1].startswith("-")
    tie = "-id" if direction else "id"
    assert walked == [r.id for r in await Paged.find(Paged.id < 20).order_by(*keys, tie)]
    assert pages[0].prev is None
    back: list[list[int]] = []
    cursor = pages[-1].prev
    while cursor is not None:
        page = await query.paginate(size, before=cursor)
        back.append([r.id for r in page.items])
        assert page.next is not None
        cursor = page.prev
    assert back == list(reversed(forward[:-1]))


async def test_a_page_does_not_shift_when_rows_come_and_go(db: Any) -> None:
    await fill(10)
    first = await Paged.find().order_by("id").paginate(3)
    await Paged.find(Paged.id < 3).delete()
    second = await Paged.find().order_by("id").paginate(3, after=first.next)
    assert [r.id for r in second.items] == [3, 4, 5]
    nothing = await Paged.find(Paged.id > 100).order_by("id").paginate(3)
    assert (nothing.items, nothing.next, nothing.prev) == ([], None, None)


FORGED: list[Callable[[list[Any]], Any]] = [
    lambda v: [*v, 1],
    lambda v: v[:-1],
    lambda v: [v[0], "not a time", v[2]],
    lambda v: [v[0], v[1], "x"],
    lambda v: [v[0], v[1], 2**80],
    lambda v: [v[0], v[1], {"float": "nan"}],
    lambda v: [v[0], {"datetime": 5}, v[2]],
    lambda v: [v[0], {"unknown": 1}, v[2]],
    lambda v: [v[0], {"interval": [10**12, 0, 0]}, v[2]],
    lambda v: [v[0], {"decimal": "x"}, v[2]],
    lambda v: [v[0], {"range": [1]}, v[2]],
    lambda v: [v[0], {}, v[2]],
    lambda v: {"a": v},
]


def _forged(cursor: str, change: Callable[[list[Any]], Any]) -> str:
    values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return base64.urlsafe_b64encode(json.dumps(change(values)).encode()).decode().rstrip("=")


async def test_what_cannot_be_paged(db: Any) -> None:
    await fill(3)
    page = await Paged.find().order_by("at").paginate(1)
    for other in (
        Paged.find(),
        Paged.find().order_by("-at"),
        Paged.find().order_by("at", "price"),
        Paged.find(Paged.id > 0).order_by("at"),
        Paged.find().order_by("at").values(Paged.id),
    ):
        for where in ("after", "before"):
            with pytest.raises(InvalidCursor, match="belongs to another query"):
                await other.paginate(1, **{where: page.next})
    page = await Paged.find(Paged.id > 0).order_by("at").paginate(1)
    with pytest.raises(InvalidCursor, match="their values must be those"):
        await Paged.find(Paged.id > 1).order_by("at").paginate(1, after=page.next)
    assert page.next is not None
    broken = [page.next[:n] for n in range(0, len(page.next), 7)] + [page.next[:-1] + "!", page.next + "AAAA"]
    forged = [_forged(page.next, change) for change in FORGED]
    for rubbish in ("", "xyz", "{}", "é", "\0", "W10", "bnVsbA", "eyJhIjoxfQ", *broken, *forged):
        with pytest.raises(InvalidCursor) as caught:
            await Paged.find(Paged.id > 0).order_by("at").paginate(1, after=rubbish)
        assert isinstance(caught.value, ValueError)
    with pytest.raises(ConfigurationError, match="not both"):
        await Paged.find().paginate(1, after=page.next, before=page.next)
    with pytest.raises(ConfigurationError, match="columns"):
        await Paged.find().order_by(Paged.id + 1).paginate(1)
    with pytest.raises(ConfigurationError, match="at least one"):
        await Paged.find().paginate(0)


async def test_a_page_is_a_model_for_responses(db: Any) -> None:
    await fill(3)
    page = await Paged.find().page(1, 2)
    assert isinstance(page, Page)
    model = Page[Paged].model_validate(page.model_dump())
    assert model.items == page.items
    assert json.loads(page.model_dump_json())["total"] == 3
    assert "items" in Page[Paged].model_json_schema()["properties"]


@pytest.mark.parametrize(
    "keys",
    [
        ("nick",), ("-nick",), ("price", "nick"), ("-nick", "price"), (Paged.nick.asc().nulls_first(),), (Paged.nick.desc().nulls_last(), "-id"),
    ],
)  # fmt: skip
async def test_sort_keys_that_may_be_null(db: Any, keys: tuple[Any, ...]) -> None:
    await fill(9)
    query = Paged.find().order_by(*keys)
    walked: list[int] = []
    cursors: list[str | None] = []
    cursor = None
    while True:
        page = await query.paginate(2, after=cursor)
        walked += [r.id for r in page.items]
        cursor = page.next
        cursors.append(page.prev)
        if cursor is None:
            break
    tie = "-id" if str(keys[-1]).startswith("-") else "id"
    expected = [r.id for r in await Paged.find().order_by(*keys, tie)]
    assert walked == expected
    back: list[int] = []
    cursor = cursors[-1]
    while cursor is not None:
        page = await query.paginate(2, before=cursor)
        back = [r.id for r in page.items] + back
        cursor = page.prev
    assert back == expected[: len(back)] and len(back) == 8


class Kind(Table):
    id: Col[int] = Column(primary_key=True)
    name: Col[str] = Column(unique=True)


class Tied(Table):
    class Settings:
        primary_key = ("a", "b")

    a: Col[int]
    b: Col[int]
    group: Col[int]
    maybe: Col[int | None] = Column(default=None)
    code: Col[int] = Column(unique=True)
    kind_id: Col[int] = Column(foreign_key="kind.id")


async def fill_tied() -> None:
    await create_all(Kind, Tied)
    await Kind.insert_many([Kind(id=i, name=str(i)) for i in range(3)])
    numbers = list(range(40))
    random.Random(7).shuffle(numbers)
    await Tied.insert_many(
        [Tied(a=i % 8, b=i // 8, group=i % 2, maybe=None if i % 3 else 1, code=i, kind_id=i % 3) for i in numbers]
    )


async def walked(query: Any, size: int) -> list[Any]:
    """All pages, with the rows moved about between any two of them: an order that leaves them open shows it."""
    found: list[Any] = []
    for number in range(1, 100):
        page = await query.page(number, size)
        found += page.items
        if not page.items:
            return found
        await Tied.find(Tied.b == number % 5).update(group=Tied.group)
    raise AssertionError("the pages do not end")


TIES: dict[str, Callable[[], Any]] = {
    "no order": Tied.find,
    "one column": lambda: Tied.find().order_by(Tied.group),
    "downwards": lambda: Tied.find().order_by(-Tied.group),
    "nullable": lambda: Tied.find().order_by(Tied.maybe.desc().nulls_last()),
    "nullable, by name": lambda: Tied.find().order_by("-maybe", "group"),
    "a part of the key": lambda: Tied.find().order_by(Tied.group, -Tied.b),
    "the key in another order": lambda: Tied.find().order_by(-Tied.b, Tied.a),
    "expression": lambda: Tied.find().order_by(Tied.a % 2),
    "expression, downwards": lambda: Tied.find().order_by(-(Tied.a % 2)),
    "filtered": lambda: Tied.find(Tied.group == 1).order_by(Tied.group),
    "partial": lambda: Tied.find().order_by(Tied.group).select(Tied.group),
    "tuples": lambda: Tied.find().order_by(Tied.group).tuples(Tied.a, Tied.b, Tied.group),
    "values": lambda: Tied.find().order_by(Tied.group).values(Tied.code),
    "scalars": lambda: Tied.find().order_by(Tied.group).scalars(Tied.code),
    "joined": lambda: Tied.find().join(Kind).order_by(Kind.name),
    "joined, both": lambda: Tied.find().join(Kind, Kind.id >= 0).order_by(Tied.group).tuples(Tied, Kind),
    "joined, the other's columns": lambda: Tied.find().join(Kind, Kind.id >= 0).order_by(Tied.code).tuples(Tied.code, Kind.id),
    "left join": lambda: Tied.find().join(Kind, Kind.id > Tied.a, how="left").order_by(Tied.group).tuples(Tied.code, Kind.id),
    "alias": lambda: (lambda o: Tied.find().join(o, o.code == Tied.code).order_by(o.group).tuples(Tied.code, o.code))(aliased(Tied, "o")),
    "grouped": lambda: Tied.find().group_by(Tied.a, Tied.b).order_by(func.max(Tied.group)).aggregate(n=func.count()),
    "grouped by an expression": lambda: Tied.find().group_by((Tied.a % 4).label("k")).order_by(func.count()).aggregate(n=func.count()),
    "distinct": lambda: Tied.find().distinct().order_by(Tied.group).tuples(Tied.group, Tied.b),
    "distinct instances": lambda: Tied.find().distinct().order_by(Tied.group),
    "distinct on": lambda: Tied.find().distinct_on(Tied.a).order_by(Tied.a, Tied.b),
    "unique": lambda: Tied.find().order_by(Tied.code),
}  # fmt: skip


def _told_apart(item: Any) -> Any:
    return repr(item)


@pytest.mark.parametrize("size", [3, 7, 50])
@pytest.mark.parametrize("ties", TIES)
async def test_numbered_pages_have_every_row_once(db: Any, ties: str, size: int) -> None:
    await fill_tied()
    query = TIES[ties]()
    found = [_told_apart(i) for i in await walked(query, size)]
    assert len(set(found)) == len(found)
    assert sorted(found) == sorted(_told_apart(i) for i in await query)


async def test_a_unique_order_stays_as_it_is(db: Any, sent: Any) -> None:
    await fill_tied()
    with sent(r'ORDER BY "tied"."code" LIMIT'):
        await Tied.find().order_by(Tied.code).page(1, 5, total=False)
    with sent(r'ORDER BY "tied"."group" DESC, "tied"."a" DESC, "tied"."b" DESC LIMIT'):
        await Tied.find().order_by(-Tied.group).page(1, 5, total=False)
    with sent(r'ORDER BY "tied"."group", "tied"."b" DESC, "tied"."a" DESC LIMIT'):
        await Tied.find().order_by(Tied.group, -Tied.b).page(1, 5, total=False)


# ----------------------------------------------------------------------------------------- every type and every shape
class Grade(Enum):
    LOW = "low"
    HIGH = "high"


class Level(IntEnum):
    ONE = 1
    TWO = 2


class Sorted(Table):
    id: Col[uuid.UUID] = Column(primary_key=True)
    text: Col[str]
    small: Col[int]
    real: Col[float]
    price: Col[Decimal]
    flag: Col[bool]
    day: Col[date]
    hour: Col[time]
    at: Col[datetime]
    took: Col[timedelta]
    data: Col[bytes]
    grade: Col[Grade]
    level: Col[Level]
    span: Col[Range[int]]
    tags: Col[list[str]]
    doc: Col[dict[str, Any]]
    address: Col[IPv4Address]
    secret: Col[SecretStr]
    renamed: Col[int] = Column(name="another_name")


async def fill_sorted() -> None:
    await create_all(Sorted)
    random_ = random.Random(3)
    await Sorted.insert_many(
        [
            Sorted(
                id=uuid.UUID(int=random_.getrandbits(128)),
                text=f'"{i % 3}\u00e9\\',
                small=i % 3,
                real=[0.1, -1e300, 1e-300, float("inf")][i % 4],
                price=Decimal(i % 3) / 8,
                flag=i % 2 == 0,
                day=date(2024, 1, 1 + i % 3),
                hour=time(i % 3, 0, 0, 1),
                at=START + timedelta(microseconds=i % 3),
                took=timedelta(days=-(i % 3), microseconds=i % 2),
                data=bytes([i % 3, 255]),
                grade=list(Grade)[i % 2],
                level=list(Level)[i % 2],
                span=Range(i % 3, 10),
                tags=["a"] * (i % 3),
                doc={"n": i % 3},
                address=IPv4Address(i % 3),
                secret=SecretStr(str(i)),
                renamed=i % 3,
            )
            for i in range(17)
        ]
    )


SORTABLE = [name for name in Sorted.__pydantic_fields__ if name != "secret"]


async def both_ways(query: Any, size: int) -> tuple[list[Any], list[Any]]:
    """All items, forwards and then backwards."""
    forwards: list[Any] = []
    page = await query.paginate(size)
    forwards += page.items
    while page.next is not None:
        page = await query.paginate(size, after=page.next)
        forwards += page.items
    backwards = list(page.items)
    while page.prev is not None:
        page = await query.paginate(size, before=page.prev)
        backwards = page.items + backwards
    return forwards, backwards


@pytest.mark.parametrize("name", SORTABLE)
async def test_cursors_carry_values_of_every_type(db: Any, name: str) -> None:
    await fill_sorted()
    for prefix in ("", "-"):
        query = Sorted.find().order_by(prefix + name)
        forwards, backwards = await both_ways(query, 3)
        assert [r.id for r in forwards] == [r.id for r in backwards]
        assert [r.id for r in forwards] == [r.id for r in await Sorted.find().order_by(prefix + name, prefix + "id")]


class Short(BaseModel):
    text: str
    level: Level


SHAPES: dict[str, Callable[[Any], Any]] = {
    "instances": lambda q: q,
    "select": lambda q: q.select(Sorted.text),
    "select with the sort key": lambda q: q.select(Sorted.price),
    "values": lambda q: q.values(Sorted.text, (Sorted.small + 1).label("more")),
    "all values": lambda q: q.values(),
    "tuples": lambda q: q.tuples(Sorted.text, Sorted.small + 1),
    "tuples of rows": lambda q: q.tuples(Sorted, Sorted.small),
    "scalars": lambda q: q.scalars(Sorted.grade),
    "project": lambda q: q.project(Short),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_pages_of_every_shape(db: Any, shape: str) -> None:
    await fill_sorted()
    query = SHAPES[shape](Sorted.find(Sorted.small < 2).order_by(Sorted.price, -Sorted.at))
    forwards, backwards = await both_ways(query, 4)
    expected = await SHAPES[shape](Sorted.find(Sorted.small < 2).order_by(Sorted.price, -Sorted.at, -Sorted.id))
    assert [repr(r) for r in forwards] == [repr(r) for r in backwards]
    if shape.startswith("select"):  # the sort keys are loaded too
        assert [r.id for r in forwards] == [r.id for r in expected]
    else:
        assert [repr(r) for r in forwards] == [repr(r) for r in expected]


async def test_a_secret_is_not_put_into_a_cursor(db: Any) -> None:
    await create_all(Sorted)
    with pytest.raises(ConfigurationError, match=r"Sorted\.secret: the cursor would show the secret"):
        await Sorted.find().order_by(Sorted.secret).paginate(3)


@pytest.mark.parametrize(
    "query",
    [
        lambda: Paged.find().group_by(Paged.price).aggregate(n=func.count()),
        lambda: Paged.find().distinct().order_by(Paged.price),
        lambda: Paged.find().limit(3),
        lambda: Paged.find().offset(3),
    ],
)
async def test_queries_that_have_no_keyset(db: Any, query: Callable[[], Any]) -> None:
    await create_all(Paged)
    with pytest.raises(ConfigurationError, match=r"paginate\(\)"):
        await query().paginate(2)
