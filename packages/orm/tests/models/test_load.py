"""Loaded instances are what model_validate() would have made of the same values."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from data_bridge.postgres import Col, Column, ColumnNotLoaded, DecodeError, Table, create_all, execute


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    street: str
    zip: str = "0000"


class LoadAll(Table):
    id: int = Column(primary_key=True, auto_increment=True)
    text: str
    big: int
    ratio: float
    price: Decimal = Column(precision=12, scale=2)
    yes: bool
    at: datetime
    day: date
    clock: time
    span: timedelta
    key: UUID
    raw_bytes: bytes
    mood: Mood
    level: Level
    address: Address
    addresses: list[Address]
    by_name: dict[str, Address]
    plain: dict[str, Any]
    tags: list[str]
    numbers: list[int | None]
    nick: str | None = None
    home: Address | None = None
    maybe_mood: Mood | None = None
    status: Literal["new", "old"] = Column(default="new", type="text")


def everything(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "text": "Zoë",
        "big": 2**40,
        "ratio": 0.1,
        "price": Decimal("12.30"),
        "yes": True,
        "at": datetime(2024, 2, 29, 12, 30, 1, 123456, tzinfo=UTC),
        "day": date(1999, 12, 31),
        "clock": time(23, 59, 59, 999999),
        "span": timedelta(days=3, seconds=4, microseconds=5),
        "key": uuid4(),
        "raw_bytes": b"\x00\x7f",
        "mood": Mood.GOOD,
        "level": Level.HIGH,
        "address": Address(street="Main"),
        "addresses": [Address(street="A", zip="1"), Address(street="B")],
        "by_name": {"x": Address(street="X")},
        "plain": {"a": [1, 2.5, None, "x", {"b": True}]},
        "tags": ["a", "", "ü"],
        "numbers": [1, None, -3],
    }
    return {**values, **changes}


async def test_every_field_comes_back_equal_and_of_its_type(db: Any) -> None:
    await create_all(LoadAll)
    for given in (everything(), everything(nick="z", home=Address(street="H"), maybe_mood=Mood.BAD, status="old")):
        saved = await LoadAll(**given).save()
        loaded = await LoadAll.get(saved.id)
        validated = LoadAll.model_validate({**given, "id": saved.id})
        assert loaded == validated == saved
        assert list(loaded.__dict__) == list(validated.__dict__)
        for key, value in validated.__dict__.items():
            assert type(loaded.__dict__[key]) is type(value), key
        assert type(loaded.addresses[0]) is Address and type(loaded.by_name["x"]) is Address
        assert loaded.model_dump() == validated.model_dump()
        assert loaded.model_dump_json() == validated.model_dump_json()
        assert repr(loaded) == repr(validated)
        assert loaded.model_fields_set == set(LoadAll.model_fields)


class LoadAlias(Table):
    model_config = ConfigDict(populate_by_name=True)
    id: int = Column(primary_key=True)
    name: str = Column(alias="userName", name="user_name")
    other: int = Column(validation_alias="o", serialization_alias="oo", default=1)


async def test_aliases_are_for_documents_names_for_columns(db: Any) -> None:
    await create_all(LoadAlias)
    await LoadAlias(id=1, userName="ann", o=5).save()  # type: ignore[call-arg]
    row = await LoadAlias.find_one(LoadAlias.name == "ann")
    assert row is not None and row.name == "ann" and row.other == 5
    assert row.model_dump(by_alias=True) == {"id": 1, "userName": "ann", "oo": 5}
    assert await execute("SELECT 1 FROM load_alias WHERE user_name = 'ann' AND other = 5") == 1


class LoadPrivate(Table):
    id: int = Column(primary_key=True)
    name: str
    _cache: dict[str, int] = PrivateAttr(default_factory=dict)
    _seen: list[str] = PrivateAttr(default_factory=list)

    def model_post_init(self, context: Any) -> None:
        self._seen.append(f"post {self.name}")


async def test_private_attributes_and_post_init(db: Any) -> None:
    await create_all(LoadPrivate)
    await LoadPrivate.insert_many([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
    one, two = await LoadPrivate.find().order_by("id")
    assert (one._seen, two._seen) == (["post a"], ["post b"])
    one._cache["x"] = 1
    assert two._cache == {}
    assert not one.is_changed


class LoadValidators(Table):
    id: int = Column(primary_key=True)
    upper: str
    positive: Annotated[int, Field(gt=0)] = 1
    after: Annotated[str, AfterValidator(lambda v: v + "!")] = "x"

    @field_validator("upper")
    @classmethod
    def _upper(cls, value: str) -> str:
        return value.upper()


class LoadStrict(LoadValidators):
    class Settings:
        name = "load_validators"
        validate_on_load = True


async def test_validators_do_not_run_on_load_unless_asked_to(db: Any) -> None:
    await create_all(LoadValidators)
    await execute("INSERT INTO load_validators VALUES (1, 'lower', -5, 'y')")
    row = await LoadValidators.get(1)
    assert (row.upper, row.positive, row.after) == ("lower", -5, "y")
    with pytest.raises(ValidationError):
        await LoadStrict.get(1)
    await execute("UPDATE load_validators SET positive = 7")
    strict = await LoadStrict.get(1)
    assert (strict.upper, strict.positive, strict.after) == ("LOWER", 7, "y!")


class LoadSecret(Table):
    class Settings:
        validate_on_load = True

    id: int = Column(primary_key=True)
    own: str = Column(default="")
    custom: str = Column(default="")
    number: Annotated[int, Field(gt=0)] = 1

    @field_validator("own")
    @classmethod
    def _own(cls, value: str) -> str:
        if "s3cret" in value:
            raise ValueError("is refused")
        return value

    @field_validator("custom")
    @classmethod
    def _custom(cls, value: str) -> str:
        if "s3cret" in value:
            raise PydanticCustomError("a_type_of_ours", "is {how}", {"how": "{refused}"})
        return value


async def test_an_error_of_validation_does_not_show_what_is_stored(db: Any) -> None:
    await create_all(LoadSecret)
    await execute("INSERT INTO load_secret VALUES (1, 's3cret 1', '', 1), (2, '', 's3cret 2', 1), (3, '', '', -77123)")
    for key, message in (1, "is refused"), (2, "is {refused}"), (3, "greater than 0"):
        with pytest.raises(ValidationError, match=re.escape(message)) as raised:
            await LoadSecret.get(key)
        assert "s3cret" not in str(raised.value) and "77123" not in str(raised.value)
        (line,) = raised.value.errors()
        assert line["loc"] and line["input"], "the program that asks sees it all"


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class LoadBefore(Table):
    id: int = Column(primary_key=True)
    parts: Annotated[list[str], BeforeValidator(_split)] = Column(type="text[]")
    secret: SecretStr = Column(type="text")
    tags: set[int] = Column(type="bigint[]", default_factory=set)


async def test_types_that_only_pydantic_makes(db: Any) -> None:
    await create_all(LoadBefore)
    row = LoadBefore(id=1, parts="a,b", secret="s3cret", tags={3, 1})  # type: ignore[arg-type]
    assert row.parts == ["a", "b"]
    await row.save()
    loaded = await LoadBefore.get(1)
    assert loaded.parts == ["a", "b"] and loaded.tags == {1, 3}
    assert type(loaded.secret) is SecretStr and loaded.secret.get_secret_value() == "s3cret"
    assert loaded == row


class LoadModelValidator(Table):
    id: int = Column(primary_key=True)
    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> "LoadModelValidator":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


async def test_a_model_validator_sees_loaded_rows(db: Any) -> None:
    await create_all(LoadModelValidator)
    await LoadModelValidator(id=1, low=1, high=2).save()
    row = await LoadModelValidator.get(1)
    assert (row.low, row.high, row.is_changed) == (1, 2, False)


class LoadComputed(Table):
    id: int = Column(primary_key=True)
    first: str
    last: str
    full: str = Column(computed="first || ' ' || last")
    note: str = Field(default="n", exclude=True)
    notes: list[str] = Field(default_factory=list, exclude=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def initials(self) -> str:
        return self.first[0] + self.last[0]


async def test_computed_columns_and_computed_fields(db: Any) -> None:
    await create_all(LoadComputed)
    row = await LoadComputed(id=1, first="Ada", last="King").save()
    assert row.full == "Ada King" and row.initials == "AK"
    loaded = await LoadComputed.get(1)
    assert loaded.model_dump() == {"id": 1, "first": "Ada", "last": "King", "full": "Ada King", "initials": "AK"}
    assert loaded.note == "n" and loaded.notes == []
    loaded.notes.append("x")
    assert (await LoadComputed.get(1)).notes == []
    assert "note" not in LoadComputed.ddl()
    loaded.last = "Lovelace"
    await loaded.save()
    assert loaded.full == "Ada Lovelace"


class LoadExtra(Table):
    model_config = ConfigDict(extra="allow")
    id: int = Column(primary_key=True)


async def test_extra_values_stay_in_python(db: Any) -> None:
    await create_all(LoadExtra)
    row = LoadExtra(id=1, more="x")  # type: ignore[call-arg]
    assert row.model_extra == {"more": "x"}
    await row.save()
    loaded = await LoadExtra.get(1)
    assert loaded.model_extra == {}
    loaded.more = 1  # type: ignore[attr-defined]
    assert loaded.model_extra == {"more": 1}
    await loaded.save()
    assert (await LoadExtra.get(1)).model_extra == {}


class LoadPartial(Table):
    id: int = Column(primary_key=True)
    name: str
    big: dict[str, int] = Column(default_factory=dict)
    hidden: str = Column(default="h", exclude_from_select=True)


async def test_partial_instances(db: Any) -> None:
    await create_all(LoadPartial)
    await LoadPartial(id=1, name="a", big={"x": 1}, hidden="secret").save()
    row = (await LoadPartial.find().select(LoadPartial.name))[0]
    assert (row.id, row.name) == (1, "a") and row.model_fields_set == {"id", "name"}
    with pytest.raises(ColumnNotLoaded, match=r"LoadPartial\.big was not loaded.*select"):
        row.big
    await row.refresh("big")
    assert row.big == {"x": 1}
    row.name = "b"
    await row.save()
    whole = await LoadPartial.get(1)
    assert (whole.name, whole.big) == ("b", {"x": 1})
    with pytest.raises(ColumnNotLoaded):
        whole.hidden
    await whole.refresh(LoadPartial.hidden)
    assert whole.hidden == "secret"
    deferred = (await LoadPartial.find().defer("big"))[0]
    assert deferred.name == "b"
    with pytest.raises(ColumnNotLoaded):
        hasattr(deferred, "big")
    with pytest.raises(TypeError, match=r"values\(\)"):
        LoadPartial.find().select(LoadPartial.id + 1)


class LoadFrozen(Table):
    model_config = ConfigDict(frozen=True)
    id: int = Column(primary_key=True)
    name: str


async def test_frozen_models_load_and_refuse_assignment(db: Any) -> None:
    await create_all(LoadFrozen)
    await LoadFrozen(id=1, name="a").save()
    row = await LoadFrozen.get(1)
    with pytest.raises(ValidationError, match="frozen"):
        row.name = "b"
    assert row.name == "a" and not row.is_changed and hash(row) == hash(await LoadFrozen.get(1))


class LoadChecked(Table):
    model_config = ConfigDict(validate_assignment=True)
    id: int = Column(primary_key=True)
    age: Col[int] = Column(ge=0)


async def test_assignment_is_validated_where_the_model_says_so(db: Any) -> None:
    await create_all(LoadChecked)
    await LoadChecked.insert_many([LoadChecked(id=1, age=1), LoadChecked(id=2, age=2)])
    one, two = await LoadChecked.find().order_by("id")
    with pytest.raises(ValidationError):
        one.age = -1
    assert not one.is_changed and one.age == 1
    one.age = "7"  # type: ignore[assignment]
    assert one.age == 7 and one.get_changes() == {"age": 7}
    assert not two.is_changed
    await one.save()
    assert (await LoadChecked.get(1)).age == 7


async def test_a_value_that_the_model_cannot_have_is_an_error_that_names_the_column(db: Any) -> None:
    await create_all(LoadAll)
    row = await LoadAll(**everything()).save()
    await execute("UPDATE load_all SET at = 'infinity'")
    with pytest.raises(DecodeError, match=r"LoadAll\.at"):
        await LoadAll.get(row.id)
