"""Tasks share the query of an awaited link only where they would read the same rows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from data_bridge.postgres import (
    Col,
    IdMixin,
    Link,
    consistency,
    create_all,
    execute_script,
    read_your_writes,
    tenant,
    transaction_settings,
    use_database,
)


class Author(IdMixin):
    class Settings:
        name = "tenants_author"

    name: Col[str]


class Note(IdMixin):
    class Settings:
        name = "tenants_note"

    author: Link[Author]


SCHEMAS = ("acme", "globex", "initech")


async def test_a_schema_for_each_tenant(isolated_db: Any) -> None:
    """All rows have the key 1, and each task awaits its link in the same turn of the event loop."""
    async with use_database(isolated_db):
        for schema in SCHEMAS:
            await execute_script(f"CREATE SCHEMA {schema}")
            async with transaction_settings({"search_path": schema}):
                await create_all(Author, Note)
                await Note(author=await Author(name=schema).save()).save()

        notes = {}
        for schema in SCHEMAS:
            async with transaction_settings({"search_path": schema}):
                notes[schema] = [await Note.get(1) for _ in range(10)]
        turn = asyncio.Event()

        async def load(schema: str, note: Note) -> tuple[str, str]:
            async with transaction_settings({"search_path": schema}):
                await turn.wait()
                return schema, (await note.author).name

        tasks = [
            asyncio.create_task(load(s, note))
            for row in zip(*notes.values(), strict=True)
            for s, note in zip(SCHEMAS, row, strict=True)
        ]
        await asyncio.sleep(0)
        turn.set()
        assert all(expected == found for expected, found in await asyncio.gather(*tasks))


@pytest.mark.parametrize(
    ("blocks", "shared"),
    [
        ((tenant("a"), tenant("b")), False),
        ((consistency("primary"), consistency("eventual")), False),
        ((read_your_writes(), read_your_writes()), False),
        ((tenant("a"), tenant("a")), True),
        ((consistency("primary"), consistency("primary")), True),
    ],
)
async def test_what_is_shared(isolated_db: Any, blocks: tuple[Any, Any], shared: bool) -> None:
    async with use_database(isolated_db):
        await create_all(Author, Note)
        await Note(author=await Author(name="x").save()).save()
        loaded: list[Author] = []

        async def load(block: Any) -> None:
            note = await Note.get(1)
            await turn.wait()
            with block:
                loaded.append(await note.author)

        turn = asyncio.Event()
        tasks = [asyncio.create_task(load(block)) for block in blocks]
        await asyncio.sleep(0.2)
        turn.set()
        await asyncio.gather(*tasks)
    assert (len({id(author) for author in loaded}) == 1) is shared
