"""Bulk writes in nested blocks: whatever is rolled back, saving every instance makes the database have what they have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from data_bridge.core import Database
from data_bridge.postgres import Col, Column, Table, create_all, pg_transaction, use_database
from data_bridge.query import func

COUNT = 6


class RolledBulk(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    code: Col[int] = Column(unique=True)
    name: Col[str] = "new"
    price: Col[Decimal] = Column(default=Decimal("1.00"), precision=9, scale=2)
    notes: Col[dict[str, Any]] = Column(default_factory=dict)


class Stamped(Table):
    """What the database decides, and what Python makes, in every UPDATE."""

    id: Col[int] = Column(primary_key=True, auto_increment=True)
    code: Col[int] = Column(unique=True)
    name: Col[str] = "new"
    price: Col[Decimal] = Column(default=Decimal("1.00"), precision=9, scale=2)
    notes: Col[dict[str, Any]] = Column(default_factory=dict)
    at: Col[int | None] = Column(default=None, update_default=func.length("ab"))
    by: Col[str] = Column(default="nobody", update_default=lambda: "somebody")


class Stop(Exception):
    pass


STEPS = st.one_of(
    st.tuples(st.just("name"), st.integers(0, COUNT - 1), st.sampled_from(["a", "b", "new"])),
    st.tuples(st.just("price"), st.integers(0, COUNT - 1), st.sampled_from(["2.00", "2.5", "3.456"])),
    st.tuples(st.just("note"), st.integers(0, COUNT - 1), st.integers(0, 2)),
    st.tuples(st.sampled_from(["insert", "conflict", "update", "some", "upsert"]), st.integers(0, 63)),
    st.tuples(st.just("block"), st.booleans(), st.deferred(lambda: PROGRAMS)),
)
PROGRAMS = st.lists(STEPS, max_size=4)


async def write(kind: str, rows: list[Any], entry: type[Any]) -> None:
    there = [r for r in rows if r.id is not None]
    new = [r for r in rows if r.id is None]
    if kind == "insert":
        await entry.insert_many(new)
    elif kind == "conflict":
        await entry.insert_many(new, on_conflict="nothing")
    elif kind == "update":
        await entry.bulk_update(there)
    elif kind == "some":
        await entry.bulk_update(there, [entry.name])
    elif new:
        await entry.upsert_many(new, conflict=[entry.code])


async def run(program: list[Any], rows: list[Any], entry: type[Any]) -> None:
    for step in program:
        if step[0] == "name":
            rows[step[1]].name = step[2]
        elif step[0] == "price":
            rows[step[1]].price = Decimal(step[2])
        elif step[0] == "note":
            rows[step[1]].notes["n"] = step[2]
        elif step[0] == "block":
            try:
                async with pg_transaction():
                    await run(step[2], rows, entry)
                    if step[1]:
                        raise Stop
            except Stop:
                pass
        else:
            await write(step[0], [r for i, r in enumerate(rows) if step[1] >> i & 1], entry)


@pytest.fixture(scope="module")
def opened(postgres_dsn: str) -> Iterator[tuple[asyncio.Runner, Database]]:
    with asyncio.Runner() as runner:
        database = Database(postgres_dsn, max_connections=1)
        runner.run(database.connect())
        runner.run(create_all(RolledBulk, Stamped, using=database))
        yield runner, database
        runner.run(database.close())


@pytest.mark.parametrize("entry", [RolledBulk, Stamped])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=PROGRAMS)
def test_saving_all_makes_the_database_have_what_instances_have(
    entry: Any, program: list[Any], opened: tuple[asyncio.Runner, Database]
) -> None:
    runner, database = opened

    async def main() -> None:
        async with use_database(database):
            await entry.delete_all()
            rows = [entry(code=i, name="new", price=Decimal("1.00"), notes={}) for i in range(COUNT)]
            await run([("block", False, program)], rows, entry)
            for row in rows:
                await row.save()
            found = {r.code: r for r in await entry.find()}
            for row in rows:
                for key in ("id", "name", "notes", "price"):
                    assert getattr(found[row.code], key) == getattr(row, key), (key, row.code)
                assert not row.is_changed

    runner.run(main())


async def test_a_call_is_one_entry_of_the_journal(db: Any) -> None:
    await create_all(RolledBulk)
    async with pg_transaction() as tx:
        journal = tx._journal
        rows = [RolledBulk(code=i) for i in range(500)]
        await RolledBulk.insert_many(rows)
        assert journal.mark() == 1
        for row in rows:
            row.name = "b"
        await RolledBulk.bulk_update(rows)
        assert journal.mark() == 2
        for row in rows:
            row.notes["n"] = 1
            row.price = Decimal("1.234")
        await RolledBulk.bulk_update(rows)
        assert journal.mark() == 3
        await RolledBulk.upsert_many([RolledBulk(code=i) for i in range(250, 750)], conflict=[RolledBulk.code])
        assert journal.mark() == 4
        made = await RolledBulk.insert_many([RolledBulk(code=i) for i in range(500, 1000)], on_conflict="nothing")
        assert len(made) == 250 and journal.mark() == 5


async def test_a_loaded_row_that_was_upserted_is_still_to_be_saved(db: Any) -> None:
    await create_all(RolledBulk)
    await RolledBulk(code=1, notes={"n": 0}).save()
    row = await RolledBulk.get_many([1])
    loaded = next(iter(row.values()))
    loaded.notes["n"] = 1
    with pytest.raises(Stop):
        async with pg_transaction():
            await RolledBulk.upsert_many([loaded], conflict=[RolledBulk.code])
            assert not loaded.is_changed
            raise Stop
    assert loaded.get_changes() == {"notes": {"n": 1}}
    await loaded.save()
    assert (await RolledBulk.get(loaded.id)).notes == {"n": 1}


async def test_instances_of_one_call_share_nothing_that_changes(db: Any) -> None:
    await create_all(RolledBulk)
    first, second = await RolledBulk.insert_many([RolledBulk(code=1), RolledBulk(code=2)])
    first.name = "b"
    first.notes["n"] = 1
    assert set(first.get_changes()) == {"name", "notes"} and not second.is_changed
    assert second.model_fields_set == {"code"} and "name" in first.model_fields_set
    await RolledBulk.bulk_update([first, second])
    assert [(r.name, r.notes) for r in await RolledBulk.find().order_by(RolledBulk.code)] == [
        ("b", {"n": 1}),
        ("new", {}),
    ]
