"""A value that its column cannot hold: the error names the column, the parameter and the type, and not the value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from data_bridge.core import Database
from data_bridge.postgres import Col, Column, EncodeError, Table, create_all, fetch

BIG = 2**40 + 7


class Misfit(Table):
    id: Col[int] = Column(primary_key=True)
    age: Col[int] = Column(type="integer")
    name: Col[str] = Column(default="")
    tags: Col[list[str]] = Column(default_factory=list)


DOORS: dict[str, tuple[str, Callable[[], Awaitable[Any]]]] = {
    "=": ("misfit.age ($1, int4)", lambda: Misfit.find(Misfit.age == BIG).to_list()),
    "the second of two": ("misfit.age ($2, int4)", lambda: Misfit.find(Misfit.name == "a", Misfit.age < BIG).to_list()),
    "between": ("misfit.age ($2, int4)", lambda: Misfit.find(Misfit.age.between(1, BIG)).to_list()),
    "in_": ("misfit.age ($1, int4[])", lambda: Misfit.find(Misfit.age.in_([1, BIG])).to_list()),
    "like": ("misfit.name ($1, text)", lambda: Misfit.find(Misfit.name.like("a\0%")).to_list()),
    "contains": ("misfit.tags ($1, text[])", lambda: Misfit.find(Misfit.tags.contains(["\ud800"])).to_list()),
    "arithmetic": ("misfit.age ($1, int4)", lambda: Misfit.find(Misfit.age + BIG > 1).to_list()),
    "count": ("misfit.age ($1, int4)", lambda: Misfit.find(Misfit.age == BIG).count()),
    "delete": ("misfit.age ($1, int4)", lambda: Misfit.find(Misfit.age == BIG).delete()),
    "get": ("misfit.id ($1, int8)", lambda: Misfit.get(2**70)),
    "update": ("age ($1, int4)", lambda: Misfit.find(Misfit.id == 1).update(age=BIG)),
    "save": ("Misfit.age (int4)", lambda: Misfit(id=1, age=BIG).save()),
}


@pytest.mark.parametrize("door", DOORS)
async def test_the_error_names_the_column(db: Database, door: str) -> None:
    await create_all(Misfit)
    place, call = DOORS[door]
    for _ in range(2):  # the second time the types of the parameters are known
        with pytest.raises(EncodeError) as caught:
            await call()
        assert str(caught.value).startswith(f"{place}: "), str(caught.value)
        assert str(BIG) not in str(caught.value)


async def test_a_change_of_a_row_names_its_field(db: Database) -> None:
    await create_all(Misfit)
    row = await Misfit(id=1, age=1).save()
    row.age = BIG
    with pytest.raises(EncodeError, match=r"^Misfit\.age \(int4\): "):
        await row.save()
    row.age, row.name = 2, "a\0"
    with pytest.raises(EncodeError, match=r"^Misfit\.name \(text\): "):
        await row.save()


async def test_text_of_the_user_keeps_the_number(db: Database) -> None:
    with pytest.raises(EncodeError, match=r"^\$1 \(int4\): "):
        await fetch('SELECT "x" FROM (SELECT 1 AS "x") AS t WHERE "x" = $1::int4', BIG)


class Plain(Table):
    id: Col[int] = Column(primary_key=True)
    age: Col[int] = Column(type="integer")


@pytest.mark.parametrize(("cls", "kind"), [(Misfit, "int4"), (Plain, "int4[]")])
async def test_rows_of_insert_many_name_field_and_index(db: Database, cls: Any, kind: str) -> None:
    await create_all(cls)
    with pytest.raises(EncodeError) as caught:
        await cls.insert_many([cls(id=1, age=1), cls(id=2, age=BIG)])
    assert str(caught.value).startswith(f"{cls.__name__}.age ({kind}): ")
    assert caught.value.row_index == 1  # type: ignore[attr-defined]
    assert await cls.count() == 0
