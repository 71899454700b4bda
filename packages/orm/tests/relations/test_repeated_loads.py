"""`init(dev=True)` names the link that is loaded row by row, and the fetch_links() that loads it at once."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from data_bridge.postgres import (
    BackLink,
    Col,
    Database,
    DevelopmentLimits,
    IdMixin,
    Link,
    RepeatedStatementWarning,
    create_all,
    use_database,
)


class RepeatAuthor(IdMixin):
    name: Col[str]
    posts: BackLink[list[RepeatPost]] = BackLink("author")


class RepeatPost(IdMixin):
    title: Col[str]
    author: Link[RepeatAuthor]


async def prepare(database: Database) -> None:
    await create_all(RepeatAuthor, RepeatPost, using=database)
    for number in range(6):
        author = await RepeatAuthor(name=f"a{number}").save()
        await RepeatPost(title=f"p{number}", author=author).save()


async def awaited() -> None:
    for post in await RepeatPost.find():
        await post.author


async def fetched_row_by_row() -> None:
    for post in await RepeatPost.find():
        await post.fetch("author")


async def many_row_by_row() -> None:
    for author in await RepeatAuthor.find():
        await author.fetch("posts")


async def one_by_one() -> None:
    for number in range(1, 7):
        await RepeatAuthor.get(number)


WARNED = {
    awaited: r"RepeatPost\.author was loaded 4 times.*add fetch_links\(RepeatPost\.author\)",
    fetched_row_by_row: r"RepeatPost\.author was loaded 4 times",
    many_row_by_row: r"RepeatAuthor\.posts was loaded 4 times",
    one_by_one: r"the same query ran 4 times here: find the rows by one query, with in_\(\), get_many\(\) or fetch_links\(\)",
}


async def fetched_at_once() -> None:
    for post in await RepeatPost.find().fetch_links(RepeatPost.author):
        assert post.author.name


async def gathered() -> None:
    async def name_of(post: RepeatPost) -> str:
        return (await post.author).name

    await asyncio.gather(*(name_of(p) for p in await RepeatPost.find()))


SILENT = [fetched_at_once, gathered]


@pytest.mark.parametrize("way", [*WARNED, *SILENT], ids=lambda way: way.__name__)
async def test_links_that_are_loaded_row_by_row(isolated_db: Any, way: Any) -> None:
    limits = DevelopmentLimits(repeated=3, rows=None, scanned_rows=None, transaction_seconds=None, idle_seconds=None)
    async with Database(isolated_db.dsn, dev=limits) as database, use_database(database):
        await prepare(database)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            await way()
    told = [w for w in found if issubclass(w.category, RepeatedStatementWarning)]
    if way in SILENT:
        assert told == []
        return
    with pytest.warns(RepeatedStatementWarning, match=WARNED[way]):
        warnings.warn_explicit(told[0].message, told[0].category, told[0].filename, told[0].lineno)
    assert len(told) == 1 and told[0].filename == __file__
