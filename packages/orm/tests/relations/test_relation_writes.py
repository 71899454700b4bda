"""Filters through relations, and writing them."""

from __future__ import annotations

from typing import Any

import pytest
from orm_world import ALL, Article, Company, Label, Person, Profile, Remark, make_world
from pydantic import ValidationError

from data_bridge.postgres import (
    ForeignKeyViolation,
    NotSaved,
    create_all,
    pg_transaction,
)
from data_bridge.testing import assert_queries


async def test_filters_through_relations(db: Any, sent: Any) -> None:
    world = await make_world()
    with sent(r'FROM "article" JOIN "person" AS "article.author" ON .* WHERE "article.author"."name" = \$1'):
        assert len(await Article.find(Article.author.name == "Ann")) == 3
    with sent(r'^SELECT [^J]*WHERE "article"."author_id" = \$1'):  # the key is here: no join
        assert len(await Article.find(Article.author.id == world["ann"].id)) == 3
    assert len(await Article.find(author=world["ann"])) == 3
    assert len(await Article.find({Article.author: world["bob"]}, year=2001)) == 1
    assert await Article.find(Article.author.company.name == "Acme").count() == 6
    assert await Article.find((Article.author.boss.name == "Ann") | (Article.title == "Ann 2001")).count() == 4
    assert await Article.find(Article.author.name == "Ann").exists()
    ordered = await Article.find().order_by(-Article.author.name, Article.year).limit(2)
    assert [a.title for a in ordered] == ["Bob 2001", "Bob 2002"]
    assert [p.name for p in await Person.find(Person.boss == None).order_by(Person.name)] == ["Ann", "Cid"]  # noqa: E711
    assert [
        tuple(t)
        for t in await Article.find(Article.year == 2001)
        .order_by(Article.id)
        .tuples(Article.title, Article.author.name)
    ] == [
        ("Ann 2001", "Ann"),
        ("Bob 2001", "Bob"),
    ]
    pairs = await Article.find(Article.year == 2001).order_by(Article.id).tuples(Article, Article.author)
    assert [(a.title, p.name) for a, p in pairs] == [("Ann 2001", "Ann"), ("Bob 2001", "Bob")]


async def test_any_none_all_and_counts(db: Any, sent: Any) -> None:
    world = await make_world()

    def names(people: list[Person]) -> list[str]:
        return sorted(p.name for p in people)

    with sent(
        r'WHERE EXISTS \(SELECT FROM "article" WHERE "article"."author_id" = "person"."id" AND "article"."year" > \$1\)'
    ):
        assert names(await Person.find(Person.articles.any(Article.year > 2002))) == ["Ann", "Bob"]
    assert names(await Person.find(Person.articles.none())) == ["Cid"]
    assert names(await Person.find(Person.articles.all(Article.year > 2000))) == ["Ann", "Bob", "Cid"]
    assert names(await Person.find(Person.articles.all(Article.year > 2001))) == ["Cid"]
    assert names(await Person.find(Person.articles.count() == 3)) == ["Ann", "Bob"]
    assert names(await Person.find(Person.articles.count(Article.year > 2001) >= 2)) == ["Ann", "Bob"]
    assert names(await Person.find(Person.articles.max(Article.year) == 2003)) == ["Ann", "Bob"]
    # The table inside is the one around it: the condition is about the one inside.
    assert names(await Person.find(Person.reports.any(Person.name == "Bob"))) == ["Ann"]
    assert names(await Person.find(Person.reports.any(Person.company.name == "Acme"))) == ["Ann"]
    assert names(await Person.find(Person.reports.count() > 0)) == ["Ann"]
    # Nested, and through a link.
    assert names(await Person.find(Person.articles.any(Article.remarks.any(Remark.author == world["cid"])))) == [
        "Ann",
        "Bob",
    ]
    assert await Article.find(Article.author.articles.count() == 3).count() == 6
    assert await Article.find(Article.author.articles.any(Article.author.name == "Ann")).count() == 3
    assert await Article.find(Article.labels.any(Label.name == "news")).count() == 2
    assert await Article.find(Article.labels.count() == 2).count() == 1
    assert await Label.find(Label.articles.any(Article.author.name == "Ann")).count() == 2
    counted = (
        await Person.find().order_by(-Person.articles.count(), Person.id).tuples(Person.name, Person.articles.count())
    )
    assert counted == [("Ann", 3), ("Bob", 3), ("Cid", 0)]


async def test_mass_writes_through_relations(db: Any) -> None:
    world = await make_world()
    assert await Article.find(Article.author.name == "Ann", Article.year > 2001).update(title="new") == 2
    assert await Article.find(author=world["bob"]).update(author=world["ann"]) == 3
    assert await Person.find(Person.company.name == "Acme", Person.articles.none()).update(age=1) == 1
    assert await Remark.find(Remark.article.author.name == "Ann").delete() == 8
    with pytest.raises(TypeError, match=r"to set them from 'article\.author', join"):
        await Article.find(Article.year > 1).update({Article.title: Article.author.name})
    joined = Article.find(Article.year == 2001).join(Person, Person.id == Article.author.id)
    assert await joined.update({Article.title: Person.name}) == 2
    async with pg_transaction():
        locked = await Article.find(Article.author.company.name == "Acme").for_update()
    assert len(locked) == 6


