"""What refresh() does with relations that were fetched."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.postgres import Col, Column, Link, LinkNotLoaded, Table, create_all, execute


class Keeper(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    name: Col[str]


class Kept(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    keeper: Link[Keeper]


async def test_a_link_is_forgotten_only_when_its_key_has_changed(db: Any) -> None:
    await create_all(Keeper, Kept)
    ann, bob = await Keeper.create(name="Ann"), await Keeper.create(name="Bob")
    await Kept.create(keeper=ann)
    kept = await Kept.find().fetch_links(Kept.keeper).one()
    await execute("UPDATE keeper SET name = 'Anna' WHERE id = $1", ann.id)
    await kept.refresh()
    assert kept.keeper.name == "Ann", "fetch() loads it again"
    await kept.fetch("keeper")
    assert kept.keeper.name == "Anna"
    await execute("UPDATE kept SET keeper_id = $1", bob.id)
    await kept.refresh()
    assert kept.keeper_id == bob.id  # type: ignore[attr-defined]
    with pytest.raises(LinkNotLoaded):
        _ = kept.keeper.name
    assert (await kept.keeper).name == "Bob"
