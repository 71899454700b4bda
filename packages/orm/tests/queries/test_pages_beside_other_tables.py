"""Pages and batches where a joined table has columns of the same names, and where Load events change the rows."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from data_bridge.postgres import Col, Column, ConfigurationError, Link, Load, Table, after_event, create_all


class Shelf(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    name: Col[str] = Column(unique=True)


class Volume(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    name: Col[str] = Column(unique=True)
    shelf: Link[Shelf]


class Binding(Enum):
    CLOTH = "cloth"
    PAPER = "paper"


class Masked(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    name: Col[str]
    binding: Col[Binding] = Column(default=Binding.CLOTH)
    shelf: Link[Shelf]

    @after_event(Load)
    def mask(self) -> None:
        self.name = "***"
        self.binding = Binding.CLOTH


async def prepared() -> None:
    await create_all(Shelf, Volume, Masked)
    shelves = [await Shelf.create(name=name) for name in ("a", "b", "c")]
    await Volume.insert_many([Volume(name=f"v{n:02}", shelf=shelves[n % 3]) for n in range(12)])
    await Masked.insert_many(
        [
            Masked(name=f"m{n:02}", shelf=shelves[n % 3], binding=(Binding.PAPER, Binding.CLOTH)[n % 2])
            for n in range(12)
        ]
    )


async def by_number(query: Any) -> list[int]:
    return [row.id for number in (1, 2, 3) for row in (await query.page(number, 5)).items]


async def by_cursor(query: Any) -> list[int]:
    found: list[int] = []
    page = await query.paginate(5)
    while True:
        found += [row.id for row in page.items]
        if page.next is None:
            return found
        page = await query.paginate(5, after=page.next)


SORTED_BY_THE_OTHER: dict[str, Callable[[], Any]] = {
    "unique name of the link": lambda: Volume.find().order_by(Volume.shelf.name),
    "name of the link, then a key": lambda: Volume.find().order_by(Volume.shelf.name, Volume.id),
}


@pytest.mark.parametrize("query", SORTED_BY_THE_OTHER.values(), ids=list(SORTED_BY_THE_OTHER))
async def test_a_column_of_another_table_is_not_the_one_of_the_same_name(db: Any, query: Callable[[], Any]) -> None:
    await prepared()
    rows = await query().to_list()
    assert [row.shelf_id for row in rows] == sorted(row.shelf_id for row in rows)
    found = await by_number(query())
    assert len(set(found)) == 12, "each row once: the pages need a total order"
    with pytest.raises(ConfigurationError, match="sorts by columns of the Table"):
        await query().paginate(5)


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("key", ["name", "binding", "-binding"])
async def test_a_load_event_does_not_move_the_cursor(db: Any, key: str, linked: bool) -> None:
    await prepared()
    query = Masked.find().order_by(key)
    ids = await by_cursor(query.fetch_links(Masked.shelf) if linked else query)
    assert sorted(ids) == sorted(row.id for row in await Masked.find())
    page = await (query.fetch_links(Masked.shelf) if linked else query).paginate(3)
    assert {row.name for row in page.items} == {"***"}, "the event has run"
    if linked:
        assert {row.shelf.name for row in page.items} <= {"a", "b", "c"}


async def test_the_caller_may_empty_a_batch(db: Any) -> None:
    await prepared()
    found: list[int] = []
    async for rows in Volume.find().by_pk_batches(5):
        found += [row.id for row in rows]
        rows.clear()
    assert len(found) == len(set(found)) == 12


def test_a_cursor_of_a_set_fits_in_another_process() -> None:
    program = """
    from data_bridge.query import column, select, table
    words = table("words", column("name", str))
    print(select(words.name).where(words.name.in_({f"w{n}" for n in range(40)})).sql().params)
    """
    made = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env={"PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(made) == 1
