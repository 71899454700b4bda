"""Each cell of the table "Relations" in docs/reference/write-paths.md."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from orm_cells import paths_of
from pydantic import StringConstraints

from data_bridge.postgres import (
    BulkDelete,
    Col,
    Column,
    Database,
    IdMixin,
    Insert,
    Link,
    ManyToMany,
    Table,
    before_event,
    create_all,
    drop_all,
    pg_transaction,
)

Lower = Annotated[str, StringConstraints(to_lower=True)]
LOG: list[str] = []


class LinkTag(IdMixin):
    word: Col[str] = Column(unique=True)


class LinkPost(IdMixin):
    title: Col[str] = Column(default="t")
    tags: ManyToMany[LinkTag] = ManyToMany(through="LinkPostTag")


class LinkPostTag(Table):
    post: Link[LinkPost] = Column(primary_key=True, on_delete="CASCADE")
    tag: Link[LinkTag] = Column(primary_key=True)
    weight: Col[int] = Column(default=5)
    note: Col[Lower] = Column(default="n")
    made: Col[str] = Column(server_default="'server'")

    @before_event(Insert)
    def inserts(self) -> None:
        if "Insert" not in LOG:
            LOG.append("Insert")

    @before_event(BulkDelete)
    @classmethod
    def deletes(cls, query: Any) -> None:
        LOG.append("BulkDelete")


ALL = (LinkTag, LinkPost, LinkPostTag)
Write = Callable[[Any, list[Any]], Awaitable[Any]]


async def by_rule(post: Any, tags: list[Any]) -> None:
    post.tags = [*post.tags, *tags]
    post.title = "changed"
    await post.save(link_rule="write")


async def by_delete(post: Any, tags: list[Any]) -> None:
    await post.delete(link_rule="delete_links")


PATHS: dict[str, Write] = {
    "`row.tags.add()`": lambda p, tags: p.tags.add(*tags),
    "`row.tags.remove()`": lambda p, tags: p.tags.remove(*p.tags),
    "`row.tags.clear()`": lambda p, tags: p.tags.clear(),
    "`row.tags.set()`": lambda p, tags: p.tags.set(tags),
    '`row.save(link_rule="write")`': by_rule,
    '`row.delete(link_rule="delete_links")`': by_delete,
}
REMOVES = ("`row.tags.remove()`", "`row.tags.clear()`", '`row.delete(link_rule="delete_links")`')


async def made(post_class: Any = LinkPost, tag_class: Any = LinkTag) -> tuple[Any, Any, Any]:
    """A post with one tag, whose row between is not what add() would write, and a further tag."""
    old, new = await tag_class.insert_many([{"word": "old"}, {"word": "new"}])
    post = await post_class().save()
    await post.tags.add(old, weight=9)
    (post,) = await post_class.find().fetch_links(post_class.tags)
    LOG.clear()
    return post, old, new


async def between(using: Any = None) -> dict[str, tuple[Any, ...]]:
    table = LinkPostTag if using is None else LinkPostTag.using(using)
    words = {t.id: t.word for t in await (LinkTag if using is None else LinkTag.using(using)).all()}
    return {words[r.tag.pk]: (r.weight, r.note, r.made) for r in await table.all()}


OLD, NEW = (9, "n", "server"), (5, "n", "server")


@pytest.mark.parametrize(("path", "rule", "promise"), paths_of("Relations"))
async def test_relations(isolated_db: Any, postgres_dsn: str, path: str, rule: str, promise: str) -> None:
    await create_all(*ALL)
    write = PATHS[path]
    if rule == "another database":
        assert promise == "there"
        async with Database(postgres_dsn, alias="links_elsewhere") as database:
            try:
                await create_all(*ALL, using=database)
                post, _, new = await made(LinkPost.using("links_elsewhere"), LinkTag.using("links_elsewhere"))
                await write(post, [new])
                found = await between("links_elsewhere")
                assert found == after(path)
                assert await LinkPost.count() == await LinkTag.count() == await LinkPostTag.count() == 0
            finally:
                await drop_all(*ALL, using=database)
        return
    post, old, new = await made()
    if rule == "through model":
        await write(post, [new])
        found = await between()
        assert ("new" in found) is (promise == "asked")
        assert found.get("new", NEW) == NEW
        if path == "`row.tags.add()`":
            other = await LinkTag.create(word="other")
            await post.tags.add(other, note="LOUD")
            assert (await between())["other"] == (5, "loud", "server")
    elif rule == "rows there":
        await write(post, [old, new])
        found = await between()
        assert ("old" in found) is (promise != "deleted")
        assert found.get("old", OLD) == OLD, "a row that stays is not written again"
        assert {t.word for t in await LinkTag.all()} == {"old", "new"}, "the other side stays"
        if path.startswith("`row.tags"):
            assert sorted(t.word for t in post.tags) == sorted(found)
    elif rule == "events":
        await write(post, [new])
        assert promise.split(", ") == LOG
    else:
        assert (rule, promise) == ("rollback", "taken back")
        before, words = await between(), [t.word for t in post.tags]
        with pytest.raises(ZeroDivisionError):
            async with pg_transaction():
                await write(post, [new])
                assert await between() == after(path)
                raise ZeroDivisionError
        assert await between() == before
        # What was assigned stays assigned.
        assert [t.word for t in post.tags] == (["old", "new"] if "save" in path else words)
        assert (await LinkPost.get(post.id)).title == "t"
        await post.tags.add(new)
        assert set(await between()) == {"old", "new"}


def after(path: str) -> dict[str, Any]:
    """The table between after the write of the new tag."""
    if path in REMOVES:
        return {}
    return {"new": NEW} if path == "`row.tags.set()`" else {"old": OLD, "new": NEW}
