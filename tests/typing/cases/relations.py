"""Relations, events and what else the ORM adds, as checkers see them."""

from __future__ import annotations

from typing import Any, assert_type

from pydantic import BaseModel

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    ColumnProxy,
    Delete,
    Expr,
    IdMixin,
    Insert,
    Link,
    Linked,
    Many,
    ManyToMany,
    SoftDeleteMixin,
    after_commit,
    after_event,
    before_event,
)


class Team(IdMixin):
    name: Col[str]
    members: BackLink[list[Member]] = BackLink("team")


class Member(IdMixin, SoftDeleteMixin):
    name: Col[str]
    age: Col[int]
    team: Link[Team] = Column(on_delete="CASCADE")
    mentor: Link[Member | None] = Column(default=None)
    card: BackLink[Card | None] = BackLink("member")
    skills: ManyToMany[Skill] = ManyToMany(through="member_skills")

    @before_event(Insert)
    def normalise(self) -> None:
        self.name = self.name.strip()

    @after_event(Insert, Delete)
    async def tell(self) -> None: ...

    @after_commit(Insert)
    async def told(self) -> None: ...


class Card(IdMixin):
    member: Link[Member] = Column(unique=True)


class Skill(IdMixin):
    name: Col[str]
    members: ManyToMany[Member] = ManyToMany(through="member_skills")


def on_the_class() -> None:
    assert_type(Member.team, type[Team])
    assert_type(Member.team.name, ColumnProxy[str])
    assert_type(Member.mentor, type[Member])
    assert_type(Member.mentor.age, ColumnProxy[int])
    assert_type(Member.team.members.count(), Expr[int])
    Member.find(Member.team.name == "x", Member.mentor.age > 3, Member.mentor.team.name.like("x%"))
    Team.find(Team.members.any(Member.age > 3), Team.members.count() > 2)
    Team.find().order_by(-Team.members.count())
    Member.find(Member.skills.any(Skill.name == "x"))
    Member.find().fetch_links(Member.team, Member.mentor.team, Team.members.order_by(-Member.age).limit(3))
    Member.find(Member.team.nme == "x")  # error
    Member.find(Member.team.name > 3)  # error
    Team.find(Team.members.count() > "x")  # error


async def on_an_instance(member: Member, team: Team, skill: Skill) -> None:
    assert_type(member.team, Linked[Team])
    assert_type(await member.team, Team)
    assert_type(member.team.get(), Team)
    assert_type(member.team.is_loaded, bool)
    assert_type(member.mentor, Linked[Member] | None)
    assert_type(team.members, list[Member])
    assert_type(member.card, Card | None)
    assert_type(member.skills, Many[Skill])
    assert_type(await member.skills.add(skill), int)
    assert_type(await member.skills.has(skill), bool)
    assert_type(await member.skills.find().to_list(), list[Skill])
    assert_type([s.name for s in member.skills], list[str])
    assert_type(await member.fetch("team"), Member)
    assert_type(await Member.get(1, fetch_links=True), Member)
    assert_type(await Member.find(fetch_links=True).to_list(), list[Member])
    assert_type(await Member.with_deleted().to_list(), list[Member])
    assert_type(await member.save(link_rule="write", skip_events=[Insert]), Member)
    assert_type(Member.input_model(), type[BaseModel])
    member.team = team
    member.mentor = None
    member.mentor = member
    team.members = [member]
    member.team = skill  # error
    team.members = [skill]  # error
    await member.skills.has(team)  # error


def constructing(team: Team) -> None:
    Member(name="x", age=1, team=team)
    Member(name="x", age=1, team=team, mentor=None)
    Member(name="x", age=1, team=3)
    Member(name="x", age=1)  # error: mypy pyright ty
    Member(name="x", age=1, team=[])  # error: mypy pyright


def results(team: Team) -> Any:
    return Team.merge([team], on=[Team.name]).when_matched().update().when_not_matched().insert()


async def the_column_of_a_link(member: Member, team: Team) -> None:
    Member.find(Member.team.id == 3, Member.team.id.in_([1, 2]))
    Member.find(team=team)
    Member.find({Member.team: team})
    Member(name="x", age=1, team=3)
    assert_type(Member.team.id == team.id, Expr[bool])
    await Member.find().order_by(Member.team.id).select(Member.name, Member.team.id)
