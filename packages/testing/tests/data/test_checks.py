"""CHECK constraints: what is read of them is what PostgreSQL reads, and factories and strategies obey it."""

from __future__ import annotations

import asyncio
import itertools
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_bridge.core import ConfigurationError, fetch_val
from data_bridge.postgres import Check, Col, Column, Table
from data_bridge.testing import Factory, Sandbox, rows
from data_bridge.testing.data.condition_reader import Unreadable, read

NUMBERS = {
    "age between 0 and 150": 30,
    "age BETWEEN 5 AND 7 AND age <> 6": 30,
    "age > 10 and age <= 12": 30,
    "100 <= age": 30,
    "age < -3": 30,
    "age in (1, 5, 9)": 30,
    "age = 7": 30,
    "(age >= 18) AND ((age < 20))": 30,
    "age % 2 = 1": 30,
    "age > 5 OR age < 2": 30,
    "NOT age = 3": 30,
    "age NOT BETWEEN 0 AND 9000": 30,
    "age IS NOT NULL AND age > 3": 30,
    'abs("age") < 4': 30,
    "age * 2 + 1 > 20000": 30,
    "age > 2.5": 30,
}
TEXTS = [
    "length(name) between 2 and 4",
    "char_length(name) = 3",
    "length(name) > 40",
    "name in ('red', 'it''s')",
    "name = 'only'",
    "lower(name) = name",
    "name LIKE 'name%'",
    "length(trim(name)) > 0 AND name <> ''",
    "name IN ('a', 'b') AND length(name) = 1",
    "name IS NOT NULL",
]
OTHERS: list[tuple[type, str]] = [
    (Decimal, "value > 0 AND value < 0.05"),
    (Decimal, "value >= 100.5"),
    (Decimal, "value < 0"),
    (float, "value BETWEEN 0 AND 1"),
    (float, "value < -5"),
    (date, "value >= '2030-01-01'"),
    (date, "value BETWEEN DATE '1999-12-30' AND '1999-12-31'::date"),
    (date, "value < '1990-01-01'"),
    (datetime, "value > '2030-01-01 00:00:00+00'"),
    (bool, "value"),
    (bool, "value = false"),
]
CASES: list[tuple[type, str]] = [
    *((int, check.replace("age", "value")) for check in NUMBERS),
    *((str, check.replace("name", "value").replace("'value%'", "'val%'")) for check in TEXTS),
    *OTHERS,
]
numbers = itertools.count()


def table_of(annotation: Any, check: Any) -> Any:
    class Checked(Table):
        class Settings:
            name = f"checked_{next(numbers)}"
            constraints = [Check(check)]

        id: int = Column(primary_key=True, auto_increment=True)
        value: annotation  # type: ignore[valid-type]

    return Checked


@pytest.mark.parametrize(("annotation", "check"), CASES, ids=str)
async def test_rows_of_a_factory_pass_the_check(db: Sandbox, annotation: type, check: str) -> None:
    model = table_of(annotation, check)
    await model.create_table()
    assert len(await Factory.of(model).create_batch(30)) == 30


@pytest.mark.parametrize(("annotation", "check"), CASES, ids=str)
async def test_a_condition_is_read_as_postgresql_reads_it(db: Sandbox, annotation: type, check: str) -> None:
    """Also where the row is refused: both say the same of every value."""
    kind = {
        int: "int",
        str: "text",
        Decimal: "numeric",
        float: "float8",
        date: "date",
        datetime: "timestamptz",
        bool: "bool",
    }
    values: list[Any] = {
        int: [-5, -3, 0, 2, 3, 5, 6, 7, 11, 100, 9_500, 10_001],
        str: ["", " ", "a", "ab", "abc", "red", "it's", "only", "VALUE", "value 1", "x" * 50],
        Decimal: [Decimal(0), Decimal("0.01"), Decimal("0.05"), Decimal("100.5"), Decimal(-1)],
        float: [-6.5, 0.0, 0.5, 1.0, 1.5],
        date: [date(1980, 1, 1), date(1999, 12, 30), date(2030, 1, 1), date(2031, 1, 1)],
        datetime: [datetime.fromisoformat(text) for text in ("2029-12-31T23:59:59+00:00", "2030-01-01T00:00:01+00:00")],
        bool: [True, False],
    }[annotation]
    condition = read(check)
    for value in [*values, None]:
        row = f"SELECT {check} FROM (SELECT $1::{kind[annotation]} AS value) AS t"
        assert condition.evaluate({"value": value}) == await fetch_val(row, value), value


class Built(Table):
    class Settings:
        name = "checked_built"

    id: Col[int] = Column(primary_key=True, auto_increment=True)
    low: Col[int]
    high: Col[int]


class Pair(Table):
    class Settings:
        name = "checked_pair"
        constraints = [
            Check((Built.low < Built.high) & Built.low.between(3, 9) & Built.high.in_([5, 9, 11])),
        ]

    id: int = Column(primary_key=True, auto_increment=True)
    low: int
    high: int


async def test_conditions_of_expressions_and_of_several_columns(db: Sandbox) -> None:
    await Pair.create_table()
    made = await Factory.of(Pair).create_batch(50)
    assert {row.high for row in made} == {5, 9, 11}
    assert (await Factory.of(Pair).create(low=8)).high in (9, 11)
    with pytest.raises(
        ConfigurationError, match=r"no values for high were found that the check \(.*\) of Pair accepts"
    ):
        await Factory.of(Pair).create(low=20)


@pytest.mark.parametrize(
    "check", ["value ~ '^a'", "f(value)", "value > (SELECT 1)", "value::int > 3", "CASE WHEN value > '' THEN true END"]
)
def test_what_only_the_server_can_decide_is_named(check: str) -> None:
    with pytest.raises(Unreadable):
        read(check)
    model = table_of(str, check)
    with pytest.raises(ConfigurationError) as caught:
        Factory.of(model).build()
    assert f"cannot read the check ({check}) of Checked, so that it has no values for value" in str(caught.value)
    assert "hint: give them in the factory: value = lambda n: …" in str(caught.value)
    assert Factory.of(model).build(value="anything").value == "anything", "the server decides"


def test_a_nullable_column_that_a_check_requires_is_filled() -> None:
    class Required(Table):
        id: int = Column(primary_key=True, auto_increment=True)
        value: int | None = Column(default=None, check="value IS NOT NULL AND value > 5")

    assert (Factory.of(Required).build().value or 0) > 5


class Several(Table):
    class Settings:
        name = "checked_several"

    id: int = Column(primary_key=True, auto_increment=True)
    age: int = Column(check="age between 0 and 150")
    code: str = Column(check="length(code) = 3")
    born: date = Column(check="born >= '2000-01-01' AND born < '2001-01-01'")
    kind: str = Column(check="kind in ('a', 'b')")


@pytest.fixture(scope="session")
def several() -> object:
    return [Several]


@pytest.mark.db(template="several")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(row=rows(Several))
def test_strategies_obey_checks(db: Sandbox, row: Several) -> None:
    async def save() -> None:
        async with db.example():
            await row.insert()

    asyncio.run(save())


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("a1'$()<>=,. ANDORNIbetwnilkx"), max_size=30))
def test_reading_ends_with_a_condition_or_unreadable(text: str) -> None:
    try:
        read(text)
    except Unreadable:
        pass
