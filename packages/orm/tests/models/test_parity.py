"""What is loaded is what model_validate() makes, for every feature of a model and everything one does with instances."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    computed_field,
    model_validator,
)

from data_bridge.postgres import BackLink, Col, Column, IdMixin, Link, Table, TimestampMixin, create_all

T = TypeVar("T")


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Shade(Enum):
    LIGHT = "light"
    DARK = "dark"


class ParityUnion(IdMixin):
    pet: Pet
    pets: list[Pet] = []
    by_name: dict[str, Pet] = {}
    maybe: Pet | None = None


class Box(IdMixin, Generic[T]):
    class Settings:
        abstract = True

    content: T


class IntBox(Box[int]):
    pass


class DogBox(Box[Dog]):
    note: str = ""


class ParityPrivate(IdMixin):
    name: str
    _seen: int = PrivateAttr(default=0)
    _list: list[int] = PrivateAttr(default_factory=list)


class ParityComputed(IdMixin):
    first: str
    last: str

    @computed_field
    def full(self) -> str:
        return f"{self.first} {self.last}"

    @cached_property
    def length(self) -> int:
        return len(self.first)


class ParityAlias(IdMixin):
    model_config = ConfigDict(populate_by_name=True)
    name: str = Column(alias="userName", name="user_name")


class ParityFrozen(IdMixin):
    model_config = ConfigDict(frozen=True)
    name: str


class ParityExtra(IdMixin):
    model_config = ConfigDict(extra="allow")
    name: str


class ParityForbid(IdMixin):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    name: str


class ParityAssigned(IdMixin):
    model_config = ConfigDict(validate_assignment=True)
    n: Annotated[int, Field(ge=0)]
    tags: list[str] = []


class ParityEnumValues(IdMixin):
    model_config = ConfigDict(use_enum_values=True)
    shade: Shade


class ParityTypes(IdMixin, TimestampMixin):
    secret: SecretStr
    price: Annotated[Decimal, Field(max_digits=10, decimal_places=2)]
    size: Literal["s", "m"] = Column(type="text")
    shade: Shade | None = None


class ParityNoColumn(IdMixin):
    name: str
    cache: dict[str, int] = Field(default_factory=dict, exclude=True)
    score: list[int] = Field(default=[1], exclude=True)
    derived: str = Field(default_factory=lambda data: data["name"].upper(), exclude=True)
    LIMIT: ClassVar[int] = 3


class ParityChecked(IdMixin):
    low: int
    high: int

    @model_validator(mode="after")
    def in_order(self) -> ParityChecked:
        if self.low > self.high:
            raise ValueError("low above high")
        return self


class ParityParent(IdMixin):
    name: Col[str]
    children: BackLink[list[ParityChild]] = BackLink("parent")


class ParityChild(ParityPrivate):
    parent: Link[ParityParent | None] = Column(default=None)


class Base1(IdMixin):
    class Settings:
        abstract = True

    one: int = 1


class ParityDiamond(Base1, TimestampMixin):
    two: int = 2


CASES: dict[str, tuple[type[Table], dict[str, Any], Callable[[Any], None] | None]] = {
    "discriminated unions": (
        ParityUnion,
        {"pet": Cat(lives=3), "pets": [Dog(tricks=["sit"]), Cat()], "by_name": {"x": Dog()}, "maybe": Dog()},
        lambda row: row.pets.append(Cat(lives=1)),
    ),
    "a generic of a plain type": (IntBox, {"content": 5}, lambda row: setattr(row, "content", 6)),
    "a generic of a model": (DogBox, {"content": Dog(tricks=["roll"])}, lambda row: row.content.tricks.append("sit")),
    "private attributes": (ParityPrivate, {"name": "x"}, lambda row: setattr(row, "name", "y")),
    "computed fields": (ParityComputed, {"first": "A", "last": "B"}, lambda row: setattr(row, "first", "C")),
    "aliases": (ParityAlias, {"name": "x"}, lambda row: setattr(row, "name", "y")),
    "frozen": (ParityFrozen, {"name": "x"}, None),
    "extra": (ParityExtra, {"name": "x"}, lambda row: setattr(row, "name", "y")),
    "no extra": (ParityForbid, {"name": " x "}, lambda row: setattr(row, "name", "y")),
    "validate_assignment": (ParityAssigned, {"n": 1, "tags": ["a"]}, lambda row: setattr(row, "n", 2)),
    "use_enum_values": (ParityEnumValues, {"shade": "dark"}, lambda row: setattr(row, "shade", "light")),
    "constrained types": (
        ParityTypes,
        {"secret": SecretStr("s"), "price": Decimal("1.50"), "size": "m", "shade": Shade.DARK},
        lambda row: setattr(row, "size", "s"),
    ),
    "fields that are no columns": (ParityNoColumn, {"name": "x"}, lambda row: setattr(row, "name", "y")),
    "model validators": (ParityChecked, {"low": 1, "high": 2}, lambda row: setattr(row, "high", 3)),
    "relations": (ParityChild, {"name": "x"}, lambda row: setattr(row, "name", "y")),
    "several bases": (ParityDiamond, {"one": 5}, lambda row: setattr(row, "two", 7)),
}


def alike(loaded: Any, validated: Any) -> None:
    assert type(loaded) is type(validated)
    assert list(loaded.__dict__) == list(validated.__dict__)
    for key, value in validated.__dict__.items():
        assert loaded.__dict__[key] == value and type(loaded.__dict__[key]) is type(value), key
    assert loaded.__pydantic_extra__ == validated.__pydantic_extra__
    assert loaded.__pydantic_private__ == validated.__pydantic_private__
    assert loaded == validated and repr(loaded) == repr(validated)
    for mode in ("python", "json"):
        assert loaded.model_dump(mode=mode) == validated.model_dump(mode=mode)
        assert loaded.model_dump(mode=mode, by_alias=True, exclude_none=True) == validated.model_dump(
            mode=mode, by_alias=True, exclude_none=True
        )
    assert loaded.model_dump_json() == validated.model_dump_json()


@pytest.mark.parametrize("case", CASES)
async def test_loaded_is_validated(db: Any, case: str) -> None:
    cls, given, _ = CASES[case]
    await create_all(cls, *([ParityParent] if cls is ParityChild else []))
    saved = await cls(**given).save()
    columns = {k: v for k, v in saved.__dict__.items() if k in cls.__db__.by_key}
    validated = cls.model_validate(columns, by_name=True)
    one = await cls.get(saved.pk)
    (listed,) = await cls.find()
    (in_tuple,) = [t[0] for t in await cls.find().tuples(cls, cls.__db__.columns["id"])]
    streamed = [row async for row in cls.find()]
    for loaded in (one, listed, in_tuple, *streamed):
        alike(loaded, validated)
        assert not loaded.is_changed
        assert cls.model_validate(loaded) is loaded
        assert cls.model_validate_json(loaded.model_dump_json(by_alias=True)) is not None or case != "constrained types"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("way", "is_deep"),
    [
        (copy.copy, False),
        (copy.deepcopy, True),
        (lambda r: pickle.loads(pickle.dumps(r)), True),
        (lambda r: r.model_copy(), False),
        (lambda r: r.model_copy(deep=True), True),
    ],
    ids=["copy", "deepcopy", "pickle", "model_copy", "deep model_copy"],
)
async def test_copies_are_the_same_row(db: Any, case: str, way: Any, is_deep: bool) -> None:
    cls, given, change = CASES[case]
    await create_all(cls, *([ParityParent] if cls is ParityChild else []))
    await cls(**given).save()
    (loaded,) = await cls.find()
    made = way(loaded)
    alike(made, loaded)
    assert not made.is_changed
    if change is None:
        with pytest.raises(ValidationError, match="frozen"):
            made.name = "y"
        return
    change(made)
    if is_deep:  # others share what is edited in place
        assert not loaded.is_changed
    assert made.is_changed
    await made.save()
    assert not made.is_changed and await cls.count() == 1
    (again,) = await cls.find()
    assert again.model_dump(exclude={"updated_at"}) == made.model_dump(exclude={"updated_at"})


async def test_what_is_no_column_is_made_anew_for_each_row(db: Any) -> None:
    await create_all(ParityNoColumn)
    await ParityNoColumn.insert_many([ParityNoColumn(name="a"), ParityNoColumn(name="b")])
    a, b = await ParityNoColumn.find().order_by("id")
    assert (a.derived, b.derived, a.score, a.cache) == ("A", "B", [1], {})
    a.cache["x"] = 1
    a.score.append(2)
    assert b.cache == {} and b.score == [1] and not a.is_changed
    assert ParityNoColumn.__db__.plan() is not None and "cache" not in ParityNoColumn.ddl()


async def test_equal_values_are_no_changes(db: Any, sent: Any) -> None:
    await create_all(ParityAssigned, ParityUnion)
    row = await ParityAssigned(n=1, tags=["a"]).save()
    with sent():
        row.n = 1
        row.tags = ["a"]
        assert not row.is_changed and row.get_changes() == {} and row.get_previous_changes() == {}
        await row.save()
    row.n = 2
    row.n = 1
    assert not row.is_changed
    row.mark_changed("n")
    assert row.get_changes() == {"n": 1}
    with sent(r'UPDATE "parity_assigned" SET "n" = \$1'):
        await row.save()
    row.mark_changed("n")
    row.discard_changes()
    assert row.n == 1 and not row.is_changed
    union = await ParityUnion(pet=Cat()).save()
    union.pet = Cat()
    assert not union.is_changed
    union.pet = Dog()
    assert union.is_changed


def test_schemas_are_pydantics() -> None:
    for cls, _, _ in CASES.values():
        schema = cls.model_json_schema()
        assert schema["title"] == cls.__name__ and "id" in schema["properties"]
        assert cls.model_json_schema(mode="serialization")["properties"].keys() >= {"id"}
