"""JSON columns with a known shape: what does not fit is refused by every write, and what was written can be loaded."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from data_bridge.orm.mapping.documents import is_same
from data_bridge.postgres import (
    Col,
    Column,
    Conflict,
    EncodeError,
    IdMixin,
    create_all,
    fetch_val,
    func,
)
from data_bridge.postgres.operators import Set


class Crate(BaseModel):
    a: int = 0
    parts: list["Crate"] = []


class LargeCrate(Crate):
    extra: str = "e"


class Typed(TypedDict):
    k: int


@dataclass
class Point:
    x: int


class Filed(IdMixin):
    code: Col[str] = Column(default="c", unique=True)
    crate: Col[Crate] = Column(default_factory=Crate)
    crates: Col[list[Crate]] = Column(default_factory=list, type="jsonb")
    typed: Col[Typed | None] = Column(default=None, type="jsonb")
    point: Col[Point | None] = Column(default=None, type="jsonb")
    sizes: Col[dict[str, int]] = Column(default_factory=dict)
    free: Col[dict[str, Any]] = Column(default_factory=dict)


BAD: dict[str, Any] = {
    "crate": {"a": "bad"},
    "crates": [{"a": "bad"}],
    "typed": {"k": "bad"},
    "point": {"x": "bad"},
    "sizes": {"k": "bad"},
}
GOOD: dict[str, Any] = {
    "crate": {"a": 1},
    "crates": [{"a": 1}],
    "typed": {"k": 1},
    "point": {"x": 1},
    "sizes": {"k": 1},
}


async def by_assignment(row: Filed, key: str, value: Any) -> None:
    setattr(row, key, value)
    await row.save()


async def in_place(row: Filed, key: str, value: Any) -> None:
    row.__dict__[key] = value
    await row.save()


async def by_new_row(row: Filed, key: str, value: Any) -> None:
    await row.delete()
    made = Filed()
    made.__dict__[key] = value
    await made.save()


async def by_insert_many(row: Filed, key: str, value: Any, **options: Any) -> None:
    await row.delete()
    made = Filed()
    made.__dict__[key] = value
    await Filed.insert_many([made], **options)


async def by_bulk_update(row: Filed, key: str, value: Any) -> None:
    row.__dict__[key] = value
    await Filed.bulk_update([row])


WRITES: dict[str, Callable[[Filed, str, Any], Awaitable[Any]]] = {
    "assignment": by_assignment,
    "save": in_place,
    "insert": by_new_row,
    "insert_many": by_insert_many,
    "insert_many without rows": lambda r, k, v: by_insert_many(r, k, v, returning=False),
    "insert_many conflict": lambda r, k, v: Filed.insert_many(
        [{"code": "c"}], on_conflict=Conflict(["code"], update={k: v})
    ),
    "update of a row": lambda r, k, v: r.update({k: v}),
    "update of a query": lambda r, k, v: Filed.find(Filed.id == r.id).update({k: v}),
    "operator": lambda r, k, v: Filed.find(Filed.id == r.id).update(Set({k: v})),
    "bulk_update": by_bulk_update,
    "upsert": lambda r, k, v: Filed.upsert({"code": "c"}, conflict=["code"], update={k: v}),
    "update_or_create": lambda r, k, v: Filed.update_or_create({k: v}, code="c"),
    "merge": lambda r, k, v: _merged(k, v),
}


async def _merged(key: str, value: Any) -> None:
    await Filed.merge([{"code": "c"}], on=["code"]).when_matched().update({key: value})


@pytest.mark.parametrize("key", BAD)
@pytest.mark.parametrize("write", WRITES)
async def test_every_write_refuses_what_could_not_be_loaded(db: Any, write: str, key: str) -> None:
    await create_all(Filed)
    row = await Filed().save()
    before = await fetch_val(f"SELECT {key}::text FROM filed")
    with pytest.raises((EncodeError, ValidationError)) as caught:
        await WRITES[write](row, key, BAD[key])
    if isinstance(caught.value, EncodeError):
        assert f"Filed.{key} does not fit " in str(caught.value) and "bad" not in str(caught.value)
    assert await fetch_val(f"SELECT {key}::text FROM filed") in (before, None)
    assert len(await Filed.find()) <= 1


@pytest.mark.parametrize("key", GOOD)
@pytest.mark.parametrize("write", WRITES)
async def test_every_write_takes_plain_values_that_fit(db: Any, write: str, key: str) -> None:
    await create_all(Filed)
    row = await Filed().save()
    await WRITES[write](row, key, GOOD[key])
    expected = Filed(**{key: GOOD[key]})
    assert getattr((await Filed.find())[0], key) == getattr(expected, key)


async def test_assignment_makes_models_and_keeps_objects(db: Any) -> None:
    await create_all(Filed)
    row = await Filed().save()
    row.crate = {"a": 5}  # type: ignore[assignment]
    assert row.crate == Crate(a=5)
    crate, crates = LargeCrate(a=1), [Crate(a=2)]
    row.crate, row.crates = crate, crates
    assert row.crate is crate and row.crates is crates
    await row.save()
    assert row.crate is crate and await fetch_val("SELECT crate->>'extra' FROM filed") == "e"
    row.crates.append({"a": 3})  # type: ignore[arg-type]
    await row.save()
    assert row.crates[1] == Crate(a=3) and not row.is_changed
    row.crates[1].a = "bad"  # type: ignore[assignment]
    with pytest.raises(EncodeError, match=r"Filed\.crates does not fit .*1\.a"):
        await row.save()
    row.discard_changes()
    assert row.crates == [Crate(a=2), Crate(a=3)]
    await row.update(free=func.jsonb_build_object("a", 1))
    assert row.free == {"a": 1}


class Strict(IdMixin):
    class Settings:
        validate_on_save = True

    n: Col[int] = Column(default=0, ge=0)


async def test_validation_on_save_holds_for_update(db: Any) -> None:
    await create_all(Strict)
    row = await Strict().save()
    for write in (
        lambda: row.update(n=-1),
        lambda: Strict.find(Strict.id == row.id).update(n=-1),
        lambda: Strict.upsert({"id": row.id}, conflict=["id"], update={"n": -1}),
        lambda: Strict.update_or_create({"n": -1}, id=row.id),
    ):
        with pytest.raises(ValidationError):
            await write()
    await row.update(n="5")
    assert row.n == 5 and (await Strict.get(row.id)).n == 5


async def test_values_that_json_stores_alike_are_no_change(db: Any) -> None:
    await create_all(Filed)
    row = await Filed(free={"at": datetime(2024, 1, 1), "t": (1, 2), "m": Crate(a=1)}).save()
    assert not row.is_changed
    row.free["t"] = [1, 2]
    assert not row.is_changed
    row.free["t"] = [1, 2.0]
    assert row.is_changed


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1.0}, False),
        (Crate(a=1), Crate(a=True), True),
        (Crate.model_construct(a=1), Crate.model_construct(a=True), False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([Decimal("1.0")], [Decimal("1.00")], False),
        ({"a": {1, 2}}, {"a": [1, 2]}, True),
        ([float("nan")], [float("nan")], True),
        ("a", datetime(2024, 1, 1), False),
    ],
)
def test_what_is_the_same(a: Any, b: Any, same: bool) -> None:
    assert is_same(a, b) is is_same(b, a) is same
