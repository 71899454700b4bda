"""Mappings in JSON columns whose keys are not text: stored, loaded, compared and found again, or refused with the class."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from pydantic import BaseModel, BeforeValidator, TypeAdapter, field_validator

from data_bridge.core.errors import ConfigurationError, EncodeError
from data_bridge.orm.mapping.documents import plain_key
from data_bridge.postgres import Col, IdMixin, create_all, fetch_val
from data_bridge.query.spi import key_text


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Kind(Enum):
    A = "a"
    B = "b"


class Tone(StrEnum):
    A = "a"


class Number(Enum):
    ONE = 1


class Bits(IntFlag):
    ONE = 1


class Part(BaseModel):
    x: int


class Shelf(BaseModel):
    by: dict[Level, int] = {}
    at: dict[datetime, Part] = {}


class Ward(BaseModel):
    by: dict[Number, int] = {}


class OwnWard(BaseModel):
    by: dict[Number, int] = {}

    @field_validator("by", mode="before")
    @classmethod
    def _numbers(cls, value: dict[Any, int]) -> dict[Any, int]:
        return {Number(int(getattr(k, "value", k))): v for k, v in value.items()}


Id = NewType("Id", int)
PART = Part(x=1)
KEYS: dict[str, tuple[Any, list[Any]]] = {
    "int": (int, [1, -5, 2**70]),
    "NewType": (Id, [Id(1), Id(2)]),
    "IntEnum": (Level, [Level.LOW, Level.HIGH]),
    "Enum": (Kind, [Kind.A, Kind.B]),
    "StrEnum": (Tone, [Tone.A]),
    "Literal": (Literal["a", "b"], ["a", "b"]),
    "UUID": (UUID, [UUID(int=1), UUID(int=2)]),
    "date": (date, [date(2024, 2, 29), date(1, 1, 1)]),
    "time": (time, [time(1, 2), time(1, 2, 3, 4)]),
    "datetime": (
        datetime,
        [
            datetime(2024, 1, 2, tzinfo=UTC),
            datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))),
        ],
    ),
    "naive": (datetime, [datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5, 600)]),
    "Decimal": (Decimal, [Decimal("1.50"), Decimal(2)]),
    "float": (float, [1.0, 1e22, 0.1]),
    "bool": (bool, [True, False]),
    "timedelta": (timedelta, [timedelta(days=1), timedelta(hours=2, seconds=3)]),
    "IPv4Address": (IPv4Address, [IPv4Address("10.0.0.1")]),
    "constrained": (Annotated[int, BeforeValidator(int)], [1, 2]),
}
VALUES: dict[str, tuple[Any, Any]] = {
    "int": (int, 5), "text": (str, "x"), "list": (list[int], [1]), "model": (Part, PART), "any": (Any, {"y": [1]}),
}  # fmt: skip
PLACES: dict[str, Callable[[Any], Any]] = {"column": lambda of: of, "below": lambda of: dict[str, of]}


def made(annotation: Any) -> Any:
    class Keyed(IdMixin):
        value: Col[annotation]

    return Keyed


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("held", VALUES)
@pytest.mark.parametrize("kind", KEYS)
async def test_keys_are_stored_loaded_compared_and_found(db: Any, kind: str, held: str, place: str) -> None:
    (key_type, keys), (value_type, item) = KEYS[kind], VALUES[held]
    mapping: dict[Any, Any] = dict.fromkeys(keys, item)
    value: Any = mapping if place == "column" else {"in": mapping}
    table = made(PLACES[place](dict[key_type, value_type]))
    await create_all(table)
    row = await table(value=value).save()
    await table(value={} if place == "column" else {"in": {}}).save()
    assert not row.is_changed
    loaded = await table.get(row.id)
    assert loaded.value == value and not loaded.is_changed
    inner = loaded.value if place == "column" else loaded.value["in"]
    assert [type(k) for k in inner] == [type(k) for k in keys] or place == "below"
    assert {type(k) for k in inner} == {type(k) for k in keys}
    at = table.value if place == "column" else table.value["in"]
    for condition in (
        table.value == value,
        table.value.in_([value]),
        table.value.contains(value),
        at.contains({keys[0]: item}),
        table.value.contains({"in": {keys[0]: item}} if place == "below" else {keys[0]: item}),
        *(at[key] == item for key in keys),
        *(at.has_key(key) for key in keys),
        at.has_any([keys[-1]]),
        at.has_all(keys),
    ):
        assert await table.find(condition).scalars(table.id) == [row.id], condition
    assert await table.find(table.id == row.id).tuples(at[keys[0]]) == [(item,)]
    assert (await table.find(table.id == row.id).scalars(table.value)) == [value]
    # In memory as on the server.
    if kind not in ("timedelta", "IPv4Address") and held != "any":
        assert (at[keys[0]] == item).matches(loaded)
        assert at.has_key(keys[0]).matches(loaded)
    # Parts are set and edited.
    other = {"int": 6, "text": "y", "list": [2], "model": Part(x=2), "any": {"z": 1}}[held]
    assert await table.find(table.id == row.id).update({at[keys[0]]: other}) == 1
    mapping[keys[0]] = other
    await loaded.refresh()
    assert loaded.value == value
    inner = loaded.value if place == "column" else loaded.value["in"]
    del inner[keys[0]]
    assert loaded.is_changed
    await loaded.save()
    assert (await table.get(row.id)).value == loaded.value
    await table.find(table.id == row.id).update(value=value)
    assert (await table.get(row.id)).value == value
    await table.insert_many([table(value=value)], returning=False)
    assert await table.count(table.value == value) == 2


async def test_keys_of_models(db: Any) -> None:
    table = made(Shelf)
    await create_all(table)
    moment = datetime(2024, 1, 2, tzinfo=UTC)
    row = await table(value=Shelf(by={Level.LOW: 5}, at={moment: PART})).save()
    loaded = await table.get(row.id)
    assert loaded.value == row.value and not loaded.is_changed
    assert await table.count(table.value.by[Level.LOW] == 5, table.value.at[moment].x == 1) == 1
    assert await table.count(table.value.by.has_key(Level.HIGH)) == 0
    assert await table.find_all().update({table.value.at[moment].x: 7, table.value.by[Level.HIGH]: 8}) == 1
    assert (await table.get(row.id)).value == Shelf(by={Level.LOW: 5, Level.HIGH: 8}, at={moment: Part(x=7)})
    changed = table.value.set(("by", Level.HIGH), 9)
    assert await table.find_all().update({table.value: changed}) == 1
    assert await fetch_val("SELECT value -> 'by' ->> '2' FROM keyed") == "9"


@pytest.mark.parametrize(
    ("annotation", "remedy"),
    [
        (dict[Number, int], r"dict\[.*Number, int\] cannot be stored: members of Number .* make it an IntEnum"),
        (dict[Bits, int], "make it an IntEnum"),
        (list[dict[Number, int]], "make it an IntEnum"),
        (dict[str, dict[Number, int]], "make it an IntEnum"),
        (Mapping[Number, int], "make it an IntEnum"),
        (Ward, "make it an IntEnum"),
        (list[Ward], "make it an IntEnum"),
        (dict[Literal[1, 2], int], "take int or an IntEnum"),
        (dict[tuple[int, int], int], "only text as keys"),
        (dict[bytes, int], "only text as keys"),
        (dict[int | str, int], "only text as keys"),
        (dict[int | None, int], "leave None out"),
        (dict[Part, int], "only text as keys"),
    ],
    ids=str,
)
def test_keys_that_do_not_come_back_are_refused_with_the_class(annotation: Any, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Keyed\.value: .*{remedy}"):
        made(annotation)


@pytest.mark.parametrize(
    "annotation",
    [OwnWard, dict[Annotated[Number, BeforeValidator(lambda v: Number(int(getattr(v, "value", v))))], int]],
)
async def test_keys_that_a_validator_reads_are_kept(db: Any, annotation: Any) -> None:
    table = made(annotation)
    await create_all(table)
    value = OwnWard(by={Number.ONE: 1}) if annotation is OwnWard else {Number.ONE: 1}
    row = await table(value=value).save()
    assert (await table.get(row.id)).value == value


async def test_a_key_that_the_mapping_cannot_have_is_an_error(db: Any) -> None:
    table = made(dict[int, int])
    for use in (lambda: table.value["x"], lambda: table.value.has_key("secret"), lambda: table.value.has_all([1, "x"])):
        with pytest.raises(EncodeError, match=r"Keyed\.value: not a key of dict\[int, int\]") as error:
            use()
        assert "secret" not in str(error.value)


async def test_keys_that_may_be_anything_are_text(db: Any) -> None:
    table = made(dict[Any, int])
    await create_all(table)
    assert (await table.get((await table(value={"a": 1}).save()).id)).value == {"a": 1}
    with pytest.raises(EncodeError, match="key"):
        await table(value={1: 1}).save()


@pytest.mark.parametrize("kind", [k for k in KEYS if k not in ("timedelta", "IPv4Address")])
def test_the_query_builder_and_pydantic_call_keys_alike(kind: str) -> None:
    key_type, keys = KEYS[kind]
    for key in keys:
        written = TypeAdapter(dict[key_type, int]).dump_python({key: 1}, mode="json")
        assert [key_text(key)] == [plain_key(key)] == list(written)
