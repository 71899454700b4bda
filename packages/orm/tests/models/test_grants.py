"""Privileges of a class are granted with its table or view."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import Col, Column, Grant, IdMixin, Table, create_all, execute, fetch_val


class Ware(IdMixin):
    class Settings:
        grants = [Grant(("SELECT", "INSERT"), "grant_reader"), Grant("SELECT", "public")]

    name: Col[str]


class SeenWare(Table):
    class Settings:
        view = "SELECT id, name FROM ware"
        grants = [Grant("SELECT", "grant_reader")]

    id: Col[int] = Column(primary_key=True)
    name: Col[str]


async def test_a_role_has_what_a_class_grants(db: Any) -> None:
    await execute("CREATE ROLE grant_reader NOLOGIN")
    await create_all(Ware, SeenWare)
    may = "SELECT has_table_privilege('grant_reader', $1, $2)"
    assert await fetch_val(may, "ware", "INSERT") is True
    assert await fetch_val(may, "ware", "DELETE") is False
    assert await fetch_val(may, "seen_ware", "SELECT") is True
    assert Ware.ddl().splitlines()[-2:] == [
        'GRANT INSERT, SELECT ON "ware" TO "grant_reader";',
        'GRANT SELECT ON "ware" TO PUBLIC;',
    ]


def test_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Wrong\.Settings\.grants takes Grant"):

        class Wrong(IdMixin):
            class Settings:
                grants = ["SELECT"]
