"""Calls that once did less than they said, without a word: each is done wholly now, or refused with the remedy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    ConfigurationError,
    EncodeError,
    IdMixin,
    Link,
    ManyToMany,
    create_all,
    fetch,
)


class Habit(IdMixin):
    name: Col[str] = Column(default="x")
    data: Col[dict[str, Any]] = Column(default_factory=dict)
    double: Col[int | None] = Column(computed="id * 2", default=None)
    marks: ManyToMany[HabitMark] = ManyToMany(through="HabitMarking")
    parts: BackLink[list[HabitPart]] = BackLink("habit")


class HabitMark(IdMixin):
    label: Col[str] = Column(default="l")


class HabitMarking(IdMixin):
    habit: Link[Habit]
    mark: Link[HabitMark]
    level: Col[int] = Column(default=1, alias="grade")


class HabitPart(IdMixin):
    habit: Link[Habit]
    n: Col[int] = Column(default=1)

    class Settings:
        indexes = ({"fields": ["habit", "n"], "name": "habit_and_n"},)


@pytest.fixture
async def habit(db: Any) -> Habit:
    await create_all(Habit, HabitMark, HabitMarking, HabitPart)
    return await Habit().save()


async def test_unknown_fields_of_a_through_model(habit: Habit) -> None:
    mark = await HabitMark().save()
    with pytest.raises(
        TypeError, match=r"Habit.marks.add\(levle=…\): HabitMarking has no field 'levle': did you mean 'level'"
    ):
        await habit.marks.add(mark, levle=3)
    assert await HabitMarking.count() == 0
    assert await habit.marks.add(mark, grade=3) == 1
    assert (await HabitMarking.find().one()).level == 3


async def test_two_changed_copies_of_a_row(habit: Habit) -> None:
    one, other = await Habit.get(habit.id), await Habit.get(habit.id)
    one.name, other.name = "one", "other"
    with pytest.raises(
        ConfigurationError, match=f"two changed copies of the Habit with key {habit.id}: one would be lost"
    ):
        await Habit.bulk_update([one, other])
    assert (one.is_changed, other.is_changed) == (True, True)
    assert await Habit.bulk_update([one, await Habit.get(habit.id)]) == 1, "an unchanged copy writes nothing"


@pytest.mark.parametrize("number", ["1.5", "0.1", "1", "1.0", "1.50", "1E+2", "-7.25"])
async def test_a_decimal_in_a_document_is_saved_once(habit: Habit, number: str) -> None:
    habit.data["n"] = [Decimal(number), {"deep": Decimal(number)}]
    await habit.save()
    assert not habit.is_changed
    assert (await Habit.get(habit.id)).data["n"][0] == float(number)


async def test_a_decimal_that_no_float_holds_is_compared_by_all_its_digits(habit: Habit) -> None:
    habit.data["n"] = Decimal("12345678901234567890.123456789")
    await habit.save()
    habit.data["n"] = Decimal("12345678901234567890.123456780")
    await habit.save()
    (row,) = await fetch("SELECT data->>'n' AS n FROM habit")
    assert row["n"] == "12345678901234567890.123456780"


WRITES: dict[str, Callable[[Habit], Awaitable[Any]]] = {
    "save": lambda row: row.save(),
    "update": lambda row: row.update(double=7),
    "bulk_update": lambda row: Habit.bulk_update([row]),
    "update of a query": lambda row: Habit.find(Habit.id == row.id).update(double=7),
}


@pytest.mark.parametrize("write", list(WRITES))
async def test_a_computed_column_is_not_written(habit: Habit, write: str) -> None:
    habit.double = 7
    with pytest.raises(EncodeError, match=r"Habit.double is computed by the database and cannot be set"):
        await WRITES[write](habit)


async def test_two_queries_for_one_list(habit: Habit) -> None:
    one, two = Habit.parts.find(HabitPart.n == 1), Habit.parts.find(HabitPart.n == 2)
    for query in (lambda: Habit.find().fetch_links(one, two), lambda: Habit.find().fetch_links(one).fetch_links(two)):
        with pytest.raises(ConfigurationError, match=r"two queries for Habit.parts.*one query with both conditions"):
            query()
    await HabitPart(habit=habit, n=2).save()
    (row,) = await Habit.find().fetch_links(two, Habit.marks)
    assert [part.n for part in row.parts] == [2]


async def test_an_index_names_a_link(habit: Habit) -> None:
    (row,) = await fetch("SELECT indexdef FROM pg_indexes WHERE indexname = 'habit_and_n'")
    assert row["indexdef"].endswith("(habit_id, n)")


@pytest.mark.parametrize(("body", "said"), [
    ("class Settings: tabel = 'x'", "did you mean 'name'"),
    ("class Settings: db_table = 'x'", "did you mean 'name'"),
    ("class Settings: abstrct = True", "did you mean 'abstract'"),
    ("role: Col[str] = Column(server_default='user')", "USER is the name of the session's role"),
])  # fmt: skip
def test_what_a_class_body_means(body: str, said: str) -> None:
    names: dict[str, Any] = {"IdMixin": IdMixin, "Col": Col, "Column": Column, "__name__": __name__}
    with pytest.raises(ConfigurationError, match=said):
        exec(f"class HabitOfAnother(IdMixin):\n    {body}\n", names)
