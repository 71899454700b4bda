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


class SoftWriter(IdMixin, SoftDeleteMixin, TimestampMixin):
    name: Col[str]
    texts: BackLink[list[SoftText]] = BackLink("writer")


class SoftText(IdMixin, SoftDeleteMixin):
    title: Col[str]
    writer: Link[SoftWriter]
    gone: Col[int] = Column(default=0)

    @before_event(Delete)
    def count_up(self) -> None:
        self.gone += 1


async def rows() -> tuple[SoftWriter, list[SoftText]]:
    await create_all(SoftWriter, SoftText)
    ann = await SoftWriter(name="Ann").save()
    return ann, await SoftText.insert_many([SoftText(title=t, writer=ann) for t in "abc"])


async def test_delete_marks_and_reads_leave_out(db: Any, sent: Any) -> None:
    ann, texts = await rows()
    with sent(
        r'^UPDATE "soft_text" SET "deleted_at" = now\(\) WHERE "soft_text"."id" = \$1 AND "soft_text"."deleted_at" IS NULL'
    ):
        assert await texts[0].delete()
    assert texts[0].is_deleted and not await texts[0].delete()
    assert [t.title for t in await SoftText.find().order_by(SoftText.id)] == ["b", "c"]
    assert (
        await SoftText.count() == 2
        and not await SoftText.exists(title="a")
        and await SoftText.find_one(title="a") is None
    )
    assert await SoftText.get_or_none(texts[0].id) is None and len(await SoftText.get_many([t.id for t in texts])) == 2
    with pytest.raises(RowNotFound):
        await SoftText.get(texts[0].id)
    assert await SoftText.with_deleted().count() == 3 and [t.title for t in await SoftText.only_deleted()] == ["a"]
    assert await SoftText.find(SoftText.title == "a").with_deleted().count() == 1
    assert [t.title async for t in SoftText.find().order_by(SoftText.id)] == ["b", "c"]
    assert (
        len(await SoftWriter.find().join(SoftText, SoftText.writer_id == SoftWriter.id).tuples(SoftWriter, SoftText))
        == 2
    )  # type: ignore[attr-defined]
    assert await SoftWriter.find(SoftWriter.texts.count() == 2).count() == 1
    assert not await SoftWriter.find(SoftWriter.texts.any(SoftText.title == "a")).exists()
    found = await SoftWriter.get(ann.id, fetch_links=True)
    assert sorted(t.title for t in found.texts) == ["b", "c"]
    assert await texts[0].restore() and not texts[0].is_deleted and await SoftText.count() == 3


async def test_mass_deletes_mark_and_hard_deletes_delete(db: Any) -> None:
    _ann, texts = await rows()
    assert await SoftText.find(SoftText.title != "c").delete() == 2 and await SoftText.count() == 1
    with pytest.raises(UnfilteredWrite):
        await SoftText.find().delete()
    assert await SoftText.delete_all() == 1 and await SoftText.with_deleted().count() == 3
    assert await SoftText.find(SoftText.title == "a").restore() == 1 and await SoftText.count() == 1
    assert len(await SoftText.find(SoftText.title == "a").returning().delete()) == 1
    assert await SoftText.only_deleted(title="b").hard_delete() == 1
    assert await texts[2].hard_delete() and await SoftText.with_deleted().count() == 1
    assert await SoftWriter.find(SoftWriter.name == "Ann").update(name="Eve") == 1


async def test_a_link_still_loads_a_deleted_row(db: Any) -> None:
    ann, texts = await rows()
    before = ann.updated_at
    await ann.delete()
    assert ann.updated_at >= before
    text = await SoftText.get(texts[1].id)
    assert (await text.writer).name == "Ann"
    assert (await SoftText.find().order_by(SoftText.id).fetch_links(SoftText.writer))[0].writer.is_loaded


async def test_unsaved_changes_stay_unsaved(db: Any) -> None:
    _, texts = await rows()
    texts[0].title = "new"
    await texts[0].delete(skip_events=True)
    assert texts[0].get_changes() == {"title": "new"}
    assert await SoftText.with_deleted(title="a").exists()


def test_without_soft_deletion() -> None:
    class Plain(IdMixin):
        pass

    with pytest.raises(TypeError, match="Plain has no soft deletion"):
        Plain.find().only_deleted()
