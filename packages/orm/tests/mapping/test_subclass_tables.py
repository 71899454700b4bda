"""A subclass with a table of its own has rows of its own: no relation and no condition takes them for those of its base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import BackLink, Col, Column, IdMixin, Link, ManyToMany, create_all


class Animal(IdMixin):
    name: Col[str] = Column(default="")


class Dog(Animal):
    pass


class Guest(Animal):
    """Another class of the same table."""

    class Settings:
        name = "animal"


class Visit(IdMixin):
    animal: Link[Animal | None] = Column(default=None)
    dog: Link[Dog | None] = Column(default=None)
    guests: ManyToMany[Animal] = ManyToMany(through="visit_guests")


class Owner(IdMixin):
    pet_id: Col[int | None] = Column(default=None)
    pets: BackLink[list[Owned]] = BackLink("owner")
    first: BackLink[Only | None] = BackLink("owner")


class Owned(IdMixin):
    owner: Link[Owner | None] = Column(default=None)


class Only(IdMixin):
    owner: Link[Owner | None] = Column(default=None, unique=True)


class Stray(Owned):
    pass


async def world() -> tuple[Any, Any, Any]:
    await create_all(Animal, Dog, Visit, Owner, Owned, Only, Stray)
    return await Animal(name="cat").save(), await Dog(name="rex").save(), await Visit().save()


def linked(dog: Any) -> Any:
    return Visit(dog=dog.id).dog


ASSIGN: dict[str, Callable[[Any, Any], Any]] = {
    "attribute": lambda visit, dog: setattr(visit, "animal", dog),
    "attribute, by a loaded link": lambda visit, dog: setattr(visit, "animal", Visit(dog=dog).dog),
    "attribute, by a link that is not loaded": lambda visit, dog: setattr(visit, "animal", linked(dog)),
    "attribute, by a new row": lambda visit, dog: setattr(visit, "animal", Dog(name="new")),
    "model_copy": lambda visit, dog: visit.model_copy(update={"animal": dog}),
    "list of a back link": lambda visit, dog: setattr(Owner(), "pets", [Stray()]),
    "one of a back link": lambda visit, dog: setattr(Owner(), "first", Owned()),
    "find": lambda visit, dog: Visit.find(animal=dog),
    "find by a link": lambda visit, dog: Visit.find(animal=linked(dog)),
    "find by a mapping": lambda visit, dog: Visit.find({Visit.animal: dog}),
    "comparison": lambda visit, dog: Visit.find(Visit.animal == dog),
    "unequal": lambda visit, dog: Visit.find(Visit.animal != dog),
}
AWAITED: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda visit, dog: visit.guests.add(dog),
    "remove": lambda visit, dog: visit.guests.remove(dog),
    "has": lambda visit, dog: visit.guests.has(dog),
    "set": lambda visit, dog: visit.guests.set([dog]),
    "count": lambda visit, dog: Visit.count(animal=dog),
    "find_one": lambda visit, dog: Visit.find_one(animal=dog),
    "insert_many": lambda visit, dog: Animal.insert_many([Dog(name="a")]),
    "upsert": lambda visit, dog: Animal.upsert(Dog(name="a"), conflict=["id"]),
}


@pytest.mark.parametrize("how", ASSIGN)
async def test_a_row_of_the_subclass_is_refused(db: Any, how: str) -> None:
    _, dog, visit = await world()
    with pytest.raises(
        TypeError,
        match=r"takes a row of (Animal|Owned|Only).* not a (link to )?(Dog|Stray|Owned), which is a row of another table",
    ):
        ASSIGN[how](visit, dog)
    assert visit.animal is None


@pytest.mark.parametrize("how", AWAITED)
async def test_a_row_of_the_subclass_is_refused_when_it_runs(db: Any, how: str) -> None:
    _, dog, visit = await world()
    with pytest.raises(TypeError, match="Dog"):
        await AWAITED[how](visit, dog)
    assert await visit.guests.count() == 0
    assert await Animal.count() == 1


@pytest.mark.parametrize("given", [lambda d: d, linked, lambda d: Dog()], ids=["row", "link", "new"])
async def test_the_constructor_refuses_it(db: Any, given: Any) -> None:
    _, dog, _ = await world()
    with pytest.raises(ValidationError, match=r"Visit\.animal takes a row of Animal or its key, not a .*Dog"):
        Visit(animal=given(dog))


async def test_rows_of_the_same_table_are_taken(db: Any) -> None:
    cat, dog, _ = await world()
    guest = await Guest(name="guest").save()
    visit = await Visit(animal=guest, dog=dog).save()
    assert await Visit.count(animal=guest) == 1
    assert await Visit.count(dog=dog) == 1
    assert await Visit.find(Visit.animal == Visit(animal=guest).animal).count() == 1
    visit.animal = cat
    assert visit.animal == cat
    assert (visit.dog == cat) is False
    await visit.guests.add(guest, cat)
    assert await visit.guests.has(guest)
    assert await visit.guests.count() == 2


class Place(IdMixin):
    stays: BackLink[list[Stay]] = BackLink("place")
    tags: ManyToMany[Mark] = ManyToMany(through="place_marks", near="place_id")


class Stay(IdMixin):
    place: Link[Place]


class Mark(IdMixin):
    pass


def test_an_inherited_back_link_is_refused() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"Hotel\.(stays is the BackLink|tags is the ManyToMany) of Place, whose rows are in another table: declare",
    ):

        class Hotel(Place):
            pass


def test_an_inherited_back_link_of_the_same_table_is_kept() -> None:
    class Hotel(Place):
        class Settings:
            name = "place"

    assert '"stay"."place_id" = "place"."id"' in Hotel.find(Hotel.stays.any()).sql().sql


def test_a_back_link_that_is_declared_again_is_kept() -> None:
    class Farm(IdMixin):
        people: BackLink[list[Farmer]] = BackLink("farm")

    class Farmer(IdMixin):
        farm: Link[Farm | None] = Column(default=None)
        ranch: Link[Ranch | None] = Column(default=None)

    class Ranch(Farm):
        people: BackLink[list[Farmer]] = BackLink("ranch")

    assert '"farmer"."ranch_id" = "ranch"."id"' in Ranch.find(Ranch.people.any()).sql().sql


def test_a_back_link_of_an_abstract_base_speaks_of_the_class_that_is_linked() -> None:
    class Building(IdMixin):
        class Settings:
            abstract = True

        rooms: BackLink[list[Room]] = BackLink("building")

    class House(Building):
        pass

    class Tower(Building):
        pass

    class Room(IdMixin):
        building: Link[House]

    assert '"room"."building_id" = "house"."id"' in House.find(House.rooms.any()).sql().sql
    with pytest.raises(ConfigurationError, match=r"Room\.building points to the rows of House, not to those of Tower"):
        Tower.rooms.any()


def test_a_back_link_without_a_name_finds_the_link_to_its_own_table() -> None:
    class Boat(IdMixin):
        class Settings:
            abstract = True

        trips: BackLink[list[Trip]] = BackLink()

    class Sail(Boat):
        pass

    class Trip(IdMixin):
        sail: Link[Sail]
        motor: Link[Motor]

    class Motor(Boat):
        pass

    assert '"trip"."sail_id" = "sail"."id"' in Sail.find(Sail.trips.any()).sql().sql
    assert '"trip"."motor_id" = "motor"."id"' in Motor.find(Motor.trips.any()).sql().sql


def test_a_back_link_over_a_plain_foreign_key_checks_the_table() -> None:
    class Port(IdMixin):
        code: Col[str] = Column(unique=True, default="")
        ships: BackLink[list[Ship]] = BackLink("port_code")
        wrong: BackLink[list[Ship]] = BackLink("other_id")

    class Ship(IdMixin):
        port_code: Col[str | None] = Column(default=None, foreign_key="port.code")
        other_id: Col[int | None] = Column(default=None, foreign_key="other.id")

    assert '"ship"."port_code" = "port"."code"' in Port.find(Port.ships.any()).sql().sql
    with pytest.raises(ConfigurationError, match=r"Ship\.other_id points to the table 'other', not to 'port'"):
        Port.wrong.any()


def test_a_through_model_must_link_to_the_own_table() -> None:
    class Player(IdMixin):
        pass

    class Team(IdMixin):
        pass

    class Contract(IdMixin):
        team: Link[Team]
        player: Link[Player]

    class Club(IdMixin):
        players: ManyToMany[Player] = ManyToMany(through=Contract, near="team")

    with pytest.raises(ConfigurationError, match=r"Contract has no Links to Club"):
        Club.players.any()