async def test_many_to_many(db: Any, sent: Any) -> None:
    world = await make_world()
    first, second, third, *_ = world["articles"]
    news, sport = world["news"], world["sport"]
    assert await first.labels.count() == 2 and await third.labels.count() == 0
    assert await first.labels.has(news) and not await second.labels.has(sport)
    assert [x.name for x in await first.labels.find().order_by(Label.name)] == ["news", "sport"]
    assert await first.labels.find(Label.name == "news").count() == 1
    with sent(r'^INSERT INTO "article_labels" .* ON CONFLICT DO NOTHING'):
        assert await second.labels.add(news, sport) == 1
    with sent(r'^DELETE FROM "article_labels"'):
        assert await second.labels.remove(news) == 1
    await third.labels.set([sport, news])
    await third.labels.set([news])
    assert [x.name for x in third.labels] == ["news"] and await third.labels.count() == 1
    assert await first.labels.clear() == 2
    with sent(r'FROM "article"', r'FROM "label" JOIN "article_labels"'):
        rows = await Article.find().order_by(Article.id).fetch_links(Article.labels)
    assert [[x.name for x in r.labels] for r in rows[:3]] == [[], ["sport"], ["news"]]
    await rows[0].labels.add(news)
    assert list(rows[0].labels) == [news]
    labels = await Label.find().order_by(Label.name).fetch_links(Label.articles)
    assert [(x.name, len(x.articles)) for x in labels] == [("news", 2), ("sport", 1)]
    with pytest.raises(NotSaved):
        await Article(title="x", author=world["ann"]).labels.add(news)
    with pytest.raises(ForeignKeyViolation):
        await first.labels.add(999)


async def test_assignment_and_construction(db: Any, sent: Any) -> None:
    world = await make_world()
    ann, bob = world["ann"], world["bob"]
    by_row, by_key = Article(title="x", author=ann), Article(title="x", author=ann.id)
    assert by_row.author_id == by_key.author_id == ann.id  # type: ignore[attr-defined]
    assert by_row.author.is_loaded and not by_key.author.is_loaded
    assert Article.model_validate({"title": "x", "author_id": ann.id}) == by_row
    article = await Article.get(world["articles"][0].id)
    article.author = bob
    assert article.is_changed and article.get_changes() == {"author_id": bob.id} and article.author.name == "Bob"
    with sent(r'UPDATE "article" SET "author_id" = \$1'):
        await article.save()
    article.author_id = ann.id  # type: ignore[attr-defined]
    assert not article.author.is_loaded and article.author.pk == ann.id
    person = await Person.get(bob.id)
    person.company = None
    await person.save()
    assert (await Person.get(bob.id)).company is None
    await person.update(company=world["acme"])
    assert (await Person.get(bob.id)).company == world["acme"]
    with pytest.raises(TypeError, match=r"Article\.author takes a row of Person or its key, not a Company"):
        article.author = world["acme"]
    with pytest.raises(ValidationError, match="author_id"):
        Article(title="x", author="no key")
    with pytest.raises(ValidationError):
        Article(title="x")  # type: ignore[call-arg]


async def test_write_rules(db: Any, sent: Any) -> None:
    await create_all(*ALL)
    article = Article(title="t", author=Person(name="Eve", company=Company(name="New")))
    with pytest.raises(NotSaved, match=r"Article\.author .*link_rule='write'"):
        await article.save()
    with assert_queries(1, kind="insert"), pytest.raises(ForeignKeyViolation):
        await Article(title="t", author=4711).save()
    await article.author.get().save(link_rule="write")
    await article.save()
    assert article.author_id == article.author.pk == article.author.id  # type: ignore[attr-defined]
    author = Person(name="Fay")
    author.articles = [Article.model_construct(title=f"a{i}", year=i) for i in range(3)]
    with sent(r'INSERT INTO "person"', r'INSERT INTO "article"'):
        await author.save(link_rule="write")
    assert await Article.find(author=author).count() == 3
    author.articles[0].title = "changed"
    author.name = "Faye"
    with sent(r'UPDATE "person"', r'UPDATE "article"'):
        await author.save(link_rule="write")
    found = await Person.get(author.id, fetch_links=[Person.articles])
    assert sorted(a.title for a in found.articles) == ["a1", "a2", "changed"]
    assert await found.delete(link_rule="delete_links") and await Article.find(author=author.id).count() == 0


async def test_database_level_cascades(db: Any) -> None:
    world = await make_world()
    await world["acme"].delete()
    assert (await Person.get(world["ann"].id)).company is None
    await Remark.delete_all()
    await Person.find(Person.boss == world["ann"]).update(boss=None)
    await world["ann"].delete()
    assert await Article.find().count() == 3 and await Profile.find().count() == 0
