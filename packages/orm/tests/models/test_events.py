"""Functions before and after events: their order, what they can change, how they abort, when they run."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from data_bridge.postgres import (
    BackLink,
    BulkDelete,
    BulkUpdate,
    Col,
    Column,
    ConfigurationError,
    Delete,
    IdMixin,
    Insert,
    Link,
    Load,
    Replace,
    Save,
    Table,
    Update,
    after_commit,
    after_event,
    before_event,
    create_all,
    pg_transaction,
)
from data_bridge.testing import assert_queries

LOG: list[str] = []


class Logged(Table):
    class Settings:
        abstract = True

    @before_event(Insert, Update, Save, Replace, Delete)
    def in_base(self) -> None:
        LOG.append("base before")


class Eventful(IdMixin, Logged):
    name: Col[str]
    slug: Col[str] = Column(default="")
    count_: Col[int] = Column(default=0)
    fail: ClassVar[str] = ""

    @before_event(Insert)
    async def before_insert(self) -> None:
        LOG.append("before insert")
        self.slug = self.name.lower()

    @before_event(Update)
    def before_update(self) -> None:
        LOG.append("before update")
        self.slug = self.name.lower()

    @before_event(Save)
    def before_save(self) -> None:
        LOG.append("before save")
        if self.fail == "before":
            raise ValueError("no")

    @after_event(Insert, Update)
    async def after_write(self) -> None:
        LOG.append("after write")
        if self.fail == "after":
            raise ValueError("no")

    @after_event(Save)
    def after_save(self) -> None:
        LOG.append("after save")

    @after_event(Delete, Replace)
    def after_others(self) -> None:
        LOG.append("after others")

    @after_commit(Insert, Delete)
    async def committed(self) -> None:
        LOG.append(f"committed {self.name}")


def log() -> list[str]:
    found = list(LOG)
    LOG.clear()
    return found


INSERTED = ["base before", "before insert", "after write", "committed Ann"]


async def test_the_order_of_events(db: Any) -> None:
    await create_all(Eventful)
    log()
    row = await Eventful(name="Ann").insert()
    assert log() == INSERTED and row.slug == "ann" and (await Eventful.get(row.id)).slug == "ann"
    row.name = "Bob"
    await row.save()
    assert log() == ["base before", "before save", "base before", "before update", "after write", "after save"]
    assert (await Eventful.get(row.id)).slug == "bob"
    with assert_queries(0):
        await row.save()  # nothing changed: no Update
    assert log() == ["base before", "before save", "after save"]
    new = await Eventful(name="Cid").save()
    assert log() == [
        *("base before", "before save", "base before", "before insert", "after write", "after save", "committed Cid"),
    ]
    await row.replace()
    assert log() == ["base before", "after others"]
    await new.delete()
    assert log() == ["base before", "after others", "committed Cid"]
    await Eventful.create(name="Ann")
    assert log() == INSERTED


async def test_update_writes_what_a_function_sets_and_the_caller_wins(db: Any, sent: Any) -> None:
    await create_all(Eventful)
    row = await Eventful(name="Ann").save()
    row.name = "Zoe"
    with sent(r'UPDATE "eventful" SET "slug" = \$1, "count_" = \$2 '):
        await row.update(count_=5)
    found = await Eventful.get(row.id)
    assert (found.slug, found.count_, found.name) == ("zoe", 5, "Ann") and row.get_changes() == {"name": "Zoe"}
    await row.update(name="Yves")  # the function sees the name that is to be written
    assert (await Eventful.get(row.id)).slug == "yves" and row.name == "Yves" and not row.is_changed
    await row.update(slug="mine")
    assert (await Eventful.get(row.id)).slug == "mine"


async def test_an_exception_stops_and_undoes(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await create_all(Eventful)
    monkeypatch.setattr(Eventful, "fail", "before")
    with assert_queries(0, kind="insert"), pytest.raises(ValueError, match="no"):
        await Eventful(name="Ann").save()
    monkeypatch.setattr(Eventful, "fail", "after")
    row = Eventful(name="Ann")
    log()
    with pytest.raises(ValueError, match="no"):
        await row.save()
    assert await Eventful.count() == 0 and "committed Ann" not in log()
    assert row.id is None and row.is_changed  # as it was before
    with pytest.raises(ValueError, match="no"):
        await Eventful.insert_many([Eventful(name="a"), Eventful(name="b")])
    assert await Eventful.count() == 0
    monkeypatch.setattr(Eventful, "fail", "")
    await row.save()
    assert await Eventful.count() == 1
    row.count_ = 3
    monkeypatch.setattr(Eventful, "fail", "after")
    with pytest.raises(ValueError, match="no"):
        await row.update(name="Bob")
    assert (row.name, row.slug) == ("Ann", "ann") and row.get_changes() == {"count_": 3}
    assert (await Eventful.get(row.id)).name == "Ann"


async def test_after_commit_waits_for_the_outer_transaction(db: Any) -> None:
    await create_all(Eventful)
    log()
    async with pg_transaction():
        await Eventful(name="Ann").insert()
        assert log() == INSERTED[:-1]
    assert log() == ["committed Ann"]
    with pytest.raises(RuntimeError):
        async with pg_transaction():
            await Eventful(name="Bob").insert()
            raise RuntimeError
    assert log() == INSERTED[:-1]


async def test_skip_events(db: Any) -> None:
    await create_all(Eventful)
    log()
    row = await Eventful(name="Ann").save(skip_events=True)
    assert log() == [] and row.slug == ""
    row.name = "Bob"
    await row.save(skip_events=[Save])
    assert log() == ["base before", "before update", "after write"]
    row.name = "Cid"
    await row.save(skip_events=["in_base", "after_write"])
    assert log() == ["before save", "before update", "after save"]
    await row.delete(skip_events=True)
    assert log() == []


async def test_many_rows(db: Any, sent: Any) -> None:
    await create_all(Eventful)
    log()
    rows = await Eventful.insert_many([Eventful(name="A"), Eventful(name="B")])
    assert log() == [
        *(["base before", "before insert"] * 2),
        *("after write", "after write", "committed A", "committed B"),
    ]
    assert [r.slug for r in await Eventful.find().order_by(Eventful.id)] == ["a", "b"]
    await Eventful.insert_many([Eventful(name="C")], skip_events=True)
    assert log() == []
    for r in rows:
        r.name += "x"
    with sent(r'UPDATE "eventful" SET "name" = "v"\."v0", "slug" = "v"\."v1"'):
        assert await Eventful.bulk_update(rows) == 2
    assert log().count("before update") == 2
    assert [r.slug for r in await Eventful.find().order_by(Eventful.id)] == ["ax", "bx", ""]
    row, created = await Eventful.get_or_create({"slug": "?"}, name="D")
    assert created and row.slug == "d" and log() == ["base before", "before insert", "after write", "committed D"]
    await Eventful.get_or_create(name="D")
    assert log() == []
    await Eventful.upsert(Eventful(id=row.id, name="E"), conflict=["id"])
    assert log() == ["base before", "before save", "after save"]


class Guarded(IdMixin):
    name: Col[str]

    @classmethod
    @before_event(BulkUpdate, BulkDelete)
    async def guard(cls, query: Any) -> None:
        LOG.append(f"before {await query.count()}")
        if await query.count() > 2:
            raise PermissionError("too many")

    @after_event(BulkUpdate)
    @classmethod
    def done(cls, query: Any) -> None:
        LOG.append("after")


async def test_mass_writes_tell_the_class(db: Any) -> None:
    await create_all(Guarded)
    await Guarded.insert_many([Guarded(name=n) for n in "abc"])
    log()
    assert await Guarded.find(Guarded.name != "c").update(name="x") == 2
    assert log() == ["before 2", "after"]
    with pytest.raises(PermissionError):
        await Guarded.delete_all()
    assert await Guarded.count() == 3 and log() == ["before 3"]
    assert len(await Guarded.find(Guarded.name == "x").returning().delete()) == 2
    assert log() == ["before 2"]
    assert await Guarded.find(Guarded.name == "c").skip_events().delete() == 1 and log() == []


class Loaded(IdMixin):
    name: Col[str]
    parent: Link[Loaded | None] = Column(default=None)
    children: BackLink[list[Loaded]] = BackLink("parent")

    @after_event(Load)
    async def loaded(self) -> None:
        LOG.append(f"load {self.name}")


async def test_every_way_to_load_runs_load(db: Any) -> None:
    await create_all(Loaded)
    a = await Loaded(name="a").save()
    await Loaded(name="b", parent=a).save()
    log()
    await Loaded.get(a.id)
    await Loaded.get_or_none(a.id)
    await Loaded.get_many([a.id])
    await Loaded.find_one(name="a")
    await Loaded.find(name="a").first()
    await Loaded.find(name="a").tuples(Loaded, Loaded.name)
    await Loaded.raw("SELECT id, name, parent_id FROM loaded WHERE name = $1", "a")
    assert log() == ["load a"] * 7
    assert [r.name async for r in Loaded.find().order_by(Loaded.id)] == ["a", "b"] and log() == ["load a", "load b"]
    await Loaded.find(name="a").returning().update(name="a")
    assert log() == ["load a"]
    await Loaded.find(name="b").fetch_links(Loaded.parent)
    assert log() == ["load b", "load a"]
    await Loaded.find(name="a").fetch_links(Loaded.children)
    assert log() == ["load a", "load b"]
    await Loaded.find().values(Loaded.name)
    await Loaded.find().scalars(Loaded.name)
    assert log() == []


def test_wrong_uses_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Load has no before"):
        before_event(Load)
    with pytest.raises(TypeError, match="is not an event"):
        before_event(print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs events"):
        after_event()


class Overridden(Eventful):
    def before_save(self) -> None:
        """No function of an event any more."""


async def test_a_subclass_may_take_a_function_back(db: Any) -> None:
    await create_all(Overridden)
    log()
    await Overridden(name="Ann").save()
    assert "before save" not in log()
