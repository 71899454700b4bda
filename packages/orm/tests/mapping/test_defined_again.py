"""A class that is defined again, as in a cell of a notebook that runs twice, replaces the one before."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from data_bridge.orm.registry import all_tables
from data_bridge.postgres import create_all, execute

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
