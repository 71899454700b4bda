"""What an annotation says is stored, loaded, compared and updated, whatever the annotation is made of."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntFlag
from pathlib import Path
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    HttpUrl,
    NaiveDatetime,
    PastDate,
    PlainSerializer,
    PositiveInt,
    SecretBytes,
    SecretStr,
)
from typing_extensions import TypeAliasType

from data_bridge.core.errors import DecodeError, EncodeError
from data_bridge.postgres import Col, Column, IdMixin, create_all, execute, fetch_val

UserId = NewType("UserId", int)
Tags = TypeAliasType("Tags", list[str])
MaybeTags = TypeAliasType("MaybeTags", list[str] | None)
Money = Annotated[
    Decimal,
    PlainSerializer(lambda v: f"{v} EUR"),
    BeforeValidator(lambda v: Decimal(v.removesuffix(" EUR")) if isinstance(v, str) else v),
]


class Perm(Flag):
    READ = 1
    WRITE = 2


class IntPerm(IntFlag):
    READ = 1
    WRITE = 2


class Kind(Enum):
    A = "a"
    B = "b"


class Part(BaseModel):
    x: int


MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
# The annotation, a value, its type in SQL, and another value.
TYPES: dict[str, tuple[Any, Any, str, Any]] = {
    "NewType": (UserId, UserId(5), "bigint", 6),
    "list of NewType": (list[UserId], [UserId(5)], "bigint[]", [6]),
    "alias": (Tags, ["a"], "text[]", ["b"]),
    "alias or None": (Tags | None, ["a"], "text[]", None),
    "alias of None": (MaybeTags, None, "text[]", ["a"]),
    "nested lists": (list[list[int]], [[1, 2], [3, 4]], "bigint[][]", [[1]]),
    "nested lists of text": (list[list[str]], [["a"], ["b"]], "text[][]", []),
    "lists three deep": (list[list[list[int]]], [[[1, 2]], [[3, 4]]], "bigint[][][]", [[[1]]]),
    "int keys": (dict[int, str], {1: "a"}, "jsonb", {2: "b"}),
    "uuid keys": (dict[UUID, int], {UUID(int=1): 1}, "jsonb", {}),
    "date keys": (dict[date, int], {date(2024, 1, 1): 1}, "jsonb", {}),
    "enum keys": (dict[Kind, int], {Kind.A: 1}, "jsonb", {Kind.B: 1}),
    "keys below": (dict[str, dict[int, Part]], {"a": {1: Part(x=1)}}, "jsonb", {"a": {}}),
    "flag": (Perm, Perm.READ | Perm.WRITE, "bigint", Perm.READ),
    "no flag": (Perm, Perm(0), "bigint", Perm.READ),
    "int flag": (IntPerm, IntPerm.READ | IntPerm.WRITE, "bigint", IntPerm.READ),
    "list of flags": (list[Perm], [Perm.READ | Perm.WRITE], "bigint[]", [Perm.READ]),
    "aware": (AwareDatetime, MOMENT, "timestamp with time zone", MOMENT + timedelta(1)),
    "naive": (NaiveDatetime, datetime(2024, 1, 1), "timestamp without time zone", datetime(2024, 1, 2)),
    "past": (PastDate, date(2024, 1, 1), "date", date(2024, 1, 2)),
    "url": (HttpUrl, HttpUrl("https://a.b/"), "text", HttpUrl("https://a.c/")),
    "list of urls": (list[HttpUrl], [HttpUrl("https://a.b/")], "text[]", []),
    "secret": (SecretStr, SecretStr("s"), "text", SecretStr("t")),
    "secret bytes": (SecretBytes, SecretBytes(b"s"), "bytea", SecretBytes(b"t")),
    "list of secrets": (list[SecretStr], [SecretStr("s")], "text[]", []),
    "path": (Path, Path("/a/b"), "text", Path("c")),
    "constrained": (PositiveInt, 5, "bigint", 6),
    "literal": (Literal["a", "b"], "a", "text", "b"),
    "list of enums": (list[Kind], [Kind.A], "text[]", [Kind.B]),
    "set": (set[int], {1, 2}, "bigint[]", set()),
    "tuple": (tuple[int, ...], (1, 2), "bigint[]", ()),
}
CLASSES: dict[str, Any] = {
    name: type(IdMixin)(
        "Typed" + name.title().replace(" ", ""),
        (IdMixin,),
        {"__module__": __name__, "__annotations__": {"value": annotation}},
    )
    for name, (annotation, *_) in TYPES.items()
}


class TextMoney(IdMixin):
    """Types of the user's choice, which hold what Pydantic serialises."""

    money: Col[Money] = Column(type="text")
    mark: Col[UUID] = Column(type="text")
    url: Col[HttpUrl] = Column(type="varchar(50)")
    secret: Col[SecretStr] = Column(type="citext")


