"""Single columns and expressions have the values that their types promise, as instances have."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel

from data_bridge.orm import Col, Column, IdMixin, Table, aliased, create_all
from data_bridge.query import func


class Mood(Enum):
    SAD = "sad"
    GLAD = "glad"


class Place(BaseModel):
    street: str


class Guest(IdMixin, Table):
    mood: Col[Mood | None] = Column(default=None)
    place: Col[Place]
    visits: Col[int]

    class Settings:
        name = "guests_of_conversion"


class Visit(IdMixin, Table):
    guest_id: Col[int]
    felt: Col[Mood]

    class Settings:
        name = "visits_of_conversion"


HOME = Place(street="Main")


async def ready() -> Guest:
    await create_all(Guest, Visit)
    first = await Guest.create(mood=Mood.GLAD, place=HOME, visits=2**62)
    await Guest.create(place=HOME, visits=2**62)
    await Visit.create(guest_id=first.id, felt=Mood.SAD)
    return first


async def test_columns(db: Any) -> None:
    first = await ready()
    one = Guest.find(Guest.id == first.id)
    everyone = Guest.find().order_by(Guest.id)
    assert await everyone.tuples(Guest.mood, Guest.place) == [(Mood.GLAD, HOME), (None, HOME)]
    assert await everyone.values(Guest.mood, Guest.place.label("where")) == [
        {"mood": Mood.GLAD, "where": HOME},
        {"mood": None, "where": HOME},
    ]
    assert await one.values() == [{"id": first.id, "mood": Mood.GLAD, "place": HOME, "visits": 2**62}]
    assert await one.scalars(Guest.mood) == [Mood.GLAD]
    assert await one.tuples(Guest.mood).first() == (Mood.GLAD,)
    assert await one.scalars(Guest.mood).first() is Mood.GLAD
    assert [row async for row in one.tuples(Guest.mood)] == [(Mood.GLAD,)]
    joined = one.join(Visit, Visit.guest_id == Guest.id)
    assert await joined.tuples(Guest, Visit.felt, Guest.mood) == [(first, Mood.SAD, Mood.GLAD)]
    other = aliased(Guest, "other")
    assert await one.join(other, other.id == Guest.id).tuples(other.mood, other.place) == [(Mood.GLAD, HOME)]


async def test_expressions(db: Any) -> None:
    await ready()
    everyone = Guest.find()
    # More than a bigint holds: the server adds up numeric.
    assert await everyone.sum(Guest.visits) == 2**63
    total = await everyone.aggregate(n=func.sum(Guest.visits), mood=func.max(Guest.mood), n2=func.count())
    assert total == [{"n": 2**63, "mood": Mood.GLAD, "n2": 2}]
    assert all(type(value) is int for row in total for key, value in row.items() if key != "mood")
    assert await everyone.max(Guest.mood) is Mood.GLAD
    assert await everyone.tuples(func.array_agg(Guest.mood).order_by(Guest.id)) == [([Mood.GLAD, None],)]
    assert await everyone.tuples(
        func.sum(Guest.visits).over(), func.first_value(Guest.mood).over(order_by=Guest.id)
    ) == [
        (2**63, Mood.GLAD),
        (2**63, Mood.GLAD),
    ]
    assert await everyone.tuples(func.coalesce(Guest.mood, "sad")).order_by(Guest.id) == [(Mood.GLAD,), (Mood.SAD,)]
    grouped = Guest.find().group_by(Guest.mood.label("mood")).aggregate(n=func.sum(Guest.visits)).order_by("mood")
    assert await grouped == [{"mood": Mood.GLAD, "n": 2**62}, {"mood": None, "n": 2**62}]
    assert await Guest.find(Guest.id < 0).sum(Guest.visits) is None
