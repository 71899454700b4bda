"""What is assigned and edited while a statement is on its way, and statements with one instance at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from data_bridge.postgres import (
    Col,
    Column,
    IdMixin,
    Link,
    RowNotFound,
    TimestampMixin,
    create_all,
    execute,
    pg_transaction,
)


class Box(BaseModel):
    items: list[int] = []
    any: Any = None


class Flown(IdMixin):
    n: Col[int] = Column(default=0)
    m: Col[int] = Column(default=0)
    note: Col[str | None] = Column(default=None)
    tags: Col[list[str]] = Column(default_factory=list)
    data: Col[dict[str, Any]] = Column(default_factory=dict)
    box: Col[Box] = Column(default_factory=Box)


class Counted(IdMixin, TimestampMixin):
    class Settings:
        use_revision = True

    revision: Col[int] = Column(default=1)
    n: Col[int] = Column(default=0)
    m: Col[int] = Column(default=0)


def plain(row: Any) -> dict[str, Any]:
    return row.model_dump()  # type: ignore[no-any-return]


async def while_flying(work: Awaitable[Any], edit: Callable[[], None]) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    edit()
    await task


def edit_of(row: Flown) -> Callable[[], None]:
    def edit() -> None:
        row.n, row.note = 7, "meanwhile"
        row.tags.append("meanwhile")
        row.data = {"k": 1}
        row.box.items.append(1)

    return edit


async def check(row: Flown) -> None:
    """The edits are there, and what the database does not have of them (a document may be read late) is a change."""
    assert (row.n, row.note, row.tags) == (7, "meanwhile", ["t", "meanwhile"])
    assert (row.data, row.box) == ({"k": 1}, Box(items=[1]))
    there = plain(await Flown.get(row.id))
    assert set(row.get_changes()) == {k for k, v in plain(row).items() if v != there[k]}
    assert {"n", "note"} <= set(row.get_changes())


WRITES: dict[str, Callable[[Flown], Awaitable[Any]]] = {
    "save": lambda r: r.save(),
    "save only": lambda r: r.save(only=["m"]),
    "force": lambda r: r.save(force=True),
    "update": lambda r: r.update(m=5),
    "replace": lambda r: r.replace(),
    "bulk_update": lambda r: Flown.bulk_update([r]),
    "refresh": lambda r: r.refresh(),
    "refresh some": lambda r: r.refresh("n", "tags"),
    "refresh keeping": lambda r: r.refresh(keep_changes=True),
    "upsert": lambda r: Flown.upsert(r, conflict=["id"]),
}


@pytest.mark.parametrize("write", WRITES)
async def test_edits_meanwhile_stay_changes(db: Any, write: str) -> None:
    await create_all(Flown)
    row = await Flown(tags=["t"]).save()
    row.m = 5
    await while_flying(WRITES[write](row), edit_of(row))
    await check(row)
    await row.save()
    assert not row.is_changed and plain(await Flown.get(row.id)) == plain(row)
    assert (row.n, row.note, row.tags) == (7, "meanwhile", ["t", "meanwhile"])


@pytest.mark.parametrize(
    "write",
    [
        lambda r: r.save(),
        lambda r: r.insert(),
        lambda r: Flown.insert_many([r]),
        lambda r: Flown.upsert(r, conflict=["id"]),
    ],
)
async def test_edits_while_a_row_is_inserted(db: Any, write: Any) -> None:
    await create_all(Flown)
    row = Flown(id=1, tags=["t"]) if "upsert" in str(write.__code__.co_names) else Flown(tags=["t"])
    await while_flying(write(row), edit_of(row))
    await check(row)
    await row.save()
    assert plain(await Flown.get(row.id)) == plain(row) and not row.is_changed


async def test_what_was_assigned_back_meanwhile_is_written(db: Any) -> None:
    await create_all(Flown)
    row = await Flown(n=1).save()
    row.n = 2

    def back() -> None:
        row.n = 1

    await while_flying(row.save(), back)
    assert row.get_changes() == {"n": 1}
    await row.save()
    assert (await Flown.get(row.id)).n == 1
    await while_flying(row.update(n=5), back)  # the same object as before
    assert row.n == 1 and row.get_changes() == {"n": 1} and row.get_previous_changes() == {"n": 5}


async def test_discarding_while_a_save_is_on_its_way(db: Any) -> None:
    await create_all(Flown)
    row = await Flown(n=1).save()
    row.n = 2
    await while_flying(row.save(), row.discard_changes)
    # The answer of the server may have come before.
    assert row.get_changes() == ({"n": 1} if row.n == 1 else {}) and (await Flown.get(row.id)).n == 2


async def test_a_failed_statement_leaves_the_record_as_it_was(db: Any) -> None:
    await create_all(Flown)
    row = await Flown(n=1).save()
    row.n = 2
    await execute("DELETE FROM flown")
    for doing in (lambda: row.update(n=3), lambda: row.refresh(), lambda: row.save()):

        def edit() -> None:
            row.m += 1

        with pytest.raises(RowNotFound):
            await while_flying(doing(), edit)
        assert row.get_previous_changes() == {"n": 1, "m": 0} and row.n == 2


async def test_saves_of_one_instance_are_one_after_the_other(db: Any) -> None:
    await create_all(Counted)
    row = await Counted().save()
    row.n = 1
    first = asyncio.ensure_future(row.save())
    await asyncio.sleep(0)
    row.n, row.m = 2, 1
    await asyncio.gather(first, row.save(), row.update(m=3), Counted.bulk_update([row]), row.refresh())
    there = await Counted.get(row.id)
    assert (there.n, there.m, there.revision) == (2, 3, row.revision) and not row.is_changed
    assert there.updated_at == row.updated_at


async def test_a_new_row_saved_twice_at_once_is_one_row(committed: Any) -> None:
    await create_all(Flown)
    row = Flown()
    await asyncio.gather(row.save(), row.save(), row.save())
    assert await Flown.count() == 1
    await committed.execute("DROP TABLE flown")


async def test_a_transaction_does_not_wait_for_a_statement_that_waits_for_it(committed: Any) -> None:
    await create_all(Flown)
    row = await Flown().save()
    try:
        async with pg_transaction():
            row.n = 1
            await row.save()
            row.m = 1
            context = __import__("contextvars").Context()
            outside = asyncio.get_running_loop().create_task(row.save(tx=committed), context=context)
            await asyncio.sleep(0.05)
            row.note = "inside"
            async with asyncio.timeout(5):
                await row.save()
        await outside
        assert plain(await Flown.get(row.id)) == plain(row) and not row.is_changed
    finally:
        await committed.execute("DROP TABLE flown")


async def test_a_rollback_takes_back_just_what_the_statement_wrote(db: Any) -> None:
    await create_all(Flown)
    row = await Flown(n=1, tags=["t"]).save()

    async def undone(*edits: Callable[[], Any]) -> None:
        try:
            async with pg_transaction():
                for edit in edits:
                    done = edit()
                    if done is not None:
                        await done
                raise LookupError
        except LookupError:
            pass

    row.n = 2
    await undone(lambda: row.save(), lambda: setattr(row, "m", 9), lambda: row.tags.append("u"))
    assert row.get_changes() == {"n": 2, "m": 9, "tags": ["t", "u"]}
    await undone(lambda: row.save(), lambda: setattr(row, "n", 1), lambda: row.save())
    assert row.get_changes() == {"m": 9, "tags": ["t", "u"]}
    await row.save()
    await undone(lambda: row.update(n=5, tags=["x"]), lambda: row.tags.append("y"))
    assert row.n == 1 and row.get_changes() == {"tags": ["x", "y"]}
    row.discard_changes()
    assert row.tags == ["t", "u"]
    await undone(lambda: Flown.find(Flown.id == row.id).update(n=8), lambda: row.refresh())
    assert (row.n, row.is_changed) == (1, False)
    await undone(lambda: row.delete(), lambda: setattr(row, "n", 6))
    assert row.get_changes() == {"n": 6}
    await row.save()
    assert plain(await Flown.get(row.id)) == plain(row)


class Target(IdMixin):
    name: Col[str] = Column(default="")


class Linking(IdMixin):
    name: Col[str] = Column(default="")
    to: Link[Target | None] = Column(default=None, on_delete="SET NULL")


CUTS: dict[str, Callable[[Any, Any], Any]] = {
    "key": lambda row, target: setattr(row, "to_id", None),
    "link": lambda row, target: setattr(row, "to", None),
    "update": lambda row, target: row.update(to_id=None),
    "update link": lambda row, target: row.update(to=None),
    "refresh": lambda row, target: target.delete(),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("how", ["assigned", "awaited", "fetched", "joined"])
async def test_a_link_that_was_cut_is_not_written_again(db: Any, cut: str, how: str) -> None:
    await create_all(Target, Linking)
    target = await Target(name="t").save()
    row = await Linking(to=target).save()
    if how != "assigned":
        row = await Linking.get(row.id, fetch_links=how == "joined")
    if how == "awaited":
        assert row.to is not None
        await row.to
    elif how == "fetched":
        await row.fetch("to")
    done = CUTS[cut](row, target)
    if done is not None:
        await done
    if cut == "refresh":
        await row.refresh()
    assert row.to is None and row.to_id is None  # type: ignore[attr-defined]
    row.name = "x"
    await row.save()
    await Linking.bulk_update([row], ["name"])
    there = await Linking.get(row.id)
    assert (there.name, there.to) == ("x", None)


async def test_a_row_that_is_saved_later_replaces_the_key_of_another(db: Any) -> None:
    await create_all(Target, Linking)
    row = await Linking(to=await Target(name="old").save()).save()
    new = Target(name="new")
    row.to = new
    assert row.to is not None and row.to.name == "new"
    await new.save()
    await row.save()
    assert (await Linking.get(row.id)).to_id == new.id  # type: ignore[attr-defined]
    row.to = Target(name="never saved")
    row.to_id = None  # type: ignore[attr-defined]
    await row.save()
    assert (await Linking.get(row.id)).to is None
    row.to = Target(name="never saved")
    row.discard_changes()
    assert row.to is None and not row.is_changed
