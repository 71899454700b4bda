"""Pages by key of unions and of joined rows: every row once, both ways, or a refusal before anything runs."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from data_bridge.core.errors import ConfigurationError, InvalidCursor
from data_bridge.orm import Load
from data_bridge.postgres import Col, Column, IdMixin, Link, after_event, create_all


class Kind(Enum):
    A = "a"
    B = "b"


class Both(BaseModel):
    name: str
    kind: Kind | None


class PagedReader(IdMixin):
    name: Col[str] = Column(name="label")
    kind: Col[Kind | None] = Column(default=None)
    extra: Col[dict[str, int]] = Column(default_factory=dict)
    secret: Col[SecretStr] = Column(default=SecretStr("s"))
    _loaded: int = 0

    @after_event(Load)
    def seen(self) -> None:
        self._loaded += 1


class PagedWriter(IdMixin):
    name: Col[str]
    kind: Col[Kind | None] = Column(default=None)
    reader: Link[PagedReader | None] = Column(default=None)


async def fill() -> None:
    await create_all(PagedReader, PagedWriter)
    readers = [PagedReader(name=f"x{i % 4}", kind=[Kind.A, Kind.B, None][i % 3]) for i in range(9)]
    readers = await PagedReader.insert_many(readers)
    await PagedWriter.insert_many(
        [PagedWriter(name=f"x{i % 5}", kind=[Kind.A, None][i % 2], reader=readers[i % 3]) for i in range(9)]
    )


async def walk(query: Any, size: int) -> list[Any]:
    """All pages from the first to the last, and back again."""
    found: list[Any] = []
    page = await query.paginate(size)
    found += page.items
    while page.next is not None:
        page = await query.paginate(size, after=page.next)
        assert page.items
        found += page.items
    back = page.items[::-1]
    while page.prev is not None:
        page = await query.paginate(size, before=page.prev)
        back += page.items[::-1]
    assert [repr(row) for row in reversed(back)] == [repr(row) for row in found]
    return found


def readers() -> Any:
    return PagedReader.find(PagedReader.id < 6).union(PagedReader.find(PagedReader.id > 3))


UNIONS: dict[str, Callable[[], Any]] = {
    "instances": readers,
    "by a column": lambda: readers().order_by("-kind"),
    "by a field": lambda: readers().order_by("name"),
    "by an expression": lambda: readers().order_by(-PagedReader.name, PagedReader.kind.asc().nulls_first()),
    "select": lambda: PagedReader.find().select(PagedReader.kind).union(PagedReader.find().select(PagedReader.kind)),
    "tuples": lambda: PagedReader.find().tuples(PagedReader.name, PagedReader.kind).union(PagedWriter.find().tuples(PagedWriter.name, PagedWriter.kind)).order_by("-kind"),
    "values": lambda: PagedReader.find().values(PagedReader.name, PagedReader.kind).union(PagedWriter.find().values(PagedWriter.name, PagedWriter.kind)).order_by(PagedReader.kind),
    "except": lambda: PagedReader.find().values(PagedReader.name, PagedReader.kind).except_(PagedWriter.find().values(PagedWriter.name, PagedWriter.kind)),
    "intersect": lambda: PagedReader.find().scalars(PagedReader.kind).intersect(PagedWriter.find().scalars(PagedWriter.kind)),
    "scalars": lambda: PagedReader.find().scalars(PagedReader.name).union(PagedWriter.find().scalars(PagedWriter.name)).order_by("-label"),
    "project": lambda: PagedReader.find().project(Both).union(PagedWriter.find().project(Both)),
    "three": lambda: PagedReader.find().scalars(PagedReader.name).union(PagedWriter.find().scalars(PagedWriter.name), PagedWriter.find().scalars(PagedWriter.name)),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 5, 50])
@pytest.mark.parametrize("name", UNIONS)
async def test_unions_are_paged_by_key(db: Any, name: str, size: int) -> None:
    await fill()
    rows = await UNIONS[name]()
    found = await walk(UNIONS[name](), size)
    assert sorted(map(repr, found)) == sorted(map(repr, rows)) and len(found) == len(rows) > 1
    numbered: list[Any] = []
    for number in range(1, len(rows) // size + 2):
        numbered += (await UNIONS[name]().page(number, size)).items
    assert sorted(map(repr, numbered)) == sorted(map(repr, rows))
    if isinstance(found[0], PagedReader):
        assert all(row._loaded == 1 for row in found)


async def test_the_order_of_a_union_is_that_of_its_pages(db: Any) -> None:
    await fill()
    ordered = [(row.name, row.id) for row in await walk(readers().order_by("-name"), 2)]
    assert ordered == sorted(((r.name, r.id) for r in await readers()), reverse=True)
    kinds = [row.kind for row in await walk(readers().order_by(PagedReader.kind.asc().nulls_first()), 2)]
    assert kinds == [row.kind for row in await readers().order_by(PagedReader.kind.asc().nulls_first(), "id")]


async def test_a_cursor_belongs_to_its_union(db: Any) -> None:
    await fill()
    page = await UNIONS["scalars"]().paginate(2)
    for other in (UNIONS["three"](), UNIONS["scalars"]().order_by(None), readers(), PagedReader.find()):
        with pytest.raises(InvalidCursor, match="belongs to another query"):
            await other.paginate(2, after=page.next)
    with pytest.raises(InvalidCursor):
        await UNIONS["scalars"]().paginate(2, after="rubbish")


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "all": (lambda: PagedReader.find().union(PagedReader.find(), all=True), "may be equal in every column"),
    "limit": (lambda: readers().limit(3), "sets the limit itself"),
    "whole tables": (lambda: PagedReader.find().tuples(PagedReader, PagedReader.id).union(PagedReader.find().tuples(PagedReader, PagedReader.id)), "whole tables"),
    "documents": (lambda: PagedReader.find().tuples(PagedReader.extra).union(PagedReader.find().tuples(PagedReader.extra)), "cannot carry the document"),
    "no name": (lambda: PagedReader.find().scalars(PagedReader.id + 1).union(PagedReader.find().scalars(PagedReader.id)), "a name of its own"),
    "one name twice": (lambda: PagedReader.find().tuples(PagedReader.id, PagedWriter.id).union(PagedReader.find().tuples(PagedReader.id, PagedWriter.id)), "a name of its own"),
    "secret": (lambda: PagedReader.find().scalars(PagedReader.secret).union(PagedReader.find().scalars(PagedReader.secret)), "cannot carry a SecretStr"),
    "subquery": (lambda: PagedReader.find().subquery().find(), r"page\(number, size\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_unions_that_no_cursor_pages(db: Any, name: str) -> None:
    await fill()
    query, message = REFUSED[name]
    with pytest.raises(ConfigurationError, match=message):
        await query().paginate(2)


def test_a_union_is_not_sorted_by_what_is_not_in_it() -> None:
    with pytest.raises(LookupError, match="sorted by columns of its result: label"):
        UNIONS["scalars"]().order_by(PagedReader.id)
    with pytest.raises(LookupError, match="no column 'nmae'"):
        readers().order_by("nmae")


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("how", ["inner", "left"])
async def test_a_row_with_several_partners_is_on_the_pages_as_often(db: Any, how: Any, size: int) -> None:
    await fill()
    query = (
        PagedReader.find().join(PagedWriter, PagedWriter.reader == PagedReader.id, how=how).order_by(-PagedReader.kind)
    )
    rows = await query
    assert len(rows) > len({row.id for row in rows})
    assert [row.id for row in await walk(query, size)] == [row.id for row in await query.order_by(-PagedReader.id)]
    pairs = await walk(query.tuples(PagedReader.id, PagedWriter.id), size)
    assert sorted(map(str, pairs)) == sorted(map(str, await query.tuples(PagedReader.id, PagedWriter.id)))
