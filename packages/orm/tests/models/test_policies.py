"""Policies of a class decide what real roles see and write; an unset setting shows no rows, never all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from data_bridge.core.errors import ConfigurationError, DatabaseError
from data_bridge.postgres import (
    Col,
    Column,
    IdMixin,
    Policy,
    RowPolicy,
    Table,
    create_all,
    execute,
    fetch_val,
    pg_transaction,
)
from data_bridge.query import sql, types

USER, OWNER = "policy_user", "policy_owner"


class Note(IdMixin):
    class Settings:
        policies = [RowPolicy("tenant", "app.tenant")]

    tenant: Col[int]
    text: Col[str] = ""


class OpenNote(IdMixin):
    class Settings:
        policies = [RowPolicy("tenant", "app.tenant")]
        row_security = "enabled"

    tenant: Col[int]


class Secret(IdMixin):
    class Settings:
        policies = [
            Policy("read", command="select", using=sql("level < 5")),
            Policy("not_mine", using=sql("level <> 3"), restrictive=True, comment="why"),
            Policy("put", command="insert", check=sql("level > 0"), roles=(USER,)),
        ]

    level: Col[int]


TYPES: dict[str, tuple[Any, Any, Any]] = {
    "int": (int, 1, 2),
    "str": (str, "a", "b"),
    "UUID": (UUID, UUID(int=1), UUID(int=2)),
    "date": (date, date(2026, 1, 1), date(2026, 1, 2)),
    "bool": (bool, True, False),
}


@pytest.fixture
async def roles(db: Any) -> None:
    await execute(f"CREATE ROLE {USER} NOLOGIN")
    await execute(f"CREATE ROLE {OWNER} NOLOGIN")


async def _made(*classes: Any) -> None:
    await create_all(*classes)
    for cls in classes:
        name = f'"{cls.__db__.settings.name}"'
        await execute(f"GRANT ALL ON {name} TO {USER}")
        await execute(f"ALTER TABLE {name} OWNER TO {OWNER}")


@asynccontextmanager
async def acting_as(role: str, **settings: Any) -> AsyncGenerator[None]:
    async with pg_transaction() as tx:
        for name, value in settings.items():
            await tx.fetch_val("SELECT set_config($1, $2, true)", f"app.{name}", str(value))
        await tx.execute(f"SET LOCAL ROLE {role}")
        yield
        await tx.execute("RESET ROLE")
        for name in settings:  # the transaction of a test is a savepoint, behind which a setting stays
            await tx.fetch_val("SELECT set_config($1, '', true)", f"app.{name}")


@pytest.mark.parametrize("role", [USER, OWNER])
async def test_a_row_policy_shows_the_rows_of_the_setting(roles: None, role: str) -> None:
    await _made(Note)
    await Note.insert_many([Note(tenant=t) for t in (1, 1, 2)])
    async with acting_as(role, tenant=1):
        assert await Note.count() == 2
        assert await Note.find_all().update(text="x") == 2
        await Note.create(tenant=1)
    async with acting_as(role, tenant=2):
        assert [n.text for n in await Note.find()] == [""]
        assert await Note.delete_all() == 1
    assert await Note.count() == 3  # the superuser of the tests


@pytest.mark.parametrize("role", [USER, OWNER])
async def test_an_unset_setting_shows_no_rows(roles: None, role: str) -> None:
    await _made(Note)
    await Note.insert_many([Note(tenant=t) for t in (0, 1, 2)])
    async with acting_as(role):
        assert await Note.count() == 0
        assert await Note.delete_all() == 0
    async with acting_as(role, tenant=""):
        assert await Note.count() == 0
        assert await Note.find_all().update(text="x") == 0
    assert await Note.count() == 3


async def test_a_setting_that_a_transaction_set_is_unset_behind_it(roles: None) -> None:
    await _made(Note)
    await Note.create(tenant=1)
    async with acting_as(USER, tenant=1):
        assert await Note.count() == 1
    assert await fetch_val("SELECT current_setting('app.tenant', true)") == ""
    async with acting_as(USER):
        assert await Note.count() == 0


@pytest.mark.parametrize("setting", ["", "2"])
async def test_a_row_of_others_cannot_be_written(roles: None, setting: str) -> None:
    await _made(Note)
    with pytest.raises(DatabaseError) as caught:
        async with acting_as(USER, tenant=setting):
            await Note.create(tenant=1)
    assert caught.value.sqlstate == "42501"


async def test_a_value_that_does_not_fit_is_an_error_and_shows_nothing(roles: None) -> None:
    await _made(Note)
    await Note.create(tenant=1)
    with pytest.raises(DatabaseError):
        async with acting_as(USER, tenant="1 OR true"):
            await Note.count()


async def test_the_owner_sees_all_rows_where_security_is_not_forced(roles: None) -> None:
    await _made(OpenNote)
    await OpenNote.insert_many([OpenNote(tenant=t) for t in (1, 2)])
    async with acting_as(OWNER):
        assert await OpenNote.count() == 2
    async with acting_as(USER):
        assert await OpenNote.count() == 0


@pytest.mark.parametrize("kind", TYPES)
async def test_a_column_of_any_type_is_compared(roles: None, kind: str) -> None:
    of, mine, other = TYPES[kind]

    class Thing(IdMixin):
        class Settings:
            name = "thing"
            policies = [RowPolicy("holder", "app.holder")]

        holder: Col[of] = Column(name="Odd holder")

    await _made(Thing)
    await Thing.insert_many([Thing(holder=mine), Thing(holder=other)])
    async with acting_as(USER, holder=mine):
        assert [t.holder for t in await Thing.find()] == [mine]
    async with acting_as(USER):
        assert await Thing.count() == 0


CUT: dict[str, tuple[Any, str]] = {
    "varchar": ("ab", "abc"),
    "char": ("ab", "abc"),
    "numeric": (Decimal("1.2"), "1.24"),
    "bit": ("10", "101"),
}
CUT_TYPES = {"varchar": types.Varchar(2), "char": types.Char(2), "numeric": types.Numeric(5, 1), "bit": types.Bit(2)}


@pytest.mark.parametrize("kind", CUT)
async def test_a_longer_value_is_not_cut_to_that_of_others(roles: None, kind: str) -> None:
    theirs, mine = CUT[kind]

    class Cut(IdMixin):
        class Settings:
            name = "cut"
            policies = [RowPolicy("holder", "app.holder")]

        holder: Col[type(theirs)] = Column(type=CUT_TYPES[kind])  # type: ignore[misc]

    await _made(Cut)
    await execute(f"INSERT INTO cut (holder) VALUES ('{theirs}')")
    async with acting_as(USER, holder=mine):
        assert await Cut.count() == 0
    async with acting_as(USER, holder=theirs):
        assert await Cut.count() == 1


async def test_policies_of_commands_and_roles(roles: None) -> None:
    await _made(Secret)
    await Secret.insert_many([Secret(level=n) for n in (1, 3, 9)])
    async with acting_as(USER):
        assert [s.level for s in await Secret.find()] == [1]
        await Secret.create(level=2)
        assert await Secret.find_all().update(level=1) == 0  # no policy allows it
    assert await Secret.count() == 4
    assert await Secret.check_schema() == []


def _declared(**settings: Any) -> None:
    class Wrong(Table):
        class Settings:
            locals().update(settings)

        id: Col[int] = Column(primary_key=True)


WRONG = {
    "no policy": ({"policies": ["x"]}, "Wrong.Settings.policies takes Policy"),
    "no field": ({"policies": [RowPolicy("nobody", "app.x")]}, "'nobody' is not a field; fields are id"),
    "twice": ({"policies": [RowPolicy("id", "app.x"), RowPolicy("id", "app.y")]}, "Wrong has two policies called 'wrong_id'"),
    "security off": ({"policies": [RowPolicy("id", "app.x")], "row_security": None}, "'enabled' or 'forced'"),
    "security of another kind": ({"row_security": True}, "'enabled' or 'forced'"),
    "of a view": ({"view": "SELECT 1 AS id", "row_security": "enabled"}, "a view has no row_security"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_a_policy_is_refused(case: str) -> None:
    settings, message = WRONG[case]
    with pytest.raises(ConfigurationError, match=message):
        _declared(**settings)


@pytest.mark.parametrize("setting", ["tenant", "app.", "app.x'; DROP TABLE t; --", ""])
def test_a_setting_has_the_name_of_one(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=r"a setting of an application is written app\.name"):
        RowPolicy("tenant", setting)
