"""People, companies, articles: what the tests of relations work on."""

from __future__ import annotations

from typing import Any

from data_bridge.postgres import BackLink, Col, Column, IdMixin, Link, ManyToMany, create_all


class Company(IdMixin):
    name: Col[str]
    people: BackLink[list[Person]] = BackLink("company")


class Person(IdMixin):
    name: Col[str]
    age: Col[int] = Column(default=30)
    company: Link[Company | None] = Column(default=None, on_delete="SET NULL")
    boss: Link[Person | None] = Column(default=None)
    reports: BackLink[list[Person]] = BackLink("boss")
    articles: BackLink[list[Article]] = BackLink("author")
    profile: BackLink[Profile | None] = BackLink("person")


class Profile(IdMixin):
    bio: Col[str]
    person: Link[Person] = Column(unique=True, on_delete="CASCADE")


class Article(IdMixin):
    title: Col[str]
    year: Col[int] = Column(default=2000)
    author: Link[Person] = Column(on_delete="CASCADE")
    remarks: BackLink[list[Remark]] = BackLink("article")
    labels: ManyToMany[Label] = ManyToMany(through="article_labels")


class Remark(IdMixin):
    text: Col[str]
    article: Link[Article] = Column(on_delete="CASCADE")
    author: Link[Person]


class Label(IdMixin):
    name: Col[str] = Column(unique=True)
    articles: ManyToMany[Article] = ManyToMany(through="article_labels")


ALL = (Company, Person, Profile, Article, Remark, Label)


async def make_world() -> dict[str, Any]:
    await create_all(*ALL)
    acme = await Company(name="Acme").save()
    ann = await Person(name="Ann", company=acme, age=50).save()
    bob = await Person(name="Bob", company=acme, boss=ann).save()
    cid = await Person(name="Cid").save()
    await Profile(bio="writes", person=ann).save()
    rows = [Article(title=f"{p.name} {y}", year=y, author=p) for p in (ann, bob) for y in (2001, 2002, 2003)]
    articles = await Article.insert_many(rows)
    await Remark.insert_many(
        [Remark(text=f"{a.title} by {p.name}", article=a, author=p) for a in articles[:4] for p in (bob, cid)]
    )
    news, sport = await Label.insert_many([Label(name="news"), Label(name="sport")])
    await articles[0].labels.add(news, sport)
    await articles[1].labels.add(news)
    return {"acme": acme, "ann": ann, "bob": bob, "cid": cid, "articles": articles, "news": news, "sport": sport}
