"""Aliases of tables: columns and relations of the alias, joined behind it."""

from __future__ import annotations

from typing import Any

import pytest
from orm_world import Article, Company, Person, make_world

from data_bridge.postgres import aliased


async def test_links_of_an_alias_are_joined_to_it(db: Any, sent: Any) -> None:
    world = await make_world()
    other = await Company(name="Other").save()
    world["ann"].company = other
    await world["ann"].save()
    boss = aliased(Person, "boss_of")
    query = Person.find().join(boss, boss.id == Person.boss_id)
    found = query.find(boss.company.name == "Other").tuples(Person.name, boss.name, boss.company.name)
    with sent(r'JOIN "person" AS "boss_of" ON .* LEFT JOIN "company" AS "boss_of.company" ON .*"boss_of"."company_id"'):
        assert await found == [("Bob", "Ann", "Other")]
    # The table itself has the same relation, under another name.
    both = query.find(Person.company.name == "Acme", boss.company.name == "Other")
    assert [p.name for p in await both] == ["Bob"]
    assert await query.find(boss.company.name == "Acme").count() == 0
    with sent("company_id"):  # the key is in the alias: nothing is joined for it
        assert await query.find(boss.company == other).count() == 1
    assert await query.find(boss.company.id == other.id).count() == 1
    assert [p.name for p in await query.order_by(boss.company.name)] == ["Bob"]


async def test_chains_and_many_rows_from_an_alias(db: Any) -> None:
    world = await make_world()
    author = aliased(Person)
    query = Article.find().join(author, author.id == Article.author_id)
    assert await query.find(author.boss.company.name == "Acme").scalars(Article.title).order_by("title") == [
        f"Bob {year}" for year in (2001, 2002, 2003)
    ]
    assert await query.find(author.reports.any(Person.name == "Bob")).count() == 3
    assert await query.find(author.articles.any(Article.year > 2002), author.reports.none()).count() == 3
    assert await query.find(author.articles.count() == 3).count() == 6
    # An outer join keeps its rows whatever is joined behind it.
    boss = aliased(Person, "b")
    every = Person.find().join(boss, boss.id == Person.boss_id, how="left").order_by(Person.id)
    assert await every.tuples(Person.name, boss.profile.bio) == [("Ann", None), ("Bob", "writes"), ("Cid", None)]
    assert await every.find(boss.company.name == "Acme").update(age=1) == 1
    assert (await Person.get(world["bob"].id)).age == 1


def test_relations_of_an_alias_are_not_fetched() -> None:
    boss = aliased(Person, "boss")
    assert repr(boss.company) == "<boss.company>" and boss.company is boss.company
    with pytest.raises(TypeError, match="not a relation of Person"):
        Person.find().fetch_links(boss.company)
    with pytest.raises(AttributeError, match="nmae"):
        _ = boss.nmae  # type: ignore[attr-defined]
