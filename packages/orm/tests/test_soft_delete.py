"""SoftDeleteMixin: every delete marks, every read leaves out what is marked."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    Delete,
    IdMixin,
    Link,
    RowNotFound,
    SoftDeleteMixin,
    TimestampMixin,
    UnfilteredWrite,
    before_event,
    create_all,
)


class Writer(IdMixin, SoftDeleteMixin, TimestampMixin):
    name: Col[str]
    texts: BackLink[list[Text]] = BackLink("writer")


class Text(IdMixin, SoftDeleteMixin):
    title: Col[str]
    writer: Link[Writer]
    gone: Col[int] = Column(default=0)

    @before_event(Delete)
    def count_up(self) -> None:
        self.gone += 1


async def rows() -> tuple[Writer, list[Text]]:
    await create_all(Writer, Text)
    ann = await Writer(name="Ann").save()
    return ann, await Text.insert_many([Text(title=t, writer=ann) for t in "abc"])


async def test_delete_marks_and_reads_leave_out(db: Any, sent: Any) -> None:
    ann, texts = await rows()
    with sent(r'^UPDATE "text" SET "deleted_at" = now\(\) WHERE "text"."id" = \$1 AND "text"."deleted_at" IS NULL'):
        assert await texts[0].delete()
    assert texts[0].is_deleted and not await texts[0].delete()
    assert [t.title for t in await Text.find().order_by(Text.id)] == ["b", "c"]
    assert await Text.count() == 2 and not await Text.exists(title="a") and await Text.find_one(title="a") is None
    assert await Text.get_or_none(texts[0].id) is None and len(await Text.get_many([t.id for t in texts])) == 2
    with pytest.raises(RowNotFound):
        await Text.get(texts[0].id)
    assert await Text.with_deleted().count() == 3 and [t.title for t in await Text.only_deleted()] == ["a"]
    assert await Text.find(Text.title == "a").with_deleted().count() == 1
    assert [t.title async for t in Text.find().order_by(Text.id)] == ["b", "c"]
    assert len(await Writer.find().join(Text, Text.writer_id == Writer.id).tuples(Writer, Text)) == 2  # type: ignore[attr-defined]
    assert await Writer.find(Writer.texts.count() == 2).count() == 1
    assert not await Writer.find(Writer.texts.any(Text.title == "a")).exists()
    found = await Writer.get(ann.id, fetch_links=True)
    assert sorted(t.title for t in found.texts) == ["b", "c"]
    assert await texts[0].restore() and not texts[0].is_deleted and await Text.count() == 3


async def test_mass_deletes_mark_and_hard_deletes_delete(db: Any) -> None:
    _ann, texts = await rows()
    assert await Text.find(Text.title != "c").delete() == 2 and await Text.count() == 1
    with pytest.raises(UnfilteredWrite):
        await Text.find().delete()
    assert await Text.delete_all() == 1 and await Text.with_deleted().count() == 3
    assert await Text.find(Text.title == "a").restore() == 1 and await Text.count() == 1
    assert len(await Text.find(Text.title == "a").returning().delete()) == 1
    assert await Text.only_deleted(title="b").hard_delete() == 1
    assert await texts[2].hard_delete() and await Text.with_deleted().count() == 1
    assert await Writer.find(Writer.name == "Ann").update(name="Eve") == 1


async def test_a_link_still_loads_a_deleted_row(db: Any) -> None:
    ann, texts = await rows()
    before = ann.updated_at
    await ann.delete()
    assert ann.updated_at >= before
    text = await Text.get(texts[1].id)
    assert (await text.writer).name == "Ann"
    assert (await Text.find().order_by(Text.id).fetch_links(Text.writer))[0].writer.is_loaded


async def test_unsaved_changes_stay_unsaved(db: Any) -> None:
    _, texts = await rows()
    texts[0].title = "new"
    await texts[0].delete(skip_events=True)
    assert texts[0].get_changes() == {"title": "new"}
    assert await Text.with_deleted(title="a").exists()


def test_without_soft_deletion() -> None:
    class Plain(IdMixin):
        pass

    with pytest.raises(TypeError, match="Plain has no soft deletion"):
        Plain.find().only_deleted()
