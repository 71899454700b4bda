"""A column of a registered type holds values of its field's class, or the error names the field."""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Annotated, Any

import pytest
from orm_loading import WAYS, made
from pydantic import BaseModel, BeforeValidator, ConfigDict

from data_bridge.postgres import (
    Col,
    Column,
    DecodeError,
    IdMixin,
    Table,
    create_all,
    execute,
    register_type,
)


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Level(IntEnum):
    LOW = 1


@dataclass
class Spot:
    x: int
    y: int


class Plain:
    """A class that Pydantic knows nothing of."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None  # type: ignore[assignment]


class Place(BaseModel):
    x: int
    y: int


REGISTERED: dict[str, tuple[str, type, str, Any]] = {
    "mood": ("mood_of_r", Mood, "'good'", Mood.GOOD),
    "moods": ("mood_of_r[]", Mood, "'{good,bad}'", [Mood.GOOD, Mood.BAD]),
    "spot": ("spot_of_r", Spot, "(1, 2)", Spot(1, 2)),
    "spots": ("spot_of_r[]", Spot, "ARRAY[(1, 2)::spot_of_r]", [Spot(1, 2)]),
    "plain": ("plain_of_r", Plain, "(1, 2)", Plain(1, 2)),
    "place": ("place_of_r", Place, "(1, 2)", Place(x=1, y=2)),
}
"""Of each column: its type, the class that is registered for it, a sample, and what the codec returns for it."""

FIELDS: dict[str, tuple[Any, str | None, dict[str, Any]]] = {
    "Mood": (Mood, None, {"mood": Mood.GOOD}),
    "Mood as named": (Mood, "mood_of_r", {"mood": Mood.GOOD}),
    "list[Mood]": (list[Mood], None, {"moods": [Mood.GOOD, Mood.BAD]}),
    "set[Mood]": (set[Mood], "mood_of_r[]", {"moods": {Mood.GOOD, Mood.BAD}}),
    # Pydantic takes the value of an Enum for a str; the field holds a str.
    "str": (str, None, {"mood": "good"}),
    "str as named": (str, "mood_of_r", {"mood": "good"}),
    "list[str]": (list[str], None, {"moods": ["good", "bad"]}),
    "int": (int, None, {}),
    "int as named": (int, "mood_of_r", {}),
    "float": (float, None, {}),
    "bool": (bool, None, {}),
    "list[int]": (list[int], None, {}),
    "Level": (Level, None, {}),
    "dict": (dict, None, {}),
    "Spot": (Spot, "spot_of_r", {"spot": Spot(1, 2)}),
    "list[Spot]": (list[Spot], "spot_of_r[]", {"spots": [Spot(1, 2)]}),
    "Plain": (Plain, "plain_of_r", {"plain": Plain(1, 2)}),
    "Place": (Place, "place_of_r", {"place": Place(x=1, y=2)}),
    "anything": (Any, "mood_of_r", {k: v[3] for k, v in REGISTERED.items()}),
    "read": (
        Annotated[str, BeforeValidator(lambda v: v.name.lower() if isinstance(v, Mood) else "?")],
        "mood_of_r",
        {"mood": "good"} | dict.fromkeys([k for k in REGISTERED if k != "mood"], "?"),
    ),
}
"""Of each field: its annotation, the type that it names, and its value for every column that it can hold."""


async def prepare() -> None:
    await execute("CREATE TYPE mood_of_r AS ENUM ('good', 'bad')")
    for name in ("spot", "plain", "place"):
        await execute(f"CREATE TYPE {name}_of_r AS (x int, y int)")
    for of, cls, *_ in REGISTERED.values():
        if not of.endswith("[]"):
            register_type(of, python_type=cls)


@pytest.mark.parametrize("field", FIELDS)
async def test_a_field_holds_its_own_class_or_the_error_names_it(db: Any, field: str) -> None:
    annotation, of, values = FIELDS[field]
    await prepare()
    for column, (type_name, _, sample, _) in REGISTERED.items():
        name = f"registered_{column}"
        await execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v {type_name})")
        await execute(f"INSERT INTO {name} VALUES (1, {sample})")
        for way, load in WAYS.items():
            try:
                row = await load(of_class(name, annotation, of))
            except DecodeError as error:
                assert ("v (" in str(error) and "does not fit" in str(error)) or "is not one of" in str(error), (
                    column,
                    way,
                )
                assert column not in values, (column, way, error)
                continue
            assert column in values, (column, way, row.v)
            assert row.v == values[column] and type(row.v) is type(values[column]), (column, way, row.v)
            assert not row.is_changed, (column, way)


def of_class(table: str, annotation: Any, of: str | None) -> Any:
    if annotation is not Plain:
        return made(table, annotation, of)

    class Fit(Table):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        id: Col[int] = Column(primary_key=True)
        v: Col[Plain] = Column(type=of)

        class Settings:
            name = table

    return Fit


WRITES = ["save", "insert_many", "upsert_many"]


@pytest.mark.parametrize("way", WRITES)
async def test_values_of_registered_classes_are_written_and_found(db: Any, way: str) -> None:
    await prepare()

    class Stay(Table):
        id: Col[int] = Column(primary_key=True)
        mood: Col[Mood] = Column(type="mood_of_r")
        spot: Col[Spot] = Column(type="spot_of_r")
        spots: Col[list[Spot]] = Column(type="spot_of_r[]")

    await create_all(Stay)
    stay = Stay(id=1, mood=Mood.BAD, spot=Spot(3, 4), spots=[Spot(5, 6)])
    if way == "save":
        await stay.save()
    elif way == "insert_many":
        await Stay.insert_many([stay])
    else:
        await Stay.upsert_many([stay], conflict=[Stay.id])
    assert await Stay.get(1) == stay
    for condition in (
        Stay.spot == Spot(3, 4),
        Stay.spot != Spot(3, 5),
        Stay.spot < Spot(4, 0),
        Stay.spot.in_([Spot(3, 4), Spot(0, 0)]),
        Stay.spot.not_in([Spot(0, 0)]),
        Stay.spot.between(Spot(3, 4), Spot(3, 4)),
        Stay.spot.is_distinct_from(Spot(0, 0)),
        Stay.mood == Mood.BAD,
        Stay.mood.in_([Mood.BAD]),
        Stay.spots.contains(Spot(5, 6)),
        Stay.spots == [Spot(5, 6)],
    ):
        assert [s.id for s in await Stay.find(condition)] == [1], condition
        assert await Stay.find(~condition).count() == 0, condition
    stay.spot = Spot(7, 8)
    await stay.save()
    assert (await Stay.get(1)).spot == Spot(7, 8)
    await Stay.find(Stay.id == 1).update({Stay.mood: Mood.GOOD})
    await stay.refresh()
    assert stay.mood is Mood.GOOD and stay.spots == [Spot(5, 6)]


async def test_a_type_that_is_registered_later_counts_for_statements_that_ran_before(db: Any) -> None:
    await execute("CREATE TYPE late_of_r AS ENUM ('good', 'bad')")

    class LateMood(IdMixin):
        mood: Col[Mood] = Column(type="late_of_r")

    await create_all(LateMood)
    await LateMood(mood=Mood.GOOD).save()
    assert (await LateMood.find().one()).mood is Mood.GOOD
    register_type("late_of_r", python_type=Mood)
    assert (await LateMood.find().one()).mood is Mood.GOOD
    await LateMood(mood=Mood.BAD).save()
    assert {m.mood for m in await LateMood.find()} == set(Mood)
