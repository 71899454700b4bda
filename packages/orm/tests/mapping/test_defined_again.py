"""A class that is defined again, as in a cell of a notebook that runs twice, replaces the one before."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from data_bridge.orm.registry import all_tables
from data_bridge.postgres import Col, Column, Link, Table, create_all, execute

FIRST = """
from data_bridge.postgres import *

class Writer(Table):
    id: Col[int] = Column(primary_key=True)
    books: BackLink[list["Book"]] = BackLink("writer")
    class Settings:
        name = "again_writer"
"""
SECOND = """
class Book(Table):
    id: Col[int] = Column(primary_key=True)
    writer: Link[Writer]
    class Settings:
        name = "again_book"
"""


@pytest.fixture
def cells() -> Iterator[dict[str, Any]]:
    """The names of a notebook: Pydantic looks them up in a module."""
    module = sys.modules["a_notebook"] = types.ModuleType("a_notebook")
    yield vars(module)
    del sys.modules["a_notebook"]


async def test_rows_of_the_new_class_are_rows(db: Any, cells: dict[str, Any]) -> None:
    exec(FIRST, cells)
    exec(SECOND, cells)
    await create_all(cells["Writer"], cells["Book"])
    before = cells["Writer"]
    exec(FIRST.replace("books:", 'name: Col[str] = "x"\n    books:'), cells)
    writer, book = cells["Writer"], cells["Book"]
    assert writer is not before
    await execute("ALTER TABLE again_writer ADD name text NOT NULL DEFAULT 'x'")
    row = await writer(id=1, name="y").save()
    made = await book(id=1, writer=row).save()
    assert made.writer_id == 1
    assert [b.id for b in await book.find(book.writer == row)] == [1]
    assert [b.id for b in (await writer.get(1, fetch_links=True)).books] == [1]
    found = [cls for cls in all_tables() if cls.__table_def__.name == "again_writer"]
    assert found == [writer]


MANY = """
from data_bridge.postgres import *

class Tag(Table):
    id: Col[int] = Column(primary_key=True)
    posts: ManyToMany["Post"] = ManyToMany(through="again_post_tag")
    class Settings:
        name = "again_tag"

class Post(Table):
    id: Col[int] = Column(primary_key=True)
    parent: Link["Post"] | None = None
    tags: ManyToMany["Tag"] = ManyToMany(through="again_post_tag")
    class Settings:
        name = "again_post"
"""
ONE = {
    "Tag": MANY[: MANY.index("class Post")].replace("posts:", "label: Col[str | None]\n    posts:"),
    "Post": MANY[: MANY.index("class Tag")]
    + MANY[MANY.index("class Post") :].replace("parent:", "label: Col[str | None]\n    parent:"),
}


@pytest.mark.parametrize("again", [["Tag"], ["Post"], ["Tag", "Post"], ["Post", "Tag", "Tag"]])
@pytest.mark.parametrize("is_used", [False, True])
async def test_relations_lead_to_the_new_class(db: Any, cells: dict[str, Any], again: list[str], is_used: bool) -> None:
    exec(MANY, cells)
    await create_all(cells["Tag"], cells["Post"])
    if is_used:  # what was found of the other side is remembered
        tag_class, post_class = cells["Tag"], cells["Post"]
        assert await post_class.find(post_class.tags.any(tag_class.id == 1)).fetch_links(post_class.tags) == []
        assert await tag_class.find(tag_class.posts.any(post_class.id == 1)).fetch_links(tag_class.posts) == []
        assert await post_class.find(post_class.parent.id == 1).fetch_links(post_class.parent) == []
    for name in again:
        exec(ONE[name], cells)
    for name in set(again):
        await execute(f"ALTER TABLE again_{name.lower()} ADD label text")
    tag_class, post_class = cells["Tag"], cells["Post"]
    labels = {name: {"label": "new"} if name in again else {} for name in ONE}
    tag = await tag_class(id=1, **labels["Tag"]).save()
    first = await post_class(id=1, parent=None, **labels["Post"]).save()
    post = await post_class(id=2, parent=first, **labels["Post"]).save()
    await post.tags.add(tag)
    (found,) = await post_class.find(post_class.tags.any(tag_class.id == 1)).fetch_links(
        post_class.tags, post_class.parent
    )
    assert isinstance(found.tags[0], tag_class)
    (back,) = await tag_class.find(tag_class.posts.any(post_class.id == 2)).fetch_links(tag_class.posts)
    assert isinstance(back.posts[0], post_class)
    if "Tag" in again:
        assert await post_class.find(post_class.tags.any(tag_class.label == "new")).count() == 1
        assert found.tags[0].label == "new"
    if "Post" in again:
        assert await post_class.find(post_class.parent.label == "new").count() == 1
        assert await tag_class.find(tag_class.posts.any(post_class.label == "new")).count() == 1
        assert found.parent.label == "new"
    found = [c for c in all_tables() if c.__module__ == "a_notebook" and c.__name__ in ONE]
    assert sorted(found, key=lambda c: c.__name__) == [post_class, tag_class]


def test_a_class_with_another_table_is_another_class(cells: dict[str, Any]) -> None:
    exec(FIRST, cells)
    exec(SECOND, cells)
    before = cells["Writer"]
    exec(FIRST.replace("again_writer", "again_author"), cells)
    assert cells["Book"].__db__.relations["writer"].cls is before


def test_functions_make_classes_of_their_own() -> None:
    def made() -> tuple[Any, Any]:
        class Made(Table):
            id: Col[int] = Column(primary_key=True)

        class Of(Table):
            id: Col[int] = Column(primary_key=True)
            made: Link[Made]

        return Made, Of

    first, of_first = made()
    second, of_second = made()
    assert of_first.__db__.relations["made"].cls is first
    assert of_second.__db__.relations["made"].cls is second