@pytest.mark.parametrize("what", TYPES)
async def test_every_way_of_a_value(db: Any, what: str) -> None:
    _, value, spelled, other = TYPES[what]
    cls = CLASSES[what]
    assert cls.value.t.name == spelled
    await create_all(cls)
    row = await cls(value=value).save()
    assert (row.value, row.is_changed) == (value, False)
    loaded = await cls.get(row.id)
    assert loaded == row and type(loaded.value) is type(value)
    assert not loaded.is_changed
    if value is not None:
        assert await cls.count(cls.value == value) == 1
        assert await cls.count(cls.value.in_([value])) == 1
    assert await cls.find().tuples(cls.value) == [(value,)]
    await cls.insert_many([cls(value=value), {"value": other}])
    assert {repr(r.value) for r in await cls.find()} == {repr(value), repr(other)}
    await loaded.update(value=other)
    assert loaded.value == other
    assert await cls.find(id=row.id).update({cls.value: value}) == 1
    await loaded.refresh()
    assert loaded.value == value
    loaded.value = other
    await loaded.save()
    assert (await cls.get(row.id)).value == other
    await cls.bulk_update([loaded], ["value"])
    await cls.upsert({"id": row.id, "value": value}, conflict=["id"])
    assert (await cls.get(row.id)).value == value


async def test_types_of_the_users_choice(db: Any) -> None:
    await execute("CREATE EXTENSION IF NOT EXISTS citext")
    await create_all(TextMoney)
    mark, url = UUID(int=3), HttpUrl("https://a.b/")
    row = await TextMoney(money=Decimal(5), mark=mark, url=url, secret=SecretStr("s")).save()
    assert await fetch_val("SELECT money || ' ' || mark || ' ' || url || ' ' || secret FROM text_money") == (
        f"5 EUR {mark} https://a.b/ s"
    )
    assert await TextMoney.get(row.id) == row
    assert await TextMoney.count(TextMoney.money == Decimal(5), TextMoney.mark == mark, TextMoney.url == url) == 1
    assert await TextMoney.count(TextMoney.secret == SecretStr("S")) == 1
    await row.update(money=Decimal(6))
    assert (await TextMoney.get(row.id)).money == 6


REFUSED: dict[str, tuple[str, Any, str]] = {
    "lists of other lengths": ("nested lists", [[1], [2, 3]], "TypedNestedLists.value .*lists of one length"),
    "a list that is too flat": ("nested lists", [1, 2], "TypedNestedLists.value .*expected a list"),
    "another flag": ("flag", 8, "TypedFlag.value .*expected Perm, got another int"),
    "a member of another": ("flag", Kind.A, "TypedFlag.value .*expected Perm, got Kind"),
    "a number for a url": ("url", 5, "TypedUrl.value .*expected str, got int"),
    "a number for a secret": ("secret", 5, "TypedSecret.value .*expected str, got int"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_operands_that_do_not_fit(what: str) -> None:
    name, value, message = REFUSED[what]
    with pytest.raises(EncodeError, match=message):
        CLASSES[name].find(value=value)


class Stored(IdMixin):
    kind: Col[Kind] = Column(default=Kind.A)
    perm: Col[Perm] = Column(default=Perm.READ)
    part: Col[Part] = Column(default_factory=lambda: Part(x=1))
    url: Col[HttpUrl | None] = Column(default=None)
    kinds: Col[list[Kind]] = Column(default_factory=list)


BAD: dict[str, tuple[str, str]] = {
    "kind": ("'private'", r"kind \(text\): the stored value is not one of Kind, which are 'a', 'b'"),
    "perm": ("64", r"perm \(int8\): the stored value is not a combination of Perm, which are READ = 1, WRITE = 2"),
    "part": (
        """'{"x": "private"}'""",
        r"part \(jsonb\): the stored value does not fit Part: x: Input should be a valid integer",
    ),
    "url": ("'private'", r"url \(text\): the stored value does not fit HttpUrl: Input should be a valid URL"),
    "kinds": ("'{private}'", r"kinds \(text\[\]\): the stored value does not fit .*: 0: Input should be 'a' or 'b'"),
}


@pytest.mark.parametrize("key", BAD)
async def test_a_stored_value_that_the_field_refuses(db: Any, key: str) -> None:
    value, message = BAD[key]
    await create_all(Stored)
    row = await Stored().save()
    await execute("ALTER TABLE stored DROP CONSTRAINT stored_kind_check")
    await execute(f"UPDATE stored SET {key} = {value}")
    for load in (
        Stored.get(row.id),
        Stored.find().to_list(),
        Stored.find().tuples(getattr(Stored, key)).to_list(),
        row.refresh(),
    ):
        with pytest.raises(DecodeError, match=message) as e:
            await load
        assert "private" not in str(e.value)
