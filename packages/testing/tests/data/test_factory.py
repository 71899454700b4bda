"""Factories and strategies for Table classes, checked by PostgreSQL itself."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import pytest
from annotated_types import Ge, Interval, Len
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel

from data_bridge.core import ConfigurationError
from data_bridge.postgres import Column, Table, create_all
from data_bridge.testing import Factory, Sandbox, SubFactory, Trait, assert_queries, rows


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    number: int


class Company(Table):
    class Settings:
        name = "factory_company"

    id: int = Column(primary_key=True, auto_increment=True)
    name: str = Column(unique=True, max_length=12)


class Person(Table):
    class Settings:
        name = "factory_person"

    id: int = Column(primary_key=True, auto_increment=True)
    company_id: int = Column(foreign_key="factory_company.id")
    boss_id: int | None = Column(foreign_key="factory_person.id", default=None)
    email: str = Column(unique=True, max_length=255)
    code: str = Column(max_length=3)
    age: Annotated[int, Interval(ge=18, lt=100)]
    score: Annotated[int, Ge(10)] = Column(type="smallint")
    salary: Decimal = Column(precision=8, scale=2)
    colour: Colour
    kind: Literal["a", "b"]
    key: UUID
    born: datetime
    active: bool
    tags: list[str]
    nick: str | None = None
    role: str = "user"
    motto: Annotated[str, Len(5, 9)]


class CompanyFactory(Factory[Company]):
    pass


class PersonFactory(Factory[Person]):
    email = lambda n: f"person{n}@example.org"  # noqa: E731
    admin = Trait(role="admin", nick="root")


@pytest.fixture(scope="session")
def people() -> object:
    return [Company, Person]


pytestmark = pytest.mark.db(template="people")


def test_build_asks_nothing() -> None:
    person = PersonFactory.build(company_id=1, kind="a")
    assert person.email.endswith("@example.org")
    assert 18 <= person.age < 100
    assert 10 <= person.score < 2**15
    assert len(person.code) <= 3
    assert 5 <= len(person.motto) <= 9
    assert person.salary == person.salary.quantize(Decimal("0.01"))
    assert (person.nick, person.role, person.kind) == (None, "user", "a")


def test_the_nth_row_is_always_the_same() -> None:
    PersonFactory.reset()
    first = PersonFactory.build(company_id=1).model_dump()
    PersonFactory.reset()
    assert PersonFactory.build(company_id=1).model_dump() == first
    assert PersonFactory.build(company_id=1).model_dump() != first


async def test_factories_of_one_class_do_not_meet(db: Sandbox) -> None:
    class Other(Factory[Company]):
        pass

    names = {(await factory.create()).name for factory in (CompanyFactory, Other, Factory.of(Company)) for _ in "ab"}
    assert len(names) == 6


def test_traits() -> None:
    admin = PersonFactory.build(company_id=1, admin=True)
    assert (admin.role, admin.nick) == ("admin", "root")
    assert PersonFactory.build(company_id=1, admin=False).role == "user"
    assert PersonFactory.build(company_id=1, admin=True, nick="other").nick == "other"


async def test_create_makes_required_parents(db: Sandbox) -> None:
    person = await PersonFactory.create()
    company = await Company.get(person.company_id)
    assert company.name
    assert person.boss_id is None
    assert await Person.count() == 1


async def test_a_batch_is_one_statement_per_table(db: Sandbox) -> None:
    with assert_queries(2, kind="insert"):
        made = await PersonFactory.create_batch(50)
    assert len({person.id for person in made}) == 50
    assert await Company.count() == 50
    company = await CompanyFactory.create(name="one")
    with assert_queries(1):
        await PersonFactory.create_batch(5, company_id=company.id)
    assert await Person.count(Person.company_id == company.id) == 5
    assert await PersonFactory.create_batch(0) == []


async def test_sub_factories(db: Sandbox) -> None:
    class Worker(Factory[Person]):
        company_id = SubFactory(CompanyFactory, name="the firm")
        email = lambda n: f"worker{n}@example.org"  # noqa: E731

    worker = await Worker.create()
    assert (await Company.get(worker.company_id)).name == "the firm"
    assert isinstance(Worker.build().email, str)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ConfigurationError, match="'shoe_size' is not a field or Link of Person"):
        PersonFactory.build(shoe_size="x")

    class Nothing(Factory):  # type: ignore[type-arg]
        pass

    with pytest.raises(ConfigurationError, match="has no model"):
        Nothing.build()


async def test_a_parent_that_two_classes_map_is_no_guess(db: Sandbox) -> None:
    """The first class by chance would fill the columns that the other one needs, or not."""

    class CompanyCard(Table):
        class Settings:
            name = "factory_company"

        id: int = Column(primary_key=True, auto_increment=True)
        name: str = Column(unique=True, max_length=12)

    try:
        with pytest.raises(ConfigurationError) as caught:
            await PersonFactory.create()
        message = str(caught.value)
        assert "Person.company_id points to a table that 2 classes map" in message
        assert f"{__name__}.Company and {__name__}.{CompanyCard.__qualname__}" in message
        assert "hint: say which one in the factory: company_id = SubFactory(CompanyFactory)" in message

        class Employee(PersonFactory):
            company_id = SubFactory(CompanyFactory)

        class CardHolder(PersonFactory):
            company_id = SubFactory(Factory.of(CompanyCard), name="by card")

        assert (await Employee.create()).company_id, "numbered on from PersonFactory: addresses are unique"
        assert (await Company.get((await CardHolder.create()).company_id)).name == "by card"
        assert (await PersonFactory.create(company_id=(await CompanyFactory.create()).id)).id
        assert isinstance(PersonFactory.build().company_id, int), "without a database no parent is needed"
    finally:
        _forget(CompanyCard)


def _forget(model: type[Table]) -> None:
    """Tables are known as long as their classes live, and classes live in cycles."""
    from data_bridge.orm import registry

    registry._classes.discard(model)


def test_checks_are_respected() -> None:
    from data_bridge.postgres import Check

    class Pair(Table):
        class Settings:
            name = "factory_pair"
            constraints = [Check("low < high")]

        id: int = Column(primary_key=True, auto_increment=True)
        low: int
        high: int

    pair = Factory.of(Pair).build()
    assert isinstance(pair.low, int)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(person=rows(Person, company_id=1, boss_id=None))
def test_every_generated_row_is_accepted(db: Sandbox, person: Person) -> None:
    async def save() -> None:
        async with db.example():
            await Company(id=1, name="c").save()
            await person.insert()
            again = await Person.get(person.id)
            assert again.email == person.email
            assert again.salary == person.salary
            assert again.colour is person.colour

    asyncio.run(save())


def test_a_table_of_its_own_template() -> None:
    assert callable(create_all)
