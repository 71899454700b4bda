"""Privileges on tables and views follow every change, on a real server, there and back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from migrate_schema_laws import operations_lead, two_databases

from data_bridge.query import ColumnDef, ConstraintDef, GrantDef, SQLType, TableDef, ViewDef, types
from data_bridge.testing import EmbeddedServer

READ, WRITE = GrantDef("SELECT", "policy_a"), GrantDef(("INSERT", "UPDATE"), "policy_a")
OTHER = GrantDef(("SELECT",), 'Policy "b"')


def table(*grants: GrantDef, of: SQLType = types.BigInt, **options: Any) -> TableDef:
    name = options.pop("name", "t")
    columns = (ColumnDef("id", types.BigInt, nullable=False), ColumnDef("a", of))
    key = ConstraintDef("primary_key", f"{name}_pkey", ("id",))
    return TableDef(name, columns, constraints=(key,), grants=grants, **options)


def view(*grants: GrantDef, query: str = "SELECT id, a FROM t", **options: Any) -> ViewDef:
    return ViewDef("v", query, grants=grants, **options)


STEPS: dict[str, tuple[list[Any], list[Any]]] = {
    "a privilege comes": ([table()], [table(READ)]),
    "more privileges": ([table(READ)], [table(READ, WRITE)]),
    "another role": ([table(READ)], [table(OTHER)]),
    "all privileges": ([table(READ)], [table(GrantDef("ALL", "policy_a"))]),
    "every role": ([table(READ)], [table(GrantDef("SELECT", "public"))]),
    "of a new table": ([], [table(READ, OTHER)]),
    "of a new view": ([table()], [table(), view(READ)]),
    "of a view": ([table(), view(READ)], [table(), view(OTHER)]),
    "of a view that is replaced": (
        [table(), view(READ)],
        [table(), view(READ, query="SELECT id, a FROM t WHERE a > 0")],
    ),
    "of a view that is made again": ([table(), view(READ)], [table(), view(READ, query="SELECT a, id FROM t")]),
    "of a view below which a type changes": ([table(READ), view(READ)], [table(READ, of=types.Text), view(READ)]),
    "of a copy": ([table(), view(READ)], [table(), view(READ, materialized=True)]),
}
RENAMES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "a table": ([table(READ)], [table(WRITE, name="u", schema="shop")], ["t:shop.u"]),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_change_leads_there_and_back(step: str, lead: Any) -> None:
    old, new = STEPS[step]
    lead(old, new)
    lead(new, old)


@pytest.mark.parametrize("case", RENAMES)
def test_privileges_follow_a_rename(case: str, lead: Any) -> None:
    old, new, renames = RENAMES[case]
    lead(old, new, renames=renames)


@pytest.mark.servers
def test_postgresql_15_does_the_same() -> None:
    async def run(dsn: str) -> None:
        async with two_databases(dsn) as place:
            for old, new in STEPS.values():
                await operations_lead(place, old, new)
                await operations_lead(place, new, old)

    with EmbeddedServer(provider="local") as server:
        asyncio.run(run(server.dsn))
