"""Frozen definitions: what they take, compare and refuse."""

from __future__ import annotations

import copy
import pickle

import pytest

from data_bridge.query import ColumnDef, ConstraintDef, EnumDef, TableDef, column, sql, table, types

USERS = TableDef("users", (ColumnDef("id", types.BigInt, nullable=False),), schema="app")


def test_fields_come_by_place_or_by_name() -> None:
    assert ColumnDef("id", type=types.BigInt, nullable=False) == USERS.columns[0]
    assert repr(EnumDef("mood", values=("sad",))) == "EnumDef(name='mood', values=('sad',), schema=None, comment=None)"
    match USERS:
        case TableDef(name, columns):
            assert (name, columns) == ("users", USERS.columns)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EnumDef("mood"), "EnumDef() needs values"),  # type: ignore[call-arg]
        (lambda: EnumDef("mood", (), "app"), "EnumDef() takes 2 values without a name, not 3"),  # type: ignore[misc]
        (lambda: EnumDef("mood", (), name="m"), "EnumDef() takes name once"),  # type: ignore[misc]
        (lambda: EnumDef("mood", (), labels=()), "EnumDef() has no labels; it has name, values, schema, comment"),  # type: ignore[call-arg]
        (lambda: USERS.replace(table="x"), "TableDef() has no table; it has name, columns"),
    ],
)  # fmt: skip
def test_wrong_fields_are_named(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(TypeError) as caught:
        make()
    assert message in str(caught.value)


def test_a_definition_does_not_change() -> None:
    with pytest.raises(AttributeError, match=r"TableDef does not change; use \.replace\(name=…\)"):
        USERS.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="name stays"):
        del USERS.name
    assert USERS.replace(name="other").name == "other"
    assert USERS.name == "users"


def test_expressions_compare_by_what_they_say() -> None:
    def checked(n: int) -> ConstraintDef:
        return ConstraintDef("check", check=table("t", column("a", int)).a > n)

    assert checked(1) == checked(1)
    assert hash(checked(1)) == hash(checked(1))
    assert checked(1) != checked(2)
    assert ColumnDef("a", types.Text, default=sql("now()")) == ColumnDef("a", types.Text, default=sql("now()"))
    assert USERS.replace(owner="User") == USERS
    assert USERS != "users"


def test_copies_and_pickles() -> None:
    assert USERS.primary_key == ()  # kept in the object, and no part of what it is
    assert copy.deepcopy(USERS) == USERS
    assert pickle.loads(pickle.dumps(USERS)) == USERS
