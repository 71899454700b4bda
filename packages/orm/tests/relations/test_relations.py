"""Relations between tables: declared, awaited, fetched; never more queries than relations."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest
from orm_world import Article, Company, Label, Person, Profile, make_world
from pydantic import BaseModel, ConfigDict, ValidationError

from data_bridge.postgres import (
    Column,
    ColumnNotLoaded,
    IdMixin,
    Link,
    Linked,
    LinkNotLoaded,
    Table,
    pg_transaction,
)
from data_bridge.testing import assert_queries


def test_a_link_makes_its_column_with_key_index_and_type() -> None:
    ddl = Article.ddl()
    assert '"author_id" bigint NOT NULL' in ddl
    assert 'FOREIGN KEY ("author_id") REFERENCES "person" ("id") ON DELETE CASCADE' in ddl
    assert 'CREATE INDEX "article_author_id_idx"' in ddl
    assert '"company_id" bigint,' in Person.ddl() and "ON DELETE SET NULL" in Person.ddl()
    assert set(Article.model_fields) == {"id", "title", "year", "author_id"}
    assert Article.model_json_schema()["required"] == ["title", "author_id"]


async def test_an_unloaded_link_says_how_to_fetch_it(db: Any, sent: Any) -> None:
    world = await make_world()
    article = await Article.get(world["articles"][0].id)
    with sent():
        link: Any = article.author
        assert isinstance(link, Linked) and not link.is_loaded and link.pk == world["ann"].id
        with pytest.raises(
            LinkNotLoaded, match=r"Article\.author\.name .*fetch_links\(Article\.author\).*await row\.author"
        ):
            _ = link.name
        with pytest.raises(LinkNotLoaded, match=r"Article\.remarks .*fetch_links\(Article\.remarks\)"):
            _ = article.remarks
        with pytest.raises(LinkNotLoaded, match=r"Article\.labels .*fetch_links\(Article\.labels\)"):
            len(article.labels)
        with pytest.raises(LinkNotLoaded):
            hasattr(article, "remarks")
    person = await Person.get(world["cid"].id)
    assert person.company is None and person.boss is None


async def test_await_loads_and_several_at_once_are_one_query(db: Any, sent: Any) -> None:
    await make_world()
    articles = await Article.find().order_by(Article.id)
    with sent(r'FROM "person" WHERE "person"."id" = ANY\(\$1\)'):
        ann = await articles[0].author
    assert ann.name == "Ann" and articles[0].author.name == "Ann"
    with sent():
        assert await articles[0].author is ann
    with sent(r'FROM "person" WHERE "person"."id" = ANY\(\$1\)'):
        found = await asyncio.gather(*(_author(a) for a in articles[1:]))
    assert [p.name for p in found] == ["Ann", "Ann", "Bob", "Bob", "Bob"]
    assert found[0] is found[1]


async def _author(article: Article) -> Person:
    return await article.author


async def test_awaiting_inside_a_transaction_sees_its_rows(db: Any) -> None:
    await make_world()
    async with pg_transaction():
        dan = await Person(name="Dan").save()
        article = await Article(title="x", author_id=dan.id).save()  # type: ignore[call-arg]
        fresh = await Article.get(article.id)
        assert (await fresh.author).name == "Dan"


async def test_a_cancelled_waiter_leaves_the_others_alone(db: Any) -> None:
    await make_world()
    articles = await Article.find().order_by(Article.id)
    tasks = [asyncio.ensure_future(_author(a)) for a in articles]
    await asyncio.sleep(0)
    tasks[0].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [p.name for p in found[1:] if isinstance(p, Person)] == ["Ann", "Ann", "Bob", "Bob", "Bob"]


async def test_fetch_links_joins_one_and_asks_once_for_many(db: Any, sent: Any) -> None:
    await make_world()
    with sent(r'JOIN "person" AS "article.author"'):
        articles = await Article.find().order_by(Article.id).fetch_links(Article.author)
    with sent():
        assert [a.author.name for a in articles] == ["Ann"] * 3 + ["Bob"] * 3
    assert articles[0].author.get() is articles[1].author.get()
    with sent(r'LEFT JOIN "company"', r'FROM "article" WHERE "article"."author_id" = ANY'):
        people = await Person.find().order_by(Person.id).fetch_links(Person.company, Person.articles)
    with sent():
        assert [(p.name, p.company and p.company.name, len(p.articles)) for p in people] == [
            ("Ann", "Acme", 3),
            ("Bob", "Acme", 3),
            ("Cid", None, 0),
        ]


async def test_nested_paths_cost_one_query_per_many(db: Any, sent: Any) -> None:
    await make_world()
    with sent(
        r'^SELECT .* FROM "article" JOIN "person" AS "article.author"',
        r'^SELECT .* FROM "remark" JOIN "person" AS "remark.author" .* = ANY',
    ):
        articles = await Article.find().order_by(Article.id).fetch_links(Article.author, Article.remarks.author)
    assert {r.author.name for r in articles[0].remarks} == {"Bob", "Cid"} and articles[5].remarks == []
    with sent(
        r"FROM \"company\"", r'FROM "person" .*ANY', r'FROM "article" .*ANY', r'FROM "label" JOIN "article_labels"'
    ):
        (acme,) = await Company.find().fetch_links(Company.people.articles.labels)
    assert sorted(x.name for x in next(p for p in acme.people if p.name == "Ann").articles[0].labels) == [
        "news",
        "sport",
    ]
    with sent(r'FROM "article" JOIN "person" AS "article.author" .* LEFT JOIN "company" AS "article.author.company"'):
        article = (await Article.find(Article.title == "Ann 2001").fetch_links("author.company"))[0]
    assert article.author.company.name == "Acme"


async def test_lists_are_filtered_ordered_and_limited_per_parent(db: Any, sent: Any) -> None:
    await make_world()
    with sent(
        r'FROM "person"', r'unnest\(\$1::bigint\[\]\).* CROSS JOIN LATERAL .*ORDER BY "article"."year" DESC LIMIT'
    ):
        people = await Person.find().order_by(Person.id).fetch_links(Person.articles.order_by(-Article.year).limit(2))
    assert [[a.year for a in p.articles] for p in people] == [[2003, 2002], [2003, 2002], []]
    people = (
        await Person.find()
        .order_by(Person.id)
        .fetch_links(Person.articles.find(Article.year > 2001).order_by(Article.year))
    )
    assert [[a.year for a in p.articles] for p in people] == [[2002, 2003], [2002, 2003], []]
    refined = Person.articles.order_by(Article.year).offset(1).limit(1).fetch_links(Article.author)
    people = await Person.find().order_by(Person.id).fetch_links(refined)
    assert [[(a.year, a.author.name) for a in p.articles] for p in people] == [[(2002, "Ann")], [(2002, "Bob")], []]
    labelled = await Article.find().order_by(Article.id).fetch_links(Article.labels.order_by(-Label.name).limit(1))
    assert [[x.name for x in a.labels] for a in labelled[:3]] == [["sport"], ["news"], []]


async def test_one_to_one_and_back(db: Any, sent: Any) -> None:
    world = await make_world()
    with sent(r'LEFT JOIN "profile" AS "person.profile" ON "person.profile"."person_id" = "person"."id"'):
        people = await Person.find().order_by(Person.id).fetch_links(Person.profile)
    assert people[0].profile is not None and people[0].profile.bio == "writes" and people[1].profile is None
    assert [p.name for p in await Person.find(Person.profile.bio == "writes")] == ["Ann"]
    assert [p.name for p in await Person.find(Person.profile.id == None).order_by(Person.id)] == ["Bob", "Cid"]  # noqa: E711
    with pytest.raises(Exception, match="profile_person_id_key"):
        await Profile(bio="again", person=world["ann"]).save()


async def test_fetch_of_rows_that_are_here(db: Any, sent: Any) -> None:
    world = await make_world()
    ann = await Person.get(world["ann"].id)
    with sent(r'FROM "article"', r'FROM "remark"'):
        assert await ann.fetch("articles.remarks") is ann
    assert len(ann.articles) == 3 and len(ann.articles[0].remarks) == 2
    with assert_queries(4):
        await ann.fetch_all_links()
    assert ann.company is not None and ann.company.name == "Acme" and ann.profile is not None
    with sent(r'FROM "person".*LEFT JOIN.*LEFT JOIN.*LEFT JOIN', r'FROM "person" .*ANY', r'FROM "article" .*ANY'):
        ann = await Person.get(world["ann"].id, fetch_links=True)
    assert [p.name for p in ann.reports] == ["Bob"]
    found = await Person.find_one(Person.name == "Bob", fetch_links=[Person.boss])
    assert found is not None and found.boss is not None and found.boss.name == "Ann"
    deep = await Company.find().fetch_links(depth=2)
    assert len(deep[0].people[0].articles) == 3
    with pytest.raises(AttributeError, match="Person has no relation 'artcles': did you mean 'articles'"):
        await ann.fetch("artcles")
    with pytest.raises(TypeError, match=r"is not a relation of Person"):
        Person.find().fetch_links(Article.author)
    with pytest.raises(TypeError, match="needs instances"):
        Person.find().values(Person.name).fetch_links(Person.boss)


async def test_streams_batches_and_pages_fetch_per_batch(db: Any, sent: Any) -> None:
    await make_world()
    query = Article.find().order_by(Article.id).fetch_links(Article.author, Article.remarks)
    seen = [(a.author.name, len(a.remarks)) async for a in query]
    assert seen == [("Ann", 2)] * 3 + [("Bob", 2)] + [("Bob", 0)] * 2
    batches = [b async for b in query.batches(4)]
    assert [len(b) for b in batches] == [4, 2] and batches[1][0].author.name == "Bob"
    page = await query.page(1, 2)
    assert page.items[0].author.name == "Ann"
    keyset = await Article.find().order_by(Article.year).fetch_links(Article.author).paginate(3)
    assert keyset.items[0].author.is_loaded
    first = await query.first()
    assert first is not None and first.author.is_loaded


async def test_partial_instances_fetch_too(db: Any) -> None:
    await make_world()
    rows = await Article.find().order_by(Article.id).select(Article.title, Article.author).fetch_links(Article.author)
    assert rows[0].author.name == "Ann"
    rows = await Article.find().order_by(Article.id).select(Article.title).fetch_links(Article.remarks)
    assert len(rows[0].remarks) == 2
    with pytest.raises(ColumnNotLoaded, match=r"Article\.author needs Article\.author_id, which was not loaded"):
        _ = rows[0].author


async def test_copies_and_pickles_keep_what_was_fetched(db: Any) -> None:
    world = await make_world()
    article = (await Article.find(Article.year == 2001).fetch_links(Article.author, Article.remarks))[0]
    for made in (copy.copy(article), copy.deepcopy(article), pickle.loads(pickle.dumps(article)), article.model_copy()):
        assert made == article and made.author.name == "Ann" and len(made.remarks) == 2
        assert not made.is_changed
    assert article.model_dump() == {"id": article.id, "title": "Ann 2001", "year": 2001, "author_id": world["ann"].id}
    plain = await Article.get(article.id)
    assert plain == article
    ann = await Person.get(article.author.pk, fetch_links=["articles"])
    for a in ann.articles:
        a.author = ann  # rows that hold each other
    deep, unpickled = copy.deepcopy(ann), pickle.loads(pickle.dumps(ann))
    for made_of in (deep, unpickled):
        assert made_of is not ann and made_of.articles[0] is not ann.articles[0]
        assert made_of.articles[0].author.get() is made_of
    other = article.model_copy(update={"author": deep, "title": "new"})
    assert other.author.get() is deep and other.get_changes() == {"title": "new"}


class PersonOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str


class ArticleOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    title: str
    author: PersonOut
    labels: list[str] = []


class Fixed(IdMixin):
    model_config = ConfigDict(frozen=True)
    owner: Link[Person]


def test_a_frozen_row_keeps_its_link() -> None:
    row = Fixed(owner=Person(id=1, name="a"))
    with pytest.raises(ValidationError, match="frozen"):
        row.owner = Person(id=2, name="b")
    assert row.owner.pk == 1 and row.owner.name == "a"


async def test_responses_are_made_of_what_was_fetched(db: Any) -> None:
    await make_world()
    article = (await Article.find(Article.year == 2001).fetch_links(Article.author))[0]

    class Out(BaseModel):
        model_config = ConfigDict(from_attributes=True)
        title: str
        author: PersonOut

    assert Out.model_validate(article).model_dump() == {"title": "Ann 2001", "author": {"name": "Ann"}}


class Loose(Table):
    id: int = Column(primary_key=True)
    person_id: int
    person: Link[Person] = Column(default=None)


def test_a_declared_column_serves_its_link() -> None:
    assert list(Loose.model_fields) == ["id", "person_id"]
    assert 'FOREIGN KEY ("person_id") REFERENCES "person" ("id")' in Loose.ddl()
    assert Loose(id=1, person_id=7).person.pk == 7
