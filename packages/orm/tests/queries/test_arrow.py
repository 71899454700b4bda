"""query.arrow(): the columns that the rows of each form have, with the values that the same query returns as objects."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pyarrow as pa
import pytest
from pydantic import BaseModel

from data_bridge.core.errors import ConfigurationError, QueryTimeout
from data_bridge.postgres import (
    Col,
    Column,
    IdMixin,
    Link,
    SoftDeleteMixin,
    aliased,
    copy_in,
    create_all,
    func,
    optional,
    pg_transaction,
    sql,
)


class Kind(Enum):
    A = "a"
    B = "b"


class FramedAuthor(IdMixin):
    name: Col[str] = Column(name="label")
    kind: Col[Kind | None] = Column(default=None)


class FramedBook(IdMixin, SoftDeleteMixin):
    title: Col[str]
    price: Col[Annotated[Decimal, Column(precision=8, scale=2)]]
    author: Link[FramedAuthor | None] = Column(default=None)


class Shelf(BaseModel):
    title: str
    price: Decimal


OTHER = aliased(FramedAuthor, "other")


async def fill() -> None:
    await create_all(FramedAuthor, FramedBook)
    ann, bob = await FramedAuthor.insert_many([FramedAuthor(name="Ann", kind=Kind.A), FramedAuthor(name="Bob")])
    await FramedBook.insert_many(
        [FramedBook(title=f"t{i}", price=Decimal(i) / 4, author=[ann, bob, None][i % 3]) for i in range(6)]
    )
    await FramedBook.find(title="t5").delete()


FORMS: dict[str, tuple[Any, list[str]]] = {
    "instances": (lambda: FramedBook.find(), ["deleted_at", "id", "title", "price", "author_id"]),
    "renamed": (lambda: FramedAuthor.find(), ["id", "name", "kind"]),
    "select": (lambda: FramedBook.find().select(FramedBook.title), ["title"]),
    "defer": (lambda: FramedAuthor.find().defer(FramedAuthor.kind), ["id", "name"]),
    "values": (
        lambda: FramedAuthor.find().values(FramedAuthor.name, n=func.count()).group_by(FramedAuthor.name),
        ["name", "n"],
    ),
    "tuples": (
        lambda: FramedBook.find().tuples(FramedBook.title, FramedAuthor.name).join(FramedAuthor),
        ["title", "name"],
    ),
    "path": (lambda: FramedBook.find().values(FramedBook.title, writer=FramedBook.author.name), ["title", "writer"]),
    "whole table": (lambda: FramedAuthor.find().tuples(FramedAuthor), ["id", "name", "kind"]),
    "optional": (
        lambda: FramedBook.find().join(FramedAuthor, how="left").tuples(FramedBook.title, optional(FramedAuthor)),
        ["title", "id", "name", "kind"],
    ),
    "scalars": (lambda: FramedBook.find().scalars(FramedBook.price), ["price"]),
    "project": (lambda: FramedBook.find().project(Shelf), ["title", "price"]),
    "aggregate": (lambda: FramedBook.find().group_by(FramedBook.author).aggregate(n=func.count()), ["author_id", "n"]),
    "distinct": (lambda: FramedBook.find().distinct(FramedBook.price), ["price"]),
    "alias": (
        lambda: (
            FramedAuthor.find().join(OTHER, FramedAuthor.id == OTHER.id).tuples(OTHER, FramedAuthor.name.label("n"))
        ),
        ["id", "name", "kind", "n"],
    ),
    "derived": (lambda: FramedBook.find().values(FramedBook.title).subquery("s").find(), ["title"]),
    "union": (
        lambda: FramedBook.find().tuples(FramedBook.title).union(FramedAuthor.find().tuples(FramedAuthor.name)),
        ["title"],
    ),
    "union of instances": (
        lambda: FramedAuthor.find(FramedAuthor.id == 1).union(FramedAuthor.find(FramedAuthor.id == 2)),
        ["id", "name", "kind"],
    ),
}


def flat(row: Any) -> tuple[Any, ...]:
    if isinstance(row, dict):
        return tuple(flat(v)[0] for v in row.values())
    if isinstance(row, tuple):
        return tuple(v for item in row for v in flat(item))
    if isinstance(row, BaseModel):
        return tuple(flat(v)[0] for v in row.model_dump().values())
    return (row.value if isinstance(row, Enum) else row,)


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_has_its_columns_and_values(db: Any, form: str) -> None:
    await fill()
    make, names = FORMS[form]
    table = (await make().arrow()).to_pyarrow()
    table.validate(full=True)
    assert table.column_names[: len(names)] == names
    columns = [c.to_pylist() for c in table.columns]
    rows = sorted(map(repr, zip(*columns, strict=True)))
    if form in ("instances", "select", "defer", "optional"):
        assert len(rows) == len(await make())
        return
    assert rows == sorted(repr(flat(row)) for row in await make())


async def test_types_are_those_of_the_columns(db: Any) -> None:
    await fill()
    table = (await FramedBook.find(FramedBook.id < 0).arrow()).to_pyarrow()
    assert len(table) == 0
    assert table.schema.field("price").type == pa.decimal128(8, 2)
    table = (await FramedAuthor.find().arrow()).to_pyarrow()
    kind = table.schema.field("kind").type
    assert kind in (pa.dictionary(pa.int32(), pa.string()), pa.string())
    rounded = FramedBook.find().values(FramedBook.title, half=FramedBook.price / 2)
    assert (await rounded.arrow()).to_pyarrow().schema.field("half").type == pa.string()
    assert (await rounded.arrow(numeric="float")).to_pyarrow().schema.field("half").type == pa.float64()


async def test_there_are_as_many_rows_as_instances(db: Any) -> None:
    await fill()
    await FramedBook.insert_many([FramedBook(title="t0", price=Decimal(9)) for _ in range(3)])
    for query in (
        FramedBook.find().select(FramedBook.title).distinct(),
        FramedBook.find().select(FramedBook.title).order_by(FramedBook.price).limit(4).offset(1),
        FramedBook.find().select(FramedBook.price).order_by(FramedBook.title).distinct_on(FramedBook.title),
    ):
        assert len(await query.arrow()) == len(await query) > 0
    first = FramedBook.find().select(FramedBook.title).order_by(-FramedBook.price).limit(2)
    assert (await first.arrow()).to_pyarrow()["title"].to_pylist() == [book.title for book in await first]


async def test_what_a_frame_has_no_place_for_is_refused(db: Any) -> None:
    await fill()
    with pytest.raises(ConfigurationError, match="fetch_links"):
        await FramedBook.find().fetch_links(FramedBook.author).arrow()
    with pytest.raises(ConfigurationError, match="'id'"):
        await FramedBook.find().join(FramedAuthor).tuples(FramedBook, FramedAuthor).arrow()
    with pytest.raises(QueryTimeout):
        await FramedBook.find().values(s=sql("pg_sleep(1) IS NULL")).timeout(0.02).arrow()


async def test_it_joins_the_transaction(db: Any) -> None:
    await fill()
    with pytest.raises(ZeroDivisionError):
        async with pg_transaction():
            await FramedAuthor(name="Cid").insert()
            assert len(await FramedAuthor.find().arrow()) == 3
            raise ZeroDivisionError
    assert len(await FramedAuthor.find().arrow()) == 2


async def test_a_frame_goes_back_into_its_table(db: Any) -> None:
    """By the names of the fields, as arrow() returns them; what the frame leaves out has its default."""
    await fill()
    authors = (await FramedAuthor.find().order_by(FramedAuthor.id).arrow()).to_pyarrow()
    rows = [a.model_dump() for a in await FramedAuthor.find().order_by(FramedAuthor.id)]
    await FramedBook.find(FramedBook.id > 0).with_deleted().hard_delete()
    await FramedAuthor.find(FramedAuthor.id > 0).delete()
    assert await copy_in(FramedAuthor, authors.to_reader()) == 2
    assert [a.model_dump() for a in await FramedAuthor.find().order_by(FramedAuthor.id)] == rows
    assert await copy_in(FramedAuthor, authors.select(["name"])) == 2
    assert len({a.id for a in await FramedAuthor.find()}) == 4
    assert await copy_in(FramedAuthor, authors, columns=["label"]) == 2
    with pytest.raises(ConfigurationError, match="no column 'age'"):
        await copy_in(FramedAuthor, authors.rename_columns(["id", "age", "kind"]))
    with pytest.raises(ConfigurationError, match=r"two columns for framed_authors?\.label"):
        await copy_in(FramedAuthor, authors.rename_columns(["label", "name", "kind"]))
