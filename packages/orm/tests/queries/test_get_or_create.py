"""get_or_create() and update_or_create() search for what would be stored."""

import asyncio
from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import HttpUrl, SecretStr, StringConstraints, ValidationError, field_validator, model_validator

from data_bridge.postgres import (
    Col,
    Column,
    ConfigurationError,
    IdMixin,
    Insert,
    Link,
    NotSaved,
    SoftDeleteMixin,
    UniqueViolation,
    before_event,
    create_all,
    pg_transaction,
)

Lower = Annotated[str, StringConstraints(to_lower=True, strip_whitespace=True)]


class Shade(Enum):
    DARK = "dark"


class SoughtOwner(IdMixin):
    name: Col[Lower] = Column(unique=True)


class Sought(IdMixin):
    lower: Col[Lower | None] = Column(default=None)
    url: Col[HttpUrl | None] = Column(default=None)
    secret: Col[SecretStr | None] = Column(default=None)
    shade: Col[Shade | None] = Column(default=None)
    digits: Col[str | None] = Column(default=None, name="the_digits")
    aliased: Col[str | None] = Column(default=None, alias="Aliased")
    number: Col[int | None] = Column(default=None)
    owner: Link[SoughtOwner | None] = Column(default=None)
    required: Col[str] = Column()

    @field_validator("digits", mode="before")
    @classmethod
    def only_digits(cls, value: Any) -> Any:
        return "".join(c for c in value if c.isdigit()) if isinstance(value, str) else value


KEYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lower": ({"lower": " New "}, {"lower": "new"}),
    "url": ({"url": "http://x.com"}, {"url": HttpUrl("http://x.com/")}),
    "secret": ({"secret": "s"}, {"secret": SecretStr("s")}),
    "enum": ({"shade": "dark"}, {"shade": Shade.DARK}),
    "validator and column": ({"the_digits": "1-2"}, {"digits": "12"}),
    "alias": ({"Aliased": "a"}, {"aliased": "a"}),
    "name of an alias": ({"aliased": "a"}, {"aliased": "a"}),
    "text of a number": ({"number": "5"}, {"number": 5}),
    "null": ({"lower": None, "number": 1}, {"lower": None, "number": 1}),
}


@pytest.mark.parametrize("how", KEYS)
async def test_one_row_however_often(db: Any, how: str) -> None:
    await create_all(SoughtOwner, Sought)
    given, expected = KEYS[how]
    first = await Sought.get_or_create({"required": "r"}, **given)
    again = await Sought.get_or_create({"required": "r"}, **given)
    found = await Sought.get_or_create(**given)  # what a new row would need is not asked of one that is there
    assert (first.created, again.created, found.created) == (True, False, False)
    assert first.row.id == again.row.id == found.row.id and await Sought.count() == 1
    there = await Sought.get(first.row.id)
    assert {k: getattr(there, k) for k in expected} == expected
    updated = await Sought.update_or_create(
        {"lower": "UP ", "Aliased": "z"}, number=None if how == "url" else there.number, id=there.id
    )
    assert not updated.created and (updated.row.lower, updated.row.aliased) == ("up", "z")
    assert (await Sought.get(there.id)).lower == "up"


async def test_links_and_errors(db: Any) -> None:
    await create_all(SoughtOwner, Sought)
    owner = await SoughtOwner(name="o").save()
    row = (await Sought.get_or_create({"required": "r"}, owner=owner)).row
    assert row.owner.is_loaded and (await Sought.get_or_create(owner=owner.id)).row.id == row.id
    assert (await Sought.get_or_create(owner_id=owner.id)).row.id == row.id
    unsaved = SoughtOwner(name="later")
    for doing in (Sought.get_or_create({"required": "r"}, owner=unsaved), row.update(owner=unsaved)):
        with pytest.raises(NotSaved, match=r"Sought\.owner"):
            await doing
    with pytest.raises(NotSaved):
        Sought.find(owner=unsaved)
    with pytest.raises(ValidationError):
        await Sought.get_or_create(number="five", required="r")
    with pytest.raises(ValidationError):
        await Sought.get_or_create(number=77)  # a new row needs the required field
    with pytest.raises(AttributeError, match="number"):
        await Sought.get_or_create(nunber=5)
    with pytest.raises(ConfigurationError, match="twice"):
        await Sought.get_or_create(aliased="a", Aliased="b")


class Whole(IdMixin):
    code: Col[Lower] = Column(unique=True)
    low: Col[int] = Column(default=0)
    high: Col[int] = Column(default=1)

    @field_validator("code", mode="after")
    @classmethod
    def marked(cls, value: str) -> str:
        return value.replace("_", "-")

    @model_validator(mode="after")
    def ordered(self) -> "Whole":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


async def test_validators_of_the_whole_model(db: Any) -> None:
    await create_all(Whole)
    assert (await Whole.get_or_create({"high": 9}, code="A_B", low=5)).created
    row, created = await Whole.get_or_create(code="a_b", low=5)
    assert (row.code, row.high, created) == ("a-b", 9, False)


class Slugged(IdMixin):
    slug: Col[str] = Column(default="")

    @before_event(Insert)
    def make_slug(self) -> None:
        self.slug = self.slug.lower()


async def test_values_that_an_event_sets(db: Any) -> None:
    await create_all(Slugged)
    made = [await Slugged.get_or_create(slug=s) for s in ("A", "A", "a", "B")]
    assert [m.created for m in made] == [True, False, False, True] and await Slugged.count() == 2


class Taken(IdMixin, SoftDeleteMixin):
    a: Col[str] = Column(unique=True)
    b: Col[str] = Column(default="", unique=True)


async def test_another_constraint_in_the_way(db: Any) -> None:
    await create_all(Taken)
    row = await Taken(a="a", b="b").save()
    async with pg_transaction():
        with pytest.raises(UniqueViolation) as caught:
            await Taken.get_or_create({"b": "b"}, a="other")
        assert caught.value.constraint is not None and "b" in caught.value.constraint
        assert await Taken.count() == 1  # the transaction goes on
    await row.delete()
    with pytest.raises(UniqueViolation) as caught:
        async with pg_transaction():
            await Taken.get_or_create(a="a")
    assert "with_deleted()" in caught.value.__notes__[0]


async def test_many_at_once(committed: Any) -> None:
    await create_all(SoughtOwner)
    made = await asyncio.gather(*(SoughtOwner.get_or_create(name=n) for n in ("X", "x", " X", "x ", "X")))
    assert sum(m.created for m in made) == 1 and len({m.row.id for m in made}) == 1
    await committed.execute("DROP TABLE sought_owner")
